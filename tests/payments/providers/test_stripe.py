"""Stripe: the contract, then what only Stripe does. The golden vectors are Stripe's own documentation's."""

import hashlib
import hmac
import json
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

from core.crypto import Secret
from core.http import Request, Response
from core.money import Money, NotRepresentable
from core.providers import Forged, Misconfigured, NothingCreated, OutcomeUnknown, Unreadable
from payments.providers.base import (
    Connection,
    Cost,
    FailureCode,
    Kind,
    MoneyMoved,
    Order,
    RawCallback,
    ReceiptKind,
    Report,
    Topic,
    Word,
)
from payments.providers.disputes import DisputeMoved, DisputeReason, DisputeReport, DisputeWord, MovementKind
from payments.providers.saving import Card, MethodReport
from payments.providers.stripe import (
    Credentials,
    Options,
    Stripe,
    read_intent,
    read_method,
    read_refund,
    read_setup,
)
from tests.contracts.payments import World
from tests.contracts.saving import SavingContract
from tests.contracts.world import MemoryTokens, changed, document, until

SECRET = "whsec_sample_secret"
SIMULATED_SECRET = "whsec_lango_simulator"
USD = Money(1250, "USD")
INTENT = {
    "id": "pi_3SampleA1b2C3d4",
    "object": "payment_intent",
    "amount": 12500,
    "amount_capturable": 12500,
    "amount_received": 12500,
    "client_secret": "pi_3SampleA1b2C3d4_secret_xyz",
    "currency": "usd",
    "last_payment_error": None,
    "latest_charge": "ch_3SampleE5f6",
    "livemode": False,
    "metadata": {"reference": "REF1"},
    "next_action": {"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.stripe.com/x"}},
    "status": "succeeded",
}
LINE = {
    "id": "txn_3SampleG7h8",
    "object": "balance_transaction",
    "amount": 12500,
    "available_on": 1795392000,
    "currency": "usd",
    "exchange_rate": None,
    "fee": 392,
    "net": 12108,
    "source": "ch_3SampleE5f6",
    "status": "pending",
    "type": "charge",
}
REFUND = {
    "id": "re_3SampleR",
    "object": "refund",
    "amount": 2500,
    "charge": "ch_3SampleE5f6",
    "payment_intent": "pi_3SampleA1b2C3d4",
    "currency": "usd",
    "status": "succeeded",
    "failure_reason": None,
    "metadata": {},
}


