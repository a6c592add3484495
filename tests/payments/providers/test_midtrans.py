"""Midtrans: the contract, then what only Midtrans does. Values are samples; names and types are Midtrans'."""

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

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
from payments.providers.midtrans import Credentials, Midtrans, Options
from tests.contracts.payments import World
from tests.contracts.statuses import StatusContract
from tests.contracts.world import MemoryTokens, changed, document

IDR = Money(4_550_000, "IDR")
CHARGE = "POST /v2/charge"


class MidtransContract(StatusContract):
    name = "midtrans"
    credentials: ClassVar = {"server_key": "SB-Mid-server-lango-simulator"}
    refused_credentials: ClassVar = {"server_key": "SB-Mid-server-of-somebody-else"}
    money = Money(4_560_000, "IDR")
    carried: ClassVar = {money: 45_600, Money(100, "IDR"): 1, Money(1_000_000_000, "IDR"): 10_000_000}
    not_carried = (Money(4_550_050, "IDR"), Money(0, "IDR"), Money(4_550_000, "USD"), Money(45_500, "JPY"))
    calls: ClassVar = {
        Kind.CREATE: CHARGE,
        Kind.CANCEL: "POST /v2/{id}/cancel",
        Kind.REFUND: "POST /v2/{id}/refund",
    }

    def instrument(self) -> str:
        # Whoever scans the code pays: nobody is named.
        return ""

    def forgeries(self, world: World, callback: RawCallback) -> list[RawCallback]:
        told = document(callback)
        stranger = told["order_id"] + told["status_code"] + told["gross_amount"] + "SB-Mid-server-guessed"
        forged = [
            changed(told, ("gross_amount",), "1.00"),
            changed(told, ("order_id",), "ANOTHER-ORDER"),
            changed(told, ("status_code",), "201"),
            changed(told, ("signature_key",), hashlib.sha512(stranger.encode()).hexdigest()),
            changed(told, ("signature_key",), ""),
            changed(told, ("signature_key",), None),
            {name: value for name, value in told.items() if name != "signature_key"},
        ]
        return [replace(callback, body=body) for body in (*(json.dumps(body).encode() for body in forged), b"", b"[]")]

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        event = changed(document(callback), ("transaction_status",), "teleported")
        return replace(callback, body=json.dumps(event).encode())

    def waiting(self, world: World, **changes: Any) -> tuple[Order, Report]:
        order = self.order(world, **changes)
        report = world.wire.perform(world.provider.step(order))
        assert report.word is Word.REQUIRES_ACTION
        return replace(order, provider_id=report.provider_id), report


class TestGopay(MidtransContract):
    method = "ewallet"

    def test_the_payer_is_sent_to_the_link_that_is_found_by_its_name(self, world: World):
        order, report = self.waiting(world)
        link = f"{world.control.base_url}/_simulator/gopay/{order.provider_id}"
        assert report.next_action == {"type": "redirect", "url": link}

    def test_what_was_scanned_as_a_code_is_the_same_payment_under_another_type(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="approve_by_qr")
        callback, notice = self.notice(world, Topic.PAYMENT, order.provider_id)
        assert document(callback)["payment_type"] == "qris"
        assert notice.report == world.wire.perform(world.provider.fetch(order))


