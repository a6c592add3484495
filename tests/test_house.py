"""The rules of the house, executable."""

import ast
import re
from itertools import product
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import CheckConstraint
from django.urls import get_resolver

import simulators
from core.states import Verdict
from events import subjects
from payments.providers import REGISTRY

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("core", "events", "ledger", "merchants", "orders", "payments", "reconciliation")
OURS = [
    path
    for package in (*PACKAGES, "config", "simulators")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "migrations" not in path.parts
]
HOUSE = [path for path in OURS if path.relative_to(ROOT).parts[0] in PACKAGES]
MAX_FILE, MAX_FUNCTION = 400, 60
LONG_MAPS = {"payments/providers/mpesa.py", "payments/providers/stripe.py"}
"""A provider's literal tables of words and codes may make its one file longer."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def found(paths, fits):
    """`path:line` of every node that fits."""
    return [f"{name(path)}:{node.lineno}" for path in paths for node in ast.walk(tree(path)) if fits(node, path)]


def imports(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {f"{node.module}.{alias.name}" for alias in node.names}
    return set()


# Providers


def test_every_provider_has_its_simulator_at_the_same_place():
    assert list(simulators.REGISTRY)[: len(list(REGISTRY))] == list(REGISTRY)


@pytest.mark.parametrize("provider", list(REGISTRY))
def test_every_provider_takes_the_contract_and_has_its_place_on_each_side(provider):
    assert (ROOT / "payments" / "providers" / f"{provider}.py").is_file()
    assert any((ROOT / "simulators" / made).exists() for made in (provider, f"{provider}.py"))
    tests = (ROOT / "tests" / "payments" / "providers" / f"test_{provider}.py").read_text()
    assert re.search(r"class Test\w+\(.*Contract", tests)


@pytest.mark.parametrize("provider", list(REGISTRY))
def test_a_callbacks_path_names_no_provider(provider):
    banned = (provider, "mpesa", "safaricom", "query", "cmd")
    routes = [str(pattern.pattern) for pattern in get_resolver().url_patterns]
    doors = [f"callbacks/{door}" for door in REGISTRY[provider].capabilities.doors]
    for path in [route for route in routes if route.startswith(("callbacks", "return"))] + doors:
        assert not any(word in path.lower() for word in banned), path


def test_only_a_providers_own_files_name_it():
    pattern = re.compile(rf"\b({'|'.join(REGISTRY)})\b", re.IGNORECASE)
    shared = [
        path
        for path in HOUSE
        if "providers" not in path.parts and "companies" not in path.parts and path.name != "apps.py"
    ]
    literals = [
        f"{name(path)}:{node.lineno}"
        for path in shared
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and pattern.fullmatch(node.value)
    ]
    assert literals == []


# One door for each danger


def test_the_network_is_reached_through_its_one_door():
    banned = {"requests", "urllib3", "httpx", "aiohttp", "http.client", "urllib.request", "socket"}
    calls = found(
        [path for path in HOUSE if name(path) not in ("core/http.py", "core/look_ups.py")],
        lambda node, _: any(
            module == word or module.startswith(f"{word}.") for module in imports(node) for word in banned
        ),
    )
    assert calls == []


def test_time_is_asked_of_the_clock():
    banned = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "timezone.now"}

    def asks(node, path):
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and ast.unparse(node.func).removeprefix("datetime.") in {word.removeprefix("datetime.") for word in banned}
            and name(path) != "core/clock.py"
            and "clock" not in ast.unparse(node.func)
        )

    assert found(HOUSE, asks) == []


def test_the_wall_clock_is_read_only_where_a_librarys_own_stamp_is_compared():
    def reads(node, path):
        return isinstance(node, ast.Call) and ast.unparse(node.func) == "time.time"

    assert {place.partition(":")[0] for place in found(HOUSE, reads)} <= {"merchants/limits.py"}


def test_state_is_written_by_move_alone():
    """Rows may be born in a state; a `state` that is no subject's (callbacks, deliveries) has verbs of its own."""
    own_verbs = {
        "events/transitions.py",
        "events/inbox.py",
        "merchants/webhook_health.py",
        "merchants/webhooks.py",
        "payments/services/preparing.py",
    }

    def assigns(node, path):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        return (
            isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
            and any(
                isinstance(part, ast.Attribute) and part.attr == "state"
                for target in targets
                if target is not None
                for part in ast.walk(target)
            )
            and name(path) not in own_verbs
        )

    def updates(node, path):
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("update", "record", "setattr")
            and any(keyword.arg == "state" for keyword in node.keywords)
            and name(path) not in own_verbs
        )

    assert found(HOUSE, assigns) == []
    assert found(HOUSE, updates) == []


