"""Rows of disputes, and of their money. `payments.models` has them too. No writes here."""

from django.db import models
from django.db.models import Q

from core import clock
from core.fields import PublicIdField, state_field, state_is_known
from core.money import Money
from events.models import Subjected
from merchants.models import Merchant, ProviderAccount
from payments import states
from payments.providers.disputes import DisputeReason, MovementKind


class Dispute(Subjected):
    """A payer's bank asks about a payment, or takes its money back until it has decided.

    `amount` is what the payer disputes, in the payer's currency. `evidence_due_at` is None where the bank takes no
    answer; `notices` counts the notices that were given before it. `answered_by` is the key of the last answer that
    the provider shows. `late` marks one that was lost and whose money came back after all.
    """

    id = PublicIdField(prefix="dp")
    payment = models.ForeignKey("payments.Payment", models.PROTECT, related_name="disputes")
    attempt = models.ForeignKey("payments.Attempt", models.PROTECT, related_name="disputes")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    state = state_field(states.DISPUTE)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=24, choices=[(reason.value, reason.value) for reason in DisputeReason])
    provider_id = models.CharField(max_length=100)
    provider_status = models.CharField(max_length=100, blank=True, default="")
    provider_reason = models.CharField(max_length=100, blank=True, default="")
    evidence_due_at = models.DateTimeField(null=True)
    has_evidence = models.BooleanField(default=False)
    submitted_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=64, blank=True, default="")
    notices = models.PositiveSmallIntegerField(default=0)
    is_refundable = models.BooleanField(default=False)
    late = models.BooleanField(default=False)

    class Meta:
        constraints = [
            state_is_known(states.DISPUTE, name="dispute_state_is_known"),
            models.UniqueConstraint(fields=["account", "provider_id"], name="one_dispute_per_provider_id"),
            models.UniqueConstraint(fields=["id", "livemode"], name="dispute_has_one_mode"),
        ]
        indexes = [
            models.Index(fields=["merchant", "livemode", "-id"], name="dispute_list"),
            models.Index(
                fields=["evidence_due_at"],
                name="dispute_evidence_due",
                condition=Q(state__in=["inquiry", "needs_response"]),
            ),
        ]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def is_charged_back(self) -> bool:
        """Whether the merchant has been made to bear it, even if its money came back later."""
        return self.state == states.DisputeState.LOST or self.late


class DisputeMovement(models.Model):
    """Money of a dispute that has moved at the provider, once for ever. `fee_amount` is below zero when given back."""

    id = PublicIdField(prefix="dmov")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+")
    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="movements")
    livemode = models.BooleanField()
    kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in MovementKind])
    provider_money_id = models.CharField(max_length=100)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    fee_amount = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "provider_money_id"], name="one_movement_per_money_id"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="movement_is_positive"),
        ]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def fee(self) -> Money:
        return Money(abs(self.fee_amount), self.currency)
