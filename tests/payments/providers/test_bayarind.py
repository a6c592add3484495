"""Bayarind: the contract, then what only Bayarind does. Values are samples; names and types are Bayarind's."""

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import pytest

from core import qris
from core.companies import bayarind as wire
from core.crypto import Secret
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import Forged, Misconfigured, NothingCreated, OutcomeUnknown, Unreadable, from_json
from payments.providers.base import (
    Admission,
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
from payments.providers.bayarind import Bayarind, Credentials, Options
from simulators.bayarind import keys
from tests.contracts.payments import PaymentProviderContract, World
from tests.contracts.world import MemoryTokens, SimulatorControl

IDR = Money(12_500_000, "IDR")
KEY = "0123456789abcdef0123456789abcdef"
INSERT, QUERY, VOID = "POST /PaymentRegister", "POST /PaymentQuery", "POST /PostAuth"
CODES = {"company_codes": {"bca": "12345", "permata": "8965"}, "service_codes": {"qris": "9001"}}


def form_of(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


class BayarindContract(PaymentProviderContract):
    name = "bayarind"
    channel: ClassVar[str] = ""
    credentials: ClassVar[Mapping[str, Any]] = {"channel_id": "TOKOEXVA01", "secret_key": KEY}
    refused_credentials: ClassVar[Mapping[str, Any]] = {"secret_key": "of somebody else"}
    money = IDR
    carried: ClassVar = {money: 125_000, Money(100, "IDR"): 1, Money(999_999_999_900, "IDR"): 9_999_999_999}
    not_carried = (
        Money(12_500_050, "IDR"),
        Money(0, "IDR"),
        Money(1_000_000_000_000, "IDR"),
        Money(12_500_000, "USD"),
        Money(125_000, "JPY"),
    )
    calls: ClassVar = {Kind.CREATE: INSERT, Kind.CANCEL: VOID}

    def options(self, control: SimulatorControl) -> Mapping[str, Any]:
        return CODES

    def instrument(self) -> str:
        return ""

    def listen(self, world: World) -> None:
        world.control.post("settings", flag_url=world.receiver.url("flag"))

    def order(self, world: World, kind: Kind = Kind.CREATE, **changes: Any) -> Order:
        made = {"channel": self.channel, "made_at": world.provider.connection.now(), **changes}
        return super().order(world, kind, **made)

    def document(self, callback: RawCallback) -> dict[str, Any]:
        return form_of(callback.body)

    def written(self, callback: RawCallback, told: Any) -> RawCallback:
        fields = told if isinstance(told, dict) else {"": told}
        return replace(callback, body=urlencode(fields).encode())

    def forgeries(self, world: World, callback: RawCallback) -> list[RawCallback]:
        told = self.document(callback)
        names = ("transactionNo", "transactionAmount", "channelId", "transactionStatus", "insertId")
        stranger = "".join(told[name] for name in names) + "a secret that was guessed"
        changes: list[dict[str, str]] = [
            {"transactionAmount": "1"},
            {"transactionNo": "ANOTHERORDER000001"},
            {"transactionStatus": "01"},
            {"insertId": "1"},
            {"channelId": "TOKOEXVA02"},
            {"authCode": hashlib.sha256(stranger.encode()).hexdigest()},
            {"authCode": told["authCode"].upper()},
            {"authCode": ""},
        ]
        bodies = [urlencode(told | change).encode() for change in changes]
        unsigned = urlencode({name: value for name, value in told.items() if name != "authCode"}).encode()
        twice = callback.body + b"&transactionAmount=1"
        return [replace(callback, body=body) for body in (*bodies, unsigned, twice, b"", b"{}", b"\xff")]

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        return self.written(callback, self.document(callback) | {"transactionStatus": "77"})

    def waiting(self, world: World, **changes: Any) -> tuple[Order, Report]:
        order = self.order(world, **changes)
        report = world.wire.perform(world.provider.step(order))
        assert report.word is Word.REQUIRES_ACTION
        return replace(order, provider_id=report.provider_id), report

    def status_of(self, world: World, order: Order) -> Report:
        return world.wire.perform(world.provider.fetch(order))

    def pay(self, world: World, order: Order, outcome: str = "approve", callback: str = "") -> dict[str, Any]:
        return world.control.post("simulate", reference=order.reference, outcome=outcome, callback=callback)


class TestVirtualAccount(BayarindContract):
    method = "virtual_account"
    channel = "bca"

    def test_the_payer_is_told_the_account_number_that_begins_with_the_companys_code(self, world: World):
        order, report = self.waiting(world)
        number = wire.customer_number(order.reference, service_code="1021")
        assert report.next_action == {"type": "instructions", "channel": "bca", "code": f"12345{number}"}
        assert report.expires_at == order.made_at + datetime.timedelta(days=1)
        assert world.control.entries(f"12345{number}")[0]["id"] == order.provider_id

    def test_an_insert_whose_answer_was_lost_still_shows_where_to_pay(self, world: World):
        order = self.order(world)
        world.control.post("trouble", do="reset_after", on=INSERT)
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(order))
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(order))
        found = self.status_of(world, order)
        number = wire.customer_number(order.reference, service_code="1021")
        assert found.next_action == {"type": "instructions", "channel": "bca", "code": f"12345{number}"}
        assert (found.word, found.provider_id) == (Word.REQUIRES_ACTION, "")

    def test_an_account_that_lacks_a_code_sends_nothing(self, world: World):
        provider = Bayarind(replace(world.provider.connection, options=Options()))
        for changes in ({"method": "qris", "channel": ""}, {"channel": "permata"}):
            with pytest.raises(Misconfigured):
                provider.authorize(provider.step(self.order(world, **changes)).request)

    def test_money_that_we_do_not_accept_goes_back(self, world: World):
        for admission, code in ((Admission.EXPIRED, "04"), (Admission.CANCELLED, "05"), (Admission.WRONG_AMOUNT, "01")):
            order, _ = self.waiting(world)
            world.receiver.decide = lambda callback, told=admission: world.provider.admit(callback, told)
            assert self.pay(world, order)["answer"] == code
            assert self.status_of(world, order).moved == ()

    def test_a_flag_that_is_answered_paid_before_is_done(self, world: World):
        order, _ = self.waiting(world)
        world.receiver.decide = lambda callback: world.provider.admit(callback, Admission.ALREADY_PAID)
        assert self.pay(world, order) == {"ok": True, "id": order.provider_id, "state": "paid", "answer": "02"}

    def test_money_for_a_bill_that_has_expired_there_is_asked_about_too(self, world: World):
        order, _ = self.waiting(world)
        self.pay(world, order, "expire")
        world.receiver.decide = lambda callback: world.provider.admit(callback, Admission.EXPIRED)
        assert self.pay(world, order, "late_success")["answer"] == "04"
        assert self.status_of(world, order).word is Word.REQUIRES_ACTION

    def test_a_flag_that_says_not_paid_is_parked_and_never_accepted(self, world: World):
        order, _ = self.waiting(world)
        self.pay(world, order, "failed_flag")
        callback, notice = self.notice(world, Topic.PAYMENT, order.provider_id)
        world.provider.verify(callback)
        assert notice.report == Report(Word.UNKNOWN, order.provider_id, "01")
        answer = json.loads(world.provider.admit(callback, Admission.ACCEPTED).body)
        assert (answer["paymentStatus"], answer["paymentMessage"]) == ("01", "Invalid Transaction Status")

    def test_an_advice_and_a_flag_by_hand_tell_the_same_payment(self, world: World):
        order, _ = self.waiting(world)
        self.pay(world, order, "reconcile", "duplicate")
        by_hand = world.receiver.wait(lambda callback: b"flagType=13" in callback.body)
        advice = world.receiver.wait(lambda callback: b"flagType=12" in callback.body)
        assert world.provider.read_callback(by_hand) == world.provider.read_callback(advice)

    @pytest.mark.parametrize(("mode", "amount"), [("under", 124_999), ("over", 125_001)])
    def test_another_sum_is_told_as_what_it_is(self, world: World, mode: str, amount: int):
        order, _ = self.waiting(world)
        self.pay(world, order, callback=mode)
        callback, notice = self.notice(world, Topic.PAYMENT, order.provider_id)
        world.provider.verify(callback)
        assert notice.money == Money(amount * 100, "IDR")

    @pytest.mark.parametrize("mode", ["bad_signature", "tampered"])
    def test_a_flag_that_is_not_bayarinds_own_is_refused(self, world: World, mode: str):
        order, _ = self.waiting(world)
        self.pay(world, order, callback=mode)
        callback, _ = self.notice(world, Topic.PAYMENT, order.provider_id)
        with pytest.raises(Forged):
            world.provider.verify(callback)

    def test_a_secret_of_before_is_still_believed(self, world: World):
        callback = self.genuine(world)
        credentials = Credentials("TOKOEXVA01", Secret("new"), (Secret("old"), Secret(KEY)))
        Bayarind(replace(world.provider.connection, credentials=credentials)).verify(callback)
        with pytest.raises(Forged):
            Bayarind(replace(world.provider.connection, credentials=Credentials("TOKOEXVA01", Secret("new")))).verify(
                callback
            )

    def test_what_is_paid_cannot_be_voided_and_what_is_void_is_void(self, world: World):
        paid = self.paid(world)
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(replace(paid.order, kind=Kind.CANCEL)))
        assert refused.value.provider_code == "transaction has been paid"
        unknown = self.order(world, Kind.CANCEL)
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(unknown))
        assert refused.value.provider_code == "transaction not found"

    def test_names_in_other_letters_are_read_alike(self, world: World):
        world.control.post("settings", key_case="lower")
        order, _ = self.waiting(world)
        self.pay(world, order)
        assert self.status_of(world, order).word is Word.SUCCEEDED

    def test_another_channels_payment_is_not_found(self, world: World):
        paid = self.paid(world)
        other = self.wire(world.control, channel_id="TOKOEXVA02", secret_key="fedcba9876543210fedcba9876543210")
        with pytest.raises(OutcomeUnknown):
            other.perform(other.provider.fetch(paid.order))


