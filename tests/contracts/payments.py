"""What every payment provider is held to. A provider's test class subclasses this and fills in its facts.

The adapter talks over real HTTP to its simulator. Tests skip by what the adapter declares, never by its name.
"""

import json
import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import pytest

import simulators
from core import ids
from core.clock import now
from core.crypto import Secret
from core.money import Money, NotRepresentable
from core.providers import (
    CallbackRefused,
    Forged,
    Lookup,
    Misconfigured,
    NothingCreated,
    OperationDeclaration,
    OutcomeUnknown,
    Proof,
    ProviderFault,
    Replay,
    Unreachable,
    Unreadable,
    Unsupported,
    from_json,
)
from payments.providers import REGISTRY
from payments.providers.base import (
    Admission,
    CallbackAnswer,
    Kind,
    MoneyMoved,
    Notice,
    Order,
    PaymentProvider,
    RawCallback,
    ReceiptKind,
    Report,
    Topic,
    Word,
)
from payments.providers.statements import Window
from tests.contracts.descriptions import check_described
from tests.contracts.world import (
    Receiver,
    SimulatorControl,
    Wire,
    changed,
    document,
    places,
    unused_port,
    with_strange_keys,
)

WRITES = [Kind.CREATE, Kind.CONFIRM, Kind.CAPTURE, Kind.CANCEL, Kind.REFUND]
DONE = {
    Kind.CREATE: Word.SUCCEEDED,
    Kind.CONFIRM: Word.SUCCEEDED,
    Kind.CAPTURE: Word.SUCCEEDED,
    Kind.CANCEL: Word.CANCELLED,
    Kind.REFUND: Word.SUCCEEDED,
}
CAN_BE_ASKED = (Lookup.BY_ID, Lookup.BY_REFERENCE, Lookup.LISTING)
LOST_BEFORE = ["reset_before", "timeout_before", "500_before", "html_before", "empty_before", "fault_before"]
LOST_AFTER = ["reset_after", "timeout_after", "500_after", "html_after", "empty_after"]
IMPATIENT = 0.4
NO_DOCUMENTS = [b"", b"[]", b"null", b'"text"', b"{}", b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": NaN}']
WRONG_VALUES: list[Any] = [None, [], {}, True, -1, 10**30, "", "x y", "\u0000", [[]], [None]]


@dataclass
class World:
    """One adapter, its simulator and a receiver of its callbacks."""

    control: SimulatorControl
    receiver: Receiver
    wire: Wire

    @property
    def provider(self) -> PaymentProvider[Any, Any]:
        return self.wire.provider


@dataclass
class Paid:
    """A payment that went through, with the receipt of its money."""

    order: Order
    report: Report
    receipt: str


class PaymentProviderContract:
    """Subclass with a name that begins with `Test`, and fill in what is declared here."""

    name: ClassVar[str]
    method: ClassVar[str]
    credentials: ClassVar[Mapping[str, Any]]
    """As JSON, accepted by the simulator."""
    refused_credentials: ClassVar[Mapping[str, Any]]
    """As JSON, of the right shape and refused by the simulator."""
    money: ClassVar[Money]
    carried: ClassVar[Mapping[Money, int]]
    """Amounts with what the provider's own books show for them."""
    not_carried: ClassVar[tuple[Money, ...]]
    calls: ClassVar[Mapping[Kind, str]]
    """The call behind each write, as the simulator's trouble names it: "POST /v1/refunds"."""
    authorization: ClassVar[str] = "Authorization"
    """The header that shows who is calling, where there is one: some sign in the body."""

    def options(self, control: SimulatorControl) -> Mapping[str, Any]:
        """As JSON."""
        return {}

    def instrument(self) -> str:
        """A payer who pays when asked."""
        raise NotImplementedError

    def declined_instrument(self) -> str:
        """A payer whom the provider declines, at once or when asked."""
        return self.instrument()

    def listen(self, world: World) -> None:
        """Let the simulator know where callbacks go, where it is not told with each order."""

    def signed(self, world: World, callback: RawCallback) -> RawCallback:
        """The callback as the provider would sign it now. Providers that sign nothing leave it as it is."""
        return callback

    def forgeries(self, world: World, callback: RawCallback) -> list[RawCallback]:
        """The callback as others would send it. At least one where the proof is full, or the door signed."""
        return []

    def with_unknown_word(self, callback: RawCallback) -> RawCallback:
        """The callback with a status or result that no documentation mentions."""
        raise NotImplementedError

    def document(self, callback: RawCallback) -> dict[str, Any]:
        """What the body says, by name."""
        return document(callback)

    def written(self, callback: RawCallback, told: Any) -> RawCallback:
        """The callback with a body that says something else."""
        return replace(callback, body=json.dumps(told).encode())

    # The world

    @pytest.fixture(scope="class")
    @classmethod
    def simulator(cls) -> Iterator[SimulatorControl]:
        with simulators.start(cls.name) as running:
            control = SimulatorControl(running.url(cls.name))
            yield control
            control.close()

    @pytest.fixture
    def receiver(self) -> Iterator[Receiver]:
        receiver = Receiver()
        yield receiver
        receiver.close()

    @pytest.fixture
    def world(self, simulator: SimulatorControl, receiver: Receiver) -> Iterator[World]:
        """Whatever is sent in a test is held to the company's own description, where there is one."""
        simulator.post("reset")
        world = World(simulator, receiver, self.wire(simulator))
        receiver.decide = partial(self.decided, world)
        self.listen(world)
        yield world
        check_described(self.name, simulator.base_url, world.wire.sent)
        check_described(self.name, simulator.base_url, world.wire.sent_within, every_write=False)

    def decided(self, world: World, callback: RawCallback) -> CallbackAnswer:
        """Whatever the provider asks us is accepted."""
        door = world.provider.capabilities.doors.get(callback.door)
        if door is not None and door.wants_answer:
            return world.provider.admit(callback, Admission.ACCEPTED)
        return CallbackAnswer(body=b"")

    def wire(self, control: SimulatorControl, base_url: str = "", **changes: Any) -> Wire:
        kind = REGISTRY[self.name]
        credentials = from_json(kind.credentials_type, {**self.credentials, **changes})
        options = from_json(kind.options_type, self.options(control))
        return Wire.to(kind, base_url or control.base_url, credentials, options)

    def order(self, world: World, kind: Kind = Kind.CREATE, **changes: Any) -> Order:
        capabilities = world.provider.capabilities
        length, alphabet = capabilities.reference_length, capabilities.reference_alphabet
        order = Order(
            kind=kind,
            reference=ids.random_reference(length=length, alphabet=alphabet),
            operation_key=ids.new_id("op"),
            money=self.money,
            callback_url=world.receiver.url,
            return_url="https://shop.example/return/1",
            method=self.method,
            instrument=Secret(world.provider.instrument(self.instrument())),
            description="Order 20417",
        )
        return replace(order, **changes)

    def paid(self, world: World, **changes: Any) -> Paid:
        order = self.order(world, **changes)
        report = self.answered(world, order, world.wire.perform(world.provider.step(order)), "approve")
        receipt = report.moved[0].provider_money_id if report.moved else ""
        if report.word is Word.SUCCEEDED and not receipt:
            receipt = self.noticed_paid(world, report.provider_id).moved[0].provider_money_id
        return Paid(replace(order, provider_id=report.provider_id), report, receipt)

    def answered(self, world: World, order: Order, report: Report, outcome: str) -> Report:
        """What came of it once the payer, where one is asked, has answered; an approval is gone on with."""
        if report.word is not Word.REQUIRES_ACTION:
            return report
        asked = self.asked_of_payer(world, order, report, outcome)
        report = world.wire.perform(world.provider.fetch(asked))
        if report.word is Word.APPROVED:
            confirmation = replace(asked, kind=Kind.CONFIRM, operation_key=ids.new_id("op"))
            return world.wire.perform(world.provider.step(confirmation))
        return report

    def asked_of_payer(self, world: World, order: Order, report: Report, outcome: str) -> Order:
        """The order once its payer has done what `outcome` says."""
        world.control.post("simulate", reference=order.reference, outcome=outcome)
        return replace(order, provider_id=report.provider_id)

    def notice(
        self, world: World, topic: Topic, provider_id: str = "", word: Word | None = None
    ) -> tuple[RawCallback, Notice]:
        """The first callback on that topic, about that object, with that word."""

        def fits(callback: RawCallback) -> bool:
            notice = world.provider.read_callback(callback)
            about, told = (notice.report.provider_id, notice.report.word) if notice.report else ("", None)
            return notice.topic is topic and provider_id in ("", about) and word in (None, told)

        callback = world.receiver.wait(fits)
        return callback, world.provider.read_callback(callback)

    def noticed_paid(self, world: World, provider_id: str) -> Report:
        report = self.notice(world, Topic.PAYMENT, provider_id, Word.SUCCEEDED)[1].report
        assert report is not None
        return report

    def noticed(self, world: World, topic: Topic, provider_id: str = "") -> Report:
        report = self.notice(world, topic, provider_id)[1].report
        assert report is not None
        return report

    def ready(self, world: World, kind: Kind) -> Order:
        """An order of that kind that can be sent now. Skips what the adapter does not declare."""
        capabilities = world.provider.capabilities
        if not capabilities.offers(kind, self.method):
            pytest.skip(f"does not declare {kind} for {self.method}")
        if kind is Kind.CREATE:
            return self.order(world)
        if kind is Kind.CONFIRM:
            order = self.order(world)
            report = world.wire.perform(world.provider.step(order))
            if report.word is not Word.REQUIRES_ACTION:
                pytest.skip("nobody has to approve it first")
            approved = self.asked_of_payer(world, order, report, "approve")
            return replace(approved, kind=Kind.CONFIRM, operation_key=ids.new_id("op"))
        held = kind is not Kind.REFUND and capabilities.methods[self.method].manual_capture
        if kind is Kind.CANCEL and not held:
            # What is collected at once can be let go only before it is paid.
            order = self.order(world)
            waiting = world.wire.perform(world.provider.step(order))
            return replace(order, kind=kind, operation_key=ids.new_id("op"), provider_id=waiting.provider_id)
        paid = self.paid(world, manual_capture=held)
        return self.order(world, kind, provider_id=paid.report.provider_id, target_id=paid.receipt)

    def outcome(self, world: World, order: Order, report: Report) -> Report:
        """The end of a write: at once, by the payer's hand, or by a result that is sent later."""
        if order.kind is Kind.REFUND and report.word is Word.PENDING:
            return self.noticed(world, Topic.REFUND, report.provider_id)
        return self.answered(world, order, report, "approve")

    # What is declared

    def test_it_stands_in_the_registry_under_its_own_name(self):
        assert REGISTRY[self.name].name == self.name

    def test_its_hosts_are_reached_by_tls_and_its_live_hosts_are_among_them(self):
        kind = REGISTRY[self.name]
        assert all(re.fullmatch(r"https://[a-z0-9.-]+(:[0-9]+)?", url) for url in kind.hosts.values())
        assert kind.live_hosts <= set(kind.hosts)

    def test_its_doors_have_neutral_words(self):
        for door in REGISTRY[self.name].capabilities.doors:
            assert re.fullmatch(r"[a-z]+(-[a-z]+)*", door)
            assert not re.search("mpesa|safaricom|exe|exec|cmd|sql|query|" + self.name, door)

    def test_it_asks_later_and_later_and_keeps_a_key_for_longer_than_the_margin(self):
        for declared in REGISTRY[self.name].capabilities.operations.values():
            assert list(declared.ask_after) == sorted(set(declared.ask_after))
            assert declared.ask_after[0] > timedelta(0)
            assert declared.replay is not Replay.KEY or declared.key_lifetime > declared.margin

    @pytest.mark.parametrize("kind", list(Kind))
    def test_an_undeclared_kind_is_unsupported(self, world: World, kind: Kind):
        if world.provider.capabilities.offers(kind, self.method):
            pytest.skip(f"declares {kind}")
        with pytest.raises(Unsupported):
            world.provider.step(self.order(world, kind))

    @pytest.mark.parametrize("kind", list(Kind))
    def test_a_question_that_cannot_be_asked_is_unsupported(self, world: World, kind: Kind):
        capabilities = world.provider.capabilities
        if capabilities.offers(kind, self.method) and capabilities.operations[kind].lookup in CAN_BE_ASKED:
            pytest.skip(f"can be asked about a {kind}")
        with pytest.raises(Unsupported):
            world.provider.fetch(self.order(world, kind, provider_id="x", target_id="x"))

    def offered(self, world: World) -> dict[Kind, OperationDeclaration]:
        """What is declared, as far as this method has it."""
        capabilities = world.provider.capabilities
        return {kind: told for kind, told in capabilities.operations.items() if capabilities.offers(kind, self.method)}

    def test_what_a_method_lacks_is_there_for_another(self):
        capabilities = REGISTRY[self.name].capabilities
        for lacking in capabilities.methods.values():
            assert lacking.lacks <= set(capabilities.operations)
        for kind in capabilities.operations:
            assert any(capabilities.offers(kind, method) for method in capabilities.methods)

    def test_its_operation_key_fits_and_is_in_the_request_that_is_kept(self, world: World):
        for kind, declared in self.offered(world).items():
            if declared.replay is Replay.KEY:
                order = self.order(world, kind, provider_id="x", target_id="x")
                request = world.provider.step(order).request
                assert len(order.operation_key) <= declared.key_length
                assert order.operation_key in [*request.headers.values(), *request.body.decode().split('"')]

    def test_the_request_that_is_kept_holds_no_authorization(self, world: World):
        request = world.provider.step(self.order(world)).request
        assert self.authorization.lower() not in {name.lower() for name in request.headers}
        authorized = world.provider.authorize(request)
        assert (authorized.headers, authorized.body) != (request.headers, request.body)

    def test_nothing_goes_to_another_host_than_the_account_s(self, world: World):
        for kind in self.offered(world):
            order = self.order(world, kind, provider_id="a/../b", target_id="c/../d")
            url = world.provider.step(order).request.url
            assert url.startswith(world.control.base_url + "/")
            assert "/.." not in url

    # Payments

    def test_what_it_asks_of_its_payers_is_what_it_declares(self, world: World):
        declared = world.provider.capabilities.methods[self.method].next_actions
        assert set(declared) <= {"redirect", "prompt", "qr", "instructions"}
        report = world.wire.perform(world.provider.step(self.order(world)))
        if declared and report.next_action is not None:
            assert report.next_action["type"] in declared

    def test_the_limits_that_it_names_are_of_currencies_that_it_takes(self, world: World):
        for method, capability in world.provider.capabilities.methods.items():
            for currency, (least, most) in world.provider.limits(method).items():
                assert capability.currencies is None or currency in capability.currencies
                assert 0 < least <= most

    def test_a_payment_succeeds_and_both_books_agree(self, world: World):
        paid = self.paid(world)
        (entry,) = world.control.entries(paid.order.reference)
        assert paid.report.word is Word.SUCCEEDED
        assert [(moved.kind, moved.money) for moved in paid.report.moved] == [(ReceiptKind.CAPTURE, self.money)]
        assert (entry["id"], entry["receipt"]) == (paid.report.provider_id, paid.receipt)
        assert entry["amount"] == self.carried[self.money]
        assert entry["reference"] == paid.order.reference

    def test_a_decline_is_a_result_and_moves_nothing(self, world: World):
        if not world.provider.capabilities.methods[self.method].tells_declines:
            pytest.skip("is not told of declines")
        order = self.order(world, instrument=Secret(self.declined_instrument()))
        report = world.wire.perform(world.provider.step(order))
        report = self.answered(world, order, report, "decline")
        (entry,) = world.control.entries(order.reference)
        assert (report.word, report.moved, entry["receipt"]) == (Word.FAILED, (), None)
        assert report.provider_id == entry["id"]
        assert report.failure is not None
        assert report.failure.message
        assert report.failure.provider_code

    def test_a_decline_that_nobody_is_told_of_leaves_it_payable(self, world: World):
        if world.provider.capabilities.methods[self.method].tells_declines:
            pytest.skip("is told of declines")
        order = self.order(world)
        asked = world.wire.perform(world.provider.step(order))
        refused = self.answered(world, order, asked, "decline")
        (entry,) = world.control.entries(order.reference)
        assert (refused.word, refused.moved, entry["receipt"]) == (Word.REQUIRES_ACTION, (), None)
        assert asked.provider_id == refused.provider_id == entry["id"]
        assert self.answered(world, order, refused, "approve").word is Word.SUCCEEDED

    def test_amounts_arrive_as_the_provider_counts_them(self, world: World):
        for money, units in self.carried.items():
            paid = self.paid(world, money=money)
            (entry,) = world.control.entries(paid.order.reference)
            assert (entry["amount"], entry["currency"].upper()) == (units, money.currency)
            assert paid.report.moved[0].money == money

    def test_an_amount_that_it_cannot_carry_is_refused_before_any_call(self, world: World):
        for money in self.not_carried:
            with pytest.raises(NotRepresentable):
                world.provider.step(self.order(world, money=money))
        assert (world.wire.sent, world.control.entries()) == ([], [])

    def test_an_authorization_is_held_until_it_is_captured(self, world: World):
        order = self.ready(world, Kind.CAPTURE)
        held = world.wire.perform(world.provider.fetch(order))
        assert (held.word, held.moved, held.authorized) == (Word.AUTHORIZED, (), self.money)
        captured = world.wire.perform(world.provider.step(order))
        assert (captured.word, captured.moved[0].money) == (Word.SUCCEEDED, self.money)

    def test_a_part_of_an_authorization_can_be_captured(self, world: World):
        part = Money(self.money.amount // 2, self.money.currency)
        order = replace(self.ready(world, Kind.CAPTURE), money=part)
        captured = world.wire.perform(world.provider.step(order))
        assert (captured.word, captured.moved[0].money) == (Word.SUCCEEDED, part)

    def test_an_authorization_can_be_let_go(self, world: World):
        report = world.wire.perform(world.provider.step(self.ready(world, Kind.CANCEL)))
        assert (report.word, report.moved) == (Word.CANCELLED, ())

    def reports_cost(self, world: World) -> None:
        if not world.provider.capabilities.reports_cost:
            pytest.skip("does not report what a capture costs")

    def test_what_a_payment_cost_is_told_when_it_is_asked_for(self, world: World):
        self.reports_cost(world)
        paid = self.paid(world)
        self.assert_cost(world.wire.perform(world.provider.fetch_cost(paid.order)), self.money)

    def test_what_a_capture_of_a_part_cost_is_told_of_that_part(self, world: World):
        self.reports_cost(world)
        part = Money(self.money.amount // 2, self.money.currency)
        order = replace(self.ready(world, Kind.CAPTURE), money=part)
        assert world.wire.perform(world.provider.fetch_cost(order)).cost is None
        world.wire.perform(world.provider.step(order))
        self.assert_cost(world.wire.perform(world.provider.fetch_cost(order)), part)

    def test_a_cost_that_is_not_told_is_unsupported(self, world: World):
        if world.provider.capabilities.reports_cost:
            pytest.skip("reports what a capture costs")
        with pytest.raises(Unsupported):
            world.provider.fetch_cost(self.ready(world, Kind.CREATE))

    def assert_cost(self, report: Report, money: Money) -> None:
        """Simulators settle in the payment's own currency, unless they are told not to."""
        assert report.cost is not None
        assert report.cost.settled == money
        assert Money(0, money.currency) < report.cost.fee < money
        assert report.cost.reference

    # Refunds

    def test_a_refund_gives_back_the_whole_receipt(self, world: World):
        order = self.ready(world, Kind.REFUND)
        report = self.outcome(world, order, world.wire.perform(world.provider.step(order)))
        (entry,) = self.refunds(world, order)
        assert report.word is Word.SUCCEEDED
        assert (report.moved[0].kind, report.moved[0].money) == (ReceiptKind.REFUND, self.money)
        assert report.moved[0].provider_money_id
        assert (entry["amount"], entry["state"]) == (self.carried[self.money], "succeeded")

    def test_a_receipt_can_be_refunded_in_parts(self, world: World):
        if world.provider.capabilities.refunds != "partial":
            pytest.skip("refunds no parts")
        order = self.ready(world, Kind.REFUND)
        parts = self.money.split([1, 2])
        for part in parts:
            again = replace(order, money=part, operation_key=ids.new_id("op"))
            report = self.outcome(world, again, world.wire.perform(world.provider.step(again)))
            assert (report.word, report.moved[0].money) == (Word.SUCCEEDED, part)
        assert len(self.refunds(world, order)) == len(parts)

    def refunds(self, world: World, order: Order) -> list[dict[str, Any]]:
        entries = world.control.entries()
        return [entry for entry in entries if entry["kind"] == "refund" and entry["payment"] == order.provider_id]

    # Asking

    @pytest.mark.parametrize("kind", WRITES)
    def test_a_question_by_id_is_answered_alike_and_changes_nothing(self, world: World, kind: Kind):
        order = self.ready(world, kind)
        if world.provider.capabilities.operations[kind].lookup not in CAN_BE_ASKED:
            pytest.skip("is not asked")
        report = self.outcome(world, order, world.wire.perform(world.provider.step(order)))
        asked = self.known(order, report)
        before = world.control.entries()
        answers = [world.wire.perform(world.provider.fetch(asked)) for _ in range(2)]
        assert [(answer.word, answer.provider_id) for answer in answers] == [(DONE[kind], report.provider_id)] * 2
        assert world.control.entries() == before

    def known(self, order: Order, report: Report) -> Order:
        """The order once the provider's id is known."""
        if order.kind is Kind.REFUND:
            return replace(order, target_id=report.provider_id)
        return replace(order, provider_id=report.provider_id)

    def test_a_question_that_is_refused_says_nothing_of_the_payment(self, world: World):
        order = replace(self.order(world), provider_id="never_existed_0")
        if world.provider.capabilities.operations[Kind.CREATE].lookup not in CAN_BE_ASKED:
            pytest.skip("is not asked")
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(world.provider.fetch(order))

    # Bad days

    @pytest.mark.parametrize("trouble", LOST_BEFORE + LOST_AFTER)
    @pytest.mark.parametrize("kind", WRITES)
    def test_a_lost_answer_is_unknown_and_is_found_out_without_doing_it_twice(
        self, world: World, kind: Kind, trouble: str
    ):
        order = self.ready(world, kind)
        step = world.provider.step(order)
        world.control.post("trouble", do=trouble, on=self.calls[kind], seconds=2 * IMPATIENT)
        world.wire.deadline = IMPATIENT if trouble.startswith("timeout") else world.wire.deadline
        with pytest.raises(OutcomeUnknown):
            world.wire.perform(step)
        world.wire.deadline = 10.0
        declared = world.provider.capabilities.operations[kind]
        if declared.may_resend(timedelta(0)):
            assert self.repeated(world, order).word is DONE[kind]
            assert self.done_once(world, order)
        else:
            found = self.told(world, order) if trouble in LOST_AFTER else None
            assert found is None or found.word is DONE[kind]
            assert self.done_once(world, order) is (trouble in LOST_AFTER)
            assert sum(request.url == step.request.url for request in world.wire.sent) == 1

    def repeated(self, world: World, order: Order) -> Report:
        """The same key and bytes once more; where the provider repeats its fault, the question."""
        try:
            report = world.wire.perform(world.provider.step(order))
        except OutcomeUnknown:
            report = world.wire.perform(world.provider.fetch(order))
        return self.outcome(world, order, report)

    def told(self, world: World, order: Order) -> Report:
        """What a callback tells of a write whose answer was lost, confirmed where it can be asked."""
        if order.kind is Kind.REFUND:
            return self.noticed(world, Topic.REFUND)
        world.control.post("simulate", reference=order.reference, outcome="approve")
        asked = replace(order, provider_id=self.noticed(world, Topic.PAYMENT).provider_id)
        return world.wire.perform(world.provider.fetch(asked))

    def done_once(self, world: World, order: Order) -> bool:
        """Whether the provider's books show it; never more than once."""
        if order.kind is Kind.REFUND:
            found = self.refunds(world, order)
        else:
            found = world.control.entries(order.provider_id or order.reference)
            found = [entry for entry in found if entry["kind"] == "payment"]
        assert len(found) <= 1
        return bool(found)

    @pytest.mark.parametrize("kind", WRITES)
    def test_the_same_key_and_bytes_twice_are_done_once(self, world: World, kind: Kind):
        order = self.ready(world, kind)
        if world.provider.capabilities.operations[kind].replay is Replay.NONE:
            pytest.skip("has no key")
        first = world.wire.perform(world.provider.step(order))
        try:
            assert world.wire.perform(world.provider.step(order)) == first
        except OutcomeUnknown:
            # Refused, as it is there already, where a unique reference guards it: it is asked about.
            assert world.provider.capabilities.operations[kind].replay is Replay.UNIQUE_REFERENCE
            assert world.wire.perform(world.provider.fetch(order)).word is first.word
        assert self.done_once(world, order)

    def test_one_order_makes_the_same_bytes_each_time_where_it_may_be_repeated(self, world: World):
        for kind, declared in self.offered(world).items():
            if declared.replay is Replay.KEY:
                order = self.order(world, kind, provider_id="x", target_id="x")
                assert world.provider.step(order).request == world.provider.step(order).request

    def test_what_was_never_connected_was_not_sent(self, world: World):
        with unused_port() as nowhere:
            wire = self.wire(world.control, nowhere)
            wire.tokens.live = Secret("a-token-from-before")
            with pytest.raises(Unreachable):
                wire.perform(wire.provider.step(self.order(world)))

    def test_an_overloaded_provider_has_taken_nothing(self, world: World):
        order = self.order(world)
        world.control.post("trouble", do="429", on=self.calls[Kind.CREATE])
        with pytest.raises((NothingCreated, OutcomeUnknown)):
            world.wire.perform(world.provider.step(order))
        assert world.control.entries(order.reference) == []

    def test_credentials_that_are_refused_are_a_matter_of_configuration(self, world: World):
        wire = self.wire(world.control, **self.refused_credentials)
        order = self.order(world)
        with pytest.raises(Misconfigured):
            wire.perform(wire.provider.step(order))
        assert world.control.entries(order.reference) == []

    def test_good_credentials_are_known_by_a_call_that_changes_nothing(self, world: World):
        before = world.control.entries()
        world.provider.check_credentials()
        world.provider.check_credentials()
        assert world.control.entries() == before
        assert world.wire.perform(world.provider.step(self.order(world))).word is not Word.UNKNOWN

    def test_credentials_that_are_refused_are_told_from_what_cannot_be_known(self, world: World):
        wire = self.wire(world.control, **self.refused_credentials)
        wire.tokens.live = Secret("a-token-from-before")
        with pytest.raises(Misconfigured) as refused:
            wire.provider.check_credentials()
        secrets = [value for value in self.refused_credentials.values() if isinstance(value, str)]
        assert not any(secret in str(refused.value) for secret in secrets)
        with unused_port() as nowhere:
            wire = self.wire(world.control, nowhere)
            with pytest.raises((Unreachable, OutcomeUnknown)):
                wire.provider.check_credentials()

    @pytest.mark.parametrize("trouble", ["500_before", "reset_before", "html_before", "empty_before", "429"])
    def test_a_provider_in_trouble_says_nothing_of_the_credentials(self, world: World, trouble: str):
        world.control.post("trouble", do=trouble)
        with pytest.raises((Unreachable, OutcomeUnknown)):
            world.provider.check_credentials()

    def test_the_credential_that_names_the_app_is_one_that_it_has(self):
        kind = REGISTRY[self.name]
        assert kind.app == "" or kind.app in {declared.name for declared in fields(kind.credentials_type)}

    # Callbacks

    def genuine(self, world: World) -> RawCallback:
        paid = self.paid(world)
        return self.notice(world, Topic.PAYMENT, paid.report.provider_id, Word.SUCCEEDED)[0]

    def test_a_callback_tells_of_the_payment_that_it_is_about(self, world: World):
        paid = self.paid(world)
        callback, notice = self.notice(world, Topic.PAYMENT, paid.report.provider_id, Word.SUCCEEDED)
        world.provider.verify(callback)
        assert callback.door in world.provider.capabilities.doors
        assert notice.report is not None
        assert notice.report.word is Word.SUCCEEDED
        assert notice.report.moved == (MoneyMoved(ReceiptKind.CAPTURE, self.money, paid.receipt),)
        assert notice.reference in ("", paid.order.reference)
        assert notice.livemode in (None, False)

    def test_a_callback_that_is_repeated_reads_the_same(self, world: World):
        callback = self.genuine(world)
        assert world.provider.read_callback(callback) == world.provider.read_callback(callback)

    def test_a_provider_that_signs_refuses_forgeries_and_one_that_does_not_names_its_addresses(self, world: World):
        callback = self.genuine(world)
        door = world.provider.capabilities.doors[callback.door]
        if door.proof is Proof.WEAK and not door.signed:
            assert world.provider.source_addresses()
            return
        forgeries = self.forgeries(world, callback)
        assert forgeries
        for forged in forgeries:
            with pytest.raises(Forged):
                world.provider.verify(forged)

    def test_a_provider_that_can_be_asked_vouches_for_its_own_callbacks_alone(self, world: World):
        callback = self.genuine(world)
        try:
            world.provider.prove(callback)
        except Unsupported:
            return
        changed_body = json.dumps(with_strange_keys(document(callback))).encode()
        with pytest.raises(Forged):
            world.provider.prove(replace(callback, body=changed_body))

    def test_truncated_and_foreign_bodies_are_unreadable_at_every_door(self, world: World):
        callback = self.genuine(world)
        size = len(callback.body)
        cut = [callback.body[:length] for length in (1, size // 3, size // 2, size - 1)]
        for body in cut + [body for body in NO_DOCUMENTS if body != b"{}"]:
            for door in world.provider.capabilities.doors:
                with pytest.raises(Unreadable):
                    world.provider.read_callback(replace(callback, door=door, body=body))
        with pytest.raises(Unreadable):
            world.provider.read_callback(replace(callback, body=b"{}"))

    def test_a_wrong_type_anywhere_is_read_or_refused_and_never_breaks(self, world: World):
        callback = self.genuine(world)
        refused = 0
        for path in places(self.document(callback)):
            for wrong in WRONG_VALUES:
                strange = self.written(callback, changed(self.document(callback), path, wrong))
                try:
                    notice = world.provider.read_callback(strange)
                except CallbackRefused:
                    refused += 1
                else:
                    assert isinstance(notice, Notice)
        assert refused > 0

    def test_keys_that_no_documentation_mentions_change_nothing(self, world: World):
        callback = self.genuine(world)
        strange = self.written(callback, with_strange_keys(self.document(callback)))
        read = world.provider.read_callback
        assert read(strange) == read(callback)

    def test_an_unknown_word_is_unknown_and_moves_nothing(self, world: World):
        callback = self.with_unknown_word(self.genuine(world))
        report = world.provider.read_callback(callback).report
        assert report is not None
        assert (report.word, report.moved) == (Word.UNKNOWN, ())
        assert report.provider_status

    # Money that comes by itself

    def arrival(self, world: World) -> RawCallback:
        """A callback about money that a payer sent by themselves, typing the reference "LUNCH". For who has doors of
        no operation's that nothing signs."""
        raise NotImplementedError

    def test_the_addresses_of_its_doors_are_registered_by_a_call_where_it_declares_so(self, world: World):
        if not world.provider.capabilities.registers_doors:
            with pytest.raises(Unsupported):
                world.provider.register_doors(world.receiver.url)
            return
        assert world.wire.perform(world.provider.register_doors(world.receiver.url)).word is Word.SUCCEEDED
        sent = world.wire.sent[-1].body.decode()
        standing = [name for name, door in world.provider.capabilities.doors.items() if not door.per_operation]
        assert [name for name in standing if world.receiver.url(name) not in sent] == []

    def test_a_lost_answer_to_a_registration_is_unknown(self, world: World):
        if not world.provider.capabilities.registers_doors:
            pytest.skip("registers nothing")
        step = world.provider.register_doors(world.receiver.url)
        world.wire.perform(step)
        for trouble in LOST_AFTER:
            world.control.post("trouble", do=trouble, seconds=0.1)
            with pytest.raises(OutcomeUnknown):
                world.wire.perform(step)

    def test_money_that_comes_by_itself_has_its_number_and_what_the_payer_typed(self, world: World):
        if not self.standing(world):
            pytest.skip("every weak callback belongs to an operation")
        callback = self.arrival(world)
        notice = world.provider.read_callback(callback)
        assert (notice.topic, notice.reference, notice.elsewhere) == (Topic.ARRIVAL, "LUNCH", "")
        assert notice.report is not None
        [moved] = notice.report.moved
        assert moved.money == self.money
        assert moved.provider_money_id
        assert world.provider.source_addresses(), "nothing else vouches for it"

    def test_money_that_is_told_of_is_asked_about_by_its_number_and_the_answer_shows_it(self, world: World):
        """What proves nothing only makes us ask (money.md 10)."""
        if not world.provider.capabilities.registers_doors:
            with pytest.raises(Unsupported):
                world.provider.ask_about_money("1", world.receiver.url)
            return
        told = world.provider.read_callback(self.arrival(world)).report
        assert told is not None
        [money] = told.moved
        asked = world.wire.perform(world.provider.ask_about_money(money.provider_money_id, world.receiver.url))
        notice = world.provider.read_callback(self.told_after(world, asked.provider_id))
        assert notice.report is not None
        assert (notice.topic, notice.report.word, notice.report.moved) == (Topic.ARRIVAL, Word.SUCCEEDED, told.moved)

    def test_money_that_nobody_has_sent_is_not_there_when_it_is_asked_about(self, world: World):
        if not world.provider.capabilities.registers_doors:
            pytest.skip("nothing is told of there")
        asked = world.wire.perform(world.provider.ask_about_money("NEVERSENT1", world.receiver.url))
        report = world.provider.read_callback(self.told_after(world, asked.provider_id)).report
        assert report is not None
        assert (report.word, report.moved) == (Word.FAILED, ())

    def told_after(self, world: World, question: str) -> RawCallback:
        """The callback that answers a question about money."""

        def answers(callback: RawCallback) -> bool:
            try:
                notice = world.provider.read_callback(callback)
            except CallbackRefused:
                return False
            return notice.report is not None and notice.report.provider_id == question

        return world.receiver.wait(answers)

    def test_a_wrong_type_in_an_arrival_is_read_or_refused_and_never_breaks(self, world: World):
        if not self.standing(world):
            pytest.skip("every weak callback belongs to an operation")
        callback = self.arrival(world)
        for path in places(document(callback)):
            for wrong in WRONG_VALUES:
                body = json.dumps(changed(document(callback), path, wrong)).encode()
                try:
                    notice = world.provider.read_callback(replace(callback, body=body))
                except CallbackRefused:
                    continue
                assert "\x00" not in notice.reference + notice.payer_hint

    def test_a_door_that_wants_an_answer_has_one_for_every_admission(self, world: World):
        doors = [name for name, door in world.provider.capabilities.doors.items() if door.wants_answer]
        if not doors:
            with pytest.raises(Unsupported):
                world.provider.admit(RawCallback("", {}, b"{}"), Admission.ACCEPTED)
            return
        answers = {told: world.provider.admit(RawCallback(doors[0], {}, b"{}"), told) for told in Admission}
        yes = answers.pop(Admission.ACCEPTED)
        assert {answer.status for answer in (yes, *answers.values())} == {200}
        assert yes.body not in [answer.body for answer in answers.values()]

    def standing(self, world: World) -> bool:
        doors = world.provider.capabilities.doors.values()
        return any(door.proof is Proof.WEAK and not (door.per_operation or door.signed) for door in doors)

    # What has moved, listed

    def test_who_lists_nothing_says_so_and_who_does_takes_the_contract(self, world: World):
        if world.provider.capabilities.statements is not None:
            assert hasattr(self, "listed"), "its tests subclass the StatementContract"
            return
        with pytest.raises(Unsupported):
            world.provider.statement(Window(now(), now()))

    # Secrets

    def secrets(self, world: World, order: Order) -> list[str]:
        credentials = world.provider.credentials
        held = [getattr(credentials, field.name) for field in fields(credentials)]
        flat = [item for value in held for item in (value if isinstance(value, tuple) else (value,))]
        found = [*flat, order.instrument, world.wire.tokens.live]
        return [secret.reveal() for secret in found if isinstance(secret, Secret) and secret]

    def test_no_secret_shows_in_anything_that_could_be_printed(self, world: World):
        order = self.order(world)
        step = world.provider.step(order)
        world.wire.perform(step)
        provider, callback = world.provider, self.genuine(world)
        shown = [
            provider.credentials,
            provider.connection,
            order,
            step,
            step.request,
            world.wire.sent,
            callback,
        ]
        self.assert_hidden(world, order, *(repr(thing) + str(thing) for thing in shown))

    def test_no_secret_shows_in_a_fault(self, world: World):
        order = self.order(world)
        world.control.post("trouble", do="500_before", on=self.calls[Kind.CREATE])
        refused = self.wire(world.control, **self.refused_credentials)
        for wire in (world.wire, refused):
            with pytest.raises(ProviderFault) as caught:
                wire.perform(wire.provider.step(order))
            self.assert_hidden(world, order, "".join(traceback.format_exception(caught.value)))
            with pytest.raises(ValueError, match="'surprise'") as error:
                from_json(type(wire.provider.credentials), {**self.credentials, "surprise": "1"})
            self.assert_hidden(world, order, str(error.value))

    def assert_hidden(self, world: World, order: Order, *texts: str) -> None:
        secrets = [*self.secrets(world, order), *self.texts(self.refused_credentials)]
        assert secrets
        for text in texts:
            assert [secret for secret in secrets if secret in text] == []

    def texts(self, values: Mapping[str, Any]) -> list[str]:
        return [text for value in values.values() for text in (value if isinstance(value, list) else [value])]