class TestQris(MidtransContract):
    method = "qris"

    def test_the_code_that_is_shown_asks_for_exactly_that_sum_and_has_an_end(self, world: World):
        _, report = self.waiting(world)
        assert report.next_action is not None
        code = qris.parse(report.next_action["qr_string"])
        assert (report.next_action["type"], code.amount, code.is_dynamic, code.tip) == ("qr", self.money, True, None)
        assert report.expires_at is not None
        left = report.expires_at - world.provider.connection.now()
        assert datetime.timedelta(minutes=13) < left <= datetime.timedelta(minutes=15)

    def test_the_merchants_own_end_is_kept_to_the_second(self, world: World):
        now = world.provider.connection.now().replace(microsecond=0)
        ends = now + datetime.timedelta(hours=2, seconds=1)
        _, report = self.waiting(world, made_at=now, expires_at=ends)
        assert report.expires_at == ends

    def test_lines_that_do_not_add_up_are_taken_with_one_more_for_the_rest(self, world: World):
        lines = (Line("Nasi goreng | pedas", 3, Money(1_516_650, "IDR")), Line("Diskon", 1, Money(-50_000, "IDR")))
        order, _ = self.waiting(world, lines=lines, payer=Payer("Siti Aminah", "siti@example.test", "+6281200001111"))
        assert [entry["amount"] for entry in world.control.entries(order.reference)] == [45_600]

    def test_a_failing_code_under_an_http_200_fails(self, world: World):
        world.control.post("settings", error_layer="body")
        order = self.order(world)
        thief = self.wire(world.control, **self.refused_credentials)
        with pytest.raises(Misconfigured):
            thief.perform(thief.provider.step(order))
        with pytest.raises(Misconfigured):
            thief.provider.check_credentials()
        world.provider.check_credentials()
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(replace(order, reference="x" * 51)))
        assert (refused.value.code, refused.value.provider_code) == ("invalid_request", "400")
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.fetch(order))
        assert world.control.entries() == []

    def test_a_charge_sent_again_after_its_key_is_forgotten_collides_and_is_found(self, world: World):
        world.control.post("settings", idempotency_seconds=0)
        order, first = self.waiting(world)
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(order))
        found = world.wire.perform(world.provider.fetch(replace(order, provider_id="")))
        assert (found.word, found.provider_id) == (Word.REQUIRES_ACTION, first.provider_id)
        assert len(world.control.entries(order.reference)) == 1

    def test_what_is_past_its_time_is_expired_and_407_is_no_failure(self, world: World):
        order, _ = self.waiting(world)
        over = replace(order, kind=Kind.CANCEL, operation_key="end-1", expires_at=world.provider.connection.now())
        report = world.wire.perform(world.provider.step(over))
        assert world.wire.sent[-1].url.endswith(f"/v2/{order.provider_id}/expire")
        assert (report.word, report.moved) == (Word.EXPIRED, ())

    def test_a_key_of_another_call_gets_that_calls_answer_which_proves_nothing(self, world: World):
        order, _ = self.waiting(world)
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(replace(order, kind=Kind.CANCEL)))
        assert [entry["state"] for entry in world.control.entries(order.reference)] == ["pending"]

    @pytest.mark.parametrize("code", ["202", "407"])
    def test_a_code_that_nobody_scans_expires_by_itself(self, world: World, code: str):
        world.control.post("settings", expiry_seconds=0.1, expired_code=code)
        order, _ = self.waiting(world)
        told = self.noticed(world, Topic.PAYMENT, order.provider_id)
        assert (told.word, told.moved) == (Word.EXPIRED, ())
        assert world.wire.perform(world.provider.fetch(order)) == told

    def test_money_that_comes_after_the_end_is_told(self, world: World):
        order, _ = self.waiting(world)
        ended = world.wire.perform(world.provider.step(replace(order, kind=Kind.CANCEL, operation_key="end-1")))
        assert ended.word is Word.CANCELLED
        world.control.post("simulate", reference=order.reference, outcome="late_success")
        report = world.wire.perform(world.provider.fetch(order))
        assert (report.word, report.moved[0].money) == (Word.SUCCEEDED, self.money)

    def test_what_can_no_longer_be_cancelled_is_asked_about(self, world: World):
        paid = self.paid(world)
        order = replace(paid.order, kind=Kind.CANCEL, operation_key="cancel-1")
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(order))
        assert world.wire.perform(world.provider.fetch(order)).moved == paid.report.moved

    def test_each_refund_has_its_own_amount_though_the_answers_sum_them_up(self, world: World):
        order = self.ready(world, Kind.REFUND)
        parts = [Money(1_000_000, "IDR"), Money(2_000_000, "IDR")]
        orders = [replace(order, money=part, operation_key=f"part-{number}") for number, part in enumerate(parts)]
        told = [world.wire.perform(world.provider.step(part)) for part in orders]
        found = [world.wire.perform(world.provider.fetch(part)) for part in orders]
        assert [report.moved[0].money for report in told] == [report.moved[0].money for report in found] == parts
        assert [report.provider_id for report in told] == [report.provider_id for report in found]
        payment = world.wire.perform(world.provider.fetch(replace(order, kind=Kind.CREATE)))
        assert (payment.word, payment.provider_status) == (Word.SUCCEEDED, "partial_refund")
        assert payment.moved[0].money == self.money

    def test_both_notices_of_a_refund_say_the_same(self, world: World):
        order = self.ready(world, Kind.REFUND)
        told = world.wire.perform(world.provider.step(order))
        confirmed = world.receiver.wait(lambda callback: b"bank_confirmed_at" in callback.body)
        first = world.receiver.wait(lambda callback: b'"refunds"' in callback.body and callback is not confirmed)
        notice = world.provider.read_callback(first)
        assert b"bank_confirmed_at" not in first.body
        assert notice == world.provider.read_callback(confirmed)
        assert (notice.report, notice.reference, notice.money) == (told, order.operation_key, self.money)
        assert notice.payment_provider_id == order.provider_id

    def test_a_refund_that_the_bank_denies_moves_nothing(self, world: World):
        order = self.ready(world, Kind.REFUND)
        world.control.post("trouble", do="result_202", on=self.calls[Kind.REFUND])
        report = world.wire.perform(world.provider.step(order))
        assert (report.word, report.moved, report.provider_id) == (Word.FAILED, (), "")
        assert report.failure is not None
        assert (report.failure.code, report.failure.provider_code) == (FailureCode.DECLINED, "202")
        assert self.refunds(world, order) == []

    def test_a_refund_that_is_refused_has_created_nothing(self, world: World):
        order = self.ready(world, Kind.REFUND)
        with pytest.raises(NothingCreated) as too_much:
            world.wire.perform(world.provider.step(replace(order, money=Money(9_999_900, "IDR"))))
        assert (too_much.value.code, too_much.value.provider_code) == ("declined", "414")
        waiting, _ = self.waiting(world)
        with pytest.raises(NothingCreated) as unpaid:
            world.wire.perform(world.provider.step(replace(waiting, kind=Kind.REFUND, operation_key="refund-1")))
        assert (unpaid.value.code, unpaid.value.provider_code) == ("invalid_request", "412")

    def test_a_refund_sent_again_after_its_key_is_forgotten_is_found_by_it(self, world: World):
        order = self.ready(world, Kind.REFUND)
        world.control.post("settings", idempotency_seconds=0)
        told = world.wire.perform(world.provider.step(order))
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(order))
        assert world.wire.perform(world.provider.fetch(order)) == told
        assert len(self.refunds(world, order)) == 1

    def test_the_other_path_of_refunds_works_too(self, world: World):
        order = self.ready(world, Kind.REFUND)
        settings = Options(refund_path="refund/online/direct")
        provider = Midtrans(replace(world.provider.connection, options=settings))
        assert world.wire.perform(provider.step(order)).word is Word.SUCCEEDED
        assert world.wire.sent[-1].url.endswith("/refund/online/direct")

    def test_that_it_is_pending_is_nothing_that_we_act_on(self, world: World):
        order, _ = self.waiting(world)
        callback = world.receiver.wait(lambda callback: True)
        world.provider.verify(callback)
        assert world.provider.read_callback(callback) == Notice(Topic.NOTHING, reference=order.reference)

    def test_a_changed_status_keeps_its_signature_and_the_query_says_what_is_true(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="decline", callback="tampered")
        callback, notice = self.notice(world, Topic.PAYMENT, order.provider_id)
        world.provider.verify(callback)
        assert notice.report is not None
        assert (notice.report.word, notice.report.moved) == (Word.UNKNOWN, ())
        assert world.wire.perform(world.provider.fetch(order)).word is Word.FAILED

    def test_a_notice_signed_by_somebody_else_is_refused(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="approve", callback="bad_signature")
        callback, _ = self.notice(world, Topic.PAYMENT, order.provider_id)
        with pytest.raises(Forged):
            world.provider.verify(callback)

    def test_a_key_of_before_is_still_believed(self, world: World):
        callback = self.genuine(world)
        credentials = Credentials(Secret("Mid-server-new"), (Secret("old"), world.provider.credentials.server_key))
        changed_key = Midtrans(replace(world.provider.connection, credentials=credentials))
        changed_key.verify(callback)
        with pytest.raises(Forged):
            Midtrans(replace(world.provider.connection, credentials=Credentials(Secret("new")))).verify(callback)

    def test_another_merchants_order_is_not_found(self, world: World):
        paid = self.paid(world)
        other = self.wire(world.control, server_key="SB-Mid-server-lango-simulator-2")
        with pytest.raises(OutcomeUnknown):
            other.perform(other.provider.fetch(paid.order))