class TestQris(BayarindContract):
    method = "qris"

    @pytest.mark.parametrize("place", ["redirectData", "paymentCode"])
    def test_the_code_is_found_wherever_it_stands_and_asks_for_exactly_that_sum(self, world: World, place: str):
        world.control.post("settings", qris_field=place)
        _, report = self.waiting(world)
        assert report.next_action is not None
        assert report.next_action["type"] == "qr"
        assert qris.parse(report.next_action["qr_string"]).amount == self.money

    def test_a_picture_of_the_code_is_a_place_to_go_to(self, world: World):
        world.control.post("settings", qris_field="urlQris")
        order, report = self.waiting(world)
        url = f"{world.control.base_url}/_simulator/pay/{order.provider_id}"
        assert report.next_action == {"type": "redirect", "url": url}


class TestWallet(BayarindContract):
    method = "ewallet"
    channel = "bayarind"

    def test_the_payer_is_sent_to_the_wallet(self, world: World):
        order, report = self.waiting(world)
        url = f"{world.control.base_url}/_simulator/pay/{order.provider_id}"
        assert report.next_action == {"type": "redirect", "url": url}


class TestSnap(BayarindContract):
    """The same account of a bank's, by the other protocol."""

    method = "virtual_account"
    channel = "bca"
    credentials: ClassVar = {
        "channel_id": "TOKOEXVA01",
        "secret_key": KEY,
        "private_key": keys.private_pem(keys.MERCHANTS),
    }
    refused_credentials: ClassVar = {"private_key": keys.private_pem(keys.OURS)}
    carried: ClassVar = {IDR: 125_000, Money(1_000, "IDR"): 10, Money(999_999_999_900, "IDR"): 9_999_999_999}
    not_carried = (*BayarindContract.not_carried, Money(900, "IDR"))
    calls: ClassVar = {
        Kind.CREATE: "POST /api/v1.0/transfer-va/create-va",
        Kind.CANCEL: "DELETE /api/v1.0/transfer-va/delete-va",
    }

    def options(self, control: SimulatorControl) -> Mapping[str, Any]:
        return CODES | {"api": "snap", "bayarind_key": keys.public_pem(keys.OURS)}

    def listen(self, world: World) -> None:
        world.control.post("settings", snap_url=world.receiver.url("transfer"))

    def document(self, callback: RawCallback) -> dict[str, Any]:
        return json.loads(callback.body)

    def written(self, callback: RawCallback, told: Any) -> RawCallback:
        return replace(callback, body=json.dumps(told).encode())

    def forgeries(self, world: World, callback: RawCallback) -> list[RawCallback]:
        told, more = self.document(callback), self.document(callback)["additionalInfo"]
        changes: list[dict[str, Any]] = [
            {"paidAmount": {"value": "10.00", "currency": "IDR"}},
            {"trxId": "ANOTHERORDER000001"},
            {"additionalInfo": more | {"insertId": "1"}},
            {"additionalInfo": {name: more[name] for name in more if name != "passApp"}},
        ]
        bodies = [self.written(callback, told | change) for change in changes]
        headers = [
            callback.headers | {"x-timestamp": "2026-03-01T09:00:00+07:00"},
            callback.headers | {"x-signature": "AAAA"},
            callback.headers | {"x-signature": "é"},
            callback.headers | {"x-partner-id": "TOKOEXVA02"},
            {name: value for name, value in callback.headers.items() if name != "x-signature"},
        ]
        empty = [replace(callback, body=body) for body in (b"", b"[]", b"{}")]
        return [*bodies, *(replace(callback, headers=changed) for changed in headers), *empty]

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        told = self.document(callback)
        return self.written(callback, told | {"additionalInfo": told["additionalInfo"] | {"flagType": "77"}})

    def test_the_payer_is_told_the_number_without_the_spaces_before_it(self, world: World):
        order, report = self.waiting(world)
        number = wire.customer_number(order.reference, service_code="1021")
        assert report.next_action == {"type": "instructions", "channel": "bca", "code": f"12345{number}"}
        sent = json.loads(world.wire.sent[-1].body)
        assert (sent["partnerServiceId"], sent["virtualAccountNo"]) == ("   12345", f"   12345{number}")

    def test_money_that_we_do_not_accept_goes_back(self, world: World):
        for admission, code in ((Admission.EXPIRED, "04"), (Admission.CANCELLED, "05"), (Admission.WRONG_AMOUNT, "01")):
            order, _ = self.waiting(world)
            world.receiver.decide = lambda callback, told=admission: world.provider.admit(callback, told)
            assert self.pay(world, order)["answer"] == code
            assert self.status_of(world, order).moved == ()

    @pytest.mark.parametrize("mode", ["bad_signature", "tampered"])
    def test_a_payment_that_bayarind_did_not_sign_is_refused(self, world: World, mode: str):
        order, _ = self.waiting(world)
        self.pay(world, order, callback=mode)
        callback, _ = self.notice(world, Topic.PAYMENT, order.provider_id)
        with pytest.raises(Forged):
            world.provider.verify(callback)

    def test_a_secret_that_does_not_fit_the_pass_app_is_refused(self, world: World):
        callback = self.genuine(world)
        changed = replace(world.provider.credentials, secret_key=Secret("new"))
        with pytest.raises(Forged):
            Bayarind(replace(world.provider.connection, credentials=changed)).verify(callback)
        former = replace(changed, former_secret_keys=(Secret(KEY),))
        Bayarind(replace(world.provider.connection, credentials=former)).verify(callback)

    def test_an_account_that_cannot_sign_or_name_its_bank_sends_nothing(self, world: World):
        connection, options = world.provider.connection, world.provider.options
        no_key = replace(connection, credentials=replace(connection.credentials, private_key=Secret("")))
        no_code = replace(connection, options=replace(options, company_codes={}))
        for provider, changes in (
            (Bayarind(no_key), {}),
            (Bayarind(no_code), {}),
            (world.provider, {"method": "qris", "channel": ""}),
        ):
            with pytest.raises(Misconfigured):
                provider.authorize(provider.step(self.order(world, **changes)).request)


