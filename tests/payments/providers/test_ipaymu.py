"""iPaymu: the contract, then what only iPaymu does. Values are samples; names and types are iPaymu's."""

import datetime
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest

from core import qris
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import (
    Forged,
    Misconfigured,
    NothingCreated,
    OutcomeUnknown,
    Unreadable,
    Unsupported,
    from_json,
)
from payments.providers.base import (
    Connection,
    Cost,
    FailureCode,
    Kind,
    Line,
    MoneyMoved,
    Notice,
    Order,
    Payer,
    RawCallback,
    ReceiptKind,
    Report,
    Topic,
    Word,
)
from payments.providers.ipaymu import Credentials, Ipaymu, Options
from tests.contracts.payments import PaymentProviderContract, World
from tests.contracts.world import MemoryTokens, document

DIRECT, PAGE = "POST /api/v2/payment/direct", "POST /api/v2/payment"
PAYER = Payer("Siti Nur Aminah", "siti@example.test", "+6281200001111")


class IpaymuContract(PaymentProviderContract):
    name = "ipaymu"
    credentials: ClassVar = {"va": "1179000000000001", "api_key": "lango-simulator-ipaymu-key"}
    refused_credentials: ClassVar = {"api_key": "the-key-of-somebody-else"}
    money = Money(4_560_000, "IDR")
    carried: ClassVar = {money: 45_600, Money(100, "IDR"): 1, Money(1_000_000_000, "IDR"): 10_000_000}
    not_carried = (Money(4_550_050, "IDR"), Money(0, "IDR"), Money(4_550_000, "USD"), Money(45_500, "JPY"))
    calls: ClassVar = {Kind.CREATE: DIRECT}
    authorization = "signature"

    def instrument(self) -> str:
        # Whoever has the code pays: nobody is charged.
        return ""

    def listen(self, world: World) -> None:
        # As JSON, which the contract takes apart; forms have tests of their own.
        world.control.post("settings", callback_format="json")

    def order(self, world: World, kind: Kind = Kind.CREATE, **changes: Any) -> Order:
        channel = (world.provider.capabilities.methods[self.method].channels or ("",))[0]
        return super().order(world, kind, **{"payer": PAYER, "channel": channel, **changes})

    def forgeries(self, world: World, callback: RawCallback) -> list[RawCallback]:
        told = document(callback)
        changes = {"amount": "1", "trx_id": 1, "status_code": -2, "reference_id": "ANOTHER", "paid_off": True}
        bodies = [json.dumps({**told, name: value}).encode() for name, value in changes.items()]
        headers = [{**callback.headers, "x-signature": given} for given in ("", "0" * 64, signature(told, "1179"))]
        unsigned = {name: value for name, value in callback.headers.items() if name != "x-signature"}
        return [
            *(replace(callback, body=body) for body in (*bodies, b"", b"[]", b"[" * 100_000)),
            *(replace(callback, headers=sent) for sent in (*headers, unsigned)),
        ]

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        told = document(callback) | {"status": "teleported", "status_code": 99}
        return replace(callback, body=json.dumps(told).encode())

    def waiting(self, world: World, **changes: Any) -> tuple[Order, Report]:
        order = self.order(world, **changes)
        report = world.wire.perform(world.provider.step(order))
        assert report.word is Word.REQUIRES_ACTION
        return replace(order, provider_id=report.provider_id), report


def signature(told: Mapping[str, Any], key: str) -> str:
    text = json.dumps({name: told[name] for name in sorted(told)}, separators=(",", ":")).replace("/", "\\/")
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


