"""What every provider that lists the money that moved promises."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from core import ids
from core.clock import now
from core.http import Response
from core.providers import NothingCreated, OutcomeUnknown
from payments.providers.base import Kind, ReceiptKind, Word
from payments.providers.statements import StatementLine, StatementPage, Window
from tests.contracts.payments import LOST_AFTER, NO_DOCUMENTS, Paid, PaymentProviderContract, World
from tests.contracts.world import until

HOUR = timedelta(hours=1)


class StatementContract(PaymentProviderContract):
    """Beside the contract of payments. Every test is skipped where nothing is listed."""

    def lists(self, world: World) -> None:
        if world.provider.capabilities.statements is None:
            pytest.skip("lists nothing")

    def pages(self, world: World, window: Window) -> Iterator[StatementPage]:
        cursor = ""
        while True:
            page = world.wire.perform(world.provider.statement(window, cursor))
            yield page
            if not page.next_cursor:
                return
            assert page.next_cursor != cursor
            cursor = page.next_cursor

    def lines(self, world: World, *, ends_before: timedelta = -HOUR) -> dict[str, StatementLine]:
        """What is listed of the hour before that moment, by number."""
        window = Window(now() - HOUR - ends_before, now() - ends_before)
        return {line.provider_money_id: line for page in self.pages(world, window) for line in page.lines}

    def listed(self, world: World, paid: Paid) -> StatementLine:
        """The payment's line, which may take a moment to be there."""
        return until(lambda: self.found_line(world, paid))

    def found_line(self, world: World, paid: Paid) -> StatementLine | None:
        """By its number; where that may be another, by our reference."""
        lines = self.lines(world, ends_before=timedelta(0))
        renumbers = world.provider.capabilities.statements.renumbers
        named = [line for line in lines.values() if renumbers and line.reference == paid.order.reference]
        return lines.get(paid.receipt) or next(iter(named), None)

    def line_of(self, world: World, number: str) -> StatementLine:
        return until(lambda: self.lines(world, ends_before=timedelta(0)).get(number))

    def test_it_says_what_it_lists_and_how_far_back(self, world: World):
        self.lists(world)
        declared = world.provider.capabilities.statements
        assert declared.kinds
        assert declared.reach > declared.late > timedelta(0)
        assert ZoneInfo(declared.zone)

    def test_it_can_be_told_twice_to_list(self, world: World):
        self.lists(world)
        for _ in range(2):
            step = world.provider.register_statements(world.receiver.url)
            assert step is None or world.wire.perform(step).word is Word.SUCCEEDED

    def test_a_payment_is_listed_with_its_number_amount_and_reference(self, world: World):
        self.lists(world)
        paid = self.paid(world)
        line = self.listed(world, paid)
        assert (line.kind, line.money, line.word) == (ReceiptKind.CAPTURE, self.money, Word.SUCCEEDED)
        assert line.reference == paid.order.reference
        assert line.kind in world.provider.capabilities.statements.kinds
        assert line.at is None or line.at.tzinfo is not None

    def test_a_refund_is_listed_with_its_number_and_sum_and_can_be_told_whose_it_is(self, world: World):
        self.lists(world)
        if ReceiptKind.REFUND not in world.provider.capabilities.statements.kinds:
            pytest.skip("lists no refunds")
        order = self.ready(world, Kind.REFUND)
        parts = self.money.split([1, 2]) if world.provider.capabilities.refunds == "partial" else [self.money]
        for part in parts:
            again = replace(order, money=part, operation_key=ids.new_id("op"))
            report = self.outcome(world, again, world.wire.perform(world.provider.step(again)))
            line = self.line_of(world, report.moved[0].provider_money_id)
            assert (line.kind, line.money, line.word) == (ReceiptKind.REFUND, part, Word.SUCCEEDED)
            assert line.reference in ("", again.operation_key)
            assert line.gives_back in ("", order.target_id)
            assert line.reference or line.gives_back

    def test_a_line_has_the_fee_that_the_payment_is_told_to_have_cost(self, world: World):
        self.lists(world)
        self.reports_cost(world)
        paid = self.paid(world)
        cost = world.wire.perform(world.provider.fetch_cost(paid.order)).cost
        assert self.listed(world, paid).fee == cost.fee

    def test_every_payment_is_listed_once_or_more_and_no_page_is_the_last_for_ever(self, world: World):
        self.lists(world)
        payments = [self.paid(world) for _ in range(3)]
        until(lambda: all(self.found_line(world, paid) for paid in payments))

    def test_what_is_outside_the_window_is_not_listed(self, world: World):
        self.lists(world)
        paid = self.paid(world)
        self.listed(world, paid)
        assert self.lines(world, ends_before=2 * HOUR) == {}

    def test_a_page_that_does_not_come_is_no_empty_page(self, world: World):
        self.lists(world)
        step = world.provider.statement(Window(now() - HOUR, now()))
        world.wire.perform(step)
        for trouble in LOST_AFTER:
            world.control.post("trouble", do=trouble, seconds=0.1)
            with pytest.raises(OutcomeUnknown):
                world.wire.perform(step)

    def test_an_answer_that_is_no_page_is_refused(self, world: World):
        self.lists(world)
        step = world.provider.statement(Window(now() - HOUR, now()))
        for body in NO_DOCUMENTS:
            for status in (200, 400, 401, 403, 404, 429, 500, 502, 503):
                with pytest.raises((OutcomeUnknown, NothingCreated)):
                    step.read(Response(status, {}, body, 0.0))