# Without the wire


NOW = datetime.datetime(2026, 3, 1, 2, 0, 0, 500_000, tzinfo=datetime.UTC)
TRANSACTION = "5e0f8b7e-1111-4222-8333-000000007781"
ACCOUNT = "26670015COM.EXAMPLE.WWW011893600999000000001702150000000000170010303UMI51440014ID.CO.QRIS.WWW"
CODE = (
    f"000201010212{ACCOUNT}0215ID10200999900170303UMI520458125303360540545500"
    "5802ID5913WARUNG CONTOH6007BANDUNG61054011562190108ORD-77810703A01630424A8"
)
STATIC = (
    f"000201010211{ACCOUNT}0215ID10200999900170303UMI5204581253033605802ID5913WARUNG CONTOH6007BANDUNG61054011563040717"
)
TIPPED = CODE.replace("540545500", "54054550055020256042000").replace("24A8", "0FF2")
CREATED = {
    "status_code": "201",
    "status_message": "QRIS transaction is created",
    "transaction_id": TRANSACTION,
    "order_id": "ORD-7781",
    "merchant_id": "G000000001",
    "gross_amount": "45500.00",
    "currency": "IDR",
    "payment_type": "qris",
    "transaction_time": "2026-03-01 09:00:02",
    "transaction_status": "pending",
    "fraud_status": "accept",
    "acquirer": "gopay",
    "qr_string": CODE,
    "expiry_time": "2026-03-01 09:15:02",
    "actions": [
        {"name": "generate-qr-code", "method": "GET", "url": "https://api.example/plain"},
        {"name": "generate-qr-code-v2", "method": "GET", "url": "https://api.example/framed"},
    ],
}
NOTIFICATION = {
    "transaction_type": "on-us",
    "transaction_time": "2026-03-01 09:00:02",
    "transaction_status": "settlement",
    "transaction_id": TRANSACTION,
    "status_message": "midtrans payment notification",
    "status_code": "200",
    "signature_key": (
        "6c49f2ce0f7fb5d6f12c9071370adfae0e02293edeeb05e113e0f816abbf7b56"
        "0df8ed229caf4cbcbaaee26a44abd09c3ca40e4341375e7ab996ae37f4c58e55"
    ),
    "settlement_time": "2026-03-01 09:01:10",
    "payment_type": "qris",
    "order_id": "ORD-7781",
    "merchant_id": "G000000001",
    "merchant_cross_reference_id": "0197-example",
    "issuer": "gopay",
    "gross_amount": "45500.00",
    "fraud_status": "accept",
    "currency": "IDR",
    "acquirer": "gopay",
}


