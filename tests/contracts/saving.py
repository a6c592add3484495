"""What every provider that keeps methods for later promises, beside what it promises about payments."""

from dataclasses import replace
from typing import Any, ClassVar

import pytest

from core import ids
from core.crypto import Secret
from core.providers import Lookup, OutcomeUnknown, Replay, Unsupported
from payments.providers.base import Order, Report, Step, Word
from payments.providers.saving import Saving, SavingOrder
from tests.contracts.payments import IMPATIENT, World
from tests.contracts.statements import StatementContract

STEPS = ("introduce", "set_up", "fetch_setup", "cancel_setup", "detach", "fetch_method")


class SavingContract(StatementContract):
    """Beside those of payments and statements. Skipped where nothing is kept, but the test that says so."""

    setup_call: ClassVar[str] = ""
    """The call that sets a method up, as the simulator's trouble names it."""

    def refused_method(self) -> str:
        """A payer's token that the provider does not keep."""
        return self.declined_instrument()

    def asking_method(self) -> str:
        """A payer's token whose bank wants to see them each time, where the provider knows such a thing."""
        return self.instrument()

    def saving_order(self, world: World, **changes: Any) -> SavingOrder:
        if world.provider.capabilities.saving is None:
            pytest.skip("keeps no methods")
        order = SavingOrder(
            key=ids.random_reference(length=32),
            reference=ids.random_reference(length=26),
            instrument=Secret(self.instrument()),
            return_url="https://shop.example/return/1",
        )
        return replace(order, **changes)

    def introduced(self, world: World, **changes: Any) -> SavingOrder:
        order = self.saving_order(world, **changes)
        if not self.saving(world).introduces:
            return replace(order, customer_id=ids.random_reference(length=self.saving(world).customer_length))
        report = self.heard(world, world.provider.introduce(replace(order, key=ids.random_reference(length=32))))
        return replace(order, customer_id=report.provider_id)

    def kept(self, world: World, **changes: Any) -> SavingOrder:
        order = self.introduced(world, **changes)
        report = self.agreed(world, order, self.heard(world, world.provider.set_up(order)))
        assert report.method is not None
        return replace(order, setup_id=report.provider_id, method_id=report.method.method_id)

    def agreed(self, world: World, order: SavingOrder, report: Report) -> Report:
        """What came of a set-up once its payer, where one is asked, has agreed."""
        if report.word is not Word.REQUIRES_ACTION:
            return report
        world.control.post("simulate", id=report.provider_id, outcome="approve")
        return self.heard(world, world.provider.fetch_setup(replace(order, setup_id=report.provider_id)))

    def saving(self, world: World) -> Saving:
        saving = world.provider.capabilities.saving
        assert saving is not None
        return saving

    def found(self, world: World, order: SavingOrder) -> Report:
        """A set-up whose answer was lost: by our reference, or by its key where the provider finds it by id alone."""
        if self.saving(world).declaration.lookup is Lookup.BY_ID:
            return self.heard(world, world.provider.set_up(order))
        return self.heard(world, world.provider.fetch_setup(order))

    def heard(self, world: World, step: Step) -> Report:
        return world.wire.perform(step)

    def test_who_keeps_no_methods_says_so(self, world: World):
        if world.provider.capabilities.saving is not None:
            pytest.skip("keeps methods")
        for name in STEPS:
            with pytest.raises(Unsupported):
                getattr(world.provider, name)(SavingOrder(key="k", reference="r"))

    def test_a_method_is_kept_shown_and_given_up(self, world: World):
        order = self.introduced(world)
        kept = self.agreed(world, order, self.heard(world, world.provider.set_up(order)))
        assert kept.word is Word.SUCCEEDED
        assert kept.method is not None
        assert kept.method.is_shown
        assert kept.method.card is None or len(kept.method.card.last4) == 4
        order = replace(order, setup_id=kept.provider_id, method_id=kept.method.method_id)
        assert self.heard(world, world.provider.fetch_setup(order)) == kept
        assert self.heard(world, world.provider.fetch_method(order)).word is Word.SUCCEEDED

        for _ in range(2):
            key = ids.random_reference(length=32)
            assert self.heard(world, world.provider.detach(replace(order, key=key))).word is Word.CANCELLED
        assert self.heard(world, world.provider.fetch_method(order)).word is Word.CANCELLED

    def test_a_method_that_its_bank_refuses_is_not_kept(self, world: World):
        order = self.introduced(world, instrument=Secret(self.refused_method()))
        if not world.provider.capabilities.methods[self.method].instrument:
            pytest.skip("its payer agrees or does not; nobody refuses")
        refused = self.heard(world, world.provider.set_up(order))
        assert refused.word is Word.FAILED
        assert refused.failure is not None

    def test_a_set_up_is_found_by_our_reference_and_can_be_cancelled(self, world: World):
        order = self.introduced(world, instrument=Secret(self.asking_method()))
        asked = self.heard(world, world.provider.set_up(order))
        assert asked.word is Word.REQUIRES_ACTION
        assert asked.next_action is not None
        assert self.found(world, order).provider_id == asked.provider_id
        order = replace(order, setup_id=asked.provider_id, key=ids.random_reference(length=32))
        assert self.heard(world, world.provider.cancel_setup(order)).word is Word.CANCELLED

    def test_a_set_up_that_has_succeeded_says_so_to_whoever_cancels_it(self, world: World):
        order = replace(self.kept(world), key=ids.random_reference(length=32))
        assert self.heard(world, world.provider.cancel_setup(order)).word is Word.SUCCEEDED

    def test_the_same_key_and_bytes_keep_one_method(self, world: World):
        order = self.introduced(world)
        assert self.saving(world).declaration.replay is Replay.KEY
        assert world.provider.set_up(order).request == world.provider.set_up(order).request
        assert order.key in world.provider.set_up(order).request.headers.values()
        first, second = (self.heard(world, world.provider.set_up(order)) for _ in range(2))
        assert first == second

    @pytest.mark.parametrize("trouble", ["reset_after", "timeout_after", "500_after", "html_after"])
    def test_a_lost_answer_to_a_set_up_is_unknown_and_found_by_our_reference(self, world: World, trouble: str):
        order = self.introduced(world)
        world.control.post("trouble", do=trouble, on=self.setup_call, seconds=2 * IMPATIENT)
        patient = world.wire.deadline
        world.wire.deadline = IMPATIENT if trouble.startswith("timeout") else patient
        with pytest.raises(OutcomeUnknown):
            self.heard(world, world.provider.set_up(order))
        world.wire.deadline = patient
        found = self.agreed(world, order, self.found(world, order))
        assert found.word is Word.SUCCEEDED

    def test_a_kept_method_is_charged_without_its_owner(self, world: World):
        paid = self.heard(world, world.provider.step(self.charge(world, self.kept(world))))
        assert paid.word is Word.SUCCEEDED
        assert [moved.money for moved in paid.moved] == [self.money]

    def charge(self, world: World, kept: SavingOrder) -> Order:
        return self.order(
            world, instrument=Secret(kept.method_id), customer_id=kept.customer_id, off_session=True, return_url=""
        )
