"""Staff's pages of saved methods, and where they stand on a customer's page."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action, staff
from core.admin_columns import (
    MODE,
    Moment,
    badge,
    column,
    link,
    link_column,
    moment_column,
    state_column,
    table,
    timeline,
    tones,
)
from events import subjects
from events import timeline as history
from events.timeline import moments
from payments import states
from payments.models import SavedMethod
from payments.services import saved_booking, saved_closing
from payments.states import SavedMethodState

ACT = "payments.act_on_saved_method"
TONES = {**tones(states.SAVED_METHOD), SavedMethodState.ACTIVE: "success", SavedMethodState.EXPIRED: "warning"}
MERCHANT = column("merchant", lambda row: link(row.merchant_id, row.merchant.name))
ACCOUNT = column("account", lambda row: link(row.account_id, str(row.account)))
DEFAULT = column("is_default", lambda row: badge("default", "info") if row.is_default else "-", title="default")


def shown(saved: SavedMethod) -> str:
    """A card by its brand and last digits, as its owner knows it."""
    return f"{saved.brand} {saved.last4}".strip() or "-"


CARD = column("card", shown)
ENDS = column("ends", lambda row: f"{row.exp_month:02}/{row.exp_year}" if row.exp_month else "-")
FAILURE = column("failure", lambda row: f"{row.failure_code}: {row.failure_message}" if row.failure_code else "-")


def _is_open(saved: SavedMethod) -> bool:
    return saved.state not in (SavedMethodState.FAILED, SavedMethodState.DETACHED) or saved.due_at is not None


@admin.register(SavedMethod)
class SavedMethodAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        state_column(TONES),
        CARD,
        ENDS,
        DEFAULT,
        link_column("customer_id"),
        MERCHANT,
        MODE,
        moment_column("created_at"),
    )
    list_filter = ("state", "livemode", "is_default")
    search_help_text = "exactly: an id of a saved method, of its customer or merchant, or what its provider calls it"
    fields = (
        ("id", state_column(TONES)),
        (CARD, ENDS, DEFAULT),
        (link_column("customer_id"), MERCHANT, MODE),
        (ACCOUNT, "provider_id", "setup_id", "provider_status"),
        FAILURE,
        (moment_column("created_at"), moment_column("state_changed_at", title="in this state since")),
        (moment_column("closing_since", title="given up"), moment_column("closed_at", title="gone at the provider")),
    )
    actions_detail = ("ask_now", "detach")

    def get_queryset(self, request: HttpRequest) -> Any:
        return (
            super()
            .get_queryset(request)
            .select_related("account", "merchant")
            .defer("instrument", "request", "next_action")
        )

    def find(self, term: str) -> Iterable[str]:
        prefix = term.partition("_")[0]
        named = {"cus": {"customer": term}, "mer": {"merchant": term}}.get(prefix, {"provider_id": term})
        return [term, *SavedMethod.objects.filter(**named).order_by("-pk").values_list("pk", flat=True)[:1000]]

    def sections(self, row: SavedMethod) -> Iterable[tuple[str, Any]]:
        charged = row.payments.order_by("-pk")[:20]
        if charged:
            yield (
                "Charged last",
                table(("payment", "state", "amount"), ((link(one.pk), one.state, str(one.money)) for one in charged)),
            )
        yield "History", timeline(moments(subjects.of(row).relatives(row)))

    @reasoned_action(
        title="Ask now",
        permission=ACT,
        explain="How it stands is asked at its provider at once. Nothing is sent a second time but under the same key.",
        icon="contact_support",
        applies=_is_open,
    )
    def ask_now(self, request: HttpRequest, saved: SavedMethod, form: Any) -> str:
        saved_booking.ask_now(saved.pk)
        return "The provider is being asked. What it says will show in the history."

    @reasoned_action(
        title="Detach",
        permission=ACT,
        explain="Nothing is charged to it from now on, and its provider forgets it. This cannot be taken back.",
        icon="link_off",
        applies=lambda row: row.state not in (SavedMethodState.FAILED, SavedMethodState.DETACHED),
    )
    def detach(self, request: HttpRequest, saved: SavedMethod, form: Any) -> str:
        saved_closing.detach_by_staff(saved, by=staff(request))
        return "Detached."


def _of_customers(ids: Sequence[str]) -> Iterable[Moment]:
    """The methods of these customers, for their pages."""
    rows = SavedMethod.objects.filter(customer__in=[one for one in ids if one.startswith("cus_")])
    for row in rows.defer("instrument", "request").order_by("-pk")[: history.LIMIT]:
        yield Moment(
            at=row.created_at,
            kind="saved method",
            title=f"saved {row.method} {shown(row)}: {row.state}",
            detail="the default one" if row.is_default else "",
            id=row.pk,
            tone=TONES.get(row.state, ""),
        )


history.register(_of_customers)
