"""What is written down because it happened: callbacks, transitions, events, keys, audit.

Rows here name their merchant and subject by public id, without foreign keys: this floor knows no domain.
"""

from typing import Any

from django.db import models
from django.db.models import Q

from core import clock
from core.fields import PublicIdField, SealedField
from events.approval_models import Approval as Approval
from events.job_models import Job as Job
from events.key_models import DataKey as DataKey
from events.key_models import InheritedKey as InheritedKey


class Work(models.Model):
    """Work that waits as a row. `due_at` is null when there is nothing to do.

    Claiming sets `claim` and moves `due_at` to the end of the lease, so that work of a worker who died
    becomes due again by itself.
    """

    lane = models.CharField(max_length=64)
    due_at = models.DateTimeField(null=True)
    claim = models.UUIDField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        abstract = True


class LanePace(models.Model):
    """How many rows of a lane may be begun in a second. `next_at` is when the next is due if they came evenly."""

    queue = models.CharField(max_length=64)
    lane = models.CharField(max_length=64)
    per_second = models.PositiveIntegerField()
    next_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["queue", "lane"], name="one_pace_per_lane"),
            models.CheckConstraint(condition=Q(per_second__gt=0), name="pace_is_positive"),
        ]


class Callback(Work):
    """A provider's callback as it arrived, sealed, and what became of it.

    `lane` is the provider account. `proof` is what its door declares; a quarantined one came with a right
    token but from a wrong address or with a wrong signature.
    """

    class State(models.TextChoices):
        RECEIVED = "received"
        PROCESSED = "processed"
        IGNORED = "ignored"
        UNMATCHED = "unmatched"
        PARKED = "parked"
        QUARANTINED = "quarantined"

    id = PublicIdField(prefix="cb")
    merchant = models.CharField(max_length=32)
    livemode = models.BooleanField()
    account = models.CharField(max_length=32)
    provider = models.CharField(max_length=32)
    door = models.CharField(max_length=32)
    operation = models.CharField(max_length=32, blank=True, default="")
    subject = models.CharField(max_length=32, blank=True, default="")
    headers = SealedField()
    body = SealedField()
    digest = models.CharField(max_length=64)
    address = models.GenericIPAddressField()
    request_id = models.CharField(max_length=64, blank=True, default="")
    state = models.CharField(max_length=16, choices=State.choices, default=State.RECEIVED)
    note = models.CharField(max_length=500, blank=True, default="")
    received_at = models.DateTimeField(default=clock.now)
    processed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    state__in=["received", "processed", "ignored", "unmatched", "parked", "quarantined"],
                ),
                name="callback_state_is_known",
            ),
        ]
        indexes = [
            models.Index(fields=["lane", "due_at"], name="callback_due", condition=Q(due_at__isnull=False)),
            models.Index(fields=["subject"], name="callback_subject"),
            models.Index(fields=["operation"], name="callback_operation", condition=~Q(operation="")),
            models.Index(fields=["account", "received_at"], name="callback_account"),
            models.Index(fields=["state", "received_at"], name="callback_state"),
        ]
        permissions = [("reprocess_callback", "Can process a callback again")]

    def __str__(self) -> str:
        return str(self.pk)


class CallbackKey(models.Model):
    """The narrow row that recognises a redelivery. Only a verified callback takes one."""

    account = models.CharField(max_length=32)
    door = models.CharField(max_length=32)
    key = models.CharField(max_length=255)
    callback = models.CharField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "door", "key"], name="one_callback_per_event")]
        indexes = [models.Index(fields=["callback"], name="key_of_callback")]


class Transition(models.Model):
    """One step of one subject. `sequence` counts the steps and facts of a subject without gaps."""

    id = PublicIdField(prefix="trn")
    subject = models.CharField(max_length=32)
    sequence = models.PositiveIntegerField()
    from_state = models.CharField(max_length=24)
    to_state = models.CharField(max_length=24)
    by = models.CharField(max_length=64)
    because = models.CharField(max_length=500)
    request_id = models.CharField(max_length=64, blank=True, default="")
    at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "sequence"], name="one_transition_per_sequence")]


class Event(models.Model):
    """An outbox row. `position` is given by the sequencer after commit; readers follow it without gaps.

    `store` is the public id of the store whose screens follow it; empty where it is of none.
    """

    id = PublicIdField(prefix="evt")
    position = models.BigIntegerField(null=True)
    merchant = models.CharField(max_length=32)
    livemode = models.BooleanField()
    type = models.CharField(max_length=64)
    subject = models.CharField(max_length=32)
    sequence = models.PositiveIntegerField()
    store = models.CharField(max_length=32, blank=True, default="")
    data = models.JSONField()
    api_version = models.CharField(max_length=10)
    request_id = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject", "sequence"], name="one_event_per_sequence"),
            models.UniqueConstraint(
                fields=["position"], name="one_event_per_position", condition=Q(position__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["subject", "sequence"], name="event_waiting", condition=Q(position__isnull=True)),
            models.Index(fields=["merchant", "livemode", "-id"], name="event_list"),
            models.Index(fields=["store", "position"], name="event_store", condition=~Q(store="")),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class Cursor(models.Model):
    """How far a reader of the outbox has come; `sequencer` is how far positions have been given."""

    name = models.CharField(max_length=64, primary_key=True)
    position = models.BigIntegerField(default=0)


class UnreadSubject(Work):
    """A subject whose events a reader cannot read, from `position` on. `lane` is the reader."""

    subject = models.CharField(max_length=32)
    position = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lane", "subject"], name="one_place_per_reader_and_subject")]
        indexes = [models.Index(fields=["lane", "due_at"], name="unread_due", condition=Q(due_at__isnull=False))]


class IdempotencyKey(models.Model):
    """A key binds a merchant's request to one object for ever. Narrow, never purged."""

    id = models.BigAutoField(primary_key=True)
    merchant = models.CharField(max_length=32)
    livemode = models.BooleanField()
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    object_id = models.CharField(max_length=32)
    lease_until = models.DateTimeField()
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["merchant", "livemode", "key"], name="one_object_per_idempotency_key")
        ]


