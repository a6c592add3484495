"""Rows of money coming in. No writes here: `payments/services` writes, `events.transitions.move` sets states."""

from django.db import models
from django.db.models import F, Q

from core import clock
from core.fields import PublicIdField, SealedField, state_field, state_is_known
from core.money import Money
from events.models import Subjected, Work
from merchants.models import Customer, Merchant, ProviderAccount, Store
from orders.models import Order
from payments import states
from payments.arrival_models import Registration, ReportedReceipt, UnallocatedReceipt
from payments.dispute_models import Dispute, DisputeMovement
from payments.providers.base import FailureCode, Kind, ReceiptKind
from payments.saved_models import ProviderCustomer, SavedMethod
from payments.schedule_models import Schedule, ScheduleCharge, SchedulePeriod
from payments.static_models import StaticCode

__all__ = [
    "Attempt",
    "Dispute",
    "DisputeMovement",
    "Fee",
    "Operation",
    "Overpayment",
    "Payment",
    "ProviderCustomer",
    "Receipt",
    "Refund",
    "Registration",
    "ReportedReceipt",
    "SavedMethod",
    "Schedule",
    "ScheduleCharge",
    "SchedulePeriod",
    "StaticCode",
    "UnallocatedReceipt",
]


class Payment(Subjected):
    """What a merchant asks for. `captured_amount` and `refund_reserved` are kept under this row's lock.

    `fee_amount` is what its captures cost and `net_amount` what is left, both in `settlement_currency`; they are
    what is expected until `fee_is_final`. `settlement_reference` is the provider's id of the line that settles it,
    and then of the settlement itself. `link_hash` is that of the token in the link by which an absent payer is
    brought back. `unconfirmed` says that money is told of which the provider does not show yet.
    """

    class Capture(models.TextChoices):
        AUTOMATIC = "automatic"
        MANUAL = "manual"

    id = PublicIdField(prefix="pay")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="payments")
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, related_name="payments", db_index=False)
    store = models.ForeignKey(Store, models.PROTECT, null=True, related_name="payments", db_index=False)
    order = models.ForeignKey(Order, models.PROTECT, null=True, related_name="payments", db_index=False)
    saved_method = models.ForeignKey(SavedMethod, models.PROTECT, null=True, related_name="payments", db_index=False)
    off_session = models.BooleanField(default=False)
    state = state_field(states.PAYMENT)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    method = models.CharField(max_length=24)
    channel = models.CharField(max_length=32, blank=True, default="")
    capture = models.CharField(max_length=10, choices=Capture.choices, default=Capture.AUTOMATIC)
    reference = models.CharField(max_length=100, blank=True, default="")
    description = models.CharField(max_length=200, blank=True, default="")
    lines = models.JSONField(default=list)
    metadata = models.JSONField(default=dict)
    return_url = models.CharField(max_length=500, blank=True, default="")
    expires_at = models.DateTimeField(null=True)
    instrument = SealedField()
    payer = SealedField()
    instrument_hint = models.CharField(max_length=32, blank=True, default="")
    next_action = models.JSONField(null=True)
    failure_code = models.CharField(max_length=32, blank=True, default="")
    failure_message = models.CharField(max_length=300, blank=True, default="")
    failure_is_final = models.BooleanField(default=False)
    link_hash = models.CharField(max_length=64, null=True)
    captured_amount = models.BigIntegerField(default=0)
    refund_reserved = models.BigIntegerField(default=0)
    refunded_amount = models.BigIntegerField(default=0)
    late = models.BooleanField(default=False)
    underpaid = models.BooleanField(default=False)
    unconfirmed = models.BooleanField(default=False)
    fee_amount = models.BigIntegerField(null=True)
    fee_is_final = models.BooleanField(default=False)
    net_amount = models.BigIntegerField(null=True)
    settlement_currency = models.CharField(max_length=3, blank=True, default="")
    settlement_reference = models.CharField(max_length=100, blank=True, default="")
    settles_on = models.DateField(null=True)
    is_settled = models.BooleanField(default=False)

    class Meta:
        constraints = [
            state_is_known(states.PAYMENT, name="payment_state_is_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_is_positive"),
            models.CheckConstraint(condition=Q(captured_amount__gte=0), name="captured_is_not_negative"),
            models.CheckConstraint(
                condition=Q(refund_reserved__gte=0) & Q(refund_reserved__lte=F("captured_amount")),
                name="refunds_stay_within_captured",
            ),
            models.UniqueConstraint(fields=["id", "livemode"], name="payment_has_one_mode"),
            models.UniqueConstraint(
                fields=["link_hash"], name="one_payment_per_link", condition=Q(link_hash__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["merchant", "livemode", "-id"], name="payment_list"),
            models.Index(fields=["merchant", "livemode", "reference"], name="payment_reference"),
            models.Index(fields=["-id"], name="payment_newest"),
            models.Index(fields=["customer", "-id"], name="payment_customer", condition=Q(customer__isnull=False)),
            models.Index(fields=["store", "-id"], name="payment_store", condition=Q(store__isnull=False)),
            models.Index(fields=["order", "-id"], name="payment_order", condition=Q(order__isnull=False)),
            models.Index(fields=["merchant", "livemode", "-created_at", "-id"], name="payment_history"),
            models.Index(
                fields=["store", "-created_at", "-id"],
                name="payment_store_history",
                condition=Q(store__isnull=False),
            ),
            models.Index(
                fields=["saved_method", "-id"], name="payment_saved_method", condition=Q(saved_method__isnull=False)
            ),
        ]
        permissions = [
            ("act_on_payment", "Can ask about, cancel, refund or accept a payment"),
            ("settle_payment", "Can record that a payment has been settled"),
        ]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def is_open(self) -> bool:
        return self.state not in states.PAYMENT.terminals

    @property
    def failure_is_retryable(self) -> bool:
        """Whether the same charge may succeed later: a soft decline. False where nothing has failed."""
        return bool(self.failure_code) and not self.failure_is_final and FailureCode(self.failure_code).is_retryable

    @property
    def refundable_amount(self) -> int:
        return self.captured_amount - self.refund_reserved

    @property
    def kept_amount(self) -> int:
        """What counts as paid. Before a payment has succeeded, what is given back of it is not paid."""
        if self.state == states.PaymentState.SUCCEEDED:
            return self.captured_amount
        return self.captured_amount - max(self.refund_reserved, self.refunded_amount)


class Attempt(Subjected):
    """One try of a payment at one provider account.

    `prompt_lock` keeps a second prompt from the same phone while one is open. `closing_as` is the state
    that the payment takes once the provider confirms that nothing is payable there any more.
    `asked_amount` is what the last operation that collects money asked for.
    """

    id = PublicIdField(prefix="att")
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="attempts")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+")
    state = state_field(states.ATTEMPT)
    provider_reference = models.CharField(max_length=64)
    provider_id = models.CharField(max_length=100, blank=True, default="")
    provider_status = models.CharField(max_length=100, blank=True, default="")
    asked_amount = models.BigIntegerField()
    prompt_lock = models.CharField(max_length=64, null=True)
    closing_as = models.CharField(max_length=16, blank=True, default="")
    failure_code = models.CharField(max_length=32, blank=True, default="")
    failure_provider_code = models.CharField(max_length=100, blank=True, default="")
    failure_message = models.CharField(max_length=300, blank=True, default="")
    failure_is_final = models.BooleanField(default=False)
    late = models.BooleanField(default=False)

    class Meta:
        ordering = ("pk",)  # as they were made
        constraints = [
            state_is_known(states.ATTEMPT, name="attempt_state_is_known"),
            models.UniqueConstraint(fields=["account", "provider_reference"], name="one_attempt_per_reference"),
            models.UniqueConstraint(
                fields=["account", "provider_id"],
                name="one_attempt_per_provider_id",
                condition=~Q(provider_id=""),
            ),
            models.UniqueConstraint(
                fields=["account", "prompt_lock"],
                name="one_open_prompt",
                condition=Q(prompt_lock__isnull=False),
            ),
            models.UniqueConstraint(fields=["id", "livemode"], name="attempt_has_one_mode"),
        ]

    @property
    def asked(self) -> Money:
        return Money(self.asked_amount, self.payment.currency)