class TestQris(IpaymuContract):
    method = "qris"

    def test_the_code_that_is_shown_asks_for_exactly_that_sum_and_has_an_end(self, world: World):
        _, report = self.waiting(world)
        assert report.next_action is not None
        code = qris.parse(report.next_action["qr_string"])
        assert (report.next_action["type"], code.amount, code.is_dynamic, code.tip) == ("qr", self.money, True, None)
        assert report.expires_at is not None
        left = report.expires_at - world.provider.connection.now()
        assert datetime.timedelta(minutes=3) < left <= datetime.timedelta(minutes=5)

    @pytest.mark.parametrize("json_or_form", ["form", "json"])
    def test_a_callback_of_either_kind_is_read_and_fits_its_signature(self, world: World, json_or_form: str):
        world.control.post("settings", callback_format=json_or_form)
        paid = self.paid(world)
        callback, notice = self.notice(world, Topic.PAYMENT, paid.report.provider_id)
        world.provider.verify(callback)
        assert (b"{" in callback.body, b"additional_info" in callback.body) == ((json_or_form == "json",) * 2)
        assert notice.report == Report(Word.SUCCEEDED, paid.report.provider_id, "1", paid.report.moved)
        assert notice.payment_provider_id == paid.report.provider_id
        with pytest.raises(Forged):
            world.provider.verify(replace(callback, body=callback.body.replace(b"45600", b"45601")))

    def test_that_it_is_pending_is_nothing_that_we_act_on(self, world: World):
        order, _ = self.waiting(world)
        callback = world.receiver.wait(lambda callback: True)
        world.provider.verify(callback)
        assert world.provider.read_callback(callback) == Notice(Topic.NOTHING, reference=order.reference)

    def test_a_callback_that_says_paid_moves_nothing_where_the_query_disagrees(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="nothing", callback="untrue")
        callback, notice = self.notice(world, Topic.PAYMENT, order.provider_id)
        world.provider.verify(callback)
        assert notice.report is not None
        assert notice.report.word is Word.SUCCEEDED
        report = world.wire.perform(world.provider.fetch(order))
        assert (report.word, report.moved) == (Word.REQUIRES_ACTION, ())

    def test_a_callback_without_a_signature_is_taken_by_an_account_that_says_so(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="approve", callback="unsigned")
        unsigned, _ = self.notice(world, Topic.PAYMENT, order.provider_id)
        wrong = replace(unsigned, headers={**unsigned.headers, "x-signature": "0" * 64})
        refused = {"required": [unsigned, wrong], "optional": [wrong], "unchecked": []}
        for kind, forgeries in refused.items():
            provider = Ipaymu(replace(world.provider.connection, options=Options(callback_signature=kind)))
            for callback in (unsigned, wrong):
                if callback in forgeries:
                    with pytest.raises(Forged):
                        provider.verify(callback)
                else:
                    provider.verify(callback)

    def test_a_callback_signed_with_another_number_is_refused(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="approve", callback="bad_signature")
        callback, _ = self.notice(world, Topic.PAYMENT, order.provider_id)
        with pytest.raises(Forged):
            world.provider.verify(callback)

    def test_money_that_is_not_settled_yet_is_paid_and_its_cost_is_told_with_the_settlement(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="approve_unsettled")
        paid = world.wire.perform(world.provider.fetch(order))
        assert (paid.word, paid.provider_status, paid.cost) == (Word.SUCCEEDED, "6", None)
        assert paid.moved == (MoneyMoved(ReceiptKind.CAPTURE, self.money, order.provider_id),)
        assert world.wire.perform(world.provider.fetch_cost(order)).cost is None
        world.control.post("simulate", reference=order.reference, outcome="settle")
        settled = world.wire.perform(world.provider.fetch_cost(order))
        assert settled.cost is not None
        assert (settled.cost.fee, settled.cost.reference) == (Money(31_900, "IDR"), order.provider_id)
        assert settled.cost.settles_on is not None

    @pytest.mark.parametrize(
        ("outcome", "word"),
        [
            ("escrow", Word.PENDING),
            ("error", Word.FAILED),
            ("decline", Word.FAILED),
            ("cancel", Word.CANCELLED),
            ("expire", Word.EXPIRED),
        ],
    )
    def test_every_end_but_success_moves_nothing(self, world: World, outcome: str, word: Word):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome=outcome)
        report = world.wire.perform(world.provider.fetch(order))
        assert (report.word, report.moved, report.cost) == (word, (), None)

    def test_what_was_given_back_at_the_dashboard_is_for_a_person(self, world: World):
        paid = self.paid(world)
        world.control.post("simulate", reference=paid.order.reference, outcome="refund")
        report = world.wire.perform(world.provider.fetch(paid.order))
        assert (report.word, report.provider_status, report.moved) == (Word.UNKNOWN, "3", ())

    def test_a_code_that_nobody_scans_expires_by_itself(self, world: World):
        world.control.post("settings", qris_expiry_seconds=0.1)
        order, _ = self.waiting(world)
        told = self.noticed(world, Topic.PAYMENT, order.provider_id)
        assert (told.word, told.moved) == (Word.EXPIRED, ())
        assert world.wire.perform(world.provider.fetch(order)) == told

    def test_money_that_comes_after_the_end_is_told(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="expire")
        world.control.post("simulate", reference=order.reference, outcome="late_success")
        report = world.wire.perform(world.provider.fetch(order))
        assert (report.word, report.moved[0].money) == (Word.SUCCEEDED, self.money)

    def test_a_failing_status_under_an_http_200_fails(self, world: World):
        world.control.post("settings", error_layer="body")
        order = self.order(world)
        thief = self.wire(world.control, **self.refused_credentials)
        with pytest.raises(Misconfigured):
            thief.perform(thief.provider.step(order))
        with pytest.raises(Misconfigured):
            thief.provider.check_credentials()
        world.provider.check_credentials()
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(replace(order, payer=Payer())))
        assert (refused.value.code, refused.value.provider_code) == ("invalid_request", "400")
        assert str(refused.value) == "iPaymu refuses name, phone, email."
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.fetch(replace(order, provider_id="1")))
        assert world.control.entries() == []

    def test_an_address_or_a_domain_that_is_not_registered_is_a_matter_of_configuration(self, world: World):
        world.control.post("settings", registered_domains=["pay.example"])
        with pytest.raises(Misconfigured, match="domain"):
            world.wire.perform(world.provider.step(self.order(world)))
        world.control.post("settings", refuse_address=True)
        with pytest.raises(Misconfigured, match="address"):
            world.provider.check_credentials()
        assert world.control.entries() == []

    @pytest.mark.parametrize("key", ["Transaction", "Results"])
    @pytest.mark.parametrize("made_at", [True, False])
    def test_a_payment_whose_answer_was_lost_is_found_by_our_reference(self, world: World, key: str, made_at: bool):
        world.control.post("settings", history_key=key)
        order = self.order(world, made_at=world.provider.connection.now() if made_at else None)
        world.control.post("trouble", do="reset_after", on=DIRECT)
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(order))
        self.waiting(world)
        found = world.wire.perform(world.provider.fetch(order))
        [entry] = world.control.entries(order.reference)
        assert (found.word, found.provider_id) == (Word.REQUIRES_ACTION, entry["id"])

    def test_the_history_is_read_on_as_far_as_the_account_says(self, world: World):
        order, first = self.waiting(world)
        for _ in range(20):
            self.waiting(world)
        lost = replace(order, provider_id="")
        assert world.wire.perform(world.provider.fetch(lost)).provider_id == first.provider_id
        short = Ipaymu(replace(world.provider.connection, options=Options(history_lists=1)))
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(short.fetch(lost))

    def test_two_transactions_of_one_reference_that_were_both_paid_are_both_told(self, world: World):
        order, first = self.waiting(world)
        world.control.post("simulate", id=first.provider_id, outcome="approve")
        second = world.wire.perform(world.provider.step(order))
        lost = replace(order, provider_id="")
        assert world.wire.perform(world.provider.fetch(lost)).provider_id == first.provider_id
        world.control.post("simulate", id=second.provider_id, outcome="approve")
        both = world.wire.perform(world.provider.fetch(lost))
        assert [moved.provider_money_id for moved in both.moved] == [second.provider_id, first.provider_id]
        assert (both.word, both.cost) == (Word.SUCCEEDED, None)

    def test_another_merchants_payment_is_not_found(self, world: World):
        paid = self.paid(world)
        other = self.wire(world.control, va="1179000000000002", api_key="lango-simulator-ipaymu-key-2")
        for asked in (paid.order, replace(paid.order, provider_id="")):
            with pytest.raises(OutcomeUnknown):
                other.perform(other.provider.fetch(asked))


