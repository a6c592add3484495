"""Lists and expansion. Source: docs.stripe.com/api/pagination, docs.stripe.com/api/expanding_objects,
and Stripe's OpenAPI document for what can be expanded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from simulators.stripe.account import Account
from simulators.stripe.errors import StripeError, missing
from simulators.stripe.form import Parameters
from simulators.stripe.objects import listing

JSON = dict[str, Any]
PAGING = ("limit", "starting_after", "ending_before", "created")
# By the kind of object: the properties that can be expanded, and the kinds of object that they lead to.
EXPANDABLE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "payment_intent": {"latest_charge": ("charge",), "payment_method": ("payment_method",), "customer": ("customer",)},
    "setup_intent": {"payment_method": ("payment_method",), "customer": ("customer",)},
    "charge": {
        "balance_transaction": ("balance_transaction",),
        "failure_balance_transaction": ("balance_transaction",),
        "payment_intent": ("payment_intent",),
        "customer": ("customer",),
    },
    "refund": {
        "balance_transaction": ("balance_transaction",),
        "failure_balance_transaction": ("balance_transaction",),
        "charge": ("charge",),
        "payment_intent": ("payment_intent",),
    },
    "balance_transaction": {"source": ("charge", "dispute", "refund")},
    "dispute": {"charge": ("charge",), "payment_intent": ("payment_intent",)},
    "payment_method": {"customer": ("customer",)},
}
COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}


def list_rows(rows: Iterable[JSON], url: str, parameters: Parameters, filters: tuple[str, ...]) -> JSON:
    """One page of the rows, which come newest first."""
    limit = parameters.integer("limit") or 10
    if not 1 <= limit <= 100:
        raise StripeError("This value must be between 1 and 100.", param="limit")
    wanted = [row for row in rows if _fits(row, parameters, filters)]
    if after := parameters.text("starting_after"):
        page = wanted[_place(wanted, after, "starting_after") + 1 :]
    elif before := parameters.text("ending_before"):
        newer = wanted[: _place(wanted, before, "ending_before")]
        return listing(newer[-limit:], url, len(newer) > limit)
    else:
        page = wanted
    return listing(list(islice(page, limit)), url, len(page) > limit)


def _place(rows: list[JSON], id: str, param: str) -> int:
    for place, row in enumerate(rows):
        if row["id"] == id:
            return place
    raise missing("object", id, param, 400)


def _fits(row: JSON, parameters: Parameters, filters: tuple[str, ...]) -> bool:
    for name in filters:
        wanted = parameters.values.get(name)
        if name == "types":
            if wanted and row["type"] not in wanted:
                return False
        elif wanted is not None and row[name] != wanted:
            return False
    return _fits_time(row["created"], parameters.values.get("created"))


def _fits_time(created: int, wanted: Any) -> bool:
    if wanted is None:
        return True
    try:
        if isinstance(wanted, str):
            return created == int(wanted)
        return all(COMPARISONS[name](created, int(bound)) for name, bound in wanted.items())
    except (ValueError, KeyError, AttributeError):
        raise StripeError(f"Invalid range: {wanted}", param="created") from None


def check_expansions(parameters: Parameters, kind: str, *, listed: bool) -> list[str]:
    """The paths to expand; refused before any work is done, for afterwards it would be too late."""
    paths = parameters.texts("expand") or []
    for path in paths:
        first, _, rest = path.partition(".")
        inside = rest if listed and first == "data" else "" if listed else path
        if not _leads_on(inside.split("."), (kind,)):
            raise StripeError(f"This property cannot be expanded ({path}).", param="expand")
    return paths


def _leads_on(parts: list[str], kinds: tuple[str, ...]) -> bool:
    """Whether every part can be expanded in an object that the part before it leads to."""
    name, rest = parts[0], parts[1:]
    reached = [EXPANDABLE[kind][name] for kind in kinds if name in EXPANDABLE.get(kind, {})]
    return any(not rest or _leads_on(rest, kinds) for kinds in reached)


def expand(account: Account, document: JSON, paths: list[str]) -> JSON:
    """The document with objects in place of the ids behind `latest_charge`, `data.charge` and the like."""
    for path in paths:
        document = _expand(account, document, path.split("."))
    return document


def _expand(account: Account, document: JSON, parts: list[str]) -> JSON:
    name, rest = parts[0], parts[1:]
    value = document.get(name)
    if isinstance(value, list):
        return document | {name: [_expand(account, item, rest) if rest else item for item in value]}
    found = account.get(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        return document
    return document | {name: _expand(account, found, rest) if rest else found}