def midtrans(**options: Any) -> Midtrans:
    def send(request: Request) -> Response:
        raise AssertionError("nothing may be sent")

    credentials = Credentials(Secret("SB-Mid-server-EXAMPLEKEY01"))
    url = "https://api.midtrans.com"
    return Midtrans(Connection(url, True, credentials, Options(**options), lambda: NOW, send, MemoryTokens()))


def order(kind: Kind = Kind.CREATE, **changes: Any) -> Order:
    def door(name: str) -> str:
        return f"https://pay.example/cb/{name}"

    made = Order(kind, "ORD-7781", "op_1", IDR, door, method="qris", return_url="https://pay.example/return/1")
    return replace(made, **changes)


def sent(step_order: Order, **options: Any) -> dict[str, Any]:
    return json.loads(midtrans(**options).step(step_order).request.body)


def response(body: Any, status: int = 200) -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), 0.0)


def charged(status: int = 200, asked: Order | None = None, **changes: Any) -> Report:
    body = {name: value for name, value in {**CREATED, **changes}.items() if value is not None}
    return midtrans().step(asked or order()).read(response(body, status))


def status(asked: Order | None = None, **changes: Any) -> Report:
    body = {name: value for name, value in {**NOTIFICATION, **changes}.items() if value is not None}
    return midtrans().fetch(asked or order()).read(response(body))


def notified(**changes: Any) -> Notice:
    return midtrans().read_callback(RawCallback("notifications", {}, json.dumps({**NOTIFICATION, **changes}).encode()))


def refusal(code: str, kind: Kind = Kind.CREATE, http: int | None = None) -> type[Exception]:
    body = {"status_code": code, "status_message": "no", "id": "1"}
    with pytest.raises((NothingCreated, OutcomeUnknown)) as caught:
        midtrans().step(order(kind, provider_id=TRANSACTION)).read(response(body, http or int(code)))
    return type(caught.value)


