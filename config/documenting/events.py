"""Every event of the catalogue as a webhook, with an example of its body."""

from collections.abc import Mapping
from typing import Any

from config.documenting import samples
from config.documenting.examples import Maker
from events import subjects

CHAPTER = "Webhooks to you"

FACTS: Mapping[str, str] = {
    "created": "The {kind} was created.",
    "updated": "Something about the {kind} has changed: read it.",
    "overpaid": "More money came in than was asked for.",
    "underpaid": "Less money came in than was asked for; the payment stays open for the rest.",
    "unallocated": "Money came in that belongs to no payment yet. Assign it.",
    "evidence_due": "The time to answer the dispute ends soon.",
    "expiring": "The {kind} ends soon. Of a key `expires_within_days` says when; of a saved method, its card.",
    "made_default": "The {kind} has taken the place of the customer's default one.",
    "upcoming": "The {kind} is charged at `charge_at`: in `notice_days`, or earlier where it was opened later.",
    "failing": "Deliveries to the endpoint keep failing. It will be disabled if they go on to.",
    "disabled": "The endpoint gets no more events until it is enabled again.",
    "completed": "The {kind} has come to its end; one of every quarter of an hour is told only if it found something.",
    "ping": "You asked for it, to try the endpoint.",
}
"""What the events say that are no states."""

_KINDS = {"receipt": "unallocated_receipt", "reconciliation": "reconciliation_run"}
_SNAPSHOTS: Mapping[str, tuple[str, ...]] = {
    "customer": ("id", "object", "state", "merged_into", "livemode", "created_at", "erased_at"),
    "api_key": ("id", "object", "name", "prefix", "last_four", "expires_at", "livemode", "created_at"),
    "webhook_endpoint": (
        *("id", "object", "event_types", "description", "metadata"),
        *("is_enabled", "disabled_because", "failing_since", "livemode", "created_at"),
    ),
}
"""Kinds of which an event tells less than the API's answer does."""


def webhooks(maker: Maker) -> dict[str, Any]:
    return {name: {"post": _webhook(name, maker)} for name in subjects.event_types()}


def _webhook(name: str, maker: Maker) -> dict[str, Any]:
    kind, word = name.split(".")
    shown = f"{kind.replace('_', ' ')}"
    told = FACTS.get(word, f"The {{kind}} is now `{word}`.").format(kind=shown)
    schema, snapshot = _snapshot(kind, word, maker)
    event = maker.value({"$ref": "#/components/schemas/Event"})
    example = {**event, "type": name, "subject": snapshot["id"], "data": {"object": snapshot}}
    body = {"allOf": [{"$ref": "#/components/schemas/Event"}, _narrowed(name, schema)]}
    return {
        "operationId": f"on_{name.replace('.', '_')}",
        "summary": name,
        "description": f"{told} Signed by the Standard Webhooks specification; verify it before you believe it.",
        "tags": [CHAPTER],
        "security": [],
        "parameters": [{"$ref": f"#/components/parameters/{header}"} for header in HEADERS],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body, "example": example}}},
        "responses": {
            "2XX": {"description": "Any 2xx counts as delivered; anything else is tried again for three days."},
            "410": {"description": "The endpoint is gone: it is disabled, and nothing is sent to it again."},
        },
    }


def _narrowed(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    data = {"type": "object", "properties": {"object": schema}, "required": ["object"]}
    return {"properties": {"type": {"const": name}, "data": data}}


def _snapshot(kind: str, word: str, maker: Maker) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema and an example of what an event of that kind carries."""
    component = _component(_KINDS.get(kind, kind), maker)
    if not component:
        return {"type": "object"}, {"id": samples.sample_id(kind), "object": kind}
    schema = {"$ref": f"#/components/schemas/{component}"}
    made = maker.value(schema)
    kept = {field: made[field] for field in _SNAPSHOTS.get(kind, made)}
    if word in _states(schema, maker):
        kept["state"] = word
    kept |= samples.EVENTS.get(f"{kind}.{word}", {})
    return schema if maker.fits(kept, schema) else {"type": "object"}, kept


def _component(kind: str, maker: Maker) -> str:
    """The name of the component whose `object` is that kind."""
    for name, shape in maker.components["schemas"].items():
        if shape.get("properties", {}).get("object", {}).get("default") == kind:
            return str(name)
    return ""


def _states(schema: dict[str, Any], maker: Maker) -> list[str]:
    _, shape = maker.resolved(schema)
    state = shape["properties"].get("state")
    return list(maker.resolved(state)[1].get("enum", ())) if state else []


HEADERS: Mapping[str, tuple[str, str]] = {
    "webhook-id": (
        "The event's id, the same on every try: what you have handled already, you need not again.",
        "evt_…",
    ),
    "webhook-timestamp": ("When this try was signed, in seconds since 1970. Refuse what is old.", "1795183506"),
    "webhook-signature": ("`v1,` and the base64 of an HMAC-SHA256; several, with a space between, overlap.", "v1,…"),
}
