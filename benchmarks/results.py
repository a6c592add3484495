"""What a case tells: one row for each number, as a table for people and as JSON for comparisons."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HIGHER, LOWER = "higher", "lower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number. The aim is one of the ratio where there is a yardstick, otherwise of the value itself.

    `base` is what the other checkout reached in the same rotation.
    """

    name: str
    value: float
    unit: str
    better: str
    aim: float
    yardstick: float | None = None
    base: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.yardstick if self.yardstick else None

    @property
    def met(self) -> bool:
        reached = self.value if self.ratio is None else self.ratio
        return reached >= self.aim if self.better == HIGHER else reached <= self.aim

    def told(self) -> dict[str, Any]:
        fields = {**asdict(self), "ratio": self.ratio, "met": self.met}
        order = ("name", "value", "unit", "yardstick", "ratio", "better", "aim", "met")
        row = {name: _rounded(fields[name]) for name in order}
        return row if self.base is None else {**row, "base": _rounded(self.base)}


def write(rows: Sequence[Row], path: Path) -> None:
    """Write the rows, keeping those of cases that did not run this time."""
    fresh = {row.name for row in rows}
    kept = [row for row in _read(path) if row["name"] not in fresh]
    path.write_text(json.dumps([*kept, *(row.told() for row in rows)], indent=2) + "\n")


def _read(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    return found


def table(rows: Sequence[Row]) -> str:
    columns = ("name", "value", "unit", "yardstick", "ratio", "better", "aim", "met", "base")
    lines = [columns, *(tuple(_shown(row.told().get(column)) for column in columns) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def _rounded(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value}"
