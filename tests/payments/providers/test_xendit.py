"""Xendit: the contract, then what only Xendit does over the wire. What is read without it is in test_xendit_words."""

import datetime
import json
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from core import qris
from core.crypto import Secret
from core.money import Money
from core.providers import Forged, Misconfigured, NothingCreated, OutcomeUnknown, Unsupported
from payments.providers.base import (
    FailureCode,
    Kind,
    Line,
    Order,
    Payer,
    RawCallback,
    Report,
    Topic,
    Word,
)
from payments.providers.xendit import Credentials, Xendit
from tests.contracts.payments import World
from tests.contracts.statements import StatementContract
from tests.contracts.world import changed, document, until

TOKEN = "lango-simulator-callback-token"
SECRET_KEY = "xnd_development_lango-simulator"


class XenditContract(StatementContract):
    name = "xendit"
    credentials: ClassVar = {"secret_key": SECRET_KEY, "callback_token": TOKEN}
    refused_credentials: ClassVar = {"secret_key": "xnd_development_of-somebody-else"}
    money = Money(4_560_000, "IDR")
    carried: ClassVar = {money: 45_600, Money(100, "IDR"): 1, Money(1_000_000_000, "IDR"): 10_000_000}
    not_carried = (Money(4_550_050, "IDR"), Money(0, "IDR"), Money(4_550_000, "USD"), Money(45_500, "JPY"))

    def instrument(self) -> str:
        # Whoever scans the code or opens the page pays: nobody is named.
        return ""

    def listen(self, world: World) -> None:
        world.control.post("settings", webhook_url=world.receiver.url("notifications"))

    def forgeries(self, world: World, callback: RawCallback) -> list[RawCallback]:
        tokens = ["a-guess", "", TOKEN[:-1], TOKEN + " ", TOKEN.upper(), "tökén"]
        forged = [replace(callback, headers={**callback.headers, "x-callback-token": token}) for token in tokens]
        named = {name: value for name, value in callback.headers.items() if name != "x-callback-token"}
        return [*forged, replace(callback, headers=named)]

    def waiting(self, world: World, **changes: Any) -> tuple[Order, Report]:
        order = self.order(world, **changes)
        report = world.wire.perform(world.provider.step(order))
        assert report.word is Word.REQUIRES_ACTION
        return replace(order, provider_id=report.provider_id), report

    def test_the_end_that_a_merchant_asks_for_is_kept(self, world: World):
        ends = world.provider.connection.now().replace(microsecond=0) + datetime.timedelta(hours=2)
        _, report = self.waiting(world, expires_at=ends)
        assert report.expires_at is not None
        assert abs(report.expires_at - ends) < datetime.timedelta(minutes=1)

    def test_money_that_comes_after_the_end_is_told(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="expire")
        assert world.wire.perform(world.provider.fetch(order)).word is Word.EXPIRED
        world.control.post("simulate", reference=order.reference, outcome="late_success")
        told = self.noticed_paid(world, order.provider_id)
        report = world.wire.perform(world.provider.fetch(order))
        assert (report.word, report.moved[0].money) == (Word.SUCCEEDED, self.money)
        assert report.moved == told.moved

    def test_a_changed_status_keeps_its_token_and_the_query_says_what_is_true(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="approve", callback="tampered")
        callback = world.receiver.wait(lambda callback: True)
        world.provider.verify(callback)
        told = world.provider.read_callback(callback).report
        assert told is None or (told.word, told.moved) == (Word.EXPIRED, ())
        assert world.wire.perform(world.provider.fetch(order)).word is Word.SUCCEEDED

    def test_a_callback_with_somebody_elses_token_is_refused(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="approve", callback="bad_signature")
        with pytest.raises(Forged):
            world.provider.verify(self.notice(world, Topic.PAYMENT, order.provider_id)[0])

    def test_a_token_of_before_is_still_believed(self, world: World):
        callback = self.genuine(world)
        renewed = Credentials(Secret(SECRET_KEY), Secret("new"), (Secret("older"), Secret(TOKEN)))
        Xendit(replace(world.provider.connection, credentials=renewed)).verify(callback)
        stranger = Credentials(Secret(SECRET_KEY), Secret("new"))
        with pytest.raises(Forged):
            Xendit(replace(world.provider.connection, credentials=stranger)).verify(callback)

    def test_the_number_of_a_webhook_stays_through_its_repetitions(self, world: World):
        order, _ = self.waiting(world)
        world.control.post("simulate", reference=order.reference, outcome="approve", callback="duplicate")
        callbacks = until(lambda: list(world.receiver.arrived) if len(world.receiver.arrived) >= 2 else None)
        notices = [world.provider.read_callback(callback) for callback in callbacks]
        assert notices[0] == notices[1]
        assert notices[0].event_id == callbacks[0].headers["webhook-id"]
        unnumbered = world.provider.read_callback(replace(callbacks[0], headers={}))
        assert notices[0].report is not None
        assert unnumbered.event_id.endswith(f" {notices[0].report.provider_status}")

    def test_another_merchants_payment_is_not_found(self, world: World):
        paid = self.paid(world)
        other = self.wire(world.control, secret_key="xnd_development_lango-simulator-2")
        with pytest.raises(OutcomeUnknown):
            other.perform(other.provider.fetch(paid.order))
        assert other.perform(other.provider.fetch_cost(paid.order)).cost is None

    def test_what_a_capture_cost_is_not_told_before_it_is_final(self, world: World):
        world.control.post("settings", fee_seconds=3600)
        assert world.wire.perform(world.provider.fetch_cost(self.paid(world).order)).cost is None

    def test_fees_and_their_tax_are_told_to_the_hundredth(self, world: World):
        cost = world.wire.perform(world.provider.fetch_cost(self.paid(world).order)).cost
        assert cost is not None
        # 0.7 % of 45 600 are 319.20, and 11 % of those are 35.11.
        assert (cost.settled, cost.fee) == (self.money, Money(35_431, "IDR"))
        assert cost.settles_on is not None

    def test_a_refund_is_pending_until_its_webhook(self, world: World):
        order = self.ready(world, Kind.REFUND)
        asked = world.wire.perform(world.provider.step(order))
        assert (asked.word, asked.moved) == (Word.PENDING, ())
        callback, notice = self.notice(world, Topic.REFUND, asked.provider_id, Word.SUCCEEDED)
        world.provider.verify(callback)
        assert (notice.reference, notice.money) == (order.operation_key, self.money)
        assert (notice.payment_provider_id, notice.receipt) == (order.provider_id, order.target_id)

    def test_a_refund_whose_answer_was_lost_is_found_by_our_key(self, world: World):
        order = self.ready(world, Kind.REFUND)
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.fetch(order))
        asked = world.wire.perform(world.provider.step(order))
        found = world.wire.perform(world.provider.fetch(order))
        assert found.provider_id == asked.provider_id
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.fetch(replace(order, operation_key="another")))

    @pytest.mark.parametrize(
        ("rupiah", "code", "provider_code"),
        [
            (20_300, FailureCode.DECLINED, "INELIGIBLE_TRANSACTION"),
            (20_301, FailureCode.INSUFFICIENT_FUNDS, "INSUFFICIENT_BALANCE"),
        ],
    )
    def test_a_refund_that_fails_later_says_why(self, world: World, rupiah: int, code: FailureCode, provider_code: str):
        order = replace(self.ready(world, Kind.REFUND), money=Money(rupiah * 100, "IDR"))
        asked = world.wire.perform(world.provider.step(order))
        report = self.notice(world, Topic.REFUND, asked.provider_id, Word.FAILED)[1].report
        assert report is not None
        assert report.failure is not None
        assert (report.failure.code, report.failure.provider_code, report.moved) == (code, provider_code, ())
        assert world.wire.perform(world.provider.fetch(order)) == report

    @pytest.mark.parametrize(
        ("rupiah", "code"),
        [
            (10_300, "MAXIMUM_REFUND_AMOUNT_REACHED"),
            (10_301, "PARTIAL_REFUND_NOT_SUPPORTED"),
            (10_303, "REFUND_NOT_SUPPORTED"),
            (10_304, "REFUND_IN_PROGRESS"),
            (10_305, "INELIGIBLE_TRANSACTION"),
        ],
    )
    def test_a_refund_that_is_refused_has_created_nothing(self, world: World, rupiah: int, code: str):
        order = replace(self.ready(world, Kind.REFUND), money=Money(rupiah * 100, "IDR"))
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(order))
        assert refused.value.provider_code == code
        assert self.refunds(world, order) == []

    def test_more_than_was_paid_is_not_refunded(self, world: World):
        order = replace(self.ready(world, Kind.REFUND), money=Money(9_999_900, "IDR"))
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(order))
        assert refused.value.code == "limit_exceeded"