def test_the_charge_is_the_documented_one():
    request = midtrans().step(order()).request
    assert (request.method, request.url) == ("POST", "https://api.midtrans.com/v2/charge")
    assert request.headers == {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "Idempotency-Key": "op_1",
        "X-Override-Notification": "https://pay.example/cb/notifications",
    }
    assert json.loads(request.body) == {
        "payment_type": "qris",
        "transaction_details": {"order_id": "ORD-7781", "gross_amount": 45_500},
        "qris": {"acquirer": "gopay"},
    }


def test_a_charge_of_gopay_names_the_way_back():
    assert sent(order(method="ewallet", channel="gopay")) == {
        "payment_type": "gopay",
        "transaction_details": {"order_id": "ORD-7781", "gross_amount": 45_500},
        "gopay": {"enable_callback": True, "callback_url": "https://pay.example/return/1"},
    }
    assert "gopay" not in sent(order(method="ewallet", return_url=""))


def test_the_authorization_is_the_golden_one():
    headers = midtrans().authorize(Request("GET", "https://api.midtrans.com")).headers
    assert headers["Authorization"] == "Basic U0ItTWlkLXNlcnZlci1FWEFNUExFS0VZMDE6"


def test_the_golden_signature_is_accepted_and_covers_neither_status_nor_type():
    for changes in ({}, {"transaction_status": "deny"}, {"payment_type": "gopay"}):
        midtrans().verify(RawCallback("notifications", {}, json.dumps({**NOTIFICATION, **changes}).encode()))
    for changes in ({"gross_amount": "45500"}, {"gross_amount": 45500.00}, {"status_code": 200}):
        with pytest.raises(Forged):
            midtrans().verify(RawCallback("notifications", {}, json.dumps({**NOTIFICATION, **changes}).encode()))


def test_lines_are_whole_rupiah_and_sum_to_the_amount():
    lines = (
        Line("Nasi goreng", 2, Money(2_000_000, "IDR"), "SKU1"),
        Line("PB1 | 10%", 1, Money(550_050, "IDR"), "TAX"),
        Line(" ", 1, Money(-250, "IDR")),
        Line("x" * 60, 1, Money(350, "IDR"), "y" * 60),
    )
    items = sent(order(lines=lines))["item_details"]
    assert items == [
        {"id": "SKU1", "price": 20_000, "quantity": 2, "name": "Nasi goreng"},
        {"id": "TAX", "price": 5_500, "quantity": 1, "name": "PB1 / 10%"},
        {"id": "LINE3", "price": -2, "quantity": 1, "name": "LINE3"},
        {"id": "y" * 50, "price": 4, "quantity": 1, "name": "x" * 50},
        {"id": "ROUNDING", "price": -2, "quantity": 1, "name": "Rounding"},
    ]
    assert sum(item["price"] * item["quantity"] for item in items) == 45_500


def test_lines_that_fit_need_no_more_and_those_of_another_currency_are_left_out():
    assert [item["id"] for item in sent(order(lines=(Line("A", 1, IDR),)))["item_details"]] == ["LINE1"]
    assert "item_details" not in sent(order(lines=(Line("A", 1, Money(4_550_000, "USD")),)))


def test_the_payer_is_told_as_far_as_known():
    payer = Payer("Siti Nur Aminah", "siti@example.test", "+6281200001111")
    assert sent(order(payer=payer))["customer_details"] == {
        "first_name": "Siti",
        "last_name": "Nur Aminah",
        "email": "siti@example.test",
        "phone": "+6281200001111",
    }
    assert sent(order(payer=Payer(name="Siti")))["customer_details"] == {"first_name": "Siti"}


@pytest.mark.parametrize(
    ("after", "seconds"),
    [({"minutes": 15}, 900), ({"seconds": 3}, 20), ({"days": 30}, 604_800), ({"minutes": -5}, 20)],
)
def test_the_end_is_counted_from_the_order_within_the_bounds(after: dict[str, int], seconds: int):
    expires_at = NOW.replace(microsecond=0) + datetime.timedelta(**after)
    assert sent(order(made_at=NOW, expires_at=expires_at))["custom_expiry"] == {
        "order_time": "2026-03-01 09:00:00 +0700",
        "expiry_duration": seconds,
        "unit": "second",
    }
    assert sent(order(expires_at=expires_at)) == sent(order(made_at=NOW, expires_at=expires_at))


def test_cancel_is_cancel_until_its_time_is_over():
    def path(**changes: Any) -> str:
        return midtrans().step(order(Kind.CANCEL, provider_id=TRANSACTION, **changes)).request.url.rpartition("/")[2]

    later = NOW + datetime.timedelta(seconds=1)
    assert [path(), path(expires_at=later), path(expires_at=NOW)] == ["cancel", "cancel", "expire"]