def signature(secret: str, body: bytes, stamp: int) -> str:
    digest = hmac.new(secret.encode(), str(stamp).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def signed(body: bytes, *, secret: str = SIMULATED_SECRET, age: int = 0) -> RawCallback:
    return RawCallback("events", {"stripe-signature": signature(secret, body, int(time.time()) - age)}, body)


class TestStripeContract(SavingContract):
    name = "stripe"
    method = "card"
    credentials: ClassVar = {
        "secret_key": "sk_test_contract",
        "webhook_secrets": ["whsec_next_one", SIMULATED_SECRET],
    }
    refused_credentials: ClassVar = {"secret_key": "sk_test_expired_key"}
    money = USD
    carried: ClassVar = {
        USD: 1250,
        Money(15_000_000, "IDR"): 15_000_000,
        Money(25_000, "KES"): 25_000,
        Money(500, "JPY"): 500,
        Money(1230, "KWD"): 1230,
        Money(500, "ISK"): 50_000,
        Money(500, "UGX"): 50_000,
    }
    not_carried = (Money(1231, "KWD"), Money(100_000_000, "USD"), Money(0, "USD"), Money(150, "MGA"))
    calls: ClassVar = {
        Kind.CREATE: "POST /v1/payment_intents",
        Kind.CONFIRM: "POST /v1/payment_intents/{intent}/confirm",
        Kind.CAPTURE: "POST /v1/payment_intents/{intent}/capture",
        Kind.CANCEL: "POST /v1/payment_intents/{intent}/cancel",
        Kind.REFUND: "POST /v1/refunds",
    }
    setup_call = "POST /v1/setup_intents"

    def asking_method(self) -> str:
        return "pm_card_authenticationRequired"

    def ready(self, world: World, kind: Kind) -> Order:
        return self.back_for_their_bank(world) if kind is Kind.CONFIRM else super().ready(world, kind)

    def back_for_their_bank(self, world: World) -> Order:
        """An absent payer whose bank wanted to see them, and who is there now."""
        saving = self.introduced(world, instrument=Secret(self.asking_method()))
        asked = self.heard(world, world.provider.set_up(saving))
        world.control.post("simulate", id=asked.provider_id, outcome="approve")
        kept = self.heard(world, world.provider.fetch_setup(replace(saving, setup_id=asked.provider_id)))
        assert kept.method is not None
        charge = self.charge(world, replace(saving, method_id=kept.method.method_id))
        refused = world.wire.perform(world.provider.step(charge))
        assert (refused.word, refused.still_payable) == (Word.FAILED, True)
        return self.order(
            world,
            Kind.CONFIRM,
            reference=charge.reference,
            instrument=charge.instrument,
            provider_id=refused.provider_id,
        )

    def instrument(self) -> str:
        return "pm_card_visa"

    def declined_instrument(self) -> str:
        return "pm_card_visa_chargeDeclined"

    def listen(self, world: World) -> None:
        world.control.post("settings", webhook_url=world.receiver.url("events"))

    def forgeries(self, world: World, callback: RawCallback) -> list[RawCallback]:
        body, header = callback.body, callback.headers["stripe-signature"]
        return [
            replace(callback, headers={}),
            replace(callback, headers={"stripe-signature": header.replace("v1=", "v0=")}),
            replace(callback, body=body.replace(b"1250", b"1251")),
            replace(callback, headers={"stripe-signature": header.replace("t=", "t=1")}),
            signed(body, secret="whsec_of_somebody_else"),
            signed(body, secret=""),
            signed(body, age=301),
            signed(body, age=-301),
        ]

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        event = changed(document(callback), ("data", "object", "status"), "requires_prayer")
        return replace(callback, body=json.dumps(event).encode())

    def pay(self, world: World, method: str, **changes: Any) -> tuple[Order, Report]:
        order = self.order(world, instrument=Secret(method), **changes)
        report = world.wire.perform(world.provider.step(order))
        return replace(order, provider_id=report.provider_id), report

    @pytest.mark.parametrize(
        ("method", "code", "provider_code"),
        [
            ("pm_card_visa_chargeDeclined", FailureCode.DECLINED, "generic_decline"),
            (
                "pm_card_visa_chargeDeclinedInsufficientFunds",
                FailureCode.INSUFFICIENT_FUNDS,
                "insufficient_funds",
            ),
            ("pm_card_visa_chargeDeclinedLostCard", FailureCode.DECLINED, "lost_card"),
            ("pm_card_visa_chargeDeclinedStolenCard", FailureCode.DECLINED, "stolen_card"),
            ("pm_card_chargeDeclinedExpiredCard", FailureCode.EXPIRED_INSTRUMENT, "expired_card"),
            ("pm_card_chargeDeclinedIncorrectCvc", FailureCode.INVALID_INSTRUMENT, "incorrect_cvc"),
            ("pm_card_chargeDeclinedProcessingError", FailureCode.PROVIDER_ERROR, "processing_error"),
        ],
    )
    def test_a_declined_card_is_told_by_its_code_and_leaves_the_intent_payable(
        self, world: World, method: str, code: FailureCode, provider_code: str
    ):
        order, report = self.pay(world, method)
        assert report.failure is not None
        assert (report.word, report.failure.code, report.failure.provider_code) == (
            Word.FAILED,
            code,
            provider_code,
        )
        assert report.still_payable
        assert world.wire.perform(world.provider.fetch(order)) == report

    def test_a_declined_intent_can_be_closed(self, world: World):
        order, _ = self.pay(world, "pm_card_visa_chargeDeclined")
        closed = world.wire.perform(world.provider.step(replace(order, kind=Kind.CANCEL, operation_key="close")))
        assert (closed.word, closed.still_payable) == (Word.CANCELLED, False)

    def test_a_lost_card_is_only_declined_to_the_payer(self, world: World):
        _, report = self.pay(world, "pm_card_visa_chargeDeclinedLostCard")
        assert report.failure is not None
        assert report.failure.message == "The card was declined."

    def test_three_d_secure_sends_the_payer_to_a_page_and_hides_the_client_secret(self, world: World):
        order, report = self.pay(world, "pm_card_threeDSecure2Required")
        assert report.word is Word.REQUIRES_ACTION
        assert report.next_action is not None
        assert set(report.next_action) == {"type", "url"}
        assert report.next_action["type"] == "redirect"
        assert report.next_action["url"].startswith(world.control.base_url)
        assert "_secret_" not in repr(report)
        assert self.answered(world, order, report, "approve").word is Word.SUCCEEDED

    def test_a_failed_three_d_secure_is_a_failure_that_is_still_payable(self, world: World):
        order, report = self.pay(world, "pm_card_threeDSecure2Required")
        report = self.answered(world, order, report, "decline")
        assert report.failure is not None
        assert (report.word, report.still_payable) == (Word.FAILED, True)
        assert report.failure.code is FailureCode.AUTHENTICATION_FAILED

    def test_a_key_with_other_bytes_is_no_failure_of_the_payment(self, world: World):
        order, _ = self.pay(world, "pm_card_visa")
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(replace(order, money=Money(1251, "USD"))))

    def test_a_refund_above_what_is_left_is_refused_and_creates_nothing(self, world: World):
        order = self.ready(world, Kind.REFUND)
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(replace(order, money=Money(1251, "USD"))))
        assert (refused.value.code, self.refunds(world, order)) == ("invalid_request", [])

    def test_a_capture_or_cancel_that_came_too_late_reports_where_the_payment_stands(self, world: World):
        order, paid = self.pay(world, "pm_card_visa")
        for kind in (Kind.CAPTURE, Kind.CANCEL):
            late = replace(order, kind=kind, operation_key=f"late-{kind}")
            assert world.wire.perform(world.provider.step(late)) == paid

    def test_what_a_capture_cost_is_told_once_stripe_has_booked_it(self, world: World):
        world.control.post("settings", balance_delay_seconds=0.2)
        order, paid = self.pay(world, "pm_card_visa")
        assert self.told_cost(world, order) == paid
        booked = until(lambda: told if (told := self.told_cost(world, order)).cost else None)
        assert replace(booked, cost=None) == paid

    def test_what_a_capture_cost_is_told_in_the_currency_that_it_settles_in(self, world: World):
        world.control.post("settings", settlement_currency="eur", settlement_rate=0.8)
        order, paid = self.pay(world, "pm_card_visa")
        assert paid.moved[0].money == USD
        cost = self.told_cost(world, order).cost
        assert cost is not None
        assert (cost.settled, cost.fee) == (Money(1000, "EUR"), Money(59, "EUR"))
        assert cost.settles_on is not None

    def told_cost(self, world: World, order: Order) -> Report:
        return world.wire.perform(world.provider.fetch_cost(order))

    def test_a_refund_that_is_pending_is_told_of_when_it_succeeds(self, world: World):
        world.control.post("settings", refund_seconds=0.2)
        order, _ = self.pay(world, "pm_card_pendingRefund")
        refund = self.order(world, Kind.REFUND, provider_id=order.provider_id)
        asked = world.wire.perform(world.provider.step(refund))
        assert (asked.word, asked.moved) == (Word.PENDING, ())
        done = self.told_of_refund(world, Word.SUCCEEDED)
        assert done.moved == (MoneyMoved(ReceiptKind.REFUND, USD, asked.provider_id),)

    def test_a_refund_can_fail_after_it_has_succeeded(self, world: World):
        world.control.post("settings", refund_seconds=0.2)
        order, _ = self.pay(world, "pm_card_refundFail")
        refund = self.order(world, Kind.REFUND, provider_id=order.provider_id)
        assert world.wire.perform(world.provider.step(refund)).word is Word.SUCCEEDED
        failed = self.told_of_refund(world, Word.FAILED)
        assert failed.failure is not None
        assert (failed.failure.code, failed.moved) == (FailureCode.EXPIRED_INSTRUMENT, ())

    def told_of_refund(self, world: World, word: Word) -> Report:
        def fits(callback: RawCallback) -> bool:
            notice = world.provider.read_callback(callback)
            return notice.topic is Topic.REFUND and notice.report is not None and notice.report.word is word

        report = world.provider.read_callback(world.receiver.wait(fits)).report
        assert report is not None
        return report

    def test_the_event_names_itself_the_payment_and_our_reference(self, world: World):
        order = self.ready(world, Kind.REFUND)
        refunded = world.wire.perform(world.provider.step(order))
        _, notice = self.notice(world, Topic.REFUND, refunded.provider_id)
        assert notice.event_id.startswith("evt_")
        assert (notice.payment_provider_id, notice.reference) == (order.provider_id, order.operation_key)
        assert notice.money == order.money

    def test_a_payment_whose_stored_answer_is_a_500_is_found_by_our_reference(self, world: World):
        order = self.order(world)
        world.control.post("trouble", do="500_after", on=self.calls[Kind.CREATE])
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                world.wire.perform(world.provider.step(order))
        assert world.wire.perform(world.provider.fetch(order)).word is Word.SUCCEEDED
        with pytest.raises(OutcomeUnknown, match="nothing with our reference"):
            world.wire.perform(world.provider.fetch(replace(order, reference="ANOTHER")))

    def test_a_refund_whose_stored_answer_is_a_500_is_told_from_the_others_of_its_payment(self, world: World):
        order = replace(self.ready(world, Kind.REFUND), money=Money(100, "USD"))
        world.wire.perform(world.provider.step(order))
        lost = replace(order, operation_key="another-operation")
        world.control.post("trouble", do="500_after", on=self.calls[Kind.REFUND])
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(lost))
        mine, other = (world.wire.perform(world.provider.fetch(asked)) for asked in (lost, order))
        assert mine.word is other.word is Word.SUCCEEDED
        assert mine.provider_id != other.provider_id


