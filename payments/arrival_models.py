"""Rows of money that comes by itself: what no payment explains yet, and where a provider was told to say so.

`payments.models` has them too. No writes here.
"""

from django.db import models
from django.db.models import Q

from core import clock, ids
from core.fields import PublicIdField, SealedField, state_field, state_is_known
from core.money import Money
from events.models import Subjected, Work
from merchants.models import Merchant, ProviderAccount, Store
from payments import states


class UnallocatedReceipt(Subjected):
    """Money that came to an account without a payment that explains it, until it is assigned to one.

    `reference` is what the payer typed; `payer_hint` what may be shown of who paid. Money that came on a static code
    names it and its `store`, and has the code's own reference.
    """

    id = PublicIdField(prefix="unal")
    receipt = models.OneToOneField("payments.Receipt", models.PROTECT, related_name="unallocated")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    state = state_field(states.UNALLOCATED)
    payment = models.ForeignKey("payments.Payment", models.PROTECT, null=True, related_name="assigned_receipts")
    store = models.ForeignKey(Store, models.PROTECT, null=True, related_name="+", db_index=False)
    static_code = models.ForeignKey(
        "payments.StaticCode", models.PROTECT, null=True, related_name="unallocated_receipts", db_index=False
    )
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
            models.Index(fields=["store", "-id"], name="unallocated_store", condition=Q(store__isnull=False)),
            models.Index(
                fields=["static_code", "-id"], name="unallocated_static_code", condition=Q(static_code__isnull=False)
            ),
        ]
        permissions = [("assign_receipt", "Can assign an unallocated receipt to a payment")]

    @property
    def money(self) -> Money:
        return self.receipt.money


class ReportedReceipt(Work):
    """Money that a callback without proof tells of. It counts for nothing until the provider, asked, shows it.

    `amount`, `reference` and `payer_hint` are what was told; `payment` is the one that the reference names. `token`
    makes the paths by which answers come, `conversations` are the ids of the questions that were taken, `asked`
    counts all. It is booked as a `Receipt` of the same number, with the amount that the answer shows.
    """

    class Outcome(models.TextChoices):
        WAITING = "waiting", "is being asked about"
        CONFIRMED = "confirmed", "the provider shows it, and it is booked"
        UNCONFIRMED = "unconfirmed", "nobody could tell"
        DENIED = "denied", "the provider knows of no such money here"

    id = PublicIdField(prefix="rrep")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    livemode = models.BooleanField()
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.WAITING)
    provider_money_id = models.CharField(max_length=100)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=100, blank=True, default="")
    payer_hint = models.CharField(max_length=32, blank=True, default="")
    payment = models.ForeignKey("payments.Payment", models.PROTECT, null=True, related_name="reported_receipts")
    token = SealedField()
    token_hash = models.CharField(max_length=64, unique=True)
    conversations = models.JSONField(default=list)
    provider_status = models.CharField(max_length=100, blank=True, default="")
    asked = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)
    concluded_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome__in=["waiting", "confirmed", "unconfirmed", "denied"]),
                name="reported_outcome_is_known",
            ),
            models.UniqueConstraint(fields=["account", "provider_money_id"], name="one_report_per_money_id"),
        ]
        indexes = [models.Index(fields=["lane", "due_at"], name="reported_due", condition=Q(due_at__isnull=False))]
        permissions = [("ask_about_receipt", "Can ask about a reported receipt again")]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @staticmethod
    def is_named(public_id: str) -> bool:
        """Whether an id is that of a reported receipt."""
        return ids.is_id(public_id, "rrep")


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
