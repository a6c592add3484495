"""What the books add to the history of an object: the transfers that it caused."""

from collections.abc import Iterable, Sequence

from core.admin_columns import Moment
from core.money import Money
from events import timeline
from ledger.facts import Phase
from ledger.models import Account, Transfer

TONES = {Phase.PENDING: "warning", Phase.POSTED: "success", Phase.VOIDED: ""}


def postings(ids: Sequence[str]) -> Iterable[Moment]:
    """The transfers of these causes, each with its entries in one line."""
    caused = Transfer.objects.filter(cause__in=ids).prefetch_related("entries__account")
    for transfer in caused.order_by("-pk")[: timeline.LIMIT]:
        yield Moment(
            at=transfer.at,
            kind="posting",
            title=f"books: {transfer.fact.replace('_', ' ')}, {transfer.phase}",
            detail="; ".join(_told(entry.amount, entry.account) for entry in transfer.entries.all()),
            id=transfer.pk,
            tone=TONES[Phase(transfer.phase)],
        )


def _told(amount: int, account: Account) -> str:
    side = "debit" if amount > 0 else "credit"
    return f"{side} {account.kind.replace('_', ' ')} {Money(abs(amount), account.currency)}"