# Without the wire


def stripe(*, now: datetime | None = None, options: Options | None = None) -> Stripe:
    credentials = Credentials(Secret("sk_test_sample"), (Secret("whsec_other"), Secret(SECRET)))

    def send(request: Request) -> Response:
        raise AssertionError("nothing may be sent")

    moment = now or datetime.now(UTC)
    return Stripe(
        Connection(
            "https://api.stripe.com",
            False,
            credentials,
            options or Options(),
            lambda: moment,
            send,
            MemoryTokens(),
        )
    )


def order(kind: Kind = Kind.CREATE, **changes: Any) -> Order:
    made = Order(kind, "REF1", "op_1", USD, str, "https://shop.example/back", "card", instrument=Secret("pm_card_visa"))
    return replace(made, **changes)


def sent(step_order: Order, **options: str) -> dict[str, str]:
    request = stripe(options=Options(**options)).step(step_order).request
    return {name: values[0] for name, values in parse_qs(request.body.decode(), strict_parsing=True).items()}


def answered(status: int, body: Any, kind: Kind = Kind.CREATE) -> Report:
    made = order(kind, provider_id="pi_1")
    return stripe().step(made).read(Response(status, {}, json.dumps(body).encode(), 0.0))


def event(kind: str, about: dict[str, Any]) -> RawCallback:
    body = {"id": "evt_1", "object": "event", "type": kind, "livemode": False, "data": {"object": about}}
    return RawCallback("events", {}, json.dumps(body).encode())