# Without the wire


NOW = datetime.datetime(2026, 3, 1, 2, 0, 0, 500_000, tzinfo=datetime.UTC)
REFERENCE, INSERT_ID = "INV20260000000117", "99001234"
INSERTED = {
    "channelId": "TOKOEXVA01",
    "currency": "IDR",
    "insertStatus": "00",
    "insertMessage": "Success",
    "insertId": INSERT_ID,
    "redirectURL": "",
    "redirectData": "",
    "paymentCode": "",
    "urlQris": "",
    "additionalData": "",
}
FLAG = {
    "channelId": "TOKOEXVA01",
    "currency": "IDR",
    "transactionNo": REFERENCE,
    "transactionAmount": "125000",
    "transactionDate": "2026-03-01 09:02:00",
    "channelType": "1021",
    "transactionStatus": "00",
    "transactionMessage": "Approved",
    "customerAccount": "1234500000000117",
    "flagType": "11",
    "insertId": INSERT_ID,
    "paymentReffId": "BCA-7788",
    "authCode": "4dcb6867d58d0b573d98db92dd9bf83edc473a7eca7e24966cd762a9fad452d1",
    "additionalData": "",
}
PAID = MoneyMoved(ReceiptKind.CAPTURE, IDR, REFERENCE)


def bayarind(**options: Any) -> Bayarind:
    def send(request: Request) -> Response:
        raise AssertionError("nothing may be sent")

    credentials = Credentials("TOKOEXVA01", Secret(KEY))
    url = "https://pay.sprintasia.net"
    settings = Options(**{**CODES, **options})
    return Bayarind(Connection(url, True, credentials, settings, lambda: NOW, send, MemoryTokens()))


