"""Staff's pages of money coming in. No row of money can be edited; what a person may do is an action."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSingleDateWidget, UnfoldAdminTextInputWidget

from core import clock
from core.admin import ReadOnlyAdmin
from core.admin_actions import ReasonForm, reasoned_action, staff
from core.admin_columns import (
    MODE,
    badge,
    column,
    link,
    link_column,
    moment_column,
    money_column,
    state_column,
    table,
    timeline,
    tones,
)
from core.money import Money
from events import subjects
from events.timeline import moments
from merchants.admin_stores import StoreFilter
from payments import (  # noqa: F401  (pages register themselves)
    admin_choice,
    admin_disputes,
    admin_receipts,
    admin_saved_methods,
    admin_schedules,
    admin_static_codes,
    admin_timeline,
    states,
)
from payments.finding import find_payments
from payments.models import Operation, Payment, Refund
from payments.providers import REGISTRY
from payments.services import changing, proving, resolving, settling

METHODS = sorted({method for name in REGISTRY for method in REGISTRY[name].capabilities.methods})
ACT = "payments.act_on_payment"
ASK_TITLE = "Ask now"
ASK_EXPLAIN = (
    "Whatever is still open of this payment is asked about at its provider at once. Nothing is sent a second time."
)
ASKED = "The provider is being asked. What it says will show in the history."


class MethodFilter(admin.SimpleListFilter):
    title = parameter_name = "method"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(method, method) for method in METHODS]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(method=self.value()) if self.value() else queryset


def _flags(payment: Payment) -> Any:
    raised = [name for name in ("late", "underpaid", "unconfirmed") if getattr(payment, name)]
    return badge(", ".join(raised), "warning") if raised else "-"


def _failure(row: Any) -> str:
    return f"{row.failure_code}: {row.failure_message}" if row.failure_code else "-"


def _presence(payment: Payment) -> str:
    return "absent" if payment.off_session else "there"


MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))
STORE = column("store", lambda row: link(row.store_id, row.store.name) if row.store else "-")
FAILURE = column("failure", _failure)


def _fee(payment: Payment) -> str:
    if payment.fee_amount is None:
        return "-"
    fee = Money(payment.fee_amount, payment.settlement_currency)
    return str(fee) if payment.fee_is_final else f"{fee} expected"


def _net(payment: Payment) -> str:
    return "-" if payment.net_amount is None else str(Money(payment.net_amount, payment.settlement_currency))


def _settlement(payment: Payment) -> str:
    if not payment.settlement_reference:
        return "-"
    word = "settled" if payment.is_settled else "expected"
    return f"{word} {payment.settles_on or ''}, {payment.settlement_reference}"


class SettlementForm(ReasonForm):
    """By which settlement of the provider, and when it arrived."""

    field_order = ("reference", "date", "reason")
    reference = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget())
    date = forms.DateField(widget=UnfoldAdminSingleDateWidget())


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        state_column(tones(states.PAYMENT)),
        money_column(),
        money_column("captured_amount", title="captured"),
        "method",
        MERCHANT,
        STORE,
        "reference",
        column("flags", _flags),
        MODE,
        moment_column("created_at"),
    )
    list_select_related = ("merchant", "store")
    list_filter = ("state", MethodFilter, StoreFilter, "livemode", "underpaid", "late")
    search_help_text = (
        "exactly: an id of ours, a merchant's reference, or what a provider calls the payment or its receipt"
    )
    fields = (
        ("id", state_column(tones(states.PAYMENT))),
        (money_column(), money_column("captured_amount", title="captured"), column("flags", _flags)),
        (money_column("refunded_amount", title="refunded"), money_column("refund_reserved"), "capture"),
        (column("fee", _fee), column("net", _net), column("settlement", _settlement)),
        (MERCHANT, "reference", MODE),
        ("method", column("payer", lambda row: row.instrument_hint or "-"), link_column("customer_id")),
        (link_column("saved_method_id"), column("presence", _presence, title="payer")),
        (link_column("store_id"), link_column("order_id")),
        FAILURE,
        (
            moment_column("created_at"),
            moment_column("state_changed_at", title="in this state since"),
            moment_column("expires_at"),
        ),
        "description",
        "metadata",
    )
    actions_detail = ("ask_now", "prove_nothing_happened", "accept_underpaid", "settle")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("instrument", "next_action")

    def find(self, term: str) -> Any:
        return find_payments(term)

    def sections(self, row: Payment) -> Any:
        yield "Attempts", _attempts(row)
        if row.captured_amount or row.refund_reserved:
            yield "Money", _money(row)
        yield "History", timeline(moments(subjects.of(row).relatives(row)))

    @reasoned_action(
        title=ASK_TITLE, permission=ACT, explain=ASK_EXPLAIN, icon="contact_support", applies=lambda row: row.is_open
    )
    def ask_now(self, request: HttpRequest, payment: Payment, form: Any) -> str:
        resolving.ask_now(payment.pk)
        return ASKED

    @reasoned_action(
        title="Prove that nothing happened",
        permission=ACT,
        explain="You have looked at the provider, and what was asked of it has never happened there. A payment that "
        "was never begun there fails; a capture or cancel can be asked for again. This cannot be taken back.",
        icon="search_off",
        applies=lambda row: proving.given_up(row).exists(),
    )
    def prove_nothing_happened(self, request: HttpRequest, payment: Payment, form: Any) -> str:
        proving.prove_nothing_happened(payment, by=staff(request))
        return "Written down. Money that comes all the same is booked as ever."

    @reasoned_action(
        title="Accept underpaid",
        permission=ACT,
        explain="The payment succeeds with the money that has arrived, which is less than was asked. "
        "The merchant is told so. This cannot be taken back.",
        icon="task_alt",
        applies=lambda row: row.underpaid,
    )
    def accept_underpaid(self, request: HttpRequest, payment: Payment, form: Any) -> str:
        changing.accept_underpaid(payment, by=staff(request))
        return "Accepted."

    @reasoned_action(
        title="Record settlement",
        permission="payments.settle_payment",
        explain="The provider has paid out what this payment came to without its fee. The books then no longer "
        "count on the provider for it, and the merchant has it. This cannot be taken back.",
        icon="account_balance",
        applies=lambda row: bool(row.captured_amount) and not row.is_settled,
        form=lambda row, data: SettlementForm(data, initial={"date": clock.now().date()}),
    )
    def settle(self, request: HttpRequest, payment: Payment, form: Any) -> str:
        given = form.cleaned_data
        net = settling.settle_payment(payment, reference=given["reference"], on=given["date"])
        return f"Settled: {net}."


def _attempts(payment: Payment) -> Any:
    rows = payment.attempts.select_related("account").order_by("pk")
    return table(
        ("provider", "state", "our reference there", "its id there", "its word", "failure"),
        (
            (
                link(row.account_id, str(row.account)),
                badge(row.state, tones(states.ATTEMPT)[row.state]),
                row.provider_reference,
                row.provider_id or "-",
                row.provider_status or "-",
                _failure(row),
            )
            for row in rows
        ),
    )


def _money(payment: Payment) -> Any:
    receipts = admin_timeline.receipts([attempt.pk for attempt in payment.attempts.all()])
    return table(
        ("when", "what", "receipt"), ((row.at.strftime("%Y-%m-%d %H:%M:%S"), row.title, row.detail) for row in receipts)
    )


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        state_column(tones(states.REFUND)),
        money_column(),
        link_column("payment_id"),
        MERCHANT,
        STORE,
        "origin",
        MODE,
        moment_column("created_at"),
    )
    list_select_related = ("merchant", "store")
    list_filter = ("state", "origin", StoreFilter, "livemode")
    search_help_text = "the id of a refund, of its payment, of a merchant or of a store, exactly"
    fields = (
        ("id", state_column(tones(states.REFUND))),
        (link_column("payment_id"), money_column()),
        (MERCHANT, STORE, MODE),
        ("provider_id", "provider_status"),
        ("origin", FAILURE),
        ("reason", moment_column("created_at")),
        "metadata",
    )
    actions_detail = ("ask_now",)

    def find(self, term: str) -> list[str]:
        field = {"mer": "merchant", "store": "store"}.get(term.partition("_")[0], "payment")
        return [term, *Refund.objects.filter(**{field: term}).order_by("-pk").values_list("pk", flat=True)[:1000]]

    def sections(self, row: Refund) -> Any:
        ids = [row.pk, *row.operations.values_list("pk", flat=True)]
        yield "History", timeline(moments(ids))

    @reasoned_action(
        title=ASK_TITLE,
        permission=ACT,
        explain=ASK_EXPLAIN,
        icon="contact_support",
        applies=lambda row: row.state not in states.REFUND.success | states.REFUND.terminals,
    )
    def ask_now(self, request: HttpRequest, refund: Refund, form: Any) -> str:
        resolving.ask_now(refund.payment_id)
        return ASKED


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "kind",
        state_column(tones(states.OPERATION)),
        money_column(),
        column("payment", lambda row: link(row.attempt.payment_id)),
        column("account", lambda row: link(row.lane)),
        "asked",
        moment_column("due_at"),
        moment_column("created_at"),
    )
    list_select_related = ("attempt",)
    list_filter = ("state", "kind", "livemode")
    search_help_text = "the id of an operation or an attempt, exactly"
    fields = (
        ("id", state_column(tones(states.OPERATION))),
        ("kind", money_column()),
        (column("payment", lambda row: link(row.attempt.payment_id)), link_column("refund_id")),
        (column("account", lambda row: link(row.lane)), MODE),
        ("provider_id", "target_id"),
        ("by", FAILURE),
        (moment_column("created_at"), moment_column("sent_at")),
        ("asked", moment_column("due_at", title="asked about next")),
    )
    actions_detail = ("ask_now",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("request")

    def find(self, term: str) -> list[str]:
        return [term, *Operation.objects.filter(attempt=term).values_list("pk", flat=True)[:1000]]

    def sections(self, row: Operation) -> Any:
        yield "History", timeline(moments([row.pk]))

    @reasoned_action(
        title=ASK_TITLE,
        permission=ACT,
        explain=ASK_EXPLAIN,
        icon="contact_support",
        applies=lambda row: row.state in resolving.ASKABLE,
    )
    def ask_now(self, request: HttpRequest, operation: Operation, form: Any) -> str:
        resolving.ask_now(operation.attempt.payment_id)
        return ASKED