def test_the_golden_vector_of_the_signature_is_accepted_within_its_five_minutes():
    body = b'{"id":"evt_1SampleW","object":"event"}'
    header = "t=1795200004,v1=ed47594fdc7e0d6570751ead14111a125da7153c6964903e7e9e2a8d3760f6fa"
    callback = RawCallback("events", {"stripe-signature": header}, body)
    signed_at = datetime.fromtimestamp(1795200004, UTC)
    stripe(now=signed_at + timedelta(seconds=300)).verify(callback)
    with pytest.raises(Forged):
        stripe(now=signed_at + timedelta(seconds=301)).verify(callback)
    with pytest.raises(Forged):
        stripe(now=signed_at).verify(replace(callback, body=body + b"\n"))


def test_a_payment_is_created_and_confirmed_by_one_form():
    request = stripe().step(order()).request
    assert (request.method, request.url) == ("POST", "https://api.stripe.com/v1/payment_intents")
    assert request.headers == {
        "Content-Type": "application/x-www-form-urlencoded",
        "Idempotency-Key": "op_1",
        "Stripe-Version": "2023-08-16",
    }
    assert sent(order()) == {
        "amount": "1250",
        "currency": "usd",
        "payment_method": "pm_card_visa",
        "payment_method_types[]": "card",
        "confirm": "true",
        "capture_method": "automatic",
        "return_url": "https://shop.example/back",
        "metadata[reference]": "REF1",
    }


def test_a_capture_says_how_much():
    assert sent(order(Kind.CAPTURE, provider_id="pi_1")) == {
        "amount_to_capture": "1250",
    }


def test_a_cancel_says_nothing_besides():
    assert stripe().step(order(Kind.CANCEL, provider_id="pi_1")).request.body == b""


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"provider_id": "pi_1"}, "payment_intents/pi_1"),
        ({}, "payment_intents?limit=100"),
        ({"kind": Kind.REFUND, "provider_id": "pi_1", "target_id": "re_1"}, "refunds/re_1"),
        ({"kind": Kind.REFUND, "provider_id": "pi_1"}, "refunds?payment_intent=pi_1&limit=100"),
    ],
)
def test_a_question_names_what_it_asks_about(changes: dict[str, Any], path: str):
    assert stripe().fetch(order(**changes)).request.url == f"https://api.stripe.com/v1/{path}"


def test_the_cost_is_asked_for_apart():
    asked = stripe().fetch_cost(order(provider_id="pi_1")).request
    assert asked.url.endswith("/v1/payment_intents/pi_1?expand%5B%5D=latest_charge.balance_transaction")


def test_what_is_said_besides_goes_along():
    form = sent(order(description="Order 1", manual_capture=True), statement_descriptor_suffix="SHOES")
    assert (form["description"], form["capture_method"]) == ("Order 1", "manual")
    assert form["statement_descriptor_suffix"] == "SHOES"


def test_a_refund_names_the_payment_the_amount_and_its_own_operation():
    assert sent(order(Kind.REFUND, provider_id="pi_1")) == {
        "payment_intent": "pi_1",
        "amount": "1250",
        "metadata[reference]": "op_1",
    }


