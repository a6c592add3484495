"""Test mode: have the provider's simulator play an outcome, over HTTP."""

import json

from core.errors import Conflict, InvalidRequest
from core.http import HttpFault, Request, Response, send
from payments.models import Attempt, Payment
from payments.services import connections

_DEADLINE_SECONDS = 10.0


def simulate(payment: Payment, outcome: str) -> None:
    """Raises Conflict for an account that is not at a simulator, or whose simulator is away; InvalidRequest."""
    attempt = payment.attempts.select_related("account").latest("pk")
    if attempt.account.host != connections.SIMULATOR:
        raise Conflict(f"{payment.pk} is at {attempt.account.host}, which cannot be simulated. Use its own test tools.")
    answer = _tell(attempt, outcome)
    if answer.status == 400:
        raise InvalidRequest(_words(answer), param="/outcome")
    if answer.status >= 300:
        raise Conflict(f"The simulator refused: {_words(answer)}")


def _tell(attempt: Attempt, outcome: str) -> Response:
    named = {"id": attempt.provider_id} if attempt.provider_id else {"reference": attempt.provider_reference}
    request = Request(
        "POST",
        f"{connections.base_url(attempt.account)}/_simulator/simulate",
        {"Content-Type": "application/json"},
        json.dumps({**named, "outcome": outcome}).encode(),
    )
    try:
        return send(request, deadline=_DEADLINE_SECONDS)
    except HttpFault as error:
        raise Conflict("The simulator does not answer. Start it with `make simulators`.") from error


def _words(answer: Response) -> str:
    try:
        return str(json.loads(answer.body).get("error", "without a word"))
    except (ValueError, AttributeError):
        return "without a word"
