"""Rows of codes that stand on a counter. `payments.models` has them too."""

from django.db import models
from django.db.models import Q

from core import clock
from core.fields import PublicIdField
from events.models import Work
from merchants.models import Merchant, ProviderAccount, Store


class StaticCode(Work):
    """A code in a store that is paid again and again, with what each payer types. `reference` is the merchant's own.

    `outcome` is that of asking the provider for it, once. `text` is what is to be drawn, there while it is active.
    `due_at` is when the provider is asked next what was paid on it.
    """

    class Outcome(models.TextChoices):
        SENDING = "sending", "is being asked for"
        ACTIVE = "active", "can be paid"
        REFUSED = "refused", "the provider has refused it"
        UNKNOWN = "unknown", "the answer was lost, or was no such code"

    id = PublicIdField(prefix="scode")
    store = models.ForeignKey(Store, models.PROTECT, related_name="static_codes", db_index=False)
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    livemode = models.BooleanField()
    reference = models.CharField(max_length=100, blank=True, default="")
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.SENDING)
    provider_reference = models.CharField(max_length=64)
    provider_id = models.CharField(max_length=100, blank=True, default="")
    provider_code = models.CharField(max_length=100, blank=True, default="")
    message = models.CharField(max_length=300, blank=True, default="")
    text = models.CharField(max_length=1000, blank=True, default="")
    expires_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="active") & ~Q(text="") & ~Q(provider_id="")
                | Q(outcome__in=["sending", "refused", "unknown"], text=""),
                name="an_active_code_can_be_drawn",
            ),
            models.UniqueConstraint(fields=["account", "provider_reference"], name="one_code_per_reference"),
            models.UniqueConstraint(
                fields=["account", "provider_id"], name="one_code_per_provider_id", condition=~Q(provider_id="")
            ),
            models.UniqueConstraint(fields=["id", "merchant", "livemode"], name="code_has_one_merchant_and_mode"),
        ]
        indexes = [
            models.Index(fields=["store", "-id"], name="static_code_list"),
            models.Index(fields=["lane", "due_at"], name="static_code_due", condition=Q(due_at__isnull=False)),
        ]
        default_permissions = ("view",)
        permissions = [("ask_about_static_code", "Can ask what was paid on a static code")]

    def __str__(self) -> str:
        return str(self.pk)
