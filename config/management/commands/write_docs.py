"""`manage.py write_docs`: the parts of docs/ that are generated from code, between their markers."""

import re
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config import beat, metrics, provider_features, schedules
from core.errors import every_error
from core.ids import PREFIXES
from events import subjects
from ledger.chart import CHART, Side
from ledger.facts import POSTINGS, Step
from merchants import scopes
from payments.providers import REGISTRY

_BLOCK = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Command(BaseCommand):
    help = "Write the generated parts of docs/ anew; with --check, only say whether they are true."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true")

    def handle(self, *arguments: object, check: bool = False, **options: object) -> None:
        stale = [page for page in _pages() if not _is_true(page, write=not check)]
        if stale and check:
            names = ", ".join(page.name for page in stale)
            raise CommandError(f"Generated parts are out of date in {names}. Run `manage.py write_docs`.")


def _pages() -> list[Path]:
    return sorted((Path(settings.BASE_DIR) / "docs").glob("*.md"))


def _is_true(page: Path, *, write: bool) -> bool:
    before = page.read_text()
    after = _BLOCK.sub(lambda found: f"{found[1]}{_generate(found[2])}\n{found[3]}", before)
    if write and after != before:
        page.write_text(after)
    return after == before


def _generate(name: str) -> str:
    kind, _, detail = name.partition(":")
    if kind not in _GENERATORS:
        raise CommandError(f"No generator is called {kind!r}; there are {', '.join(_GENERATORS)}.")
    return _GENERATORS[kind](detail)


def _states(kind: str) -> str:
    subject = next(subject for subject in subjects.everyone() if subject.kind == kind)
    return f"```mermaid\n{subject.machine.to_mermaid()}\n```"


def _events(_: str) -> str:
    return "\n".join(f"- `{name}`" for name in subjects.event_types())


def _errors(_: str) -> str:
    rows = [f"| {error.status} | `{error.code}` | {error.title} |" for error in every_error()]
    return "\n".join(["| Status | Code | Meaning |", "|---|---|---|", *sorted(set(rows))])


def _prefixes(_: str) -> str:
    return "\n".join(f"- `{prefix}_…` {meaning}" for prefix, meaning in PREFIXES.items())


def _scopes(_: str) -> str:
    return "\n".join(f"- `{scope}`: {sentence}" for scope, sentence in scopes.known().items())


def _providers(_: str) -> str:
    """What each adapter declares: how its writes may be repeated, asked about, and how far callbacks are believed."""
    rows = ["| Provider | Operation | Repeated | Asked about |", "|---|---|---|---|"]
    for name in REGISTRY:
        for kind, declared in REGISTRY[name].capabilities.operations.items():
            rows.append(f"| {name} | {kind} | {declared.replay} | {declared.lookup} |")
    rows += ["", "| Provider | Door | Proof |", "|---|---|---|"]
    for name in REGISTRY:
        rows += [f"| {name} | {door} | {told.proof} |" for door, told in REGISTRY[name].capabilities.doors.items()]
    return "\n".join(rows)


def _chart(_: str) -> str:
    rows = ["| Kind | Whose | Grows by | Floor | What a balance tells |", "|---|---|---|---|---|"]
    for kind, told in CHART.items():
        side = told.side.name.lower()
        rows.append(f"| `{kind}` | {told.owner} | {side} | {told.floor} | {told.meaning} |")
    return "\n".join(rows)


def _postings(_: str) -> str:
    rows = ["| Fact | When | Transfer | Debit | Credit |", "|---|---|---|---|---|"]
    for fact, posting in POSTINGS.items():
        told = [f"`{fact}`", posting.meaning]
        for step in posting.steps:
            ends = f", ends `{step.ends}`" if step.ends else ""
            sides = [_legs(step, side) for side in (Side.DEBIT, Side.CREDIT)]
            rows.append(f"| {told[0]} | {told[1]} | {step.phase}{ends} | {sides[0]} | {sides[1]} |")
            told = ["", ""]
    return "\n".join(rows)


def _legs(step: Step, side: Side) -> str:
    return ", ".join(f"`{leg.kind}`{' (into)' if leg.into else ''}" for leg in step.legs if leg.side is side)


def _metrics(_: str) -> str:
    rows = [
        f"| `{name}` | {kind} | {', '.join(labels)} | {told} |" for name, kind, labels, told in metrics.documented()
    ]
    return "\n".join(["| Metric | Kind | Labels | What it tells |", "|---|---|---|---|", *rows])


def _schedules(_: str) -> str:
    rows = ["| Schedule | What it does | When | May be late by |", "|---|---|---|---|"]
    for name, told in schedules.everything(schedules.declared_zones()).items():
        rows.append(f"| `{name}` | {told.does} | {beat.told(told.when)} | {told.late} |")
    return "\n".join(rows)


_GENERATORS: dict[str, Callable[[str], str]] = {
    "states": _states,
    "events": _events,
    "errors": _errors,
    "prefixes": _prefixes,
    "scopes": _scopes,
    "providers": _providers,
    "methods": lambda _: provider_features.by_method(),
    "features": lambda _: provider_features.by_provider(),
    "chart": _chart,
    "postings": _postings,
    "metrics": _metrics,
    "schedules": _schedules,
}
