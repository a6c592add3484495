"""How payments find an account: merchants' rules, the breakers of accounts, and providers that are switched off."""

from django.db import models
from django.db.models import Q

from core import clock
from core.fields import PublicIdField
from core.routing import Strategy


class RoutingRule(models.Model):
    """Who takes which payments of a merchant, as `core.routing.Rule` says. The lowest priority is asked first.

    `targets` are `[{"account": "acct_…", "share": 70}, …]`. Empty `methods` and `currencies` mean any, as does no
    `store`; `least` and `most` are in minor units, and need one currency to be of.
    """

    id = PublicIdField(prefix="rule")
    merchant = models.ForeignKey("merchants.Merchant", models.PROTECT, related_name="routing_rules")
    livemode = models.BooleanField(default=False)
    name = models.CharField(max_length=100)
    priority = models.PositiveSmallIntegerField(default=100, help_text="The lowest is asked first.")
    is_enabled = models.BooleanField(default=True)
    strategy = models.CharField(max_length=12, choices=[(one.value, one.value.replace("_", " ")) for one in Strategy])
    methods = models.JSONField(default=list, blank=True)
    currencies = models.JSONField(default=list, blank=True)
    least = models.BigIntegerField(null=True, blank=True)
    most = models.BigIntegerField(null=True, blank=True)
    targets = models.JSONField(default=list, blank=True)
    only = models.BooleanField(default=False)
    store = models.ForeignKey("merchants.Store", models.PROTECT, null=True, related_name="+", db_index=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(least__isnull=True) | Q(most__isnull=True) | Q(least__lte=models.F("most")),
                name="a_rule_s_amounts_are_a_span",
            )
        ]
        indexes = [models.Index(fields=["merchant", "livemode", "priority", "id"], name="routing_rules_in_order")]
        default_permissions = ("add", "view", "change")

    def __str__(self) -> str:
        return self.name


class Breaker(models.Model):
    """What the newest first calls to an account came to. Open from `opened_at` on, until one of them is answered.

    `streak` counts those that were not answered since the last that was. While it is open, one payment is let
    through each time that `retry_at` comes; `trials` counts them.
    """

    account = models.OneToOneField(
        "merchants.ProviderAccount", models.CASCADE, primary_key=True, related_name="breaker"
    )
    streak = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    trials = models.PositiveIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(opened_at__isnull=True, retry_at__isnull=True)
                | Q(opened_at__isnull=False, retry_at__isnull=False),
                name="an_open_breaker_is_tried_again",
            )
        ]


class ProviderSwitch(models.Model):
    """Whether a provider takes new payments at all, of any merchant. One that was never switched has no row.

    What is open there goes on whatever it says: callbacks, questions, refunds, captures and cancels.
    """

    id = PublicIdField(prefix="psw")
    provider = models.CharField(max_length=32, unique=True)
    is_on = models.BooleanField(default=True)
    changed_at = models.DateTimeField(default=clock.now)
    changed_by = models.CharField(max_length=64, blank=True, default="")
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name_plural = "provider switches"
        default_permissions = ("view",)
        permissions = [("switch_provider", "Can switch a provider off, and ask for it to be switched on again")]

    def __str__(self) -> str:
        return self.provider