@pytest.mark.parametrize(
    ("money", "units"),
    [
        (Money(50_000, "USD"), 50_000),
        (Money(500, "JPY"), 500),
        (Money(500, "KRW"), 500),
        (Money(50_000, "MGA"), 500),
        (Money(500, "ISK"), 50_000),
        (Money(500, "UGX"), 50_000),
        (Money(50_000, "HUF"), 50_000),
        (Money(50_000, "TWD"), 50_000),
        (Money(500_000, "KWD"), 500_000),
        (Money(500_010, "TND"), 500_010),
        (Money(15_000_000, "IDR"), 15_000_000),
        (Money(25_000, "KES"), 25_000),
        (Money(99_999_999, "USD"), 99_999_999),
    ],
)
def test_every_group_of_currencies_is_counted_as_stripe_counts_it(money: Money, units: int):
    assert stripe().units(money) == units


@pytest.mark.parametrize(
    "money",
    [
        Money(500_001, "BHD"),
        Money(50_050, "MGA"),
        Money(100_000_000, "USD"),
        Money(0, "USD"),
        Money(-1, "USD"),
    ],
)
def test_an_amount_that_stripe_cannot_carry_is_refused(money: Money):
    with pytest.raises(NotRepresentable):
        stripe().units(money)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("requires_payment_method", Word.PENDING),
        ("requires_confirmation", Word.PENDING),
        ("requires_action", Word.REQUIRES_ACTION),
        ("processing", Word.PENDING),
        ("requires_capture", Word.AUTHORIZED),
        ("succeeded", Word.SUCCEEDED),
        ("canceled", Word.CANCELLED),
        ("requires_prayer", Word.UNKNOWN),
    ],
)
def test_each_status_of_an_intent_has_its_word(status: str, word: Word):
    report = read_intent({**INTENT, "status": status})
    assert (report.word, report.provider_status, report.provider_id) == (word, status, "pi_3SampleA1b2C3d4")
    assert bool(report.moved) is (status == "succeeded")


def test_an_intent_that_waits_for_another_card_after_an_error_has_failed():
    error = {"type": "card_error", "code": "card_declined", "decline_code": "do_not_honor"}
    report = read_intent({**INTENT, "status": "requires_payment_method", "last_payment_error": error})
    assert report.failure is not None
    assert (report.word, report.still_payable) == (Word.FAILED, True)
    assert (report.failure.code, report.failure.provider_code) == (FailureCode.DECLINED, "do_not_honor")


def test_money_is_told_from_what_was_received_and_by_its_charge():
    report = read_intent({**INTENT, "amount_received": 5000, "latest_charge": {"id": "ch_expanded"}})
    assert report.moved == (MoneyMoved(ReceiptKind.CAPTURE, Money(5000, "USD"), "ch_expanded"),)


def booked(line: Any) -> Report:
    return read_intent({**INTENT, "latest_charge": {"id": "ch_3SampleE5f6", "balance_transaction": line}})


def test_a_cost_is_read_from_the_balance_transaction_of_the_charge():
    report = booked(LINE)
    assert report == replace(read_intent(INTENT), cost=report.cost)
    assert report.cost == Cost(Money(12500, "USD"), Money(392, "USD"), "txn_3SampleG7h8", date(2026, 11, 23))


@pytest.mark.parametrize(
    ("currency", "settled", "fee"),
    [
        ("eur", Money(12500, "EUR"), Money(392, "EUR")),
        ("jpy", Money(12500, "JPY"), Money(392, "JPY")),
        ("kwd", Money(12500, "KWD"), Money(392, "KWD")),
    ],
)
def test_a_cost_is_in_the_currency_of_its_own_balance_transaction(currency: str, settled: Money, fee: Money):
    report = booked({**LINE, "currency": currency})
    assert report.moved[0].money == Money(12500, "USD")
    assert report.cost is not None
    assert (report.cost.settled, report.cost.fee) == (settled, fee)


@pytest.mark.parametrize(
    "line",
    [
        None,
        "txn_3SampleG7h8",
        [],
        {},
        {"id": "txn_3SampleG7h8", "object": "balance_transaction"},
        {**LINE, "object": "charge"},
        {**LINE, "type": "refund"},
        {**LINE, "type": "adjustment"},
        {**LINE, "type": []},
        {**LINE, "id": ""},
        {**LINE, "amount": "12500"},
        {**LINE, "amount": -12500},
        {**LINE, "fee": None},
        {**LINE, "fee": -1},
        {**LINE, "fee": 3.92},
        {**LINE, "currency": "xxx"},
        {**LINE, "currency": 1},
        {**LINE, "currency": "isk", "fee": 392},
    ],
)
def test_a_cost_that_is_not_there_or_not_readable_leaves_the_money_as_it_is(line: Any):
    assert booked(line) == read_intent(INTENT)


