"""Rows of webhooks: where a merchant wants its events, and how each of them fared. `merchants.models` has them too."""

from django.db import models
from django.db.models import Q

from core import clock
from core.fields import PublicIdField, SealedField
from events.models import Event, Work


class WebhookEndpoint(models.Model):
    """Where a merchant wants its events. `event_types` empty means all.

    `earlier_secrets` are those that were rotated away and still sign, each until a moment of its own; the last one
    ends at `earlier_secrets_until`. `warnings` counts what was told of its present failing.
    """

    id = PublicIdField(prefix="we")
    merchant = models.ForeignKey("merchants.Merchant", models.PROTECT, related_name="webhook_endpoints")
    livemode = models.BooleanField(default=False)
    url = models.URLField(max_length=500)
    description = models.CharField(max_length=200, blank=True, default="")
    event_types = models.JSONField(default=list, blank=True)
    secret = SealedField()
    earlier_secrets = SealedField()
    earlier_secrets_until = models.DateTimeField(null=True, blank=True, editable=False)
    max_per_second = models.PositiveIntegerField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    is_enabled = models.BooleanField(default=True)
    disabled_because = models.CharField(max_length=200, blank=True, default="")
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    warnings = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    sequence = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    api_version = models.CharField(max_length=10)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["id", "livemode"], name="endpoint_has_one_mode")]
        permissions = [
            ("ping_endpoint", "Can send a test event to a webhook endpoint"),
            ("replay_events", "Can send earlier events to a webhook endpoint again"),
        ]

    def __str__(self) -> str:
        return self.url


class Delivery(Work):
    """One event on its way to one endpoint. `lane` is the endpoint."""

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"
        DISCARDED = "discarded"

    id = PublicIdField(prefix="dlv")
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="deliveries", db_index=False)
    event = models.ForeignKey(Event, models.PROTECT, related_name="deliveries")
    livemode = models.BooleanField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    created_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="one_delivery_per_endpoint_and_event"),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "delivered", "failed", "discarded"]),
                name="delivery_state_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["lane", "due_at"], name="delivery_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["endpoint", "-id"], name="delivery_log"),
            models.Index(
                fields=["endpoint", "state", "-id"],
                name="delivery_ended_badly",
                condition=Q(state__in=["failed", "discarded"]),
            ),
        ]
        permissions = [("redeliver_delivery", "Can deliver an event again")]

    def __str__(self) -> str:
        return str(self.pk)


class DeliveryAttempt(models.Model):
    """One try: `status` is the endpoint's HTTP status, or null where `fault` says why there was none."""

    id = PublicIdField(prefix="try")
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="attempts")
    at = models.DateTimeField(default=clock.now)
    status = models.PositiveSmallIntegerField(null=True)
    milliseconds = models.PositiveIntegerField()
    answer = models.CharField(max_length=2048, blank=True, default="")
    fault = models.CharField(max_length=200, blank=True, default="")


class WebhookReplay(Work):
    """Events that are sent to one endpoint again: one `event`, or those of a span of time. `lane` is the endpoint.

    A span is staged in steps; `after` is the last event that was looked at. `event_types` empty means what the
    endpoint wants.
    """

    id = PublicIdField(prefix="wrep")
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="replays")
    livemode = models.BooleanField()
    event = models.CharField(max_length=32, blank=True, default="")
    since = models.DateTimeField(null=True)
    until = models.DateTimeField(null=True)
    event_types = models.JSONField(default=list)
    after = models.CharField(max_length=32, blank=True, default="")
    staged = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True)
    stopped_because = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint"], name="one_replay_at_a_time", condition=Q(finished_at__isnull=True)
            )
        ]
        indexes = [models.Index(fields=["lane", "due_at"], name="replay_due", condition=Q(due_at__isnull=False))]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def progress(self) -> str:
        if self.finished_at is None:
            return "running"
        return "stopped" if self.stopped_because else "finished"


class InternalDelivery(Work):
    """An event that a subscriber within the company has not taken yet; taken ones leave. `lane` is the subscriber."""

    id = PublicIdField(prefix="idlv")
    subscriber = models.CharField(max_length=32)
    event = models.ForeignKey(Event, models.PROTECT, related_name="+", db_index=False)
    status = models.PositiveSmallIntegerField(null=True)
    fault = models.CharField(max_length=200, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name_plural = "internal deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "subscriber"], name="one_internal_delivery_per_event"),
        ]
        indexes = [
            models.Index(fields=["lane", "due_at"], name="internal_due", condition=Q(due_at__isnull=False)),
        ]
        default_permissions = ("view",)
        permissions = [("resend_internal_delivery", "Can send an event to a subscriber again")]

    def __str__(self) -> str:
        return str(self.pk)