def order(kind: Kind = Kind.CREATE, **changes: Any) -> Order:
    def door(name: str) -> str:
        return f"https://pay.example/cb/{name}"

    made = Order(kind, REFERENCE, "op_1", IDR, door, method="virtual_account", channel="bca", made_at=NOW)
    return replace(made, **changes)


def sent(asked: Order, **options: Any) -> dict[str, str]:
    return form_of(bayarind(**options).step(asked).request.body)


def response(body: Any, status: int = 200) -> Response:
    return Response(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode(), 0.0)


def inserted(asked: Order | None = None, **changes: Any) -> Report:
    return bayarind().step(asked or order()).read(response(INSERTED | changes))


def listed(asked: Order | None = None, **changes: Any) -> Report:
    row = {"transactionNo": REFERENCE, "transactionAmount": "125000", "transactionDate": "2026-03-01 09:00:00"}
    row |= {"transactionStatus": "00", "transactionMessage": "Success", **changes}
    return bayarind().fetch(asked or order()).read(response({"channelId": "TOKOEXVA01", "queryResponse": [row]}))


def flag(**changes: str) -> RawCallback:
    return RawCallback("flag", {}, urlencode(FLAG | changes).encode())


def told(**changes: str) -> Notice:
    return bayarind().read_callback(flag(**changes))


