"""Test mode: have the provider's simulator play an outcome, over HTTP."""

import json

from django.db.models import Q

from core import clock
from core.errors import Conflict, InvalidRequest
from core.http import HttpFault, Request, Response, send
from payments.models import Attempt, Payment
from payments.services import connections, resolving
from payments.states import PAYMENT

_DEADLINE_SECONDS = 10.0
OUTCOMES = {
    "succeed": "the payer pays",
    "fail": "the payer is refused",
    "insufficient_funds": "the payer has too little",
    "cancel": "the payer does not want to",
    "expire": "nobody pays in time",
    "late_success": "the payer pays when it is too late",
}
"""What every provider's simulator understands, if there is such a thing there; each has words of its own besides."""
_TOLD_BY_CALLBACK = frozenset({"succeed", "late_success"})


def simulate(payment: Payment, outcome: str) -> None:
    """Play an outcome: one of OUTCOMES, or a word of that simulator's own.

    Of an end without money providers mostly tell nobody, so they are asked at once.
    Raises Conflict for an account that is not at a simulator, whose simulator is away, or whose payment does not stand
    so; InvalidRequest that names every outcome.
    """
    attempt = payment.attempts.select_related("account").latest("pk")
    if attempt.account.host != connections.SIMULATOR:
        raise Conflict(f"{payment.pk} is at {attempt.account.host}, which cannot be simulated. Use its own test tools.")
    answer = _tell(attempt, outcome)
    if answer.status == 400:
        words = _words(answer)
        raise InvalidRequest(f"{words[:1].upper()}{words[1:]}.", param="/outcome")
    if answer.status >= 300:
        raise Conflict(f"The simulator refused: {_words(answer)}.")
    if outcome == "expire":
        _let_its_time_pass(payment)
    if outcome not in _TOLD_BY_CALLBACK:
        resolving.ask_now(payment.pk)


def _let_its_time_pass(payment: Payment) -> None:
    """Where a provider cannot tell that something has ended, our own clock does: it then stands where theirs does."""
    has_time = Q(expires_at=None) | Q(expires_at__gt=clock.now())
    waiting = Payment.objects.filter(has_time, pk=payment.pk).exclude(state__in=list(PAYMENT.terminals))
    waiting.update(expires_at=clock.now())


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
