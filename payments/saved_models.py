"""Rows of saved methods: what a customer lets a merchant charge again, and who the customer is at the provider.

`payments.models` has them too. No writes here.
"""

from datetime import UTC, datetime

from django.db import models
from django.db.models import Q

from core import clock
from core.fields import PublicIdField, SealedField, state_field, state_is_known
from events.models import Subjected, Work
from merchants.models import Customer, Merchant, ProviderAccount
from payments import states
from payments.states import SavedMethodState


class ProviderCustomer(models.Model):
    """A customer as one provider account knows them, made there once.

    `key` and the sealed bytes of `request` are written down before the call: whoever needs the customer there sends
    just these. `provider_id` is empty until the provider has answered.
    """

    id = PublicIdField(prefix="pcus")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="provider_customers")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    livemode = models.BooleanField()
    provider_id = models.CharField(max_length=100, blank=True, default="")
    key = models.CharField(max_length=64)
    request = SealedField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "customer"], name="one_customer_at_a_provider_account"),
            models.UniqueConstraint(fields=["id", "livemode"], name="provider_customer_has_one_mode"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class SavedMethod(Work, Subjected):
    """A card or wallet that a customer lets the merchant charge again, at the one provider account that keeps it.

    It is set up by one write, and later given up by another: each has its key, known before it is sent. `request`
    holds the exact bytes of the set-up, `sent_at` when they first went out. `instrument` is the browser's token until
    these bytes are made. `closed_at` is when the provider has confirmed that nothing of it is left there.
    `due_at` is when its next step is due; `asked` counts the questions about an open set-up.
    """

    id = PublicIdField(prefix="sm")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    customer = models.ForeignKey(Customer, models.PROTECT, related_name="saved_methods", db_index=False)
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+")
    holder = models.ForeignKey(ProviderCustomer, models.PROTECT, related_name="saved_methods")
    state = state_field(states.SAVED_METHOD)
    method = models.CharField(max_length=24)
    is_default = models.BooleanField(default=False)
    becomes_default = models.BooleanField(default=False)
    return_url = models.CharField(max_length=500, blank=True, default="")
    metadata = models.JSONField(default=dict)
    reference = models.CharField(max_length=64)
    instrument = SealedField()
    setup_key = models.CharField(max_length=64)
    setup_id = models.CharField(max_length=100, blank=True, default="")
    request = SealedField()
    token_hash = models.CharField(max_length=64, unique=True)
    sent_at = models.DateTimeField(null=True)
    asked = models.PositiveSmallIntegerField(default=0)
    setup_ends_at = models.DateTimeField()
    closing_key = models.CharField(max_length=64)
    closing_since = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    provider_id = models.CharField(max_length=100, blank=True, default="")
    provider_status = models.CharField(max_length=100, blank=True, default="")
    brand = models.CharField(max_length=32, blank=True, default="")
    last4 = models.CharField(max_length=4, blank=True, default="")
    exp_month = models.PositiveSmallIntegerField(null=True)
    exp_year = models.PositiveSmallIntegerField(null=True)
    ends_at = models.DateTimeField(null=True)
    noticed_end = models.DateTimeField(null=True)
    fingerprint = models.CharField(max_length=64, blank=True, default="")
    payer_hint = models.CharField(max_length=100, blank=True, default="")
    next_action = models.JSONField(null=True)
    failure_code = models.CharField(max_length=32, blank=True, default="")
    failure_message = models.CharField(max_length=300, blank=True, default="")
    by = models.CharField(max_length=64)

    class Meta:
        constraints = [
            state_is_known(states.SAVED_METHOD, name="saved_method_state_is_known"),
            models.UniqueConstraint(
                fields=["account", "provider_id"], name="one_saved_method_per_provider_id", condition=~Q(provider_id="")
            ),
            models.UniqueConstraint(fields=["customer"], name="one_default_saved_method", condition=Q(is_default=True)),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(state="active") | Q(state="expired"), name="a_default_method_is_kept"
            ),
            models.UniqueConstraint(fields=["id", "livemode"], name="saved_method_has_one_mode"),
            models.UniqueConstraint(
                fields=["id", "merchant", "livemode"], name="saved_method_has_one_merchant_and_mode"
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "livemode", "-id"], name="saved_method_list"),
            models.Index(fields=["customer", "-id"], name="saved_method_customer"),
            models.Index(fields=["lane", "due_at"], name="saved_method_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["ends_at"], name="saved_method_ends", condition=Q(state="active")),
        ]
        permissions = [("act_on_saved_method", "Can ask about a saved method, and give one up")]

    @property
    def is_usable(self) -> bool:
        """Whether it may be charged now: kept, and not past its card's last month."""
        return self.state == SavedMethodState.ACTIVE and (self.ends_at is None or self.ends_at > clock.now())


def end_of_month(year: int, month: int) -> datetime:
    """When a card with this last month ends: the first moment of the next one, in UTC."""
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