class Refund(Subjected):
    """Money going back. `origin` is "provider" for one that was begun at the provider's own dashboard.

    `store` is its payment's, so that the history of one store is read by an index.
    """

    class Origin(models.TextChoices):
        API = "api"
        PROVIDER = "provider"

    id = PublicIdField(prefix="ref")
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    attempt = models.ForeignKey(Attempt, models.PROTECT, related_name="refunds")
    store = models.ForeignKey(Store, models.PROTECT, null=True, related_name="+", db_index=False)
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    state = state_field(states.REFUND)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=200, blank=True, default="")
    metadata = models.JSONField(default=dict)
    origin = models.CharField(max_length=8, choices=Origin.choices, default=Origin.API)
    provider_id = models.CharField(max_length=100, blank=True, default="")
    provider_status = models.CharField(max_length=100, blank=True, default="")
    failure_code = models.CharField(max_length=32, blank=True, default="")
    failure_message = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints = [
            state_is_known(states.REFUND, name="refund_state_is_known"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_is_positive"),
            models.UniqueConstraint(
                fields=["attempt", "provider_id"],
                name="one_refund_per_provider_id",
                condition=~Q(provider_id=""),
            ),
            models.UniqueConstraint(fields=["id", "livemode"], name="refund_has_one_mode"),
        ]
        indexes = [
            models.Index(fields=["merchant", "livemode", "-created_at", "-id"], name="refund_history"),
            models.Index(
                fields=["store", "-created_at", "-id"],
                name="refund_store_history",
                condition=Q(store__isnull=False),
            ),
        ]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class Operation(Work, Subjected):
    """One write at a provider, or one question that is answered later (LOOKUP).

    `request` holds the exact bytes, sealed, only where the provider lets the same write be sent again.
    `due_at` is when its outcome is asked about next; `asked` counts the questions.
    """

    id = PublicIdField(prefix="op")
    attempt = models.ForeignKey(Attempt, models.PROTECT, related_name="operations")
    refund = models.ForeignKey(Refund, models.PROTECT, null=True, related_name="operations")
    dispute = models.ForeignKey(Dispute, models.PROTECT, null=True, related_name="operations")
    about = models.ForeignKey("self", models.PROTECT, null=True, related_name="lookups")
    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in Kind])
    state = state_field(states.OPERATION)
    key = models.CharField(max_length=64)
    token_hash = models.CharField(max_length=64, unique=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    target_id = models.CharField(max_length=100, blank=True, default="")
    provider_id = models.CharField(max_length=100, blank=True, default="")
    request = SealedField()
    by = models.CharField(max_length=64)
    sent_at = models.DateTimeField(null=True)
    asked = models.PositiveSmallIntegerField(default=0)
    failure_code = models.CharField(max_length=32, blank=True, default="")
    failure_message = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        constraints = [
            state_is_known(states.OPERATION, name="operation_state_is_known"),
            models.UniqueConstraint(
                fields=["attempt"],
                name="one_open_change",
                condition=Q(kind__in=["confirm", "capture", "cancel"], state__in=["created", "sending", "unknown"]),
            ),
            models.UniqueConstraint(
                fields=["dispute"],
                name="one_open_answer",
                condition=Q(kind__in=["evidence", "accept"], state__in=["created", "sending", "unknown"]),
            ),
            models.UniqueConstraint(
                fields=["about"],
                name="one_open_lookup",
                condition=Q(kind="lookup", state__in=["created", "sending"]),
            ),
        ]
        indexes = [models.Index(fields=["lane", "due_at"], name="operation_due", condition=Q(due_at__isnull=False))]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class Receipt(models.Model):
    """Money that a provider reports as moved, booked before any state changes.

    `provider_money_id` is null for money that is confirmed but whose receipt has not been seen yet. Captured money
    without an attempt is unallocated: one row of `UnallocatedReceipt` tells what became of it.
    """

    id = PublicIdField(prefix="rcpt")
    account = models.ForeignKey(ProviderAccount, models.PROTECT, related_name="+")
    attempt = models.ForeignKey(Attempt, models.PROTECT, null=True, related_name="receipts")
    refund = models.ForeignKey(Refund, models.PROTECT, null=True, related_name="receipts")
    livemode = models.BooleanField()
    kind = models.CharField(max_length=8, choices=[(kind.value, kind.value) for kind in ReceiptKind])
    provider_money_id = models.CharField(max_length=100, null=True)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    source = models.CharField(max_length=16)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "provider_money_id"],
                name="one_receipt_per_money_id",
                condition=Q(provider_money_id__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["attempt"], name="one_pending_receipt", condition=Q(provider_money_id__isnull=True)
            ),
            models.CheckConstraint(
                condition=Q(attempt__isnull=False) | Q(kind="capture", provider_money_id__isnull=False),
                name="only_known_captures_are_unallocated",
            ),
        ]

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)

    @property
    def owner(self) -> Attempt:
        """The attempt whose money it is. Raises ValueError while it is unallocated."""
        if self.attempt is None:
            raise ValueError(f"{self.pk} is unallocated")
        return self.attempt


class Fee(Work):
    """What a capture costs: `expected_amount` by the account's schedule, `amount` once it is final.

    `due_at` is when the provider is asked about it next; `asked` counts the questions. The final fee may be in
    another currency than the receipt.
    """

    id = PublicIdField(prefix="fee")
    receipt = models.OneToOneField(Receipt, models.PROTECT, related_name="fee")
    expected_amount = models.BigIntegerField(null=True)
    amount = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=100, blank=True, default="")
    asked = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="fee_is_not_negative"),
            models.CheckConstraint(condition=Q(expected_amount__gte=0), name="expected_fee_is_not_negative"),
        ]
        indexes = [models.Index(fields=["lane", "due_at"], name="fee_due", condition=Q(due_at__isnull=False))]


class Overpayment(models.Model):
    """Money beyond what was asked: a second receipt, or the excess of one. A person decides about it."""

    id = PublicIdField(prefix="over")
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="overpayments")
    receipt = models.OneToOneField(Receipt, models.PROTECT, related_name="overpayment")
    livemode = models.BooleanField()
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="overpayment_is_positive")]
