"""Stripe's form bodies: nesting in brackets, strict names and types.

Source: docs.stripe.com/api (request bodies) and docs.stripe.com/error-codes for the words of the refusals.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from simulators.stripe.errors import StripeError

PART = re.compile(r"\[([^\]]*)\]")
WHOLE_NUMBER = re.compile(r"-?\d+\Z")
# A metadata key may be a number and is no place in a list.
NEVER_LISTS = ("metadata",)


def decode(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """`a[b]=1`, `a[]=1`, `a[0][b]=1` as nested dicts and lists of strings."""
    root: dict[str, Any] = {}
    for name, value in pairs:
        head, bracket, _ = name.partition("[")
        parts = [head, *PART.findall(name)] if bracket else [name]
        _put(root, parts, value)
    return {name: _listed(value) if name not in NEVER_LISTS else value for name, value in root.items()}


def _put(node: dict[str, Any], parts: list[str], value: str) -> None:
    for place, part in enumerate(parts):
        key = part or str(len(node))
        if place == len(parts) - 1:
            node[key] = value
            return
        child = node.get(key)
        if not isinstance(child, dict):
            child = node[key] = {}
        node = child


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return {key: _listed(item) for key, item in value.items()}


class Parameters:
    """The parameters of one call, checked against the names that its endpoint takes."""

    def __init__(self, values: dict[str, Any], allowed: Collection[str]) -> None:
        unknown = [name for name in values if name not in allowed and name != "expand"]
        if unknown:
            plural = "s" if len(unknown) > 1 else ""
            message = f"Received unknown parameter{plural}: {', '.join(unknown)}"
            raise StripeError(message, code="parameter_unknown", param=unknown[0])
        self.values = values

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str) -> str | None:
        """The value; None when it is absent or empty, which unsets."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise StripeError(f"Invalid string: {value}", param=name)
        return value or None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)
        return value

    def integer(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not WHOLE_NUMBER.match(value):
            raise StripeError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
        return int(value)

    def boolean(self, name: str) -> bool | None:
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise StripeError(f"Invalid boolean: {value}", param=name)
        return None if value is None else value == "true"

    def choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self.text(name)
        if value is not None and value not in choices:
            listed = ", ".join(choices[:-1]) + f" or {choices[-1]}" if len(choices) > 1 else choices[0]
            raise StripeError(f"Invalid {name}: must be one of {listed}", param=name)
        return value

    def texts(self, name: str) -> list[str] | None:
        value = self.values.get(name)
        if value in (None, ""):
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise StripeError(f"Invalid array: {value}", param=name)
        return value

    def group(self, name: str) -> dict[str, Any]:
        """A nested group such as `automatic_payment_methods[enabled]`; empty when it is absent."""
        value = self.values.get(name)
        if value in (None, ""):
            return {}
        if not isinstance(value, dict):
            raise StripeError("Invalid object", param=name)
        return value

    def metadata(self, present: dict[str, str]) -> dict[str, str]:
        """`present` with the sent pairs over it: an empty value takes a key away, an empty group all."""
        if self.values.get("metadata") == "":
            return {}
        sent = self.group("metadata")
        for key, value in sent.items():
            _check_pair(key, value)
        merged = {key: value for key, value in (present | sent).items() if value != ""}
        if len(merged) > 50:
            raise StripeError("Metadata can have up to 50 keys.", param="metadata")
        return merged


def _check_pair(key: str, value: object) -> None:
    param = f"metadata[{key}]"
    if not isinstance(value, str):
        raise StripeError("Metadata values must be strings.", param=param)
    if len(key) > 40:
        raise StripeError("Metadata keys can be up to 40 characters long.", param=param)
    if len(value) > 500:
        raise StripeError("Metadata values can be up to 500 characters long.", param=param)
