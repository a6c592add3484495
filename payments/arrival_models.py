"""Rows of money that comes by itself: what no payment explains yet, and where a provider was told to say so.

`payments.models` has them too. No writes here.
"""

from django.db import models
from django.db.models import Q

from core import clock
from core.fields import PublicIdField, state_field, state_is_known
from core.money import Money
from events.models import Subjected, Work
from merchants.models import Merchant, ProviderAccount
from payments import states


class UnallocatedReceipt(Subjected):
    """Money that came to an account without a payment that explains it, until it is assigned to one.

    `reference` is what the payer typed; `payer_hint` what may be shown of who paid.
    """

    id = PublicIdField(prefix="unal")
    receipt = models.OneToOneField("payments.Receipt", models.PROTECT, related_name="unallocated")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    state = state_field(states.UNALLOCATED)
    payment = models.ForeignKey("payments.Payment", models.PROTECT, null=True, related_name="assigned_receipts")
    reference = models.CharField(max_length=100, blank=True, default="")
    payer_hint = models.CharField(max_length=32, blank=True, default="")

    class Meta:
        constraints = [
            state_is_known(states.UNALLOCATED, name="unallocated_state_is_known"),
            models.CheckConstraint(
                condition=Q(state="open", payment__isnull=True) | Q(state="assigned", payment__isnull=False),
                name="assigned_to_a_payment",
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "livemode", "-id"], name="unallocated_list"),
            models.Index(fields=["account", "reference"], name="unallocated_reference"),
        ]
        permissions = [("assign_receipt", "Can assign an unallocated receipt to a payment")]

    @property
    def money(self) -> Money:
        return self.receipt.money


class Registration(Work):
    """One try of telling a provider where its callbacks go. `outcome` is read from its answer, never guessed."""

    class Outcome(models.TextChoices):
        WAITING = "waiting", "waits to be sent"
        SENDING = "sending", "is being sent"
        REGISTERED = "registered", "the provider has taken the addresses"
        REFUSED = "refused", "the provider has refused them"
        UNKNOWN = "unknown", "the answer was lost"

    id = PublicIdField(prefix="regi")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="registrations")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    livemode = models.BooleanField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.WAITING)
    provider_code = models.CharField(max_length=100, blank=True, default="")
    message = models.CharField(max_length=300, blank=True, default="")
    by = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=clock.now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=["waiting", "sending", "registered", "refused", "unknown"]),
                name="registration_outcome_is_known",
            ),
            models.UniqueConstraint(
                fields=["account"], name="one_open_registration", condition=Q(outcome__in=["waiting", "sending"])
            ),
        ]
        indexes = [models.Index(fields=["lane", "due_at"], name="registration_due", condition=Q(due_at__isnull=False))]

    def __str__(self) -> str:
        return str(self.pk)