def answer(admission: Admission, callback: RawCallback | None = None) -> dict[str, str]:
    answered = bayarind().admit(callback or flag(), admission)
    assert (answered.status, answered.content_type) == (200, "application/json")
    return json.loads(answered.body)


def test_the_insert_is_the_documented_one_with_its_golden_auth_code():
    step = bayarind().step(order(description="Order 20417", payer=Payer("Siti Aminah", "siti@example.test", "+628120")))
    assert (step.request.method, step.request.url) == ("POST", "https://pay.sprintasia.net/PaymentRegister")
    assert step.request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    form = form_of(step.request.body)
    assert form == {
        "channelId": "TOKOEXVA01",
        "serviceCode": "1021",
        "currency": "IDR",
        "transactionNo": REFERENCE,
        "transactionAmount": "125000",
        "transactionFee": "0",
        "transactionDate": "2026-03-01 09:00:00",
        "transactionExpire": "2026-03-02 09:00:00",
        "description": "Order 20417",
        "customerAccount": "12345" + wire.customer_number(REFERENCE, service_code="1021"),
        "customerName": "Siti Aminah",
        "customerEmail": "siti@example.test",
        "customerPhone": "+628120",
    }
    code = "7689970a1ab621b1c220482bf238f80e675efe3ff5a5dd1cc97f593ddee57799"
    assert form_of(bayarind().authorize(step.request).body) == form | {"authCode": code}