class TestVirtualAccount(IpaymuContract):
    method = "virtual_account"

    def test_the_payer_is_shown_the_bank_and_the_number_with_its_zeros(self, world: World):
        order, report = self.waiting(world, channel="bca")
        assert report.next_action == {"type": "instructions", "channel": "bca", "code": f"0{order.provider_id:0>11}"}

    def test_every_bank_is_one_of_theirs(self, world: World):
        for channel in world.provider.capabilities.methods[self.method].channels:
            _, report = self.waiting(world, channel=channel)
            assert report.next_action is not None
            assert report.next_action["channel"] == channel

    def test_a_bank_that_is_not_named_or_not_known_is_refused_before_any_call(self, world: World):
        for channel in ("", "alfamart", "BCA"):
            with pytest.raises(NothingCreated):
                world.provider.step(self.order(world, channel=channel))

    def test_the_number_is_shown_again_by_the_query(self, world: World):
        order, report = self.waiting(world)
        for asked in (order, replace(order, provider_id="")):
            found = world.wire.perform(world.provider.fetch(asked))
            assert (found.next_action, found.expires_at) == (report.next_action, report.expires_at)

    @pytest.mark.parametrize(("channel", "hours"), [("bni", 30), ("bri", 2), ("bsi", 3), ("bca", 12)])
    def test_the_end_is_the_merchants_as_far_as_the_bank_allows(self, world: World, channel: str, hours: int):
        now = world.provider.connection.now()
        ends = now + datetime.timedelta(hours=30, minutes=40)
        _, report = self.waiting(world, channel=channel, made_at=now, expires_at=ends)
        assert report.expires_at is not None
        assert abs(report.expires_at - now - datetime.timedelta(hours=hours)) < datetime.timedelta(minutes=2)


class TestRetail(IpaymuContract):
    method = "retail"

    def test_the_payer_is_shown_the_shop_and_the_code(self, world: World):
        for channel in ("alfamart", "indomaret"):
            _, report = self.waiting(world, channel=channel)
            assert report.next_action is not None
            assert (report.next_action["type"], report.next_action["channel"]) == ("instructions", channel)


class TestHostedPage(IpaymuContract):
    method = "hosted_page"
    calls: ClassVar = {Kind.CREATE: PAGE}

    def test_the_payer_is_sent_to_the_page(self, world: World):
        order, report = self.waiting(world)
        link = f"{world.control.base_url}/_simulator/payment/{order.provider_id}"
        assert report.next_action == {"type": "redirect", "url": link}

    def test_there_is_nothing_to_know_before_the_payer_has_chosen(self, world: World):
        order, _ = self.waiting(world)
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.fetch(order))
        world.control.post("simulate", reference=order.reference, outcome="choose")
        chosen = world.wire.perform(world.provider.fetch(order))
        assert (chosen.word, chosen.provider_id, chosen.next_action) == (Word.REQUIRES_ACTION, order.provider_id, None)
        assert chosen.expires_at is not None

    def test_a_page_that_nobody_chose_on_has_expired_an_hour_after_its_end(self, world: World):
        now = world.provider.connection.now()
        order, _ = self.waiting(world, made_at=now, expires_at=now + datetime.timedelta(hours=1))

        def after(minutes: int) -> Report:
            later = now + datetime.timedelta(hours=1, minutes=minutes)
            provider = Ipaymu(replace(world.provider.connection, now=lambda: later))
            return world.wire.perform(provider.fetch(order))

        with pytest.raises(OutcomeUnknown):
            after(59)
        assert after(60) == Report(Word.EXPIRED, order.provider_id, "no transaction")
        order = replace(order, provider_id="")
        with pytest.raises(OutcomeUnknown):
            after(60)

    def test_a_page_whose_answer_was_lost_is_found_once_the_payer_has_chosen(self, world: World):
        order, report = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="approve")
        found = world.wire.perform(world.provider.fetch(replace(order, provider_id="")))
        assert (found.word, found.provider_id) == (Word.SUCCEEDED, report.provider_id)

    def test_lines_that_add_up_are_shown(self, world: World):
        lines = (Line("Nasi goreng", 2, Money(2_000_000, "IDR")), Line("Es teh", 1, Money(560_000, "IDR")))
        order, _ = self.waiting(world, lines=lines)
        sent = json.loads(world.wire.sent[-1].body)
        assert [sent["product"], sent["qty"], sent["price"]] == [["Nasi goreng", "Es teh"], [2, 1], [20_000, 5_600]]
        assert [entry["amount"] for entry in world.control.entries(order.reference)] == [45_600]


