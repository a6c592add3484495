"""PayPal: the contract, then what only PayPal does."""

import json
import string
import zlib
from dataclasses import replace
from itertools import product
from typing import Any, ClassVar

import pytest

from core import ids
from core.crypto import Secret
from core.money import Money
from core.providers import Forged, NothingCreated, OutcomeUnknown, from_json
from payments.providers.base import FailureCode, Kind, Line, Order, RawCallback, Report, Topic, Word
from payments.providers.paypal import Options, Paypal
from tests.contracts.payments import World
from tests.contracts.saving import SavingContract
from tests.contracts.world import SimulatorControl, Wire, changed, document

USD = Money(1250, "USD")
WEBHOOK = "9AB12345CD678901E"
SIGNED = ("paypal-transmission-id", "paypal-transmission-time", "paypal-transmission-sig", "paypal-cert-url")


class TestPaypalContract(SavingContract):
    name = "paypal"
    method = "paypal"
    credentials: ClassVar = {"client_id": "lango-simulator-client", "client_secret": "lango-simulator-secret"}
    refused_credentials: ClassVar = {"client_secret": "not-of-this-app"}
    money = USD
    carried: ClassVar = {
        USD: 1250,
        Money(1, "EUR"): 1,
        Money(500, "JPY"): 500,
        Money(50_000, "HUF"): 500,
        Money(50_000, "TWD"): 500,
    }
    not_carried = (
        Money(50_050, "HUF"),
        Money(50_001, "TWD"),
        Money(25_000, "KES"),
        Money(15_000_000, "IDR"),
        Money(1230, "KWD"),
        Money(1250, "BRL"),
        Money(0, "USD"),
        Money(10**15, "USD"),
    )
    setup_call = "POST /v3/vault/setup-tokens"
    calls: ClassVar = {
        Kind.CREATE: "POST /v2/checkout/orders",
        Kind.CONFIRM: "POST /v2/checkout/orders/{order}/capture",
        Kind.CAPTURE: "POST /v2/payments/authorizations/{authorization}/capture",
        Kind.CANCEL: "POST /v2/payments/authorizations/{authorization}/void",
        Kind.REFUND: "POST /v2/payments/captures/{capture}/refund",
    }

    def options(self, control: SimulatorControl) -> dict[str, Any]:
        authority = control.get("certificate").data.decode()
        return {"webhook_ids": ["0XX00000XX000000N", WEBHOOK], "certificate_authorities": authority}

    def instrument(self) -> str:
        return ""

    def listen(self, world: World) -> None:
        world.control.post("settings", webhook_url=world.receiver.url("events"))

    def forgeries(self, world: World, callback: RawCallback) -> list[RawCallback]:
        headers, body = dict(callback.headers), callback.body
        own = headers["paypal-cert-url"]
        name = own.rpartition("/")[2]
        elsewhere = [
            f"https://certs.example/v1/notifications/certs/{name}",
            f"https://api.paypal.com.certs.example/v1/notifications/certs/{name}",
            f"https://api.paypal.com@certs.example/v1/notifications/certs/{name}",
            f"https://api.paypal.com:8443/v1/notifications/certs/{name}",
            f"http://api.paypal.com/v1/notifications/certs/{name}",
            f"{own}?x=https://api.paypal.com",
            f"{own}/../x",
            own.replace(name, "CERT-of-nobody"),
            own.replace("/certs/", "/../certs/"),
            "",
        ]
        return [
            replace(callback, headers={}),
            replace(callback, body=body.replace(b"12.50", b"12.51")),
            replace(callback, body=body + b" "),
            *(replace(callback, headers={**headers, "paypal-cert-url": url}) for url in elsewhere),
            *(replace(callback, headers={**headers, header: "x"}) for header in SIGNED),
            replace(callback, headers={**headers, "paypal-auth-algo": "SHA1withRSA"}),
            replace(callback, headers={**headers, "paypal-transmission-time": "2026-01-01T00:00:00Z"}),
            replace(callback, headers={**headers, "paypal-transmission-time": "2046-01-01T00:00:00Z"}),
            replace(callback, headers={**headers, "paypal-transmission-time": "2026-11-20T11:05:16"}),
        ]

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        event = document(callback)
        place = ("resource", "status")
        if event["resource_type"] == "checkout-order":
            place = ("resource", "purchase_units", 0, "payments", "captures", 0, "status")
        return replace(callback, body=json.dumps(changed(event, place, "EATEN")).encode())

    def created(self, world: World, **changes: Any) -> tuple[Order, Report]:
        order = self.order(world, **changes)
        report = world.wire.perform(world.provider.step(order))
        return replace(order, provider_id=report.provider_id), report

    def confirmed(self, world: World, order: Order) -> Report:
        confirmation = replace(order, kind=Kind.CONFIRM, operation_key=ids.new_id("op"))
        return world.wire.perform(world.provider.step(confirmation))

    def act(self, world: World, id: str, outcome: str) -> None:
        world.control.post("simulate", id=id, outcome=outcome)

    def test_the_payer_is_sent_to_paypal_s_page(self, world: World):
        order, report = self.created(world)
        assert (report.word, report.provider_status) == (Word.REQUIRES_ACTION, "PAYER_ACTION_REQUIRED")
        assert report.next_action is not None
        assert report.next_action["type"] == "redirect"
        assert report.next_action["url"].endswith(f"?token={order.provider_id}")

    def test_an_approval_is_no_money(self, world: World):
        order, _ = self.created(world)
        self.act(world, order.provider_id, "approve")
        approved = world.wire.perform(world.provider.fetch(order))
        assert (approved.word, approved.moved, approved.authorized) == (Word.APPROVED, (), None)
        told = self.notice(world, Topic.PAYMENT, order.provider_id)[1]
        assert (told.report, told.reference) == (approved, order.reference)

    def test_what_nobody_approved_cannot_be_collected_and_has_not_failed(self, world: World):
        order, _ = self.created(world)
        report = self.confirmed(world, order)
        assert (report.word, report.provider_status) == (Word.REQUIRES_ACTION, "ORDER_NOT_APPROVED")

    def test_a_declined_instrument_sends_the_payer_back_and_the_same_order_can_be_paid(self, world: World):
        order, _ = self.created(world)
        self.act(world, order.provider_id, "instrument_declined")
        report = self.confirmed(world, order)
        assert (report.word, report.moved) == (Word.REQUIRES_ACTION, ())
        assert report.failure is not None
        assert (report.failure.code, report.failure.provider_code) == (FailureCode.DECLINED, "INSTRUMENT_DECLINED")
        assert report.next_action is not None
        assert order.provider_id in report.next_action["url"]
        self.act(world, order.provider_id, "approve")
        assert self.confirmed(world, order).word is Word.SUCCEEDED

    def test_what_was_collected_before_under_another_key_is_told_as_it_stands(self, world: World):
        paid = self.paid(world)
        assert self.confirmed(world, paid.order) == paid.report
        held = self.paid(world, manual_capture=True)
        assert self.confirmed(world, held.order) == held.report
        assert held.report.word is Word.AUTHORIZED

    def test_a_key_that_paypal_has_forgotten_does_not_collect_twice(self, world: World):
        order = self.ready(world, Kind.CONFIRM)
        world.control.post("settings", order_request_seconds=0)
        reports = [world.wire.perform(world.provider.step(order)) for _ in range(2)]
        assert reports[0] == reports[1]
        assert reports[0].word is Word.SUCCEEDED

    @pytest.mark.parametrize(("amount", "word"), [(6_662_100, Word.SUCCEEDED), (6_662_400, Word.FAILED)])
    def test_a_pending_capture_is_no_money_until_paypal_says_so(self, world: World, amount: int, word: Word):
        world.control.post("settings", pending_seconds=0.2)
        order, _ = self.created(world, money=Money(amount, "USD"))
        self.act(world, order.provider_id, "approve")
        report = self.confirmed(world, order)
        assert (report.word, report.moved, report.cost) == (Word.PENDING, (), None)
        ended = self.notice(world, Topic.PAYMENT, order.provider_id, word)[1].report
        assert ended == world.wire.perform(world.provider.fetch(order))
        assert bool(ended.moved) is (word is Word.SUCCEEDED)

    def test_an_order_that_is_completed_by_a_declined_capture_has_failed(self, world: World):
        order, _ = self.created(world, money=Money(6_662_500, "USD"))
        self.act(world, order.provider_id, "approve")
        report = self.confirmed(world, order)
        assert (report.word, report.moved, report.provider_status) == (Word.FAILED, (), "DECLINED")
        assert report.failure is not None
        assert report.failure.provider_code == "0500"

    def test_a_declined_capture_leaves_what_is_held(self, world: World):
        order = self.order(world, money=Money(6_662_500, "USD"), manual_capture=True)
        held = self.answered(world, order, world.wire.perform(world.provider.step(order)), "approve")
        capture = replace(order, kind=Kind.CAPTURE, operation_key="op_c", provider_id=held.provider_id)
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(capture))
        assert refused.value.code == "declined"
        assert world.wire.perform(world.provider.fetch(capture)) == held

    def test_what_was_only_approved_is_left_alone_when_it_is_cancelled(self, world: World):
        order, _ = self.created(world)
        cancel = replace(order, kind=Kind.CANCEL, operation_key=ids.new_id("op"))
        assert world.wire.perform(world.provider.step(cancel)).word is Word.CANCELLED
        self.act(world, order.provider_id, "approve")
        assert world.wire.perform(world.provider.step(cancel)).word is Word.CANCELLED
        assert world.control.entries(order.reference)[0]["receipt"] is None

    def test_an_order_that_paypal_has_let_go_of_is_cancelled_and_says_nothing_when_asked(self, world: World):
        order, _ = self.created(world)
        self.act(world, order.provider_id, "timeout")
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.fetch(order))
        cancel = replace(order, kind=Kind.CANCEL, operation_key=ids.new_id("op"))
        assert world.wire.perform(world.provider.step(cancel)).word is Word.CANCELLED

    def test_a_cancel_that_came_too_late_reports_the_money(self, world: World):
        paid = self.paid(world)
        cancel = replace(paid.order, kind=Kind.CANCEL, operation_key=ids.new_id("op"))
        assert world.wire.perform(world.provider.step(cancel)) == paid.report

    def test_a_capture_of_what_was_voided_reports_that(self, world: World):
        order = self.ready(world, Kind.CANCEL)
        world.wire.perform(world.provider.step(order))
        capture = replace(order, kind=Kind.CAPTURE, operation_key=ids.new_id("op"))
        assert world.wire.perform(world.provider.step(capture)).word is Word.CANCELLED

    def test_a_refund_above_what_is_left_is_refused_and_creates_nothing(self, world: World):
        order = replace(self.ready(world, Kind.REFUND), money=Money(1251, "USD"))
        with pytest.raises(NothingCreated) as refused:
            world.wire.perform(world.provider.step(order))
        assert (refused.value.code, refused.value.provider_code) == ("invalid_request", "REFUND_AMOUNT_EXCEEDED")
        assert self.refunds(world, order) == []

    @pytest.mark.parametrize(("amount", "word"), [(6_662_600, Word.SUCCEEDED), (6_662_700, Word.FAILED)])
    def test_a_pending_refund_is_found_by_our_key_and_told_of_when_it_ends(self, world: World, amount: int, word: Word):
        world.control.post("settings", pending_seconds=0.2)
        paid = self.paid(world, money=Money(amount, "USD"))
        refund = self.order(world, Kind.REFUND, provider_id=paid.report.provider_id, target_id=paid.receipt)
        asked = world.wire.perform(world.provider.step(refund))
        assert (asked.word, asked.moved) == (Word.PENDING, ())
        ended = self.notice(world, Topic.REFUND, asked.provider_id, word)[1]
        found = world.wire.perform(world.provider.fetch(refund))
        assert ended.report == found
        assert (ended.reference, ended.receipt, ended.money) == (refund.operation_key, paid.receipt, USD)

    def test_a_refund_from_the_dashboard_names_the_receipt(self, world: World):
        paid = self.paid(world)
        self.act(world, paid.receipt, "refund")
        notice = self.notice(world, Topic.REFUND, word=Word.SUCCEEDED)[1]
        assert (notice.receipt, notice.money) == (paid.receipt, USD)
        assert world.wire.perform(world.provider.fetch(paid.order)).moved == paid.report.moved

    def test_money_that_paypal_took_back_by_itself_is_for_a_person(self, world: World):
        paid = self.paid(world)
        self.act(world, paid.receipt, "reverse")
        notice = self.notice(world, Topic.REFUND, word=Word.UNKNOWN)[1]
        assert notice.report is not None
        assert (notice.report.provider_status, notice.report.moved) == ("REVERSED", ())
        assert (notice.receipt, notice.money) == (paid.receipt, USD)

    def test_a_dispute_names_the_receipt_and_moves_nothing(self, world: World):
        paid = self.paid(world)
        self.act(world, paid.receipt, "dispute")
        notice = self.notice(world, Topic.DISPUTE)[1]
        assert notice.report is not None
        assert (notice.report.word, notice.report.dispute, notice.receipt) == (Word.UNKNOWN, None, paid.receipt)
        assert notice.report.provider_id.startswith("PP-D-")

    def test_an_approval_that_was_reversed_has_ended(self, world: World):
        order, _ = self.created(world)
        self.act(world, order.provider_id, "approve")
        self.act(world, order.provider_id, "reverse_approval")
        notice = self.notice(world, Topic.PAYMENT, order.provider_id, Word.EXPIRED)[1]
        assert notice.reference == order.reference
        assert world.wire.perform(world.provider.fetch(order)).word is Word.CANCELLED

    def test_what_a_capture_cost_is_told_in_the_currency_that_is_credited(self, world: World):
        world.control.post("settings", receivable_currency="EUR", receivable_rate=0.8)
        paid = self.paid(world)
        cost = world.wire.perform(world.provider.fetch_cost(paid.order)).cost
        assert paid.report.moved[0].money == USD
        assert cost is not None
        # 12.50 USD less 0.93 are 11.57, which are credited as 9.26 EUR.
        assert (cost.settled, cost.fee, cost.reference) == (Money(1000, "EUR"), Money(74, "EUR"), paid.receipt)

    def test_what_is_paid_for_is_shown_where_it_adds_up(self, world: World):
        lines = (Line("Cup", 2, Money(700, "USD"), "CUP-1"), Line("Voucher", 1, Money(-150, "USD")))
        _, report = self.created(world, lines=lines)
        assert report.word is Word.REQUIRES_ACTION
        unit = json.loads(world.wire.sent[-1].body)["purchase_units"][0]
        assert unit["items"] == [
            {"name": "Cup", "quantity": "2", "sku": "CUP-1", "unit_amount": {"currency_code": "USD", "value": "7.00"}}
        ]
        assert [part["value"] for part in unit["amount"]["breakdown"].values()] == ["14.00", "1.50"]
        self.created(world, lines=lines[:1])
        assert "items" not in json.loads(world.wire.sent[-1].body)["purchase_units"][0]

    def test_a_token_that_is_refused_in_a_later_call_of_a_step_is_replaced_once(self, world: World):
        order = self.ready(world, Kind.CAPTURE)
        step = world.provider.step(order)
        answer = world.wire.call(step.request)
        fetched = world.wire.tokens.fetched
        world.wire.tokens.live = Secret("a-token-from-before")
        assert step.read(answer).word is Word.SUCCEEDED
        assert world.wire.tokens.fetched == fetched + 1

    # Proof

    @pytest.mark.parametrize(
        "mode", ["bad_signature", "old_timestamp", "wrong_webhook", "bad_checksum", "foreign_certificate"]
    )
    def test_every_kind_of_forgery_of_the_simulator_is_refused(self, world: World, mode: str):
        world.control.post("settings", callback_mode=mode)
        callback = self.genuine(world)
        with pytest.raises(Forged):
            world.provider.verify(callback)

    def test_another_body_with_the_same_checksum_passes_and_only_paypal_can_tell(self, world: World):
        """Why the door is weak: a CRC-32 can be met on purpose."""
        callback = self.genuine(world)
        forged = replace(callback, body=with_checksum_of(callback.body, callback.body.replace(b"12.50", b"99.50")))
        assert forged.body != callback.body
        world.provider.verify(forged)
        assert world.provider.read_callback(forged).report.moved[0].money == Money(9950, "USD")
        with pytest.raises(Forged):
            world.provider.prove(forged)

    def test_paypal_says_of_a_callback_whether_it_is_its_own(self, world: World):
        callback = self.genuine(world)
        world.provider.prove(callback)
        sent = replace(callback, body=json.dumps(document(callback), indent=1).encode())
        for forged in (sent, replace(callback, headers={**callback.headers, "paypal-transmission-id": "another-one"})):
            with pytest.raises(Forged):
                world.provider.prove(forged)

    @pytest.mark.parametrize("trouble", ["500_before", "html_before", "empty_before", "reset_before"])
    def test_no_answer_of_paypal_is_no_proof(self, world: World, trouble: str):
        callback = self.genuine(world)
        world.control.post("trouble", do=trouble, on="POST /v1/notifications/verify-webhook-signature")
        with pytest.raises(OutcomeUnknown):
            world.provider.prove(callback)

    def test_an_account_can_have_every_callback_checked_by_paypal(self, world: World):
        asking = self.wire_with(world, webhook_verification="endpoint", certificate_authorities="")
        callback = self.genuine(world)
        asking.verify(callback)
        with pytest.raises(Forged):
            asking.verify(replace(callback, body=callback.body.replace(b"12.50", b"12.51")))
        world.control.post("trouble", do="500_before", on="POST /v1/notifications/verify-webhook-signature")
        with pytest.raises(Forged, match="could not be asked"):
            asking.verify(callback)

    def test_a_body_that_closes_the_question_early_is_not_sent(self, world: World):
        callback = self.genuine(world)
        calls = len(world.wire.sent)
        for body in (b'{}, "webhook_id": "X"', b"[]", b"{", b""):
            with pytest.raises(Forged):
                world.provider.prove(replace(callback, body=body))
        assert len(world.wire.sent) == calls

    def test_without_authorities_of_its_own_an_account_trusts_the_public_ones(self, world: World):
        callback = self.genuine(world)
        with pytest.raises(Forged, match="no authority"):
            self.wire_with(world, certificate_authorities="").verify(callback)

    def test_an_account_that_names_no_webhook_believes_none(self, world: World):
        callback = self.genuine(world)
        nameless = self.wire_with(world, webhook_ids=[])
        for check in (nameless.verify, nameless.prove):
            with pytest.raises(Forged, match="names no webhook"):
                check(callback)

    def wire_with(self, world: World, **options: Any) -> Paypal:
        given = from_json(Options, {**self.options(world.control), **options})
        return Wire.to(Paypal, world.control.base_url, world.provider.credentials, given).provider