def test_a_refund_carries_its_key_twice():
    request = midtrans().step(order(Kind.REFUND, provider_id=TRANSACTION, money=Money(500_000, "IDR"))).request
    assert request.url == f"https://api.midtrans.com/v2/{TRANSACTION}/refund"
    assert json.loads(request.body) == {"refund_key": "op_1", "amount": 5_000}
    assert request.headers["Idempotency-Key"] == "op_1"


def test_without_an_id_the_reference_is_asked_about():
    assert midtrans().fetch(order()).request.url == "https://api.midtrans.com/v2/ORD-7781/status"
    known = midtrans().fetch(order(provider_id=TRANSACTION)).request
    assert (known.method, known.url) == ("GET", f"https://api.midtrans.com/v2/{TRANSACTION}/status")


def test_the_key_is_repeated_for_less_than_five_minutes():
    for declared in Midtrans.capabilities.operations.values():
        assert declared.key_length == 46
        assert declared.may_resend(datetime.timedelta(minutes=3, seconds=59))
        assert not declared.may_resend(datetime.timedelta(minutes=4))


@pytest.mark.parametrize("http", [200, 201])
def test_a_charge_is_read_with_its_code_and_its_end_on_the_clock_of_jakarta(http: int):
    assert charged(http) == Report(
        Word.REQUIRES_ACTION,
        TRANSACTION,
        "pending",
        next_action={"type": "qr", "qr_string": CODE},
        expires_at=datetime.datetime(2026, 3, 1, 2, 15, 2, tzinfo=datetime.UTC),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"qr_string": 5},
        {"gross_amount": "45501.00"},
        {"qr_string": None, "actions": []},
        {"qr_string": None, "actions": None},
        {"qr_string": None, "actions": ["generate-qr-code"]},
        {"qr_string": None, "actions": [{"name": "generate-qr-code", "method": "GET"}]},
        {"qr_string": None, "actions": [{"name": "generate-qr-code", "method": "GET", "url": 7}]},
        {"qr_string": None, "actions": [{"name": "cancel", "method": "POST", "url": "https://api.example/cancel"}]},
    ],
)
def test_a_code_that_is_not_what_was_asked_for_is_shown_to_nobody(changes: dict[str, Any]):
    report = charged(**changes)
    assert (report.word, report.next_action, report.provider_id) == (Word.UNKNOWN, None, TRANSACTION)
    assert report.provider_status == "pending, not as asked"


@pytest.mark.parametrize("text", [STATIC, TIPPED, CODE.replace("540545500", "540545501"), "0002010102"])
def test_a_code_is_handed_on_as_it_came_to_be_checked_before_it_is_shown(text: str):
    assert charged(qr_string=text).next_action == {"type": "qr", "qr_string": text}


def test_without_a_text_the_picture_is_found_by_its_name():
    framed = {"type": "redirect", "url": "https://api.example/framed"}
    assert charged(qr_string=None).next_action == framed
    assert charged(qr_string=None, actions=CREATED["actions"][::-1]).next_action == framed
    assert charged(qr_string=None, actions=CREATED["actions"][:1]).next_action == {
        "type": "redirect",
        "url": "https://api.example/plain",
    }


def test_an_end_that_is_not_told_or_no_time_is_none():
    assert charged(expiry_time=None).expires_at is None
    assert charged(expiry_time="tomorrow").expires_at is None


def test_an_answer_about_another_order_leaves_it_unknown():
    with pytest.raises(OutcomeUnknown):
        charged(order_id="ORD-7782")
    with pytest.raises(OutcomeUnknown):
        status(order(provider_id="another"))


def test_a_charge_can_be_denied_at_once():
    report = charged(status_code="202", transaction_status="deny", fraud_status="deny")
    assert report.failure is not None
    assert (report.word, report.failure.code, report.moved) == (Word.FAILED, FailureCode.DECLINED, ())


@pytest.mark.parametrize("code", ["400", "403", "404", "405", "408", "410", "411", "413", "429"])
@pytest.mark.parametrize("http", [None, 200])
def test_these_answers_have_created_nothing(code: str, http: int | None):
    assert {refusal(code, kind, http) for kind in (Kind.CREATE, Kind.CANCEL, Kind.REFUND)} == {NothingCreated}


