"""What every provider that makes codes for a counter promises."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest

import simulators
from core import qris
from core.money import Money
from core.providers import NothingCreated, OutcomeUnknown, from_json
from payments.providers import REGISTRY
from payments.providers.base import Word
from payments.providers.static_codes import CodeMoney, CodeQuestion
from tests.contracts.payments import LOST_AFTER
from tests.contracts.world import SimulatorControl, Wire

REFERENCE = "7H2KQ9ZP4XWDCOUNTER2000000"


class StaticCodeContract:
    name: ClassVar[str]
    credentials: ClassVar[dict[str, Any]]
    refused_credentials: ClassVar[dict[str, Any]]

    def pay(self, control: SimulatorControl, code_id: str, money: Money) -> None:
        """Somebody scans the code and types that sum."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def running(cls) -> Iterator[SimulatorControl]:
        with simulators.start(cls.name) as started:
            control = SimulatorControl(started.url(cls.name))
            yield control
            control.close()

    @pytest.fixture
    def control(self, running: SimulatorControl) -> SimulatorControl:
        running.post("reset")
        return running

    @pytest.fixture
    def wire(self, control: SimulatorControl) -> Wire:
        return self.wire_with(control)

    def wire_with(self, control: SimulatorControl, **changes: Any) -> Wire:
        kind = REGISTRY[self.name]
        credentials = from_json(kind.credentials_type, {**self.credentials, **changes})
        return Wire.to(kind, control.base_url, credentials, from_json(kind.options_type, {}))

    def made(self, wire: Wire) -> str:
        report = wire.perform(wire.provider.create_static_code(REFERENCE))
        assert report.word is Word.REQUIRES_ACTION
        return report.provider_id

    def shown(self, wire: Wire, code_id: str, money_id: str = "") -> CodeMoney:
        return wire.perform(wire.provider.static_money(CodeQuestion(code_id, REFERENCE, money_id)))

    def test_it_is_paid_by_a_method_of_the_company_and_asked_about_now_and_then(self, wire: Wire):
        assert wire.provider.static_method in wire.provider.capabilities.methods
        assert timedelta(minutes=1) <= wire.provider.static_pace <= timedelta(hours=1)

    def test_a_code_that_is_made_names_no_amount_and_can_be_paid_again_and_again(self, wire: Wire):
        report = wire.perform(wire.provider.create_static_code(REFERENCE))
        assert (report.word, report.next_action["type"]) == (Word.REQUIRES_ACTION, "qr")
        read = qris.parse(report.next_action["qr_string"])
        assert (read.is_dynamic, read.amount, read.tip) == (False, None, None)
        assert report.provider_id

    @pytest.mark.parametrize("trouble", LOST_AFTER)
    def test_a_lost_answer_is_unknown(self, control: SimulatorControl, wire: Wire, trouble: str):
        control.post("trouble", do=trouble, seconds=0.1)
        wire.deadline = 0.3
        with pytest.raises(OutcomeUnknown):
            wire.perform(wire.provider.create_static_code(REFERENCE))

    def test_who_may_not_ask_is_told_that_nothing_was_made(self, control: SimulatorControl):
        stranger = self.wire_with(control, **self.refused_credentials)
        with pytest.raises(NothingCreated):
            stranger.perform(stranger.provider.create_static_code(REFERENCE))

    def test_nothing_was_paid_on_a_new_code(self, wire: Wire):
        assert self.shown(wire, self.made(wire)) == CodeMoney(())

    def test_the_same_sum_paid_twice_has_two_numbers_that_stay(self, control: SimulatorControl, wire: Wire):
        code_id, money = self.made(wire), Money(4_560_000, "IDR")
        for _ in range(2):
            self.pay(control, code_id, money)
        found = self.shown(wire, code_id)
        numbers = [moved.provider_money_id for moved in found.moved]
        assert [moved.money for moved in found.moved] == [money, money]
        assert len(set(numbers)) == 2
        assert found.unreadable == 0
        for number in numbers:
            assert number in [moved.provider_money_id for moved in self.shown(wire, code_id, number).moved]

    @pytest.mark.parametrize("trouble", ["reset_before", "500_before", "html_after", "empty_after"])
    def test_an_answer_that_does_not_come_is_no_empty_code(self, control: SimulatorControl, wire: Wire, trouble: str):
        code_id = self.made(wire)
        control.post("trouble", do=trouble, seconds=0.1)
        with pytest.raises((OutcomeUnknown, NothingCreated)):
            self.shown(wire, code_id)

    def test_no_secret_stands_in_what_is_asked(self, wire: Wire):
        code_id = self.made(wire)
        asked = [
            wire.provider.create_static_code(REFERENCE),
            wire.provider.static_money(CodeQuestion(code_id, REFERENCE)),
        ]
        assert not any(str(secret) in repr(asked) for secret in self.credentials.values())