def test_account_numbers_have_the_digits_of_their_bank():
    assert [len(sent(order(channel=bank))["customerAccount"]) for bank in ("bca", "permata")] == [16, 15]
    assert len(wire.customer_number(REFERENCE, service_code="1074")) == 12
    assert wire.customer_number("A", service_code="1021") != wire.customer_number("B", service_code="1021")


def test_the_merchants_own_end_is_told():
    ends = NOW + datetime.timedelta(hours=2)
    assert sent(order(expires_at=ends))["transactionExpire"] == "2026-03-01 11:00:00"
    assert inserted(order(expires_at=ends)).expires_at == ends


def test_who_pays_by_qris_is_not_told_of():
    form = sent(order(method="qris", channel="", payer=Payer("Siti", "siti@example.test", "+628120")))
    assert {"customerEmail", "customerPhone", "callbackURL"}.isdisjoint(form)
    assert (form["serviceCode"], form["customerName"]) == ("9001", "Siti")
    assert sent(order(method="qris", channel=""))["customerName"] == "Customer"


def test_a_wallet_leads_back_to_the_shop():
    form = sent(order(method="ewallet", channel="bayarind", return_url="https://pay.example/return/1"))
    assert (form["serviceCode"], form["callbackURL"]) == ("1083", "https://pay.example/return/1")


def test_lines_are_told_where_they_add_up():
    rice, tea = Line("Nasi goreng", 2, Money(5_000_000, "IDR")), Line("Teh", 1, Money(2_500_000, "IDR"))
    items = [
        {"itemName": "Nasi goreng", "price": 50_000, "quantity": 2},
        {"itemName": "Teh", "price": 25_000, "quantity": 1},
    ]
    assert json.loads(sent(order(lines=(rice, tea)))["itemDetails"]) == items
    for lines in ((rice,), (rice, tea, rice), (rice, tea, Line("Diskon", 1, Money(-100, "IDR"))), ()):
        assert "itemDetails" not in sent(order(lines=lines))


def test_an_insert_is_read_whatever_the_case_of_its_names():
    told = {name.upper(): value for name, value in INSERTED.items()}
    report = bayarind().step(order()).read(response(told))
    assert (report.word, report.provider_id, report.provider_status) == (Word.REQUIRES_ACTION, INSERT_ID, "00")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Invalid transactionDate", FailureCode.INVALID_REQUEST),
        ("Invalid transaction date format", FailureCode.INVALID_REQUEST),
        ("Failed", FailureCode.PROVIDER_ERROR),
    ],
)
def test_after_the_refusals_of_the_table_nothing_was_created(message: str, code: FailureCode):
    with pytest.raises(NothingCreated) as refused:
        inserted(insertStatus="01", insertMessage=message, insertId="")
    assert (refused.value.code, refused.value.provider_code) == (code, message.lower())


@pytest.mark.parametrize("message", ["Invalid auth code", "Invalid Company Code", "channelId cant be empty"])
def test_a_wrong_account_is_a_matter_of_configuration(message: str):
    with pytest.raises(Misconfigured):
        inserted(insertStatus="01", insertMessage=message, insertId="")