@pytest.mark.parametrize("code", ["401", "402"])
@pytest.mark.parametrize("http", [None, 200])
def test_these_answers_are_a_matter_of_configuration(code: str, http: int | None):
    assert {refusal(code, kind, http) for kind in (Kind.CREATE, Kind.CANCEL, Kind.REFUND)} == {Misconfigured}


@pytest.mark.parametrize("code", ["200", "201", "202", "406", "407", "418", "500", "501", "502", "503", "504", "505"])
@pytest.mark.parametrize("http", [None, 200])
def test_every_other_answer_without_a_payment_proves_nothing(code: str, http: int | None):
    assert {refusal(code, kind, http) for kind in (Kind.CREATE, Kind.CANCEL, Kind.REFUND)} == {OutcomeUnknown}


def test_what_can_no_longer_be_changed_refuses_a_refund_and_leaves_a_cancel_unknown():
    assert refusal("412", Kind.CANCEL) is OutcomeUnknown
    assert refusal("412", Kind.CREATE) is OutcomeUnknown
    assert refusal("412", Kind.REFUND) is NothingCreated
    assert refusal("414", Kind.REFUND) is NothingCreated
    assert refusal("414", Kind.CREATE) is OutcomeUnknown


def test_codes_that_contradict_each_other_prove_nothing():
    assert refusal("400", http=503) is OutcomeUnknown
    assert refusal("400", http=500) is OutcomeUnknown
    with pytest.raises(OutcomeUnknown):
        charged(status=400)
    with pytest.raises(OutcomeUnknown):
        charged(status_code=201)


@pytest.mark.parametrize(
    "body", [b"", b"<html></html>", b"[]", b"{}", b'{"status_code": "abc"}', b'{"status_code": ""}']
)
@pytest.mark.parametrize("http", [200, 400, 401, 503])
def test_an_answer_without_a_code_is_unknown(body: bytes, http: int):
    for step in (midtrans().step(order()), midtrans().fetch(order())):
        with pytest.raises(OutcomeUnknown):
            step.read(response(body, http))


@pytest.mark.parametrize(
    ("told", "code", "word"),
    [
        ("pending", "201", Word.REQUIRES_ACTION),
        ("authorize", "200", Word.UNKNOWN),
        ("capture", "200", Word.SUCCEEDED),
        ("settlement", "200", Word.SUCCEEDED),
        ("SETTLEMENT", "200", Word.SUCCEEDED),
        ("deny", "202", Word.FAILED),
        ("failure", "202", Word.FAILED),
        ("cancel", "202", Word.CANCELLED),
        ("expire", "202", Word.EXPIRED),
        ("expire", "407", Word.EXPIRED),
        ("refund", "200", Word.SUCCEEDED),
        ("partial_refund", "200", Word.SUCCEEDED),
        ("chargeback", "200", Word.UNKNOWN),
    ],
)
def test_every_status_has_its_word(told: str, code: str, word: Word):
    report = status(transaction_status=told, status_code=code)
    assert report.word is word
    paid = (MoneyMoved(ReceiptKind.CAPTURE, IDR, TRANSACTION),)
    assert report.moved == (paid if word is Word.SUCCEEDED else ())
    assert (report.failure is not None) is (word is Word.FAILED)


@pytest.mark.parametrize(
    "changes",
    [{"fraud_status": "challenge"}, {"fraud_status": "deny"}, {"status_code": "201"}, {"status_code": "202"}],
)
def test_money_that_is_held_back_or_contradicted_is_for_a_person(changes: dict[str, str]):
    report = status(**changes)
    assert (report.word, report.moved) == (Word.UNKNOWN, ())
    assert next(iter(changes.values())) in report.provider_status


def test_a_payment_without_word_of_fraud_or_currency_is_paid_in_rupiah():
    report = status(fraud_status=None, currency=None)
    assert report.moved == (MoneyMoved(ReceiptKind.CAPTURE, IDR, TRANSACTION),)