class TestQris(XenditContract):
    method = "qris"
    calls: ClassVar = {Kind.CREATE: "POST /qr_codes", Kind.REFUND: "POST /qr_codes/payments/{id}/refunds"}

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        event = changed(document(callback), ("data", "status"), "TELEPORTED")
        return replace(callback, body=json.dumps(event).encode())

    def test_the_code_that_is_shown_asks_for_exactly_that_sum_and_has_an_end(self, world: World):
        _, report = self.waiting(world)
        assert report.next_action is not None
        code = qris.parse(report.next_action["qr_string"])
        assert (report.next_action["type"], code.amount, code.is_dynamic, code.tip) == ("qr", self.money, True, None)
        assert report.expires_at is not None
        left = report.expires_at - world.provider.connection.now()
        assert datetime.timedelta(hours=47) < left <= datetime.timedelta(hours=48)

    def test_every_call_about_codes_names_the_version(self, world: World):
        paid = self.paid(world)
        refund = self.order(world, Kind.REFUND, provider_id=paid.report.provider_id, target_id=paid.receipt)
        world.wire.perform(world.provider.step(refund))
        world.wire.perform(world.provider.fetch(refund))
        about_codes = [request for request in world.wire.sent if "/qr_codes" in request.url]
        assert len(about_codes) >= 4
        assert {request.headers.get("api-version") for request in about_codes} == {"2022-07-31"}

    def test_a_code_whose_answer_was_lost_cannot_be_asked_about(self, world: World):
        with pytest.raises(Unsupported):
            world.provider.fetch(self.order(world))

    def test_xendits_own_simulation_pays_it(self, world: World):
        order, _ = self.waiting(world)
        request = world.provider._post(
            f"/qr_codes/{order.provider_id}/payments/simulate", {"amount": 45_600}, of_codes=True
        )
        assert world.wire.call(request).status == 200
        assert world.wire.perform(world.provider.fetch(order)).word is Word.SUCCEEDED

    @pytest.mark.parametrize(
        ("rupiah", "fault"), [(10_100, Misconfigured), (10_101, OutcomeUnknown), (10_102, OutcomeUnknown)]
    )
    def test_a_code_that_is_refused(self, world: World, rupiah: int, fault: type[Exception]):
        order = self.order(world, money=Money(rupiah * 100, "IDR"))
        with pytest.raises(fault):
            world.wire.perform(world.provider.step(order))
        assert world.control.entries(order.reference) == []


