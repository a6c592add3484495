"""Model fields that carry a rule of the house."""

from typing import Any

from django.db import models

from core import ids
from core.states import Machine


class PublicIdField(models.CharField):  # type: ignore[type-arg]  # generic only in the stubs, not at run time
    """The primary key and the public id in one: `pay_` and a UUIDv7, collated by byte so that it sorts by time."""

    def __init__(self, *arguments: Any, prefix: str, **options: Any) -> None:
        self.prefix = prefix
        options.update(primary_key=True, max_length=32, default=ids.maker(prefix), editable=False, db_collation="C")
        super().__init__(*arguments, **options)

    def deconstruct(self) -> Any:
        name, path, arguments, options = super().deconstruct()
        for derived in ("primary_key", "max_length", "default", "editable", "db_collation"):
            options.pop(derived, None)
        return name, path, arguments, {**options, "prefix": self.prefix}


class SealedField(models.BinaryField):  # type: ignore[type-arg]
    """Ciphertext. Written by `events.sealing.seal` and read by `events.sealing.unseal`, which are told the row."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("null", True)
        options["editable"] = False
        super().__init__(*arguments, **options)


def state_field(machine: Machine) -> "models.CharField[str, str]":
    """The column that only `events.transitions.move` writes."""
    return models.CharField(
        max_length=24,
        default=machine.start,
        choices=[(state, state.replace("_", " ")) for state in machine.states],
        editable=False,
    )


def state_is_known(machine: Machine, *, name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=models.Q(state__in=list(machine.states)), name=name)
