"""What every answer of Xendit's is held against before it is read."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from core.companies import xendit as wire
from core.http import Response
from core.providers import NothingCreated, OutcomeUnknown
from payments.providers.base import Order, Report


def own(report: Report, order: Order) -> Report:
    if order.provider_id and report.provider_id != order.provider_id:
        raise OutcomeUnknown("an answer about another payment")
    return report


def answer_to_a_question(response: Response) -> Mapping[str, Any]:
    """A question that is refused says nothing; nor does a 404, as what was sent may still be on its way."""
    try:
        return wire.shown(response)
    except NothingCreated as refused:
        raise OutcomeUnknown(f"answer {refused.provider_code} to a question") from refused


def objects(response: Response) -> list[Mapping[str, Any]]:
    """Invoices are listed without anything around them."""
    if not response.body.lstrip().startswith(b"["):
        return listed(answer_to_a_question(response))
    return listed(answer_to_a_question(replace(response, body=b'{"data":' + response.body + b"}")))


def listed(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    items = told.get("data")
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise OutcomeUnknown("an answer of an unknown shape")
    return items


Understood = TypeVar("Understood")


def understood(read: Callable[..., Understood], *given: object) -> Understood:
    try:
        return read(*given)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise OutcomeUnknown("an answer of an unknown shape") from error