# Without the wire


NOW = datetime.datetime(2026, 3, 1, 2, 0, 0, 500_000, tzinfo=datetime.UTC)
IDR = Money(2_500_000, "IDR")
VA, KEY = "1179001122334455", "EXAMPLE-APIKEY-0001"
BODY = (
    '{"name":"Siti","phone":"081200001111","email":"siti@example.test","amount":25000,'
    '"notifyUrl":"https://shop.example.test/hook","referenceId":"REF-42","paymentMethod":"qris","paymentChannel":"mpm"}'
)
ACCOUNT = "26670015COM.EXAMPLE.WWW011893600999000000001702150000000000170010303UMI51440014ID.CO.QRIS.WWW"


def code(amount: str = "25000") -> str:
    told = f"000201010212{ACCOUNT}0215ID10200999900170303UMI52045812530336054{len(amount):02}{amount}5802ID"
    told += "5913WARUNG CONTOH6007BANDUNG6304"
    return told + qris.checksum(told)


CREATED = {
    "SessionId": "S-9",
    "TransactionId": 193999,
    "ReferenceId": "REF-42",
    "Via": "QRIS",
    "Channel": "MPM",
    "PaymentNo": code(),
    "QrString": code(),
    "PaymentName": "TOKO CONTOH",
    "SubTotal": 25000,
    "Fee": 175,
    "Total": 25000,
    "FeeDirection": "MERCHANT",
    "Expired": "2026-03-01 09:05:00",
}
NUMBERED = {**CREATED, "Via": "VA", "Channel": "BCA", "QrString": None, "PaymentNo": "0012345678"}
CHECKED = {
    "TransactionId": 193999,
    "SessionId": "S-9",
    "ReferenceId": "REF-42",
    "Amount": 25000,
    "Fee": 175,
    "Status": 1,
    "StatusDesc": "Berhasil",
    "PaidStatus": "paid",
    "SettlementDate": "2026-03-02 00:10:00",
    "ExpiredDate": "2026-03-01 09:05:00",
    "PaymentChannel": "mpm",
    "PaymentCode": "",
}
SIGNED = (
    '{"additional_info":[],"amount":"25175","buyer_email":"siti@example.test","buyer_name":"Siti",'
    '"buyer_phone":"081200001111","channel":"mpm","created_at":"2026-03-01 09:00:00",'
    '"expired_at":"2026-03-01 09:05:00","fee":"175","is_escrow":false,"paid_at":"2026-03-01 09:01:12",'
    '"paid_off":25000,"payment_no":"","reference_id":"REF-42","settlement_status":"settled",'
    '"sid":"3f0e1c52-1111-4c4c-9d9d-000000000001","status":"berhasil","status_code":1,"sub_total":"25000",'
    '"system_notes":"Sandbox notify","total":"25175","transaction_status_code":1,"trx_id":193999,'
    '"url":"https:\\/\\/shop.example.test\\/hook","via":"qris"}'
)
SIGNATURE = "b50f2064a4b7479d0ecbd506d4a55a746498800b00bc519e79693c93afff3b3d"
TOLD = json.loads(SIGNED)


def ipaymu(send: Any = None, **options: Any) -> Ipaymu:
    credentials = Credentials(VA, Secret(KEY))
    connection = Connection(
        "https://my.ipaymu.com", True, credentials, Options(**options), lambda: NOW, send, MemoryTokens()
    )
    return Ipaymu(connection)


def order(kind: Kind = Kind.CREATE, **changes: Any) -> Order:
    made = Order(
        kind=kind,
        reference="REF-42",
        operation_key="op_1",
        money=IDR,
        callback_url=lambda door: f"https://pay.example/{door}",
        return_url="https://shop.example/return/1",
        method="qris",
        payer=PAYER,
    )
    return replace(made, **changes)


def sent(asked: Order) -> dict[str, Any]:
    return json.loads(ipaymu().step(asked).request.body)


def response(body: object, status: int = 200) -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), 0.01)


def envelope(data: object, status: int = 200) -> Response:
    return response({"Status": status, "Success": True, "Message": "Success", "Data": data})


def created(asked: Order | None = None, told: Mapping[str, Any] = CREATED, **changes: Any) -> Report:
    return ipaymu().step(asked or order()).read(envelope({**told, **changes}))


def checked(asked: Order | None = None, words: Mapping[str, str] | None = None, **changes: Any) -> Report:
    known = asked or order(provider_id="193999")
    return ipaymu(status_words=words or {}).fetch(known).read(envelope({**CHECKED, **changes}))


def form(told: Mapping[str, Any], **headers: str) -> RawCallback:
    pairs = {name: value for name, value in told.items() if value != []}
    sent_as = {"content-type": "application/x-www-form-urlencoded", **headers}
    return RawCallback("notifications", sent_as, urlencode(pairs).encode())


def test_a_call_is_signed_over_the_very_bytes_of_its_body():
    request = Request("POST", "https://my.ipaymu.com/api/v2/payment/direct", {}, BODY.encode())
    headers = ipaymu().authorize(request).headers
    assert headers == {
        "va": VA,
        "signature": "c7cd623264f36df7bf4443b78301b7fb3f66f3f07f4c90deae232b38522cf646",
        "timestamp": "20260301090000",
    }
    assert hashlib.sha256(BODY.encode()).hexdigest().startswith("70dba8698f669621")