def with_checksum_of(wanted: bytes, body: bytes) -> bytes:
    """The body with four bytes more, inside a text of its own, so that its CRC-32 is that of `wanted`."""
    head = body.removesuffix(b"}") + b', "x": "'
    tail = b'"}'
    for filler in product(*[string.ascii_letters.encode()] * 2):
        patch = crc_patch(head + bytes(filler), tail, zlib.crc32(wanted))
        if all(32 <= byte < 127 and byte not in b'"\\' for byte in patch):
            return head + bytes(filler) + patch + tail
    raise AssertionError("no patch is printable")


def crc_patch(head: bytes, tail: bytes, wanted: int) -> bytes:
    """The four bytes between head and tail that give the whole that CRC-32: it is linear over single bits."""
    zero = zlib.crc32(head + bytes(4) + tail)
    columns = [zlib.crc32(head + (1 << bit).to_bytes(4, "little") + tail) ^ zero for bit in range(32)]
    return solve(columns, zero ^ wanted).to_bytes(4, "little")


def solve(columns: list[int], wanted: int) -> int:
    """The bits whose columns give `wanted` when they are combined by exclusive or."""
    basis: dict[int, tuple[int, int]] = {}
    for bit, column in enumerate(columns):
        made = 1 << bit
        while column:
            top = column.bit_length()
            if top not in basis:
                basis[top] = (column, made)
                break
            column, made = column ^ basis[top][0], made ^ basis[top][1]
    found = 0
    while wanted:
        column, made = basis[wanted.bit_length()]
        wanted, found = wanted ^ column, found ^ made
    return found