@pytest.mark.parametrize("moment", [None, "1795392000", True, 10**30, -(10**30)])
def test_a_day_of_settlement_that_is_not_readable_leaves_the_cost_as_it_is(moment: Any):
    told, dated = booked({**LINE, "available_on": moment}).cost, booked(LINE).cost
    assert dated is not None
    assert told == replace(dated, settles_on=None)


def test_money_that_is_only_held_has_cost_nothing():
    held = {**INTENT, "status": "requires_capture", "latest_charge": {"id": "ch_1", "balance_transaction": LINE}}
    assert read_intent(held).cost is None


def test_an_action_that_only_stripe_js_understands_is_unknown():
    action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"client_secret": "x"}}
    report = read_intent({**INTENT, "status": "requires_action", "next_action": action})
    assert (report.word, report.next_action) == (Word.UNKNOWN, None)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("pending", Word.PENDING),
        ("requires_action", Word.PENDING),
        ("succeeded", Word.SUCCEEDED),
        ("failed", Word.FAILED),
        ("canceled", Word.CANCELLED),
        ("lost_in_space", Word.UNKNOWN),
    ],
)
def test_each_status_of_a_refund_has_its_word(status: str, word: Word):
    report = read_refund({**REFUND, "status": status})
    assert (report.word, report.provider_status, report.provider_id) == (word, status, "re_3SampleR")
    assert bool(report.moved) is (status == "succeeded")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("lost_or_stolen_card", FailureCode.INVALID_INSTRUMENT),
        ("expired_or_canceled_card", FailureCode.EXPIRED_INSTRUMENT),
        ("charge_for_pending_refund_disputed", FailureCode.DECLINED),
        ("insufficient_funds", FailureCode.INSUFFICIENT_FUNDS),
        ("declined", FailureCode.DECLINED),
        ("merchant_request", FailureCode.DECLINED),
        ("unknown", FailureCode.PROVIDER_ERROR),
        (None, FailureCode.PROVIDER_ERROR),
    ],
)
def test_each_reason_of_a_failed_refund_has_its_code(reason: str | None, code: FailureCode):
    report = read_refund({**REFUND, "status": "failed", "failure_reason": reason})
    assert report.failure is not None
    assert report.failure.code is code


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, {"type": "invalid_request_error", "code": "amount_too_small"}, "limit_exceeded"),
        (400, {"type": "invalid_request_error", "code": "parameter_missing"}, "invalid_request"),
        (404, {"type": "invalid_request_error", "code": "resource_missing"}, "invalid_request"),
        (429, {"type": "invalid_request_error", "code": "rate_limit"}, "provider_unavailable"),
    ],
)
def test_a_listed_refusal_has_created_nothing(status: int, error: dict[str, str], code: str):
    with pytest.raises(NothingCreated) as refused:
        answered(status, {"error": error})
    assert (refused.value.code, refused.value.provider_code) == (code, error["code"])


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_a_matter_of_configuration(status: int):
    with pytest.raises(Misconfigured):
        answered(status, {"error": {"type": "invalid_request_error", "code": "api_key_expired"}})


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"type": "idempotency_error"}}),
        (404, {"error": {"type": "idempotency_error"}}),
        (409, {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}),
        (409, {"error": {"type": "invalid_request_error", "code": "idempotency_key_in_use"}}),
        (424, {"error": {"type": "api_error"}}),
        (429, {"error": {"type": "invalid_request_error", "code": "lock_timeout"}}),
        (402, {"error": {"type": "card_error", "code": "card_declined"}}),
        (500, {"error": {"type": "api_error"}}),
        (503, {"fault": {}}),
        (302, {"error": {"type": "invalid_request_error"}}),
        (200, {"object": "charge", "id": "ch_1"}),
        (200, {**INTENT, "currency": "xxx"}),
        (200, {**INTENT, "amount_received": 12.5}),
        (200, []),
    ],
)
def test_every_other_answer_leaves_the_outcome_unknown(status: int, body: Any):
    with pytest.raises(OutcomeUnknown):
        answered(status, body)


def test_a_decline_that_cancelled_the_intent_is_a_failure_with_nothing_left_to_pay():
    error = {
        "type": "card_error",
        "code": "card_declined",
        "payment_intent": {**INTENT, "status": "canceled"},
    }
    report = answered(402, {"error": error})
    assert (report.word, report.still_payable) == (Word.FAILED, False)