def test_the_signature_of_a_callback_is_that_of_its_fields_in_order():
    headers = {"content-type": "application/json", "x-signature": SIGNATURE}
    shuffled = dict(reversed(TOLD.items()))
    del shuffled["additional_info"]
    for body in (SIGNED, json.dumps(TOLD), json.dumps({**shuffled, "signature": "of the body"})):
        ipaymu().verify(RawCallback("notifications", headers, body.encode()))
    for changes in ({"amount": 25175}, {"is_escrow": 0}, {"trx_id": "193999"}, {"additional_info": [1]}):
        with pytest.raises(Forged):
            ipaymu().verify(RawCallback("notifications", headers, json.dumps({**TOLD, **changes}).encode()))


@pytest.mark.parametrize("truth", ["0", "false", "False", ""])
def test_a_form_fits_the_signature_of_the_types_that_it_has_lost(truth: str):
    callback = form({**TOLD, "is_escrow": truth}, **{"x-signature": SIGNATURE})
    ipaymu().verify(callback)
    for changes in ({"amount": "025175"}, {"is_escrow": "1"}, {"trx_id": "193998"}, {"surprise": "1"}):
        with pytest.raises(Forged):
            ipaymu().verify(form({**TOLD, **changes}, **{"x-signature": SIGNATURE}))


def test_a_form_also_fits_the_types_of_the_other_published_example():
    other = {**TOLD, **{name: int(TOLD[name]) for name in ("sub_total", "total", "amount", "fee")}, "is_escrow": 0}
    ipaymu().verify(form(other, **{"x-signature": signature(other, VA)}))


def test_letters_beyond_ascii_are_signed_as_php_writes_them():
    told = {**TOLD, "buyer_name": "Šiti / Añ"}
    text = json.dumps({name: told[name] for name in sorted(told)}, separators=(",", ":")).replace("/", r"\/")
    assert r"\u0160iti \/ A\u00f1" in text
    ipaymu().verify(form({**told, "is_escrow": "0"}, **{"x-signature": signature(told, VA)}))


def test_a_direct_payment_says_that_the_merchant_bears_the_fee():
    assert sent(order(description="Order 20417")) == {
        "name": "Siti Nur Aminah",
        "phone": "081200001111",
        "email": "siti@example.test",
        "amount": 25000,
        "notifyUrl": "https://pay.example/notifications",
        "referenceId": "REF-42",
        "paymentMethod": "qris",
        "paymentChannel": "mpm",
        "feeDirection": "MERCHANT",
        "comments": "Order 20417",
    }
    virtual = sent(order(method="virtual_account", channel="bni", expires_at=NOW + datetime.timedelta(minutes=10)))
    assert (virtual["paymentMethod"], virtual["paymentChannel"]) == ("va", "bni")
    assert (virtual["expired"], virtual["expiredType"]) == (1, "hours")
    assert sent(order(method="retail", channel="indomaret"))["paymentMethod"] == "cstore"


def test_what_lives_as_long_as_ipaymu_says_is_told_no_end():
    ends = NOW + datetime.timedelta(hours=5)
    for method, channel in (("qris", ""), ("virtual_account", "bca"), ("retail", "alfamart")):
        assert "expired" not in sent(order(method=method, channel=channel, expires_at=ends))


def test_a_page_says_who_buys_what_and_where_its_news_go():
    ends = NOW + datetime.timedelta(hours=5, minutes=59)
    page = order(method="hosted_page", description="Order 20417", made_at=NOW, expires_at=ends)
    assert sent(page) == {
        "product": ["Order 20417"],
        "qty": [1],
        "price": [25000],
        "returnUrl": "https://shop.example/return/1",
        "cancelUrl": "https://shop.example/return/1",
        "notifyUrl": "https://pay.example/page-notifications",
        "referenceId": "REF-42",
        "feeDirection": "MERCHANT",
        "buyerName": "Siti Nur Aminah",
        "buyerEmail": "siti@example.test",
        "buyerPhone": "081200001111",
        "expired": 5,
    }
    bare = sent(order(method="hosted_page", payer=Payer()))
    assert bare["product"] == ["REF-42"]
    assert not {"buyerName", "buyerEmail", "buyerPhone", "expired"} & set(bare)


@pytest.mark.parametrize(
    "lines",
    [
        (Line("A", 1, Money(2_500_100, "IDR")),),
        (Line("A", 2, Money(1_250_050, "IDR")), Line("B", 1, Money(-100, "IDR"))),
        (Line("A", 1, Money(2_600_000, "IDR")), Line("Diskon", 1, Money(-100_000, "IDR"))),
        (Line("A", 1, Money(2_500_000, "USD")),),
    ],
)
def test_lines_that_it_cannot_show_are_told_as_one(lines: tuple[Line, ...]):
    assert sent(order(method="hosted_page", lines=lines))["price"] == [25000]


@pytest.mark.parametrize(
    ("phone", "told"), [("+6281200001111", "081200001111"), ("081200001111", "081200001111"), ("+254711", "254711")]
)
def test_a_phone_is_written_as_in_indonesia(phone: str, told: str):
    assert sent(order(payer=replace(PAYER, phone=phone)))["phone"] == told


