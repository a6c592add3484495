"""What every provider promises that lists nothing, and is asked payment by payment what has moved."""

from dataclasses import replace

import pytest

from core import ids
from core.clock import now
from core.http import Response
from core.money import Money
from core.providers import NothingCreated, OutcomeUnknown, Unsupported
from payments.providers.base import Kind, Order, ReceiptKind, Word
from payments.providers.statements import StatementLine, StatementPage, Window
from tests.contracts.payments import LOST_AFTER, NO_DOCUMENTS, Paid, PaymentProviderContract, World
from tests.contracts.world import until


class StatusContract(PaymentProviderContract):
    """Beside the contract of payments."""

    def told(self, world: World, order: Order) -> StatementPage:
        page = world.wire.perform(world.provider.status(order))
        assert page.next_cursor == ""
        return page

    def lines(self, world: World, order: Order) -> dict[str, StatementLine]:
        return {line.provider_money_id: line for line in self.told(world, order).lines}

    def listed(self, world: World, paid: Paid) -> StatementLine:
        return until(lambda: self.lines(world, paid.order).get(paid.receipt))

    def test_it_says_what_it_tells_and_how_long_it_pauses(self, world: World):
        declared = world.provider.capabilities.statements
        assert declared.by_status
        assert declared.kinds
        assert declared.reach > declared.late
        assert declared.pause.total_seconds() < 1
        with pytest.raises(Unsupported):
            world.provider.statement(Window(now(), now()))

    def test_a_payment_is_told_with_its_number_amount_and_reference(self, world: World):
        paid = self.paid(world)
        line = self.listed(world, paid)
        assert (line.kind, line.money, line.word) == (ReceiptKind.CAPTURE, self.money, Word.SUCCEEDED)
        assert (line.reference, line.payment_id) == (paid.order.reference, paid.order.provider_id)
        assert line.at is None or line.at.tzinfo is not None

    def test_it_is_told_by_our_reference_alone(self, world: World):
        paid = self.paid(world)
        assert list(self.lines(world, replace(paid.order, provider_id=""))) == [paid.receipt]

    def test_each_refund_is_told_with_its_own_number_amount_key_and_what_it_gives_back(self, world: World):
        paid = self.paid(world)
        asked = self.order(world, Kind.REFUND, provider_id=paid.order.provider_id, target_id=paid.receipt)
        keys = {}
        for amount in (1_000_000, 500_000):
            refund = replace(asked, operation_key=ids.new_id("op"), money=Money(amount, self.money.currency))
            report = self.outcome(world, refund, world.wire.perform(world.provider.step(refund)))
            keys[report.provider_id] = (refund.operation_key, refund.money)
        told = self.lines(world, paid.order)
        assert told.pop(paid.receipt).money == self.money
        assert {number: (line.reference, line.money) for number, line in told.items()} == keys
        assert {(line.kind, line.gives_back) for line in told.values()} == {(ReceiptKind.REFUND, paid.receipt)}

    def test_what_nobody_has_paid_or_was_never_asked_has_no_lines(self, world: World):
        order = self.order(world)
        assert self.told(world, order) == StatementPage()
        world.wire.perform(world.provider.step(order))
        assert self.told(world, order) == StatementPage()

    def test_an_answer_that_does_not_come_is_no_empty_page(self, world: World):
        step = world.provider.status(self.paid(world).order)
        for trouble in LOST_AFTER:
            world.control.post("trouble", do=trouble, seconds=0.1)
            with pytest.raises(OutcomeUnknown):
                world.wire.perform(step)

    def test_an_answer_that_is_no_status_is_refused(self, world: World):
        step = world.provider.status(self.order(world))
        for body in NO_DOCUMENTS:
            for status in (200, 400, 401, 403, 429, 500, 502, 503):
                with pytest.raises((OutcomeUnknown, NothingCreated)):
                    step.read(Response(status, {}, body, 0.0))
