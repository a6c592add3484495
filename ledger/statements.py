"""What the books say, for people: the trial balance, and an account's statement with its running balance."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from django.db.models import Q, QuerySet, Subquery, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce

from ledger.facts import Phase
from ledger.models import Account, Entry

CHUNK = 1000


class Total(NamedTuple):
    """What stands on each side for one kind of account in one currency; neither is below zero."""

    currency: str
    kind: str
    debits: int
    credits: int


class Line(NamedTuple):
    """One posted entry. `amount` and the `balance` after it are in the account's own direction."""

    entry: str
    at: datetime
    fact: str
    cause: str
    transfer: str
    amount: int
    balance: int


def posted_entries() -> QuerySet[Entry]:
    """The entries that count: those of pending transfers only reserve."""
    return Entry.objects.filter(transfer__phase=Phase.POSTED)


def trial_balance(*, livemode: bool) -> list[Total]:
    """Every account's balance, on the side where it stands, by currency and kind."""
    accounts = Account.objects.filter(livemode=livemode).with_balance()
    rows = accounts.order_by("currency", "kind").values_list("currency", "kind")
    summed = rows.annotate(
        debits=Coalesce(Sum("posted_now", filter=Q(posted_now__gt=0)), 0),
        credits=Coalesce(Sum("posted_now", filter=Q(posted_now__lt=0)), 0),
    )
    return [Total(currency, kind, int(debits), -int(credits)) for currency, kind, debits, credits in summed]


def movements(*, livemode: bool, day: date) -> list[Total]:
    """What was posted on one day, in UTC, by currency and kind."""
    began = datetime.combine(day, time(), tzinfo=UTC)
    entries = posted_entries().filter(account__livemode=livemode, at__gte=began, at__lt=began + timedelta(days=1))
    rows = entries.order_by("account__currency", "account__kind").values_list("account__currency", "account__kind")
    summed = rows.annotate(
        debits=Coalesce(Sum("amount", filter=Q(amount__gt=0)), 0),
        credits=Coalesce(Sum("amount", filter=Q(amount__lt=0)), 0),
    )
    return [Total(currency, kind, int(debits), -int(credits)) for currency, kind, debits, credits in summed]


def out_of_balance(totals: list[Total]) -> dict[str, int]:
    """Debits less credits of each currency. All of them must be zero."""
    found: dict[str, int] = {}
    for total in totals:
        found[total.currency] = found.get(total.currency, 0) + total.debits - total.credits
    return found


def newest(account: Account, *, before: str = "", limit: int = 100) -> list[Line]:
    """The newest lines of an account, the newest first; `before` is the entry of the last one seen."""
    entries = posted_entries().filter(account=account)
    # One statement reads the balance with the lines: between two, another posting could come in.
    balances = Account.objects.filter(pk=account.pk).with_balance().values("posted_now")  # type: ignore[misc]  # annotated there
    start: Combinable = Subquery(balances)
    if before:
        newer = entries.filter(pk__gte=before).order_by().values("account").annotate(total=Sum("amount"))
        start = Subquery(balances) - Coalesce(Subquery(newer.values("total")), 0)
        entries = entries.filter(pk__lt=before)
    lines: list[Line] = []
    gone = 0
    for entry in entries.select_related("transfer").annotate(start=start).order_by("-pk")[:limit]:
        lines.append(_line(entry, account, entry.start - gone))
        gone += entry.amount
    return lines


def between(account: Account, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Line]:
    """An account's lines of a span of time, the oldest first, read a piece at a time."""
    entries = posted_entries().filter(account=account)
    balance = 0
    if since is not None:
        balance = entries.filter(at__lt=since).aggregate(total=Coalesce(Sum("amount"), 0))["total"]
        entries = entries.filter(at__gte=since)
    if until is not None:
        entries = entries.filter(at__lt=until)
    last = ""
    while chunk := list(entries.filter(pk__gt=last).select_related("transfer").order_by("pk")[:CHUNK]):
        for entry in chunk:
            balance += entry.amount
            yield _line(entry, account, balance)
        last = chunk[-1].pk


def _line(entry: Entry, account: Account, balance: int) -> Line:
    written = entry.transfer
    return Line(
        entry.pk,
        entry.at,
        written.fact,
        written.cause,
        written.pk,
        entry.amount * account.side,
        balance * account.side,
    )
