"""Who our customers are, what they may do, and the doors they use."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from core import clock
from core.fields import PublicIdField, SealedField, state_field, state_is_known
from events.models import Subjected
from merchants import states
from merchants.routing_models import Breaker, ProviderSwitch, RoutingRule
from merchants.store_models import DisplayToken, Store
from merchants.webhook_models import Delivery, DeliveryAttempt, InternalDelivery, WebhookEndpoint, WebhookReplay

__all__ = [
    "ApiKey",
    "Breaker",
    "CallbackToken",
    "Customer",
    "Delivery",
    "DeliveryAttempt",
    "DisplayToken",
    "FeeSchedule",
    "FeeTier",
    "InternalDelivery",
    "Merchant",
    "ProviderAccount",
    "ProviderSwitch",
    "ProviderToken",
    "RoutingRule",
    "Store",
    "WebhookEndpoint",
    "WebhookReplay",
]


class Merchant(models.Model):
    id = PublicIdField(prefix="mer")
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    default_region = models.CharField(
        max_length=2,
        blank=True,
        default="",
        help_text="The country (ISO 3166, such as KE) in which phone numbers without a country code are read.",
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """A merchant's key. Only its keyed hash is stored; the key itself is shown once."""

    id = PublicIdField(prefix="key")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="api_keys")
    livemode = models.BooleanField(default=False)
    name = models.CharField(max_length=100)
    owner = models.CharField(max_length=200, help_text="The person who answers for this key.")
    hash = models.CharField(max_length=64, unique=True, editable=False)
    prefix = models.CharField(max_length=12, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    scopes = models.JSONField(default=list)
    allowed_addresses = models.JSONField(
        default=list, blank=True, help_text="Addresses or CIDR blocks that may use the key; empty: any."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_address = models.GenericIPAddressField(null=True, blank=True, editable=False)
    api_version = models.CharField(max_length=10)
    sequence = models.PositiveIntegerField(default=0, editable=False)
    noticed_days = models.PositiveSmallIntegerField(
        null=True, editable=False, help_text="The last day-mark before its end that needs no notice any more."
    )
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        verbose_name = "API key"
        permissions = [
            ("revoke_api_key", "Can revoke an API key"),
            ("set_key_addresses", "Can change the addresses from which an API key may be used"),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="api_key_ends",
                condition=Q(expires_at__isnull=False, revoked_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…{self.last_four}"

    @property
    def is_current(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > clock.now())


class ProviderAccount(models.Model):
    """A merchant's account at a provider: sealed credentials, and options that the adapter validates.

    `app_fingerprint` is that of the credential which names the app whose one live access token the account holds;
    empty for providers without such tokens.
    """

    id = PublicIdField(prefix="acct")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="provider_accounts")
    livemode = models.BooleanField(default=False)
    provider = models.CharField(max_length=32)
    name = models.CharField(max_length=100)
    host = models.CharField(max_length=32)
    credentials = SealedField()
    app_fingerprint = models.CharField(max_length=64, blank=True, default="", editable=False)
    options = models.JSONField(default=dict, blank=True)
    priority = models.PositiveSmallIntegerField(default=100, help_text="The lowest takes new payments first.")
    is_enabled = models.BooleanField(default=True)
    revision = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "livemode"], name="account_has_one_mode"),
            models.UniqueConstraint(fields=["id", "merchant", "livemode"], name="account_has_one_merchant_and_mode"),
            models.UniqueConstraint(
                fields=["provider", "livemode", "app_fingerprint"],
                name="one_account_per_provider_app",
                condition=~Q(app_fingerprint=""),
            ),
        ]
        permissions = [
            ("set_credentials", "Can write a provider account's credentials"),
            ("rotate_callback_token", "Can give a provider account new callback paths and close earlier ones"),
            ("switch_off_account", "Can switch a provider account off"),
            ("switch_on_account", "Can ask for a provider account to be switched on again, and allow it"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.provider})"


