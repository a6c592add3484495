"""The first page of the staff: what waits for a person, and what today's payments came to; and the way around."""

from typing import Any

from django.db.models import Count, Sum
from django.http import HttpRequest
from django.urls import reverse

from core import clock, ids
from core.admin_columns import badge, tones
from core.money import Money
from events.models import Attention
from events.outbox import behind
from ledger import admin_trial_balance, statements
from payments import states
from payments.models import Payment


def show(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What this person may see of it."""
    context["title"] = "Today"
    may = request.user.has_perm
    if may("events.view_attention"):
        context["attention"] = _attention()
        context["attention_url"] = reverse("admin:events_attention_changelist")
    if may("payments.view_payment"):
        context["today"] = {"headers": ["state", "currency", "payments", "asked", "captured"], "rows": _today()}
    if may(admin_trial_balance.MAY_SEE):
        context["books"] = [_books(mode, livemode=livemode) for mode, livemode in (("live", True), ("test", False))]
    context["behind"] = behind() if may("events.view_event") else {}
    return context


def _attention() -> list[dict[str, Any]]:
    """How many items are open, by reason; the worst first as the list of reasons has it."""
    counted = Attention.objects.filter(closed_at=None).values_list("reason").annotate(open=Count("pk"))
    counts = dict(counted.order_by())
    return [
        {"reason": reason.value, "told": reason.label, "open": counts[reason.value]}
        for reason in Attention.Reason
        if reason.value in counts
    ]


def _today() -> list[list[Any]]:
    """Payments since midnight UTC. Ids carry their time, so that only today's rows are read."""
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = (
        Payment.objects.filter(pk__gte=ids.first_id("pay", midnight), created_at__gte=midnight)
        .values("state", "currency")
        .annotate(payments=Count("pk"), asked=Sum("amount"), captured=Sum("captured_amount"))
        .order_by("currency", "state")
    )
    shown = tones(states.PAYMENT)
    return [
        [
            badge(row["state"], shown[row["state"]]),
            row["currency"],
            row["payments"],
            str(Money(row["asked"], row["currency"])),
            str(Money(row["captured"], row["currency"])),
        ]
        for row in rows
    ]


def _books(mode: str, *, livemode: bool) -> dict[str, Any]:
    """Whether the trial balance of a mode is zero, and in which currencies it is not."""
    differences = statements.out_of_balance(statements.trial_balance(livemode=livemode))
    return {
        "mode": mode,
        "wrong": [str(Money(amount, currency)) for currency, amount in differences.items() if amount],
        "url": f"{reverse(f'admin:{admin_trial_balance.PAGE}')}?mode={mode}",
    }


_NAVIGATION: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...] = (
    (
        "Money in",
        (
            ("payments.payment", "Payments", "payments"),
            ("payments.refund", "Refunds", "undo"),
            ("payments.dispute", "Disputes", "gavel"),
            ("payments.savedmethod", "Saved methods", "credit_card"),
            ("payments.unallocatedreceipt", "Unallocated receipts", "help_center"),
            ("payments.reportedreceipt", "Reported receipts", "contact_support"),
            ("payments.schedule", "Recurring payments", "event_repeat"),
            ("payments.operation", "Operations", "sync_alt"),
        ),
    ),
    (
        "Books",
        (
            ("ledger.account", "Trial balance", "balance", "trial_balance"),
            ("ledger.account", "Accounts", "menu_book"),
            ("ledger.transfer", "Transfers", "swap_horiz"),
        ),
    ),
    (
        "Reconciliation",
        (
            ("reconciliation.discrepancy", "Discrepancies", "difference"),
            ("reconciliation.settlement", "Settlements", "account_balance_wallet"),
            ("reconciliation.run", "Runs", "published_with_changes"),
            ("reconciliation.upload", "Uploaded statements", "upload_file"),
        ),
    ),
    (
        "Doors",
        (
            ("events.callback", "Callbacks", "move_to_inbox"),
            ("payments.registration", "Registrations", "app_registration"),
            ("events.event", "Events", "bolt"),
            ("merchants.delivery", "Deliveries", "send"),
            ("merchants.webhookendpoint", "Webhook endpoints", "webhook"),
            ("merchants.webhookreplay", "Webhook replays", "replay"),
            ("merchants.internaldelivery", "Internal deliveries", "hub"),
        ),
    ),
    (
        "Merchants",
        (
            ("merchants.merchant", "Merchants", "storefront"),
            ("merchants.store", "Stores", "store"),
            ("payments.staticcode", "Static codes", "qr_code_2"),
            ("merchants.displaytoken", "Display tokens", "tv"),
            ("orders.ordersource", "Order sources", "point_of_sale"),
            ("orders.order", "Orders", "receipt_long"),
            ("merchants.customer", "Customers", "group"),
            ("merchants.apikey", "API keys", "key"),
            ("merchants.provideraccount", "Provider accounts", "account_balance"),
            ("merchants.feeschedule", "Fee schedules", "percent"),
            ("merchants.routingrule", "Routing rules", "alt_route"),
            ("merchants.routingrule", "Which provider?", "route", "choice"),
            ("merchants.providerswitch", "Providers on and off", "power_settings_new"),
        ),
    ),
    (
        "House",
        (
            ("events.approval", "Approvals", "how_to_reg"),
            ("events.auditentry", "Audit log", "history_edu"),
            ("events.job", "Schedules", "schedule"),
            ("django_celery_beat.periodictask", "Times of schedules", "timer"),
            ("auth.user", "Staff", "badge"),
            ("auth.group", "Roles", "groups"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar: only what this person may open."""
    first = [{"title": "Today", "icon": "dashboard", "link": reverse("admin:index")}]
    if request.user.has_perm("events.view_attention"):
        first.append(_item("events.attention", "Attention", "notification_important"))
    groups: list[dict[str, Any]] = [{"items": first}]
    for title, pages in _NAVIGATION:
        items = [_item(*page) for page in pages if _may_open(request, page[0])]
        groups.append({"title": title, "separator": True, "items": _marked(items, request.path)})
    return [group for group in groups if group["items"]]


def _item(model: str, title: str, icon: str, page: str = "changelist") -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(f"admin:{model.replace('.', '_')}_{page}")}


def _marked(items: list[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    """The page that is open: the longest fitting link, because one page's address may lie below another's."""
    here = max((item["link"] for item in items if path.startswith(item["link"])), key=len, default="")
    return [{**item, "active": item["link"] == here} for item in items]


def _may_open(request: HttpRequest, model: str) -> bool:
    label, _, name = model.partition(".")
    return request.user.has_perm(f"{label}.view_{name}")
