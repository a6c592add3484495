"""Rows of settlements: payouts of providers to banks. `reconciliation.models` has them too. No writes here."""

from django.db import models
from django.db.models import F, Q

from core import clock
from core.fields import PublicIdField
from core.money import Money
from merchants.models import Merchant, ProviderAccount


class Settlement(models.Model):
    """What a provider pays out to the bank at once, in three words: our books', the provider's and the bank's.

    All amounts are in minor units of `currency`. `listed_…` is what the provider's report says of its lines: payments,
    what went back, and fees; `paid_out` what it says of the payout itself, where it does. `booked_…` is what the books
    have on the provider's clearing account for the same lines, `bank_amount` what has come at the bank; each is null
    before that side has told. `settled_amount` is what was posted for it, by `settled_by`: all three agreed, or two
    people did. `is_told_by_two` says that whoever uploaded the report has uploaded nothing of the bank's, and the other
    way round: one person's word settles nothing. `left_over` is by currency what then stays on the clearing account of
    its lines.
    """

    id = PublicIdField(prefix="stl")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", db_index=False)
    livemode = models.BooleanField()
    number = models.CharField(max_length=100)
    currency = models.CharField(max_length=3)
    paid_at = models.DateTimeField(null=True)
    lines = models.PositiveIntegerField(default=0)
    unbooked = models.PositiveIntegerField(default=0)
    listed_gross = models.BigIntegerField(default=0)
    listed_refunds = models.BigIntegerField(default=0)
    listed_fees = models.BigIntegerField(default=0)
    paid_out = models.BigIntegerField(null=True)
    booked_gross = models.BigIntegerField(default=0)
    booked_refunds = models.BigIntegerField(default=0)
    booked_fees = models.BigIntegerField(default=0)
    bank_amount = models.BigIntegerField(null=True)
    bank_at = models.DateTimeField(null=True)
    is_told_by_two = models.BooleanField(default=False, db_default=False)
    bank_missed = models.BooleanField(default=False)
    settled_amount = models.BigIntegerField(null=True)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=64, blank=True, default="")
    proposed_by = models.CharField(max_length=64, blank=True, default="")
    proposed_line = models.PositiveBigIntegerField(null=True)
    left_over = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "number", "currency"], name="one_settlement_per_number"),
            models.CheckConstraint(
                condition=Q(settled_at__isnull=True, settled_amount__isnull=True, settled_by="")
                | (Q(settled_at__isnull=False, settled_amount__isnull=False) & ~Q(settled_by="")),
                name="settlement_is_open_or_settled",
            ),
            models.CheckConstraint(
                condition=Q(settled_by="") | Q(proposed_by="") | ~Q(settled_by=F("proposed_by")),
                name="two_people_settle_a_settlement",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "id"], name="settlement_open", condition=Q(settled_at__isnull=True)),
            models.Index(fields=["account", "-id"], name="settlement_of_account"),
        ]
        permissions = [("settle_settlement", "Can settle or match settlements with a second person")]

    def __str__(self) -> str:
        return f"{self.number} of {self.account_id}"

    @property
    def listed_net(self) -> int:
        return self.listed_gross - self.listed_refunds - self.listed_fees

    @property
    def booked_net(self) -> int:
        return self.booked_gross - self.booked_refunds - self.booked_fees

    @property
    def agrees(self) -> bool:
        """Whether our books, the provider's report and the bank say the same."""
        told = {self.listed_net, self.booked_net, self.bank_amount}
        return len(told | ({self.paid_out} - {None})) == 1

    def money(self, amount: int | None) -> Money | None:
        return None if amount is None else Money(amount, self.currency)


class SettlementLine(models.Model):
    """A movement that a settlement pays out, by the provider's number. It is a capture, refund, fee or the payout.

    `upload` is the id of the file that has told of it last.
    """

    id = models.BigAutoField(primary_key=True)
    settlement = models.ForeignKey(Settlement, models.PROTECT, related_name="named", db_index=False)
    kind = models.CharField(max_length=8)
    provider_money_id = models.CharField(max_length=100)
    amount = models.BigIntegerField()
    fee = models.BigIntegerField(default=0)
    upload = models.CharField(max_length=32, db_collation="C")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["settlement", "kind", "provider_money_id"], name="one_line_of_settlement")
        ]
        indexes = [models.Index(fields=["provider_money_id"], name="settlement_line_number")]


class BankLine(models.Model):
    """A line of the bank's statement, once for ever. `amount` is below zero for money that left the bank.

    `key` is the bank's own number; where it has none, a digest of the line and of how many like it came before it.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+", db_index=False)
    upload = models.CharField(max_length=32, db_collation="C")
    key = models.CharField(max_length=100)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=300)
    at = models.DateTimeField(null=True)
    settlement = models.ForeignKey(Settlement, models.PROTECT, null=True, related_name="bank_lines")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="one_bank_line_per_key")]
        indexes = [
            models.Index(
                fields=["account", "currency", "amount"],
                name="bank_line_unexplained",
                condition=Q(settlement__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return self.key
