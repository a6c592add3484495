"""The last touch on the generated document: names, examples, errors, headers, webhooks and the words around them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from config.documenting import events, examples, fields, problems, streams
from config.documenting.examples import Maker

INTRODUCTION = """\
Lango takes payments by card and M-Pesa through one API, and tells you what became of them by signed webhooks.

**Begin** with the quickstart in `docs/quickstart.md`: from a key to a payment, a refund and a verified webhook. Or take
[a collection of every request](/docs/collection.json) into Postman, Bruno or another client, and set its `key`.

### Keys and modes
Send a key as `Authorization: Bearer sk_test_…` (or `X-API-Key`). Test and live are separate worlds: the key decides in
which one you are, and `livemode` says so on every object. A key does only what its scopes allow.

### Money
An `amount` is a whole number of the currency's smallest unit: 25000 is KES 250.00, 1250 is USD 12.50, 500 is JPY 500.

### Once, whatever happens
Every POST takes an `Idempotency-Key` of your own making, and those that move money need one. Repeat a request whose
answer was lost with the same key and the same body: it happens once, and you get the first answer again with
`Idempotency-Replayed: true`.

### Errors
An error is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with a stable `code`; its
`type` is a page that says what to do. An error status means that nothing was created. A payer's decline is no error:
the payment is answered with `state: failed` and a `failure.code`, each of which [has a page](/docs/errors) too. Any
operation can also answer 405 [`method_not_allowed`](/docs/errors/method_not_allowed).

### Lists
Lists give the newest first, `limit` rows at a time. While `has_more` is true, ask again with `cursor` set to
`next_cursor`; nothing is shown twice or left out, whatever is added meanwhile. An unknown parameter is an error.

### Limits
`RateLimit` and `RateLimit-Policy` on every answer say what your key has left. 429 comes with `Retry-After`.

### Changes
`api_version` is a date. New fields and event types may come at any time; what is there keeps its meaning.
"""

CHAPTERS: Mapping[str, str] = {
    "Payments": "Take money: by card, or by a prompt on the payer's phone. A payment is followed by its `state`.",
    "Payment methods": "What you can offer a payer now, and what each method needs, costs and takes.",
    "Refunds": "Give it back, all or a part. A refund that the provider has not decided yet is `pending`.",
    "Saved methods": "Cards that your customers let you keep: saved, charged while they are away, and given up.",
    "Schedules": "Recurring payments: a saved method charged by the calendar, each period at most once.",
    "Disputes": "A payer's bank takes a payment back, or may. Answer in time, or accept.",
    "Unallocated receipts": "Money that came to your paybill without a payment. Say whose it is.",
    "Reconciliation": "What your providers list, compared with the books: runs, and what did not agree.",
    "Customers": "Who pays you: kept sealed, found by phone, e-mail or your own reference, merged and erased.",
    "Stores": "Where you sell: payments name their store, and its screens follow it with tokens of their own.",
    "Order sources": "Where your orders live: payments name an order there, and it is marked when it is paid.",
    "Balance": "What the books owe you, and each line that made it so.",
    "Transactions": "One history of all money, in and out, as pages or as one CSV.",
    "Events": "What happened, for whoever missed its webhook.",
    "Webhooks": "Where events are sent, how that went, and sending them again.",
    "API keys": "Your own keys: made, replaced and revoked, within what the asking key may do.",
    "Provider accounts": "Your accounts at payment providers. Credentials go in and never come out.",
    "Request logs": "What your keys asked of this API, and how it was answered.",
    "Test mode": "Play the payer, and what goes wrong, at a provider's simulator.",
    events.CHAPTER: "What we send to your endpoints. Each is delivered at least once, in no promised order.",
}
"""The order of the page's chapters: what merchants call first, what calls them last."""

_HEADERS: Mapping[str, tuple[str, Any]] = {
    "X-Request-Id": ("Names this request in your logs and ours. Send one of your own, 8 to 64 characters.", "string"),
    "RateLimit": ('How much is left: `"default";r=5999`.', "string"),
    "RateLimit-Policy": ('What the limit is: `"default";q=6000;w=60` allows 6000 in 60 seconds.', "string"),
    "Retry-After": ("Seconds to wait before the next try.", "integer"),
    "Idempotency-Replayed": ("`true` where an earlier request with this key was answered so.", "string"),
}


_NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}


def complete(result: dict[str, Any], generator: Any, request: Any, public: Any) -> dict[str, Any]:
    """A hook of drf-spectacular."""
    components = result["components"]
    components["examples"] = problems.examples()
    components["headers"] = {
        name: {"description": told, "schema": {"type": kind}} for name, (told, kind) in _HEADERS.items()
    }
    components["parameters"] = {name: _header(name, *told) for name, told in events.HEADERS.items()}
    _close(components["schemas"])
    result["paths"] = {path: _in_order(methods) for path, methods in result["paths"].items()}
    maker = Maker(components)
    for method, operation in operations(result):
        _name_bounds(operation)
        if method == "post":
            operation.setdefault("requestBody", {"content": {"application/json": {"schema": _NOTHING}}})
        problems.describe(method, operation)
        _name_headers(method, operation)
        examples.add(operation, maker)
    fields.describe(result)
    result["webhooks"] = events.webhooks(maker)
    result["info"]["description"] = INTRODUCTION
    result["servers"] = [{"url": settings.PUBLIC_URL, "description": "This installation: the key decides the mode"}]
    result["security"] = [{scheme: []} for scheme in components["securitySchemes"]]
    streams.describe(result)
    result["tags"] = _chapters(result)
    return result


def _in_order(methods: dict[str, Any]) -> dict[str, Any]:
    """What makes a thing stands before what lists them."""
    return dict(sorted(methods.items(), key=lambda method: method[0] != "post"))


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for methods in document["paths"].values():
        yield from methods.items()


def _close(schemas: dict[str, Any]) -> None:
    """Whatever is sent has the fields that are named here and no others."""
    for name, shape in schemas.items():
        if name.endswith("Request") and "properties" in shape:
            shape["additionalProperties"] = False


def _name_bounds(operation: dict[str, Any]) -> None:
    """`amount__gte` is how a field must be called; merchants write `amount[gte]`."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            parameter["name"] = re.sub(r"__(\w+)$", r"[\1]", parameter["name"])


def _name_headers(method: str, operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            names = ["X-Request-Id", "RateLimit", "RateLimit-Policy"] + ["Idempotency-Replayed"] * (method == "post")
            answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
            answer["description"] = answer.get("description") or "Done"


def _header(name: str, told: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": told,
        "schema": {"type": "string"},
        "example": example,
    }


def _chapters(document: Mapping[str, Any]) -> list[dict[str, str]]:
    used = {tag for _, operation in operations(document) for tag in operation["tags"]} | {events.CHAPTER}
    order = list(CHAPTERS)
    found = sorted(used, key=lambda tag: (order.index(tag) if tag in order else len(order) - 1.5, tag))
    return [{"name": tag, "description": CHAPTERS.get(tag, "")} for tag in found]
