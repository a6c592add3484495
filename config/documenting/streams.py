"""Live events in the document: served by a process of their own, so that no view here tells of them."""

from typing import Any

from config.documenting import problems
from config.documenting.samples import SAMPLE
from core import errors
from core.errors import ApiError
from merchants.display_access import DisplayTokenRefused

PATH = "/v1/stores/{store_id}/stream"
_SCHEME = "DisplayToken"
_REFUSALS: tuple[type[ApiError], ...] = (
    errors.InvalidRequest,
    DisplayTokenRefused,
    errors.RateLimited,
    ApiError,
    errors.Unavailable,
)
_TOLD = """\
Follow one store's payments: server-sent events (`text/event-stream`) for the screens there, and a display token in the
header, never in the address.

Without `Last-Event-ID` the stream begins with one `snapshot`: the payments that are open, or ended today by the store's
clock. Then each change is an `order`, whose `id` is its place in the store's history. Send the last `id` that you have
as `Last-Event-ID` when you connect again, and nothing is missed; after more than a day you get a new `snapshot`. A
comment shows every 15 seconds that the stream lives. A last event `closed` says why it will not be opened again.\
"""
_SHOWN = """\
retry: 2100

event: snapshot
id: 4180
data: {"payments":[]}

event: order
id: 4181
data: {"id":4181,"type":"payment.succeeded","payment":"pay_01kag2p7d3e8ktz4v0m5w9x1yb","order":null,\
"store":"store_01kag2p7d3e8ktz4v0m5w9x1yb","amount":25000,"currency":"KES","state":"succeeded",\
"at":"2026-11-21T12:00:00.000000Z"}

: heartbeat

event: closed
data: {"reason":"token_expired","detail":"The display token has expired. Give this screen another one."}
"""


def describe(document: dict[str, Any]) -> None:
    """Put the stream beside the other paths, after they have had their last touch."""
    document["paths"][PATH] = {"get": _operation()}
    document["components"]["securitySchemes"][_SCHEME] = {
        "type": "http",
        "scheme": "bearer",
        "description": "`Authorization: Bearer display_test_…`, a token of one store's screens",
    }


def _operation() -> dict[str, Any]:
    return {
        "operationId": "follow_store",
        "summary": "Follow store",
        "description": _TOLD,
        "tags": ["Stores"],
        "security": [{_SCHEME: []}],
        "parameters": [
            {
                "name": "store_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
                "example": f"store_{SAMPLE}",
            },
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "description": "The last `id` that you have: what came after it is told first.",
                "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
                "example": "4181",
            },
        ],
        "responses": {
            "200": {
                "description": "Events for as long as the screen stays",
                "headers": {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}},
                "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _SHOWN}},
            },
            **{str(error.status): problems.answer(error.status, [error]) for error in _REFUSALS},
            "404": problems.answer(404, [errors.NotFound]),
        },
    }