@pytest.mark.parametrize(
    "changes",
    [{"gross_amount": "45,500.00"}, {"gross_amount": 45500}, {"gross_amount": "45500.001"}, {"currency": "USD"}],
)
def test_an_amount_in_another_form_is_unknown_or_unreadable(changes: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        status(**changes)
    with pytest.raises(Unreadable):
        notified(**changes)


def test_an_account_can_read_a_status_in_another_word():
    words = {"chargeback": "failed", "authorize": "pending"}
    read = midtrans(status_words=words).fetch(order()).read
    failed = read(response({**NOTIFICATION, "transaction_status": "chargeback"}))
    assert failed.failure is not None
    assert (failed.word, failed.failure.provider_code) == (Word.FAILED, "chargeback")
    assert read(response({**NOTIFICATION, "transaction_status": "authorize"})).word is Word.PENDING


REFUND = {"refund_chargeback_id": 183_700, "refund_amount": "5000.00", "refund_key": "op_1", "refund_method": "online"}


def refunded(**changes: Any) -> Report:
    body = {**NOTIFICATION, "transaction_status": "partial_refund", **REFUND, **changes}
    asked = order(Kind.REFUND, provider_id=TRANSACTION, money=Money(500_000, "IDR"))
    return midtrans().step(asked).read(response(body))


@pytest.mark.parametrize("number", [183_700, "183700"])
def test_a_refund_moves_what_was_asked_though_the_answer_tells_the_sum(number: object):
    report = refunded(refund_chargeback_id=number, refund_amount="45500.00")
    moved = (MoneyMoved(ReceiptKind.REFUND, Money(500_000, "IDR"), "183700"),)
    assert report == Report(Word.SUCCEEDED, "183700", "partial_refund", moved)


@pytest.mark.parametrize(
    "changes",
    [
        {"refund_key": "op_2"},
        {"refund_amount": "4999.00"},
        {"transaction_status": "settlement"},
        {"refund_chargeback_id": True},
        {"refund_chargeback_id": None},
        {"transaction_id": "another"},
    ],
)
def test_the_answer_to_another_refund_is_unknown(changes: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        refunded(**changes)


def test_a_refund_that_is_not_listed_is_unknown():
    asked = order(Kind.REFUND, provider_id=TRANSACTION)
    for refunds in (None, [], [{**REFUND, "refund_key": "op_2"}]):
        with pytest.raises(OutcomeUnknown):
            status(asked, refunds=refunds)
    found = status(asked, transaction_status="refund", refunds=[{**REFUND, "refund_key": "op_2"}, REFUND])
    assert found.moved == (MoneyMoved(ReceiptKind.REFUND, Money(500_000, "IDR"), "183700"),)


def test_a_notice_of_refunds_is_about_the_named_or_the_last_one():
    first, second = REFUND, {**REFUND, "refund_key": "of-the-dashboard", "refund_chargeback_id": 183_701}
    told = {"transaction_status": "partial_refund", "refunds": [first, second]}
    assert notified(**told).reference == "of-the-dashboard"
    assert notified(**told, refund_key="op_1").reference == "op_1"
    assert notified(**told).money == Money(500_000, "IDR")
    assert notified(transaction_status="refund").topic is Topic.PAYMENT


def test_a_test_from_the_dashboard_is_nothing():
    reference = "payment_notif_test_G000000001_a1b2"
    assert notified(order_id=reference) == Notice(Topic.NOTHING, reference=reference)


def test_only_whole_rupiah_of_one_or_more_are_carried():
    assert midtrans().units(Money(100, "IDR")) == 1
    for money in (Money(150, "IDR"), Money(0, "IDR"), Money(-100, "IDR"), Money(100, "KES")):
        with pytest.raises(NotRepresentable):
            midtrans().units(money)


def test_a_key_of_the_sandbox_is_no_live_key():
    sandbox, production = (Credentials(Secret(key)) for key in ("SB-Mid-server-1", "Mid-server-1"))
    with pytest.raises(ValueError, match="'server_key'"):
        Midtrans.check_mode(sandbox, livemode=True)
    Midtrans.check_mode(production, livemode=True)
    Midtrans.check_mode(sandbox, livemode=False)
    Midtrans.check_mode(production, livemode=False)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"acquirer": "ovo"}, "'acquirer'"),
        ({"refund_path": "../cancel"}, "'refund_path'"),
        ({"status_words": {"settlement": "gone"}}, "'status_words'"),
        ({"source_addresses": ["10.0.0.0/99"]}, "10.0.0.0/99"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(options: Mapping[str, Any], named: str):
    with pytest.raises(ValueError, match=named):
        from_json(Options, options)


def test_the_other_acquirer_is_named_with_its_space():
    assert sent(order(), acquirer="airpay shopee")["qris"] == {"acquirer": "airpay shopee"}


def test_an_answer_to_a_dispute_is_none_of_its_operations():
    with pytest.raises(Unsupported):
        midtrans().fetch(order(Kind.EVIDENCE))