class Customer(Subjected):
    """A person or business that a merchant deals with. Contact data is sealed under a data key of its own.

    The fingerprints, made under the master key `fingerprint_key`, find it; the hints are masked. A duplicate keeps
    its row and is answered for by `merged_into`, which is never a duplicate itself. An erased one is empty.
    """

    class Type(models.TextChoices):
        PERSON = "person"
        BUSINESS = "business"

    id = PublicIdField(prefix="cus")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="customers")
    state = state_field(states.CUSTOMER)
    type = models.CharField(max_length=8, choices=Type.choices, default=Type.PERSON)
    reference = models.CharField(max_length=100, null=True)
    name = SealedField()
    email = SealedField()
    phone = SealedField()
    address = SealedField()
    name_hint = models.CharField(max_length=40, blank=True, default="")
    email_hint = models.CharField(max_length=260, blank=True, default="")
    phone_hint = models.CharField(max_length=16, blank=True, default="")
    email_fingerprint = models.CharField(max_length=64, null=True)
    phone_fingerprint = models.CharField(max_length=64, null=True)
    fingerprint_key = models.CharField(max_length=64, blank=True, default="")
    metadata = models.JSONField(default=dict)
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, related_name="duplicates")
    legal_hold = models.BooleanField(default=False)
    legal_hold_reason = models.CharField(max_length=300, blank=True, default="")
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            state_is_known(states.CUSTOMER, name="customer_state_is_known"),
            models.UniqueConstraint(fields=["merchant", "livemode", "reference"], name="one_customer_per_reference"),
            models.UniqueConstraint(fields=["id", "merchant", "livemode"], name="customer_has_one_merchant_and_mode"),
            models.CheckConstraint(
                condition=~Q(state="erased")
                | Q(
                    name=None,
                    email=None,
                    phone=None,
                    address=None,
                    name_hint="",
                    email_hint="",
                    phone_hint="",
                    email_fingerprint=None,
                    phone_fingerprint=None,
                    reference=None,
                    metadata={},
                    legal_hold=False,
                    erased_at__isnull=False,
                ),
                name="an_erased_customer_is_empty",
            ),
            models.CheckConstraint(
                condition=Q(legal_hold=False) | ~Q(legal_hold_reason=""), name="a_legal_hold_has_a_reason"
            ),
            models.CheckConstraint(
                condition=~Q(state="merged") | Q(merged_into__isnull=False), name="a_duplicate_has_a_survivor"
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "livemode", "-id"], name="customer_list"),
            models.Index(fields=["merchant", "livemode", "email_fingerprint"], name="customer_email"),
            models.Index(fields=["merchant", "livemode", "phone_fingerprint"], name="customer_phone"),
        ]
        permissions = [
            ("merge_customer", "Can merge two customers into one"),
            ("erase_customer", "Can erase a customer"),
            ("hold_customer", "Can put a customer under a legal hold and end it"),
        ]

    @property
    def data_key_owner(self) -> str:
        return str(self.pk)

    @property
    def survivor(self) -> "Customer":
        """Who answers for this one."""
        return self.merged_into or self


class FeeSchedule(models.Model):
    """What a provider takes of an account's payments from a moment on, until a later schedule takes its place.

    `method` empty means any. `tax_percent` is the tax on the fee. Neither a schedule nor its tiers are ever changed:
    the database refuses.
    """

    id = PublicIdField(prefix="fsch")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="fee_schedules")
    method = models.CharField(max_length=24, blank=True, default="")
    currency = models.CharField(max_length=3)
    effective_from = models.DateTimeField()
    tax_percent = models.DecimalField(max_digits=7, decimal_places=4, default=Decimal(0))
    note = models.CharField(max_length=300, blank=True, default="")
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "method", "currency", "effective_from"], name="one_fee_schedule_from_a_moment"
            ),
            models.CheckConstraint(condition=Q(tax_percent__gte=0, tax_percent__lte=100), name="fee_tax_is_a_share"),
        ]
        default_permissions = ("add", "view")

    def __str__(self) -> str:
        return f"{self.method or 'any method'}, {self.currency}"


class FeeTier(models.Model):
    """The fee of amounts from `from_amount` to the next tier: `fixed`, and `percent` of the amount. Minor units."""

    schedule = models.ForeignKey(FeeSchedule, models.PROTECT, related_name="tiers")
    from_amount = models.BigIntegerField()
    fixed = models.BigIntegerField()
    percent = models.DecimalField(max_digits=7, decimal_places=4)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["schedule", "from_amount"], name="one_fee_tier_from_an_amount"),
            models.CheckConstraint(condition=Q(from_amount__gte=0), name="fee_tier_starts_at_an_amount"),
            models.CheckConstraint(condition=Q(fixed__gte=0), name="fixed_fee_is_not_negative"),
            models.CheckConstraint(condition=Q(percent__gte=0, percent__lte=100), name="fee_percent_is_a_share"),
        ]
        default_permissions = ()


class CallbackToken(models.Model):
    """The unguessable word in an account's callback paths. Several are valid at once while one is replaced."""

    id = PublicIdField(prefix="ctok")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="callback_tokens")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    livemode = models.BooleanField()
    hash = models.CharField(max_length=64, unique=True)
    token = SealedField()
    created_at = models.DateTimeField(default=clock.now)
    revoked_at = models.DateTimeField(null=True)


class ProviderToken(models.Model):
    """The one live access token of an account, refreshed by whoever holds the lease."""

    account = models.OneToOneField(ProviderAccount, models.CASCADE, primary_key=True, related_name="access_token")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    livemode = models.BooleanField()
    token = SealedField()
    expires_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
