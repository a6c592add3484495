"""What a field means, by its name, where the serializer does not say: shown beside it in the reference."""

from collections.abc import Iterator, Mapping
from typing import Any

FIELDS: Mapping[str, str] = {
    "amount": "A whole number of the currency's smallest unit",
    "api_version": "The date of the API's shape",
    "attempts": "Each try at a provider, the latest last",
    "capture": "`manual` holds the money until you capture it",
    "captured_amount": "What has come in, in minor units",
    "created_at": "RFC 3339, UTC",
    "currency": "ISO 4217, in upper case",
    "cursor": "`next_cursor` of the page before",
    "description": "A short text of your own",
    "event_types": "None means every event",
    "expires_at": "When it ends by itself",
    "failure": "Why it failed; each code has a page under /docs/errors",
    "has_more": "Whether another page follows",
    "limit": "How many rows a page has at most",
    "livemode": "False in test mode",
    "metadata": "Up to 50 texts of your own: names up to 40 characters, values up to 500",
    "next_action": "What the payer must do: follow a redirect, or answer a prompt",
    "next_cursor": "Null on the last page",
    "outcome": "What the payer does, or what goes wrong",
    "payment_method": "For card: the token that the provider's form made in the browser",
    "phone": "A phone number, best in E.164: +254711000111",
    "reference": "Your own name for it; lists find it by that",
    "refunded_amount": "What has gone back, in minor units",
    "return_url": "Where the payer's browser goes after a redirect",
    "secret": "Shown once, in the answer that made it",
    "state": "Where it is in its life",
    "underpaid": "Less came in than was asked for",
}


def describe(document: Mapping[str, Any]) -> None:
    """Give every field and parameter that has no description the one by its name."""
    for name, shape in document["components"]["schemas"].items():
        if not (name.endswith("Request") or "object" in shape.get("properties", {})):
            continue  # a part of something: its own words say what its fields are
        for field, inner in shape.get("properties", {}).items():
            _tell(field, inner)
    for parameter in _parameters(document):
        _tell(parameter["name"], parameter)


def _tell(name: str, what: dict[str, Any]) -> None:
    if name in FIELDS and "$ref" not in what:
        what.setdefault("description", FIELDS[name])


def _parameters(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        for operation in methods.values():
            yield from operation.get("parameters", ())
