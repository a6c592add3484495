"""The books' rows. `ledger.posting` writes transfers and entries, `ledger.balances` sums them; nothing changes them."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from core import clock
from core.fields import PublicIdField
from ledger.chart import CHART, Kind, Owner, Side
from ledger.facts import Phase


def _kinds(side: Side) -> list[str]:
    return [kind.value for kind, definition in CHART.items() if definition.side is side]


class AccountQuerySet(models.QuerySet["Account"]):
    def with_balance(self) -> "AccountQuerySet":
        """Each account with what it holds now: what its row counts, and what is not summed into it yet."""
        waiting = Unsummed.objects.filter(account=OuterRef("pk")).order_by().values("account")
        now = {
            f"{column}_now": models.F(column) + Coalesce(Subquery(waiting.values(total=Sum(column))), 0)
            for column in ("posted", "reserved")
        }
        return self.annotate(**now)


class Account(models.Model):
    """One kind of one owner in one currency and mode.

    `side` is 1 where debits make it grow, -1 where credits do. `posted` is the sum of its entries, debits above
    zero, and `reserved` what pending transfers would take from it, both as far as the background has summed them.
    """

    id = PublicIdField(prefix="lacc")
    owner = models.CharField(max_length=32)
    kind = models.CharField(max_length=24, choices=[(kind.value, kind.value.replace("_", " ")) for kind in Kind])
    side = models.SmallIntegerField()
    currency = models.CharField(max_length=3)
    livemode = models.BooleanField()
    posted = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)

    objects = AccountQuerySet.as_manager()

    posted_now: int
    reserved_now: int

    class Meta:
        verbose_name = "ledger account"
        constraints = [
            models.CheckConstraint(
                condition=Q(side=Side.DEBIT.value, kind__in=_kinds(Side.DEBIT))
                | Q(side=Side.CREDIT.value, kind__in=_kinds(Side.CREDIT)),
                name="account_kind_is_known",
            ),
            models.UniqueConstraint(fields=["owner", "kind", "currency", "livemode"], name="one_account_per_kind"),
        ]
        indexes = [models.Index(fields=["kind", "livemode", "currency"], name="account_kind")]

    def __str__(self) -> str:
        return f"{self.kind.replace('_', ' ')} {self.currency} of {self.owner}"

    @property
    def merchant(self) -> str:
        """Whose it is, where that is a merchant."""
        return self.owner if CHART[Kind(self.kind)].owner is Owner.MERCHANT else ""

    @property
    def balance(self) -> int:
        """In the account's own direction, of a row read `with_balance()`."""
        return self.posted_now * self.side

    @property
    def available(self) -> int:
        """What is left when everything pending takes place; what pending transfers would bring does not count."""
        return self.balance - self.reserved_now


class Transfer(models.Model):
    """Entries that belong together and sum to zero in each currency. Inserted only.

    `reference` is the fact, its source and the phase: the same fact of the same source posts once.
    `cause` is the object that a person would look at, `resolves` the pending transfer that this one ends.
    """

    id = PublicIdField(prefix="xfer")
    reference = models.CharField(max_length=100)
    fact = models.CharField(max_length=32)
    phase = models.CharField(max_length=8, choices=[(phase.value, phase.value) for phase in Phase])
    resolves = models.ForeignKey("self", models.PROTECT, null=True, related_name="resolved_by", db_index=False)
    cause = models.CharField(max_length=32)
    merchant = models.CharField(max_length=32)
    livemode = models.BooleanField()
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reference"], name="one_transfer_per_reference"),
            models.UniqueConstraint(
                fields=["resolves"], name="one_end_per_pending", condition=Q(resolves__isnull=False)
            ),
            models.CheckConstraint(
                condition=Q(phase="posted")
                | Q(phase="pending", resolves__isnull=True)
                | Q(phase="voided", resolves__isnull=False),
                name="transfer_phase_is_known",
            ),
        ]
        indexes = [models.Index(fields=["cause"], name="transfer_cause")]

    def __str__(self) -> str:
        return str(self.pk)


class Entry(models.Model):
    """What a transfer adds to an account: a debit above zero, a credit below. Inserted with its transfer, only."""

    id = PublicIdField(prefix="ent")
    transfer = models.ForeignKey(Transfer, models.PROTECT, related_name="entries", db_index=False)
    account = models.ForeignKey(Account, models.PROTECT, related_name="entries", db_index=False)
    amount = models.BigIntegerField()
    at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name_plural = "entries"
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="entry_is_not_zero")]
        indexes = [
            models.Index(fields=["transfer"], name="entry_transfer"),
            models.Index(fields=["account", "-id"], name="entry_account"),
            BrinIndex(fields=["at"], name="entry_day"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Unsummed(models.Model):
    """What an account's row does not count yet. Appended with each entry and summed into the row in the background,

    so that many can post to one account at once without waiting for each other's lock.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="unsummed", db_constraint=False)
    posted = models.BigIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