def test_a_capture_that_the_bank_declines_moves_nothing():
    error = {"type": "card_error", "code": "card_declined"}
    held = {**INTENT, "status": "requires_capture"}
    with pytest.raises(NothingCreated) as refused:
        answered(402, {"error": {**error, "payment_intent": held}}, Kind.CAPTURE)
    assert refused.value.code == "declined"


@pytest.mark.parametrize(
    ("kind", "topic"),
    [
        ("payment_intent.created", Topic.NOTHING),
        ("payment_intent.requires_action", Topic.PAYMENT),
        ("payment_intent.processing", Topic.PAYMENT),
        ("payment_intent.amount_capturable_updated", Topic.PAYMENT),
        ("payment_intent.succeeded", Topic.PAYMENT),
        ("payment_intent.payment_failed", Topic.PAYMENT),
        ("payment_intent.canceled", Topic.PAYMENT),
        ("charge.succeeded", Topic.NOTHING),
        ("charge.refunded", Topic.NOTHING),
        ("never.heard.of", Topic.NOTHING),
    ],
)
def test_each_event_has_its_topic(kind: str, topic: Topic):
    notice = stripe().read_callback(event(kind, INTENT))
    assert (notice.topic, notice.event_id, notice.livemode) == (topic, "evt_1", False)
    assert (notice.report is None) is (topic is Topic.NOTHING)


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"])
def test_a_refund_from_the_dashboard_finds_its_payment(kind: str):
    notice = stripe().read_callback(event(kind, REFUND))
    assert (notice.topic, notice.payment_provider_id) == (Topic.REFUND, "pi_3SampleA1b2C3d4")
    assert (notice.reference, notice.money) == ("", Money(2500, "USD"))


WITHDRAWAL = {"object": "balance_transaction", "id": "txn_1", "amount": -2500, "fee": 1500, "currency": "usd"}
DISPUTE: dict[str, Any] = {
    "object": "dispute",
    "id": "dp_1",
    "amount": 2500,
    "currency": "usd",
    "payment_intent": "pi_3SampleA1b2C3d4",
    "reason": "fraudulent",
    "status": "needs_response",
    "is_charge_refundable": False,
    "evidence_details": {"due_by": 1_723_679_999, "has_evidence": False, "past_due": False, "submission_count": 0},
    "balance_transactions": [WITHDRAWAL],
    "metadata": {},
}


def told_of_dispute(**changes: Any) -> DisputeReport:
    report = stripe().read_callback(event("charge.dispute.updated", {**DISPUTE, **changes})).report
    assert report is not None
    assert report.dispute is not None
    return report.dispute


@pytest.mark.parametrize("kind", ["created", "updated", "funds_withdrawn", "funds_reinstated", "closed"])
def test_every_event_of_a_dispute_finds_its_payment(kind: str):
    notice = stripe().read_callback(event(f"charge.dispute.{kind}", DISPUTE))
    assert (notice.topic, notice.payment_provider_id) == (Topic.DISPUTE, "pi_3SampleA1b2C3d4")
    assert notice.report is not None
    assert (notice.report.provider_id, notice.report.provider_status) == ("dp_1", "needs_response")


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("warning_needs_response", DisputeWord.INQUIRY),
        ("warning_under_review", DisputeWord.INQUIRY_UNDER_REVIEW),
        ("warning_closed", DisputeWord.INQUIRY_CLOSED),
        ("needs_response", DisputeWord.NEEDS_RESPONSE),
        ("under_review", DisputeWord.UNDER_REVIEW),
        ("won", DisputeWord.WON),
        ("lost", DisputeWord.LOST),
        ("prevented", DisputeWord.UNKNOWN),
    ],
)
def test_each_status_of_a_dispute_has_its_word(status: str, word: DisputeWord):
    assert told_of_dispute(status=status).word is word


def test_a_disputes_money_is_told_in_the_currency_of_the_balance_with_its_fee():
    back = {**WITHDRAWAL, "id": "txn_2", "amount": 2300, "fee": -1500, "currency": "eur"}
    assert told_of_dispute(balance_transactions=[WITHDRAWAL, back]).moved == (
        DisputeMoved(MovementKind.WITHDRAWN, Money(2500, "USD"), "txn_1", 1500),
        DisputeMoved(MovementKind.REINSTATED, Money(2300, "EUR"), "txn_2", -1500),
    )


@pytest.mark.parametrize(
    ("reason", "ours"),
    [("product_not_received", DisputeReason.NOT_RECEIVED), ("customer_initiated", DisputeReason.GENERAL)],
)
def test_a_disputes_reason_is_ours_and_stripes_is_kept(reason: str, ours: DisputeReason):
    told = told_of_dispute(reason=reason)
    assert (told.reason, told.provider_reason) == (ours, reason)