def test_an_answer_to_a_direct_payment_is_read_with_its_code_and_its_end():
    ends = datetime.datetime(2026, 3, 1, 2, 5, tzinfo=datetime.UTC)
    shown = {"type": "qr", "qr_string": code()}
    assert created() == Report(Word.REQUIRES_ACTION, "193999", "0", next_action=shown, expires_at=ends)
    assert created(FeeDirection="merchant").next_action == shown
    older = created(FeeDirection=None, Expired=None, QrString=None, Total="25000.00")
    assert (older.next_action, older.expires_at) == (shown, None)
    bank = order(method="virtual_account", channel="bca")
    assert created(bank, NUMBERED).next_action == {"type": "instructions", "channel": "bca", "code": "0012345678"}


@pytest.mark.parametrize(
    "changes",
    [
        {"FeeDirection": "BUYER"},
        {"Total": 25175},
        {"Total": 25175, "FeeDirection": "BUYER", "QrString": code("25175")},
        {"QrString": 5},
        {"QrString": None, "PaymentNo": None},
    ],
)
def test_a_code_that_is_not_what_was_asked_for_is_shown_to_nobody(changes: dict[str, Any]):
    report = created(**changes)
    assert (report.word, report.provider_id, report.next_action) == (Word.UNKNOWN, "193999", None)
    assert report.provider_status == "0, not as asked"


@pytest.mark.parametrize("text", [code("25175"), "00020101021226"])
def test_a_code_is_handed_on_as_it_came_to_be_checked_before_it_is_shown(text: str):
    assert created(QrString=text).next_action == {"type": "qr", "qr_string": text}


