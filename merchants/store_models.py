"""Rows of stores: where a merchant sells, and what the screens there may see. `merchants.models` has them too."""

from django.db import models

from core import clock
from core.fields import PublicIdField


class Store(models.Model):
    """A shop, a branch or a kitchen of a merchant. `zone` is of the IANA database.

    `default_method` is how a payment there is asked for that names none; empty: each names its own.
    `default_account` is tried first for payments there, wherever no routing rule places another before it.
    """

    id = PublicIdField(prefix="store")
    merchant = models.ForeignKey("merchants.Merchant", models.PROTECT, related_name="stores")
    livemode = models.BooleanField(default=False)
    name = models.CharField(max_length=100)
    zone = models.CharField(max_length=64, default="UTC")
    default_method = models.CharField(max_length=24, blank=True, default="")
    default_account = models.ForeignKey(
        "merchants.ProviderAccount", models.PROTECT, null=True, related_name="+", db_index=False
    )
    metadata = models.JSONField(default=dict, blank=True)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "merchant", "livemode"], name="store_has_one_merchant_and_mode"),
        ]
        indexes = [models.Index(fields=["merchant", "livemode", "-id"], name="store_list")]
        default_permissions = ("add", "view")
        permissions = [("change_store", "Can change a store, and switch it off and on")]

    def __str__(self) -> str:
        return self.name


class DisplayToken(models.Model):
    """What a screen in one store shows to follow that store's orders, and nothing else (security.md 15).

    Only its keyed hash is stored.
    """

    id = PublicIdField(prefix="dtok")
    store = models.ForeignKey(Store, models.PROTECT, related_name="display_tokens")
    merchant = models.ForeignKey("merchants.Merchant", models.PROTECT, related_name="+")
    livemode = models.BooleanField()
    name = models.CharField(max_length=100)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        indexes = [models.Index(fields=["store", "-id"], name="display_token_list")]
        default_permissions = ("add", "view")
        permissions = [("revoke_display_token", "Can revoke a display token")]

    def __str__(self) -> str:
        return f"{self.name} …{self.last_four}"

    @property
    def is_current(self) -> bool:
        return self.revoked_at is None and self.expires_at > clock.now()