def test_a_bank_that_takes_no_answer_gives_no_due_date():
    details = {**DISPUTE["evidence_details"], "due_by": 0}
    assert told_of_dispute(evidence_details=details).evidence_due_at is None
    assert told_of_dispute().evidence_due_at == datetime(2024, 8, 14, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [{"object": "charge"}, {"amount": -1}, {"status": None}, {"balance_transactions": [{**WITHDRAWAL, "fee": "1"}]}],
)
def test_a_dispute_of_another_shape_is_unreadable(wrong: dict[str, Any]):
    with pytest.raises(Unreadable):
        stripe().read_callback(event("charge.dispute.created", {**DISPUTE, **wrong}))


@pytest.mark.parametrize("about", [{**INTENT, "object": "charge"}, {**INTENT, "id": None}, {}, {**REFUND}])
def test_an_event_about_something_else_than_its_type_says_is_unreadable(about: dict[str, Any]):
    with pytest.raises(Unreadable):
        stripe().read_callback(event("payment_intent.succeeded", about))


@pytest.mark.parametrize(
    ("key", "livemode", "fits"),
    [
        ("sk_test_1", False, True),
        ("rk_test_1", False, True),
        ("sk_live_1", True, True),
        ("rk_live_1", True, True),
        ("sk_live_1", False, False),
        ("sk_test_1", True, False),
        ("pk_test_1", False, False),
    ],
)
def test_a_key_is_held_to_the_mode_of_its_prefix(key: str, livemode: bool, fits: bool):
    credentials = Credentials(Secret(key), (Secret("whsec_1"),))
    if fits:
        Stripe.check_mode(credentials, livemode=livemode)
        return
    with pytest.raises(ValueError, match="'secret_key' must begin with sk_") as refused:
        Stripe.check_mode(credentials, livemode=livemode)
    assert key not in str(refused.value)


@pytest.mark.parametrize("given", ["", "4242424242424242", "tok_visa", "pm_", "pm_card visa", "pm_1\n"])
def test_only_a_payment_method_from_the_browser_is_taken(given: str):
    with pytest.raises(ValueError, match="not a payment method"):
        stripe().instrument(given)


@pytest.mark.parametrize(
    ("error", "code", "is_worth_another_try"),
    [
        ({"code": "card_declined", "decline_code": "generic_decline"}, "declined", True),
        ({"code": "card_declined", "decline_code": "do_not_honor"}, "declined", True),
        ({"code": "card_declined", "decline_code": "insufficient_funds"}, "insufficient_funds", True),
        ({"code": "card_declined", "decline_code": "card_velocity_exceeded"}, "limit_exceeded", True),
        ({"code": "processing_error"}, "provider_error", True),
        ({"code": "card_declined", "decline_code": "lost_card"}, "declined", False),
        ({"code": "card_declined", "decline_code": "stolen_card"}, "declined", False),
        ({"code": "card_declined", "decline_code": "revocation_of_authorization"}, "declined", False),
        ({"code": "card_declined", "decline_code": "invalid_account"}, "invalid_instrument", False),
        ({"code": "expired_card"}, "expired_instrument", False),
        ({"code": "authentication_required"}, "authentication_required", False),
        (
            {"code": "card_declined", "decline_code": "do_not_honor", "advice_code": "do_not_try_again"},
            "declined",
            False,
        ),
    ],
)
def test_a_decline_says_whether_it_is_worth_another_try(error, code, is_worth_another_try):
    failure = read_intent({**INTENT, "status": "requires_payment_method", "last_payment_error": error}).failure
    assert failure.code == code
    assert (failure.code.is_retryable and not failure.is_final) is is_worth_another_try


def test_a_set_up_whose_status_no_documentation_mentions_is_unknown():
    intent = {"id": "seti_1", "object": "setup_intent", "status": "dreaming", "payment_method": None}
    assert read_setup(intent).word is Word.UNKNOWN


@pytest.mark.parametrize("card", [{}, {"exp_month": 13}, {"exp_month": "8"}, {"exp_year": 10**9}, {"brand": None}])
def test_a_card_that_is_none_is_not_read(card):
    whole = {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2030}
    method = {"id": "pm_1", "object": "payment_method", "customer": "cus_1", "card": whole | card if card else {}}
    with pytest.raises((KeyError, ValueError)):
        read_method(method)


def test_a_method_without_a_customer_is_not_kept():
    card = {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2030, "fingerprint": "f"}
    method = {"id": "pm_1", "object": "payment_method", "customer": None, "card": card}
    assert read_method(method).word is Word.CANCELLED
    assert read_method(method | {"customer": "cus_1"}).method == MethodReport(
        "pm_1", Card("visa", "4242", 8, 2030, "f")
    )