@pytest.mark.parametrize(
    "changes",
    [
        {"insertStatus": "01", "insertMessage": "Transaction is Exist"},
        {"insertStatus": "01", "insertMessage": "Something new"},
        {"insertStatus": "77", "insertMessage": "Failed"},
        {"insertStatus": None},
        {"insertId": ""},
        {"insertId": None},
        {"channelId": "TOKOEXVA02"},
    ],
)
def test_every_other_answer_to_an_insert_is_unknown(changes: dict[str, Any]):
    with pytest.raises(OutcomeUnknown):
        inserted(**changes)


@pytest.mark.parametrize("status", [201, 400, 401, 404, 500, 503])
def test_an_answer_that_is_not_http_200_is_unknown(status: int):
    with pytest.raises(OutcomeUnknown):
        bayarind().step(order()).read(response(INSERTED, status))


def test_what_is_no_code_is_shown_to_nobody_and_a_code_is_handed_on_as_it_came_to_be_checked():
    for shown in ({}, {"redirectData": "1102"}, {"urlQris": "javascript:alert(1)"}):
        report = inserted(order(method="qris", channel=""), **shown)
        assert (report.word, report.next_action) == (Word.UNKNOWN, None)
    report = inserted(order(method="qris", channel=""), redirectData="000201")
    assert report.next_action == {"type": "qr", "qr_string": "000201"}


def test_a_question_asks_for_the_number_and_its_date():
    step = bayarind(status_path="/v2/PaymentQuery").fetch(order())
    assert step.request.url == "https://pay.sprintasia.net/v2/PaymentQuery"
    assert form_of(step.request.body) == {
        "channelId": "TOKOEXVA01",
        "serviceCode": "1021",
        "queryRequest": f'[{{"transactionNo": "{REFERENCE}", "transactionDate": "2026-03-01 09:00:00"}}]',
    }
    assert bayarind().authorize(step.request) == step.request


def test_statuses_of_a_question_are_read_as_documented():
    assert listed(order(provider_id=INSERT_ID)) == Report(Word.SUCCEEDED, INSERT_ID, "00", (PAID,))
    assert listed(transactionStatus="03").word is Word.REQUIRES_ACTION
    assert listed(transactionStatus="77") == Report(Word.UNKNOWN, provider_status="77")
    for status in ("02", "04"):
        with pytest.raises(OutcomeUnknown):
            listed(transactionStatus=status)


def test_a_question_paid_by_another_sum_tells_that_sum():
    [moved] = listed(transactionAmount="125000.00").moved
    assert moved.money == IDR
    [moved] = listed(transactionAmount="1").moved
    assert moved.money == Money(100, "IDR")


@pytest.mark.parametrize("rows", ["Invalid queryRequest Format", "Technical Problem", [], None, {}, [1], [{}]])
def test_a_question_that_is_not_answered_is_unknown(rows: Any):
    with pytest.raises(OutcomeUnknown):
        bayarind().fetch(order()).read(response({"channelId": "TOKOEXVA01", "queryResponse": rows}))


def test_a_void_names_the_insert_and_its_amount():
    step = bayarind().step(order(Kind.CANCEL, provider_id=INSERT_ID))
    assert step.request.url == "https://pay.sprintasia.net/PostAuth"
    assert form_of(step.request.body) == {
        "channelId": "TOKOEXVA01",
        "serviceCode": "1021",
        "transactionNo": REFERENCE,
        "transactionAmount": "125000",
        "transactionType": "VOID INSERT",
    }


def test_a_void_that_was_done_before_is_done():
    step = bayarind().step(order(Kind.CANCEL, provider_id=INSERT_ID))
    for body in (
        {"transactionStatus": "00"},
        {"transactionStatus": "01", "transactionMessage": "Transaction Has Been Canceled"},
    ):
        assert step.read(response(body)) == Report(Word.CANCELLED, INSERT_ID, "void")
    for body in ({"transactionStatus": "01", "transactionMessage": "Something new"}, {}, []):
        with pytest.raises(OutcomeUnknown):
            step.read(response(body))