class TestInvoice(XenditContract):
    method = "hosted_page"
    calls: ClassVar = {
        Kind.CREATE: "POST /v2/invoices",
        Kind.CANCEL: "POST /invoices/{id}/expire!",
        Kind.REFUND: "POST /refunds",
    }

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        return replace(callback, body=json.dumps(changed(document(callback), ("status",), "TELEPORTED")).encode())

    def test_the_payer_is_sent_to_its_page(self, world: World):
        payer = Payer("Siti Aminah", "siti@example.test", "+6281200001111")
        lines = (Line("Nasi goreng", 2, Money(2_000_000, "IDR"), "SKU1"), Line("Pajak", 1, Money(560_000, "IDR")))
        order, report = self.waiting(world, payer=payer, lines=lines)
        url = f"{world.control.base_url}/_simulator/invoice/{order.provider_id}"
        assert report.next_action == {"type": "redirect", "url": url}

    def test_what_is_settled_is_what_was_paid(self, world: World):
        paid = self.paid(world)
        world.control.post("simulate", reference=paid.order.reference, outcome="settle")
        settled = world.wire.perform(world.provider.fetch(paid.order))
        assert settled == replace(paid.report, provider_status="SETTLED")

    def test_an_invoice_whose_answer_was_lost_is_found_by_our_reference(self, world: World):
        order, report = self.waiting(world)
        lost = replace(order, provider_id="")
        assert world.wire.perform(world.provider.fetch(lost)).provider_id == report.provider_id
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.fetch(replace(lost, reference="NEVER")))
        self.waiting(world, reference=order.reference)
        with pytest.raises(OutcomeUnknown, match="2 invoices"):
            world.wire.perform(world.provider.fetch(lost))

    def test_one_that_nobody_pays_expires_by_itself_and_says_so(self, world: World):
        ends = world.provider.connection.now() + datetime.timedelta(seconds=2)
        order, _ = self.waiting(world, expires_at=ends)
        told = self.noticed(world, Topic.PAYMENT, order.provider_id)
        assert (told.word, told.moved) == (Word.EXPIRED, ())
        assert world.wire.perform(world.provider.fetch(order)) == told

    def test_what_is_past_its_time_is_expired_and_not_cancelled(self, world: World):
        order, _ = self.waiting(world)
        over = replace(order, kind=Kind.CANCEL, expires_at=world.provider.connection.now())
        assert world.wire.perform(world.provider.step(over)).word is Word.EXPIRED

    def test_what_is_paid_can_no_longer_be_cancelled(self, world: World):
        paid = self.paid(world)
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(replace(paid.order, kind=Kind.CANCEL)))
        assert (
            world.wire.perform(world.provider.fetch(replace(paid.order, kind=Kind.CANCEL))).moved == paid.report.moved
        )

    def test_a_refund_goes_with_its_key_under_which_it_is_made_once(self, world: World):
        order = self.ready(world, Kind.REFUND)
        reports = [world.wire.perform(world.provider.step(order)) for _ in range(2)]
        assert reports[0].provider_id == reports[1].provider_id
        assert len(self.refunds(world, order)) == 1
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.step(replace(order, money=Money(100, "IDR"))))

    def test_an_invoice_that_is_not_paid_is_not_refunded(self, world: World):
        order, _ = self.waiting(world)
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(replace(order, kind=Kind.REFUND, target_id=order.provider_id)))
        assert refused.value.provider_code == "INELIGIBLE_TRANSACTION"
