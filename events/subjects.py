"""The registry through which this floor knows the domains' objects without importing them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db import models
from django.db.models.expressions import Combinable

from core.states import Machine

Present = Callable[[Any], dict[str, Any]]


def in_no_store(row: Any) -> str:
    """What most kinds of object say of their store."""
    return ""


TRANSACTION_COLUMNS = ("method", "provider", "provider_id", "reference", "payment", "store")
"""What a kind of transaction says of itself, beside its state, amount and currency; absent is null."""


@dataclass(frozen=True, slots=True)
class Transactions:
    """How a subject's rows stand in the one history of money, which reads each table by its index on
    `merchant, livemode, -created_at, -id`.

    `columns` says where each of TRANSACTION_COLUMNS is. What lies in another table is a scalar subquery: a join
    would let the planner begin with that table and sort, a subquery is asked only for the rows that are shown.
    `reference_at` leads to the row with the merchant's reference, from which such a search begins.
    """

    direction: Literal["in", "out"]
    columns: Mapping[str, Combinable]
    reference_at: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of object with a lifecycle.

    `present` gives the public snapshot that events carry; without it the subject publishes nothing.
    `facts` are event types beside those of its states; `search` the fields by which staff find one;
    `relatives` gives the ids whose rows belong on one timeline with this object's; `transactions` its place in the
    history of money, where it has one. `store` gives the public id of the store whose screens follow a row's events.
    """

    prefix: str
    kind: str
    model: type[models.Model]
    machine: Machine
    present: Present | None = None
    facts: frozenset[str] = frozenset()
    search: tuple[str, ...] = ()
    relatives: Callable[[Any], list[str]] = field(default=lambda row: [row.pk])
    transactions: Transactions | None = None
    store: Callable[[Any], str] = in_no_store

    @property
    def event_types(self) -> list[str]:
        """Every event that this subject can publish: one per state that can be entered, and its facts."""
        if self.present is None:
            return []
        entered = {to for targets in self.machine.edges.values() for to in targets}
        return sorted(f"{self.kind}.{word}" for word in entered | self.facts)


@dataclass(frozen=True, slots=True)
class Announcer:
    """A kind of object without a lifecycle that publishes `facts`. Its model has `merchant`, `livemode`, `sequence`."""

    kind: str
    model: type[models.Model]
    present: Present
    facts: frozenset[str]
    store: Callable[[Any], str] = in_no_store

    @property
    def event_types(self) -> list[str]:
        return sorted(f"{self.kind}.{fact}" for fact in self.facts)


_announcers: dict[type[models.Model], Announcer] = {}
_by_model: dict[type[models.Model], Subject] = {}
_by_prefix: dict[str, Subject] = {}


def register(subject: Subject) -> None:
    """Called once for each subject by its domain's AppConfig.ready()."""
    _by_model[subject.model] = subject
    _by_prefix[subject.prefix] = subject


def register_announcer(announcer: Announcer) -> None:
    """Called once for each kind by its domain's AppConfig.ready()."""
    _announcers[announcer.model] = announcer


def publisher_of(row: models.Model) -> Subject | Announcer:
    """What says how events about the row look."""
    return _announcers.get(type(row)) or of(row)


def of(row: models.Model) -> Subject:
    return _by_model[type(row)]


def by_id(public_id: str) -> Subject | None:
    return _by_prefix.get(public_id.partition("_")[0])


def everyone() -> list[Subject]:
    return list(_by_prefix.values())


def event_types() -> list[str]:
    """The catalogue of events."""
    kinds: list[Subject | Announcer] = [*everyone(), *_announcers.values()]
    return sorted(name for kind in kinds for name in kind.event_types)