def test_the_golden_flag_is_believed_and_says_what_was_paid():
    bayarind().verify(flag())
    paid = Report(Word.SUCCEEDED, INSERT_ID, "00", (PAID,))
    assert told() == Notice(Topic.PAYMENT, paid, payment_provider_id=INSERT_ID, reference=REFERENCE, money=IDR)


def test_what_the_hash_does_not_cover_moves_nothing():
    """Whoever repeats a flag with another receipt of the bank's, account or type tells of the same money."""
    changed = flag(
        paymentReffId="BCA-FORGED", customerAccount="1", flagType="12", transactionDate="2026-03-09 00:00:00"
    )
    bayarind().verify(changed)
    assert bayarind().read_callback(changed) == told()


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "USD"},
        {"transactionAmount": "-1"},
        {"transactionAmount": "1e3"},
        {"authCode": "x"},
        {"insertId": ""},
    ],
)
def test_a_flag_of_another_shape_is_unreadable(changes: dict[str, str]):
    with pytest.raises(Unreadable):
        told(**changes)


def test_a_type_of_flag_that_nobody_documents_is_parked():
    report = told(flagType="19").report
    assert report == Report(Word.UNKNOWN, INSERT_ID, "00, flag type 19")
    assert answer(Admission.ACCEPTED, flag(flagType="19"))["paymentStatus"] == "01"


def test_words_of_the_account_come_before_those_in_code():
    notice = bayarind(flag_words={"77": "failed"}).read_callback(flag(transactionStatus="77"))
    assert notice.report is not None
    assert notice.report.word is Word.FAILED
    step = bayarind(status_words={"05": "cancelled"}).fetch(order())
    row = {"transactionNo": REFERENCE, "transactionStatus": "05"}
    assert step.read(response({"queryResponse": [row]})).word is Word.CANCELLED


@pytest.mark.parametrize(
    ("admission", "status", "message"),
    [
        (Admission.ACCEPTED, "00", "Success"),
        (Admission.ALREADY_PAID, "02", "Transaction has been paid"),
        (Admission.EXPIRED, "04", "Transaction has been expired"),
        (Admission.CANCELLED, "05", "Transaction has been cancelled"),
        (Admission.NOT_OPEN, "05", "Transaction has been cancelled"),
        (Admission.UNKNOWN_REFERENCE, "01", "Invalid Transaction"),
        (Admission.WRONG_AMOUNT, "01", "Invalid Transaction Amount"),
        (Admission.ELSEWHERE, "01", "Invalid Channel ID"),
    ],
)
def test_the_answer_decides_in_bayarinds_words(admission: Admission, status: str, message: str):
    assert answer(admission, flag(flagType="12")) == {
        "channelId": "TOKOEXVA01",
        "currency": "IDR",
        "paymentStatus": status,
        "paymentMessage": message,
        "flagType": "12",
        "paymentReffId": "BCA-7788",
    }


@pytest.mark.parametrize(
    "options",
    [
        {"api": "soap"},
        {"service_codes": {"bca": "10211"}},
        {"company_codes": {"bca": "1234"}},
        {"company_codes": {"permata": "12345"}},
        {"register_path": "PaymentRegister"},
        {"void_path": "/../PostAuth"},
        {"status_words": {"05": "vanished"}},
        {"flag_words": {"05": "vanished"}},
        {"source_addresses": ["nowhere"]},
        {"bayarind_key": "no key"},
    ],
)
def test_options_that_cannot_be_are_refused_by_name(options: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(options)).split("_")[0] + "|address|nowhere|public key"):
        from_json(Options, options)


def test_credentials_that_cannot_be_are_refused():
    for wrong in ({"channel_id": "TOKO/1"}, {"private_key": "no key"}):
        with pytest.raises(ValueError, match=r"channel_id|private key"):
            from_json(Credentials, {"channel_id": "TOKOEXVA01", "secret_key": KEY, **wrong})


def test_amounts_are_whole_rupiah():
    with pytest.raises(NotRepresentable):
        bayarind().units(Money(12_500_050, "IDR"))