class IdempotencyAnswer(models.Model):
    """The first answer to a key, sealed as the object that it shows is, kept for 48 hours."""

    id = PublicIdField(prefix="idem")
    merchant = models.CharField(max_length=32)
    livemode = models.BooleanField()
    key = models.CharField(max_length=255)
    data_key_owner = models.CharField(max_length=32, blank=True, default="")
    status = models.PositiveSmallIntegerField()
    body = SealedField()
    created_at = models.DateTimeField(default=clock.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["merchant", "livemode", "key"], name="one_answer_per_key")]


class AuditEntries(models.QuerySet["AuditEntry"]):
    def answered(self, status_class: str) -> "AuditEntries":
        """Requests whose answer was of that class, such as 4xx."""
        first = 100 * AuditEntry.STATUS_CLASSES.index(status_class) + 200
        return self.filter(status__gte=first, status__lt=first + 100)


class AuditEntry(models.Model):
    """Who did what. Inserted only; `mac` is the row's own HMAC, so that an edited row shows itself.

    For the API these rows are the request log too: `accepted` with the claim, `answered` with the outcome,
    `refused` where a known key was. Only such rows have a `method` and a `route`, which is the path with the names
    of its parts instead of their values.
    """

    STATUS_CLASSES = ("2xx", "3xx", "4xx", "5xx")

    id = PublicIdField(prefix="aud")
    merchant = models.CharField(max_length=32, blank=True, default="")
    livemode = models.BooleanField(default=False)
    actor = models.CharField(max_length=64)
    action = models.CharField(max_length=64)
    object_id = models.CharField(max_length=32, blank=True, default="")
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True, default="")
    method = models.CharField(max_length=8, blank=True, default="")
    route = models.CharField(max_length=200, blank=True, default="")
    status = models.PositiveSmallIntegerField(null=True)
    milliseconds = models.PositiveIntegerField(null=True)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField(default=clock.now)
    mac = models.CharField(max_length=64)

    objects = AuditEntries.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["object_id"], name="audit_object"),
            models.Index(fields=["merchant", "livemode", "-at", "-id"], name="audit_merchant_history"),
            models.Index(fields=["actor", "-at", "-id"], name="audit_actor_history"),
            models.Index(fields=["request_id"], name="audit_request"),
            models.Index(fields=["-id"], name="audit_failed", condition=Q(status__gte=400)),
            models.Index(
                fields=["merchant", "livemode", "-at", "-id"],
                name="audit_failed_history",
                condition=Q(status__gte=400),
            ),
        ]

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def request_told(self) -> str:
        """`GET /v1/payments: 200 in 12 ms`; empty for what was no request to the API."""
        outcome = f": {self.status}" if self.status else ""
        took = f" in {self.milliseconds} ms" if self.milliseconds is not None else ""
        return f"{self.method} {self.route}{outcome}{took}" if self.method else ""


class RefusedKeys(models.Model):
    """A flood of unknown keys, counted: one row per reason, block of addresses and minute."""

    reason = models.CharField(max_length=32)
    block = models.CharField(max_length=64)
    minute = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reason", "block", "minute"], name="one_count_per_minute")]


class Attention(models.Model):
    """Something that a person must look at. At most one open item per subject and reason."""

    class Reason(models.TextChoices):
        UNKNOWN = "unknown", "outcome unknown at the end of its schedule"
        PARKED = "parked", "a word that contradicts or is not known"
        UNMATCHED = "unmatched", "a callback that fits no operation"
        UNDERPAID = "underpaid", "less money than was asked"
        OVERPAID = "overpaid", "more money than was asked"
        QUARANTINED = "quarantined", "a callback from a wrong address or with a wrong signature"
        FAILING = "failing", "work that fails again and again"
        OVERDRAWN = "overdrawn", "an account below zero by what has happened"
        SUSPENDED = "suspended", "money in another currency than was asked"
        UNREAD = "unread", "an event that a reader of the outbox cannot read"
        DISCREPANCY = "discrepancy", "a provider's statement and the books that disagree"

    id = PublicIdField(prefix="attn")
    merchant = models.CharField(max_length=32, blank=True, default="")
    livemode = models.BooleanField(default=False)
    subject = models.CharField(max_length=32)
    reason = models.CharField(max_length=16, choices=Reason.choices)
    detail = models.CharField(max_length=500, blank=True, default="")
    opened_at = models.DateTimeField(default=clock.now)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        verbose_name_plural = "attention"
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "reason"],
                name="one_open_item_per_reason",
                condition=Q(closed_at__isnull=True),
            )
        ]
        indexes = [models.Index(fields=["closed_at", "-id"], name="attention_open")]
        permissions = [("close_attention", "Can close an attention item")]

    def __str__(self) -> str:
        return str(self.pk)


class Subjected(models.Model):
    """What every subject's own table has: its state, and the count of what has happened to it."""

    merchant: Any
    livemode = models.BooleanField()
    sequence = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    state_changed_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.pk)
