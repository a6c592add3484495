"""Staff's page of callbacks: at which door, what became of it. Never its body or headers, which name payers."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from core.admin import ReadOnlyAdmin
from core.admin_actions import reasoned_action
from core.admin_columns import MODE, column, link_column, moment_column, state_column
from core.crypto import CannotOpen
from core.errors import Conflict
from core.providers import CallbackRefused
from events import sealing
from events.models import Callback
from events.timeline import CALLBACK_TONES
from merchants import doors


def _size(callback: Callback) -> str:
    try:
        return f"{len(sealing.unseal(callback, 'body'))} bytes"
    except CannotOpen:
        return "cannot be opened"


TONES = {str(state): tone for state, tone in CALLBACK_TONES.items()}


@admin.register(Callback)
class CallbackAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "provider",
        "door",
        state_column(TONES),
        link_column("subject"),
        "note",
        "address",
        MODE,
        moment_column("received_at"),
    )
    list_filter = ("state", "livemode")
    search_help_text = "the id of a callback, of its subject, operation or account, exactly"
    fields = (
        "id",
        "provider",
        "door",
        link_column("account"),
        link_column("merchant"),
        MODE,
        state_column(TONES),
        "note",
        link_column("subject"),
        link_column("operation"),
        "address",
        "digest",
        column("size", _size),
        "request_id",
        "tries",
        moment_column("due_at"),
        moment_column("received_at"),
        moment_column("processed_at"),
    )
    actions_detail = ("process_again",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("body", "headers")

    def find(self, term: str) -> list[str]:
        named = {"acct": "account", "op": "operation"}.get(term.partition("_")[0], "subject")
        rows = Callback.objects.filter(**{named: term}).order_by("-pk")
        return [term, *rows.values_list("pk", flat=True)[:1000]]

    @reasoned_action(
        title="Verify and process again",
        permission="events.reprocess_callback",
        explain="It goes through the door once more, as it arrived: address and signature are checked against what "
        "the account has now, and a provider that proves little is asked before anything moves.",
        icon="replay",
        applies=lambda callback: callback.state != Callback.State.RECEIVED,
    )
    def process_again(self, request: HttpRequest, callback: Callback, form: Any) -> str:
        try:
            doors.let_in_again(callback)
        except CallbackRefused as fault:
            raise Conflict(f"It is still refused: {fault}") from fault
        return "It fits, and will be processed now."
