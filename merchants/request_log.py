"""The log of a merchant's API requests: the audit rows that tell of them (security.md 6)."""

import re
from functools import lru_cache

from django.db.models import OuterRef, Q, Subquery
from rest_framework.request import Request

from events.audit import RequestFacts
from events.models import AuditEntries, AuditEntry

ACCEPTED, ANSWERED, REFUSED = "api.accepted", "api.answered", "api.refused"


def facts_of(request: Request, *, status: int | None = None, milliseconds: int | None = None) -> RequestFacts:
    """The request as it is kept: with the route, whose parts are named, in the place of the path."""
    match = request.resolver_match
    return RequestFacts(str(request.method)[:8], _as_documented(match.route if match else ""), status, milliseconds)


@lru_cache(maxsize=256)
def _as_documented(route: str) -> str:
    """`v1/payments/<str:payment_id>` is `/v1/payments/{payment_id}` in the reference."""
    return "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)


def requests_of(*, merchant: str, livemode: bool) -> AuditEntries:
    """One row for each request. A write leaves two: of those the outcome, or the first while there is none yet.

    The look for an outcome is a scalar subquery, which is asked row by row: a semi-join would read the whole table.
    """
    outcome = AuditEntry.objects.filter(
        Q(object_id=OuterRef("object_id")) | Q(object_id=""),
        request_id=OuterRef("request_id"),
        merchant=merchant,
        action=ANSWERED,
    )
    rows = AuditEntry.objects.filter(merchant=merchant, livemode=livemode)
    rows = rows.annotate(outcome=Subquery(outcome.values("pk")[:1]))
    return rows.filter(Q(action__in=[ANSWERED, REFUSED]) | Q(action=ACCEPTED, outcome=None))
