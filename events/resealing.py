"""Sealed columns sealed again under fresh data keys, in batches, while everything serves."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db.models import BinaryField, F, Model, Q, QuerySet
from django.db.models.functions import Substr

from core import clock, ids
from core.fields import SealedField
from events import sealing
from events.models import DataKey

MARGIN = timedelta(seconds=5 * sealing.REMEMBERED_SECONDS)
"""A process may go on with a retired key for a while: it is destroyed only when that has surely passed."""


@dataclass(frozen=True, slots=True)
class Column:
    """One sealed column of one table."""

    model: type[Model]
    name: str

    def __str__(self) -> str:
        return f"{self.model._meta.db_table}.{self.name}"

    def under(self, key_ids: list[str]) -> Any:
        """The rows that are sealed under these data keys."""
        width = len(ids.new_id("dek"))
        rows = self.model._default_manager.filter(~Q(**{self.name: None}))
        prefix = Substr(F(self.name), 1, width, output_field=BinaryField())
        return rows.alias(data_key=prefix).filter(data_key__in=[key_id.encode() for key_id in key_ids])


def columns() -> list[Column]:
    """Every sealed column of every table: the models say which they are."""
    return [
        Column(model, field.name)
        for model in apps.get_models()
        if not model._meta.proxy
        for field in model._meta.concrete_fields
        if isinstance(field, SealedField)
    ]


def retire() -> int:
    """Retire the merchants' data keys, unless an earlier run's are still being left; how many are retired now.

    A subject keeps its one key: it seals few rows, and its erasure must find it.
    """
    if not _retired().exists():
        DataKey.objects.filter(retired_at=None, owner__startswith="mer_").update(retired_at=clock.now())
    sealing.forget()
    return _retired().count()


def _retired() -> QuerySet[DataKey]:
    return DataKey.objects.filter(retired_at__isnull=False)


def reseal(column: Column, *, batch: int, pause: float) -> Iterator[int]:
    """Seal again what lies under retired keys, in the order of primary keys; yields how many rows each batch changed.

    A row that was written meanwhile is left as it is: whoever wrote it sealed it.
    """
    rows = column.under(list(_retired().values_list("pk", flat=True))).order_by("pk")
    found = list(rows[:batch])
    while found:
        yield sum(_reseal(row, column.name) for row in found)
        time.sleep(pause)
        found = list(rows.filter(pk__gt=found[-1].pk)[:batch])


def _reseal(row: Any, name: str) -> int:
    before = bytes(getattr(row, name))
    plain = sealing.unseal(row, name)
    sealing.seal(row, name, plain)
    held = type(row)._default_manager.filter(**{"pk": row.pk, name: before})
    return int(held.update(**{name: getattr(row, name)}))


def destroy_unused() -> tuple[int, int]:
    """Destroy the retired keys under which nothing lies any more: how many were, and how many must wait."""
    ripe = list(_retired().filter(retired_at__lt=clock.now() - MARGIN).values_list("pk", flat=True))
    for column in columns():
        if ripe:
            rows = column.under(ripe).values_list(column.name, flat=True)
            used = {bytes(sealed).partition(b".")[0].decode() for sealed in rows.iterator(chunk_size=500)}
            ripe = [key_id for key_id in ripe if key_id not in used]
    destroyed, _ = DataKey.objects.filter(pk__in=ripe).delete()
    return destroyed, _retired().count()