@pytest.mark.parametrize("changes", [{"Channel": "BNI"}, {"PaymentNo": ""}, {"PaymentNo": 12345678}, {"Channel": None}])
def test_a_number_of_another_bank_or_none_is_shown_to_nobody(changes: dict[str, Any]):
    report = created(order(method="virtual_account", channel="bca"), {**NUMBERED, **changes})
    assert (report.word, report.next_action) == (Word.UNKNOWN, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"ReferenceId": "REF-43"},
        {"ReferenceId": None},
        {"TransactionId": None},
        {"TransactionId": True},
        {"Total": "x"},
    ],
)
def test_an_answer_about_something_else_leaves_it_unknown(changes: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        created(**changes)


def test_the_answer_to_a_page_without_its_address_is_unknown():
    for data in ({"SessionID": "S-9"}, {"Url": "https://sandbox.ipaymu.com/payment/S-9"}, {"SessionID": 1.5, "Url": 1}):
        with pytest.raises(OutcomeUnknown):
            ipaymu().step(order(method="hosted_page")).read(envelope(data))


@pytest.mark.parametrize(
    ("status", "paid", "word"),
    [
        (-2, "unpaid", Word.EXPIRED),
        (0, "unpaid", Word.REQUIRES_ACTION),
        (1, "paid", Word.SUCCEEDED),
        (2, "unpaid", Word.CANCELLED),
        (3, "paid", Word.UNKNOWN),
        (4, "unpaid", Word.FAILED),
        (5, "unpaid", Word.FAILED),
        (6, "paid", Word.SUCCEEDED),
        (7, "paid", Word.PENDING),
        (8, "paid", Word.UNKNOWN),
        (99, "unpaid", Word.UNKNOWN),
    ],
)
def test_every_status_has_its_word(status: int, paid: str, word: Word):
    for told in (status, str(status)):
        report = checked(Status=told, PaidStatus=paid)
        assert (report.word, report.provider_id, report.provider_status) == (word, "193999", str(status))
        captured = (MoneyMoved(ReceiptKind.CAPTURE, IDR, "193999"),)
        assert report.moved == (captured if word is Word.SUCCEEDED else ())
        assert (report.failure is not None) is (word is Word.FAILED)


def test_a_failure_and_an_error_are_told_apart():
    told = [checked(Status=status, PaidStatus="unpaid").failure for status in (4, 5)]
    assert [(failure.code, failure.provider_code) for failure in told if failure] == [
        (FailureCode.PROVIDER_ERROR, "4"),
        (FailureCode.DECLINED, "5"),
    ]


@pytest.mark.parametrize(
    ("status", "paid"), [(1, "unpaid"), (6, "unpaid"), (0, "paid"), (-2, "paid"), (2, "paid"), (5, "paid")]
)
def test_a_status_that_contradicts_itself_is_for_a_person(status: int, paid: str):
    report = checked(Status=status, PaidStatus=paid)
    assert (report.word, report.moved, report.provider_status) == (Word.UNKNOWN, (), f"{status}, {paid}")


def test_a_payment_without_word_of_having_been_paid_is_what_its_status_says():
    assert checked(PaidStatus=None).word is Word.SUCCEEDED


def test_the_cost_is_told_with_the_settlement():
    day = datetime.date(2026, 3, 2)
    assert checked().cost == Cost(IDR, Money(17_500, "IDR"), "193999", day)
    assert checked(Fee="175.00", SettlementDate=None).cost == Cost(IDR, Money(17_500, "IDR"), "193999", None)
    for changes in ({"Status": 6}, {"Fee": None}, {"Fee": ""}, {"Fee": "0.7%"}, {"Fee": 25001}):
        report = checked(**changes)
        assert (report.cost, len(report.moved)) == (None, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"ReferenceId": "REF-43"},
        {"TransactionId": 193998},
        {"Amount": "25,000"},
        {"Amount": None},
        {"Amount": 25000.001},
        {"Amount": -1},
        {"Status": None},
        {"Status": True},
        {"Status": "Berhasil"},
    ],
)
def test_an_answer_of_another_shape_or_about_another_payment_is_unknown(changes: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        checked(**changes)


def test_an_account_can_read_a_status_in_another_word():
    held = checked(words={"7": "succeeded", "3": "failed"}, Status=7)
    assert (held.word, held.moved) == (Word.SUCCEEDED, (MoneyMoved(ReceiptKind.CAPTURE, IDR, "193999"),))
    failed = checked(words={"8": "failed"}, Status=8, PaidStatus="unpaid").failure
    assert failed is not None
    assert failed.provider_code == "8"


REFUSALS = [
    (400, {"Message": "invalid request"}, NothingCreated),
    (400, {"Message": "error - invalid request", "Error": {"amount": ["amount wajib diisi."]}}, NothingCreated),
    (400, {"Message": "x", "Error": ["amount"]}, NothingCreated),
    (400, {"Message": "Invalid Domain"}, Misconfigured),
    (401, {"Message": "unauthorized"}, Misconfigured),
    (401, {"Message": "Invalid IP"}, Misconfigured),
    (403, {"Message": "Invalid IP"}, Misconfigured),
    (429, {"Message": "Too Many Attempts."}, NothingCreated),
    (403, {"Message": "forbidden"}, OutcomeUnknown),
    (404, {}, OutcomeUnknown),
    (409, {}, OutcomeUnknown),
    (422, {}, OutcomeUnknown),
    (500, {"Message": "Invalid IP"}, OutcomeUnknown),
    (503, {}, OutcomeUnknown),
    (201, {}, OutcomeUnknown),
    (302, {}, OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "told", "fault"), REFUSALS)
@pytest.mark.parametrize("http", [None, 200])
def test_what_each_refusal_proves(status: int, told: dict[str, Any], fault: type[Exception], http: int | None):
    for asked in (order(), order(method="hosted_page")):
        with pytest.raises((NothingCreated, OutcomeUnknown)) as raised:
            ipaymu().step(asked).read(response({"Status": status, **told}, http or status))
        assert type(raised.value) is fault
    with pytest.raises(OutcomeUnknown):
        ipaymu().fetch(order(provider_id="193999")).read(response({"Status": status, **told}, http or status))


def test_a_refusal_names_fields_and_repeats_nothing():
    told = {"Status": 400, "Error": {"amount": ["Rp 25000 salah"], "bad name!": ["x"]}}
    with pytest.raises(NothingCreated) as refused:
        ipaymu().step(order()).read(response(told, 400))
    assert str(refused.value) == "iPaymu refuses amount."


@pytest.mark.parametrize(
    ("body", "http"),
    [
        (b"", 200),
        (b"<html>502</html>", 502),
        (b"<html>401</html>", 401),
        (b"[]", 200),
        (b"{}", 401),
        ({"Status": 200, "Data": CREATED}, 400),
        ({"Status": 200, "Data": CREATED}, 500),
        ({"Status": 401, "Message": "unauthorized"}, 503),
        ({"Status": 200, "Success": False, "Data": CREATED}, 200),
        ({"Status": 200, "Data": []}, 200),
        ({"Status": 200}, 200),
        ({"Status": True, "Data": CREATED}, 200),
        ({"Status": "ok", "Data": CREATED}, 200),
    ],
)
def test_an_answer_that_does_not_agree_with_itself_is_unknown(body: object, http: int):
    for step in (ipaymu().step(order()), ipaymu().fetch(order()), ipaymu().fetch(order(provider_id="193999"))):
        with pytest.raises(OutcomeUnknown):
            step.read(response(body, http))


def history(rows: list[Any], asked: Order | None = None, **options: Any) -> Report:
    """The history, in lists of 20, then check transaction as `CHECKED`; every question is kept in `asks`."""
    asks.clear()

    def send(request: Request) -> Response:
        told = json.loads(request.body)
        asks.append(told)
        if "transactionId" in told:
            return envelope({**CHECKED, "TransactionId": int(told["transactionId"])})
        return envelope({"Transaction": rows[(told["page"] - 1) * 20 : told["page"] * 20]})

    provider = ipaymu(send, **options)
    step = provider.fetch(asked or order(made_at=NOW))
    return step.read(send(step.request))


asks: list[dict[str, Any]] = []


def row(reference: str = "OTHER", at: str = "2026-03-01 09:00:00", number: int = 1) -> dict[str, Any]:
    return {"TransactionId": number, "ReferenceId": reference, "CreatedDate": at}


def test_the_history_is_asked_from_the_day_of_the_payment_on_with_the_newest_first():
    history([row("REF-42", number=193999)])
    assert asks == [
        {
            "date": "created_at",
            "startdate": "2026-03-01",
            "enddate": "2026-03-01",
            "page": 1,
            "limit": 20,
            "orderBy": "created_at",
            "order": "DESC",
        },
        {"transactionId": "193999"},
    ]


def test_a_direct_payment_is_looked_for_where_it_was_made_and_a_page_up_to_now():
    long_ago = NOW - datetime.timedelta(days=3)
    for method, last in (("qris", "2026-02-26"), ("hosted_page", "2026-03-01")):
        with pytest.raises(OutcomeUnknown):
            history([], order(method=method, made_at=long_ago))
        assert (asks[0]["startdate"], asks[0]["enddate"]) == ("2026-02-26", last)


def test_the_search_ends_where_the_payment_cannot_be():
    with pytest.raises(OutcomeUnknown):
        history([row() for _ in range(60)])
    assert [told["page"] for told in asks] == [1, 2, 3, 4]
    with pytest.raises(OutcomeUnknown):
        history([row(at="2026-03-01 08:49:59") for _ in range(60)])
    assert [told["page"] for told in asks] == [1]
    with pytest.raises(OutcomeUnknown):
        history([row() for _ in range(60)], history_lists=2)
    assert [told["page"] for told in asks] == [1, 2]


def test_a_page_has_not_expired_while_the_history_was_not_read_to_its_end():
    ends = NOW - datetime.timedelta(hours=2)
    page = order(method="hosted_page", provider_id="S-9", made_at=NOW - datetime.timedelta(days=1), expires_at=ends)
    assert history([row()], page).word is Word.EXPIRED
    with pytest.raises(OutcomeUnknown):
        history([row() for _ in range(60)], page, history_lists=3)


@pytest.mark.parametrize("rows", [[None], [7], ["REF-42"], [{"ReferenceId": "REF-42"}], {}, None])
def test_a_history_of_another_shape_is_unknown(rows: Any):
    provider = ipaymu(lambda request: pytest.fail("nothing more is asked"))
    for data in ({"Transaction": rows}, {"Results": rows}, {"Rows": rows}):
        with pytest.raises(OutcomeUnknown):
            provider.fetch(order(made_at=NOW)).read(envelope(data))


def read(told: Mapping[str, Any], door: str = "notifications") -> Notice:
    return ipaymu().read_callback(replace(form({**told, "is_escrow": "0"}), door=door))


def test_a_callback_is_known_by_its_transaction_and_at_the_door_of_pages_by_its_session():
    moved = (MoneyMoved(ReceiptKind.CAPTURE, Money(2_517_500, "IDR"), "193999"),)
    told = Report(Word.SUCCEEDED, "193999", "1", moved)
    assert read(TOLD) == Notice(Topic.PAYMENT, told, payment_provider_id="193999", reference="REF-42")
    page = read(TOLD, "page-notifications")
    assert page.report == replace(told, provider_id=TOLD["sid"])
    assert page.payment_provider_id == TOLD["sid"]


@pytest.mark.parametrize(
    ("status", "name", "word"),
    [
        ("-2", "expired", Word.EXPIRED),
        ("1", "Berhasil", Word.SUCCEEDED),
        ("1", "pending", Word.UNKNOWN),
        ("0", "berhasil", Word.UNKNOWN),
        ("5", "gagal", Word.FAILED),
        ("9", "teleported", Word.UNKNOWN),
    ],
)
def test_a_callback_tells_its_status_twice_and_both_must_agree(status: str, name: str, word: Word):
    notice = read({**TOLD, "status_code": status, "status": name})
    assert notice.report is not None
    assert notice.report.word is word
    assert bool(notice.report.moved) is (word is Word.SUCCEEDED)


def test_a_callback_that_says_pending_is_nothing():
    assert read({**TOLD, "status_code": 0, "status": "pending"}) == Notice(Topic.NOTHING, reference="REF-42")


@pytest.mark.parametrize(
    "changes",
    [{"status": "a\0b"}, {"status": "x" * 51}, {"reference_id": "a b"}, {"amount": "Rp 25"}, {"status_code": "one"}],
)
def test_a_callback_with_values_of_another_form_is_unreadable(changes: dict[str, str]):
    with pytest.raises(Unreadable):
        read({**TOLD, **changes})


@pytest.mark.parametrize("name", ["trx_id", "reference_id", "status", "status_code", "amount"])
def test_a_form_that_lacks_what_we_act_on_is_unreadable(name: str):
    with pytest.raises(Unreadable):
        read({key: value for key, value in TOLD.items() if key != name})


@pytest.mark.parametrize("body", [b"", b"\xff", b"trx_id", b"a=1&" * 200, json.dumps(TOLD).encode()])
def test_what_is_no_form_is_unreadable_and_fits_no_signature(body: bytes):
    callback = RawCallback("notifications", {"x-signature": SIGNATURE}, body)
    with pytest.raises(Unreadable):
        ipaymu().read_callback(callback)
    with pytest.raises(Forged):
        ipaymu().verify(callback)


def test_only_whole_rupiah_of_one_or_more_are_carried():
    assert ipaymu().units(Money(100, "IDR")) == 1
    for money in (Money(150, "IDR"), Money(0, "IDR"), Money(-100, "IDR"), Money(100, "KES")):
        with pytest.raises(NotRepresentable):
            ipaymu().units(money)


def test_a_payment_is_never_sent_twice_and_nothing_else_is_written():
    [(kind, declared)] = Ipaymu.capabilities.operations.items()
    assert kind is Kind.CREATE
    assert not declared.may_resend(datetime.timedelta(0))
    with pytest.raises(Unsupported):
        ipaymu().fetch(order(Kind.REFUND))


@pytest.mark.parametrize("va", ["", "1179 0011", "SB-1179", "١١٧٩"])
def test_a_va_number_is_digits(va: str):
    with pytest.raises(ValueError, match="'va'"):
        from_json(Credentials, {"va": va, "api_key": KEY})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"callback_signature": "never"}, "'callback_signature'"),
        ({"history_lists": 0}, "'history_lists'"),
        ({"status_words": {"7": "gone"}}, "'status_words'"),
        ({"source_addresses": ["10.0.0.0/99"]}, "10.0.0.0/99"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(options: Mapping[str, Any], named: str):
    with pytest.raises(ValueError, match=named):
        from_json(Options, options)
