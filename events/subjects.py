"""The registry through which this floor knows the domains' objects without importing them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import models

from core.states import Machine

Present = Callable[[Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Subject:
    """A kind of object with a lifecycle.

    `present` gives the public snapshot that events carry; without it the subject publishes nothing.
    `facts` are event types beside those of its states; `search` the fields by which staff find one;
    `relatives` gives the ids whose rows belong on one timeline with this object's.
    """

    prefix: str
    kind: str
    model: type[models.Model]
    machine: Machine
    present: Present | None = None
    facts: frozenset[str] = frozenset()
    search: tuple[str, ...] = ()
    relatives: Callable[[Any], list[str]] = field(default=lambda row: [row.pk])

    @property
    def event_types(self) -> list[str]:
        """Every event that this subject can publish: one per state that can be entered, and its facts."""
        if self.present is None:
            return []
        entered = {to for targets in self.machine.edges.values() for to in targets}
        return sorted(f"{self.kind}.{word}" for word in entered | self.facts)


_by_model: dict[type[models.Model], Subject] = {}
_by_prefix: dict[str, Subject] = {}


def register(subject: Subject) -> None:
    """Called once for each subject by its domain's AppConfig.ready()."""
    _by_model[subject.model] = subject
    _by_prefix[subject.prefix] = subject


def of(row: models.Model) -> Subject:
    return _by_model[type(row)]


def by_id(public_id: str) -> Subject | None:
    return _by_prefix.get(public_id.partition("_")[0])


def everyone() -> list[Subject]:
    return list(_by_prefix.values())


def event_types() -> list[str]:
    """The catalogue of events."""
    return sorted(name for subject in everyone() for name in subject.event_types)
