"""What is required of each provider, against what it declares, and against what its contract leaves out."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from core.providers import Lookup, Proof, Replay
from payments.providers import REGISTRY
from payments.providers.base import Kind, PaymentProvider
from tests.contracts.payments import PaymentProviderContract
from tests.contracts.saving import SavingContract
from tests.contracts.statements import StatementContract
from tests.contracts.statuses import StatusContract
from tests.payments.providers.required import REQUIRED, lacking, may_skip

HERE = Path(__file__).parent


def contracts(name: str) -> list[type[PaymentProviderContract]]:
    """The test classes by which the contract is tried with that provider."""
    module = import_module(f"tests.payments.providers.test_{name}")
    found = [made for made in vars(module).values() if isinstance(made, type) and made.__name__.startswith("Test")]
    return [made for made in found if issubclass(made, PaymentProviderContract)]


def test_every_provider_has_its_requirements():
    """A row may stand there before its adapter does."""
    assert [name for name in REGISTRY if name not in REQUIRED] == []


@pytest.mark.parametrize("name", list(REGISTRY))
def test_a_provider_declares_what_is_required_of_it(name: str):
    assert lacking(REQUIRED[name], REGISTRY[name]) == set()


@pytest.mark.parametrize("name", list(REGISTRY))
def test_the_contract_is_tried_by_every_required_method_and_left_as_it_is(name: str):
    tried = contracts(name)
    assert {made.name for made in tried} == {name}
    assert {made.method for made in tried} >= set(REQUIRED[name].methods)
    for made in tried:
        for base in (PaymentProviderContract, StatementContract, StatusContract, SavingContract):
            of_contract = [test for test in vars(base) if test.startswith("test_") and issubclass(made, base)]
            assert [test for test in of_contract if getattr(made, test) is not getattr(base, test)] == []
    if REQUIRED[name].saving:
        assert any(issubclass(made, SavingContract) for made in tried)


@pytest.mark.parametrize("name", list(REGISTRY))
def test_what_no_declaration_can_say_has_its_test(name: str):
    written = "".join(file.read_text() for file in HERE.glob(f"test_{name}*.py"))
    assert [test for test in REQUIRED[name].tried if f"def {test}(" not in written] == []


# Shrinking it is found


def less(provider: type[PaymentProvider[Any, Any]], **changes: Any) -> type[PaymentProvider[Any, Any]]:
    """The adapter as it would be if it declared less."""
    return type("Less", (provider,), {"capabilities": replace(provider.capabilities, **changes)})


def without(kind: Kind, name: str) -> dict[Kind, Any]:
    return {other: told for other, told in REGISTRY[name].capabilities.operations.items() if other is not kind}


def changed(kind: Kind, name: str, **changes: Any) -> dict[Kind, Any]:
    declared = REGISTRY[name].capabilities.operations
    return {**declared, kind: replace(declared[kind], **changes)}


def door(name: str, which: str, **changes: Any) -> dict[str, Any]:
    declared = REGISTRY[name].capabilities.doors
    return {**declared, which: replace(declared[which], **changes)}


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("midtrans", {"methods": {}}, {"methods: qris", "methods: ewallet", "channels: gopay"}),
        ("midtrans", {"operations": without(Kind.CANCEL, "midtrans")}, {"operations: cancel"}),
        ("midtrans", {"refunds": "full"}, {"refunds: partial"}),
        ("midtrans", {"refunds": "none"}, {"refunds: partial"}),
        ("midtrans", {"doors": door("midtrans", "notifications", signed=False)}, {"doors: notifications"}),
        ("midtrans", {"doors": door("midtrans", "notifications", proof=Proof.FULL)}, {"doors: notifications"}),
        ("midtrans", {"operations": changed(Kind.CREATE, "midtrans", lookup=Lookup.NONE)}, {"asked: create"}),
        ("stripe", {"operations": changed(Kind.REFUND, "stripe", replay=Replay.NONE)}, {"repeated: refund"}),
        ("stripe", {"saving": None}, {"saving: card"}),
        ("stripe", {"reports_cost": False}, {"reports_cost: cost"}),
        ("mpesa", {"registers_doors": False}, {"arrivals: doors by a call"}),
        ("mpesa", {"doors": door("mpesa", "validation", wants_answer=False)}, {"doors: validation"}),
        ("mpesa", {"refunds": "partial"}, set()),
        ("xendit", {"statements": None}, {"lists: capture", "lists: refund"}),
        ("midtrans", {"statements": REGISTRY["mpesa"].capabilities.statements}, {"lists: refund"}),
    ],
)
def test_a_provider_that_declares_less_is_found_out(name: str, changes: dict[str, Any], said: set[str]):
    assert lacking(REQUIRED[name], less(REGISTRY[name], **changes)) == said


def test_a_provider_that_can_no_longer_be_asked_for_proof_is_found_out():
    silent = type("Silent", (REGISTRY["paypal"],), {"prove": PaymentProvider.prove})
    assert lacking(REQUIRED["paypal"], silent) == {"proves: prove"}


@pytest.mark.parametrize(
    ("name", "method", "reason", "kind", "may"),
    [
        ("midtrans", "qris", "does not declare capture", Kind.CAPTURE, True),
        ("midtrans", "qris", "does not declare refund", Kind.REFUND, False),
        ("midtrans", "qris", "refunds no parts", Kind.CREATE, False),
        ("mpesa", "mpesa", "refunds no parts", Kind.CREATE, True),
        ("mpesa", "mpesa", "is not asked", Kind.REFUND, True),
        ("mpesa", "mpesa", "is not asked", Kind.CREATE, False),
        ("mpesa", "mpesa", "has no key", Kind.CREATE, True),
        ("stripe", "card", "has no key", Kind.CAPTURE, False),
        ("mpesa", "mpesa", "registers nothing", Kind.CREATE, False),
        ("stripe", "card", "every weak callback belongs to an operation", Kind.CREATE, True),
        ("stripe", "card", "keeps no methods", Kind.CREATE, False),
        ("paypal", "paypal", "nobody has to approve it first", Kind.CONFIRM, False),
        ("stripe", "card", "nobody has to approve it first", Kind.CONFIRM, False),
        ("paypal", "paypal", "does not report what a capture costs", Kind.CREATE, False),
        ("mpesa", "mpesa", "lists no refunds", Kind.CREATE, True),
        ("xendit", "qris", "lists no refunds", Kind.CREATE, False),
        ("paypal", "paypal", "declares create", Kind.CREATE, True),
        ("paypal", "paypal", "it is late", Kind.CREATE, False),
    ],
)
def test_the_contract_may_leave_out_only_what_is_not_required(
    name: str, method: str, reason: str, kind: Kind, may: bool
):
    assert may_skip(name, method, reason, kind) is may