def test_rows_are_saved_in_services_and_on_the_floors_that_write_down():
    def saves(node, path):
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("save", "bulk_create", "bulk_update")
        )

    allowed = re.compile(
        r"^(events/(approvals|audit|inbox|outbox|sealing)|ledger/(balances|posting)"
        r"|merchants/(breakers|endpoints|replays|routing|services|doors|subscribers|switches|tokens|views|webhooks)"
        r"|payments/services/\w+)\.py$"
    )
    assert [place for place in found(HOUSE, saves) if not allowed.match(place.partition(":")[0])] == []


def test_nothing_of_the_house_prints_or_uses_signals_for_its_flow():
    banned = {"django.db.models.signals", "django.dispatch"}
    assert found(HOUSE, lambda node, _: any(module.startswith(tuple(banned)) for module in imports(node))) == []


# Shape


def test_no_module_has_a_name_that_says_nothing():
    banned = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base_utils"}
    assert [
        name(path) for path in OURS if path.stem in banned or set(path.parts) & {"utils", "helpers", "common"}
    ] == []


def test_nothing_is_left_for_later():
    word = re.compile(r"\b(TO" r"DO|FIX" r"ME|HA" r"CK)\b")
    everything = [*OURS, *sorted((ROOT / "tests").rglob("*.py"))]
    assert [name(path) for path in everything if word.search(path.read_text())] == []


def test_files_are_short():
    long = [
        name(path) for path in OURS if len(path.read_text().splitlines()) > MAX_FILE and name(path) not in LONG_MAPS
    ]
    assert long == []


def test_functions_are_short():
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    assert (
        found(OURS, lambda node, _: isinstance(node, functions) and node.end_lineno - node.lineno >= MAX_FUNCTION) == []
    )


def test_no_committed_file_names_this_machine():
    words = re.compile(r"/wo" r"rk/|\.\./sha" r"red|/ro" r"ot/")
    kept = [*OURS, *(ROOT / "tests").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    assert [name(path) for path in kept if words.search(path.read_text())] == []


# What the database keeps


@pytest.mark.parametrize("subject", subjects.everyone(), ids=lambda subject: subject.kind)
def test_every_state_has_its_check_constraint_and_only_its_machines_states(subject):
    checks = [
        dict(constraint.condition.children)["state__in"]
        for constraint in subject.model._meta.constraints
        if isinstance(constraint, CheckConstraint) and "state__in" in str(constraint.condition)
    ]
    assert checks == [list(subject.machine.states)]
    assert [choice for choice, _ in subject.model._meta.get_field("state").choices] == list(subject.machine.states)


def test_every_table_with_a_state_has_a_check_constraint():
    without = [
        model.__name__
        for model in apps.get_models()
        if model._meta.app_label in PACKAGES
        and any(field.name == "state" for field in model._meta.fields)
        and not any(
            isinstance(constraint, CheckConstraint) and "state__in" in str(constraint.condition)
            for constraint in model._meta.constraints
        )
    ]
    assert without == []


def test_every_constraint_has_a_name_of_its_own():
    names = [
        constraint.name
        for model in apps.get_models()
        if model._meta.app_label in PACKAGES
        for constraint in model._meta.constraints
    ]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("subject", subjects.everyone(), ids=lambda subject: subject.kind)
def test_a_machine_ends_only_in_its_ends_and_a_success_is_never_undone_by_a_word(subject):
    machine = subject.machine
    for state, to in product(machine.states, repeat=2):
        verdict = machine.judge(state, to)
        if state in machine.terminals and state != to:
            assert (verdict is Verdict.MOVES) is machine.is_late(state, to)
        if state in machine.success and verdict is Verdict.MOVES:
            assert to in machine.edges[state]
    for state, targets in machine.late.items():
        assert state in machine.terminals
        assert targets <= machine.success


# Staff


def test_every_admin_action_names_its_permission():
    unguarded = [
        f"{model.__name__}.{action}"
        for model, page in admin.site._registry.items()
        if model._meta.app_label in PACKAGES
        for action in (page.actions or ())
        if not getattr(getattr(page, action, action), "allowed_permissions", None)
    ]
    assert unguarded == []


# What is written about it


@pytest.mark.parametrize("subject", subjects.everyone(), ids=lambda subject: subject.kind)
def test_the_diagrams_in_the_documentation_are_the_machines(subject):
    pages = [page.read_text() for page in sorted((ROOT / "docs").rglob("*.md"))]
    drawn = [page for page in pages if "stateDiagram-v2" in page]
    if not drawn:
        pytest.skip("the diagrams are not in docs/ yet")
    assert any(subject.machine.to_mermaid() in page for page in drawn)
