"""What a company's own OpenAPI document says of the requests that an adapter writes, where it publishes one.

`tests/payments/providers/openapi/<name>.json` has the schema of each call's body, or query, under the call:
`"POST /v2/payments/captures/{id}/refund"`. Where it is `"complete"`, every write of a step must be in it. Forms are
read as Stripe writes them: `metadata[reference]`, `expand[]`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema

from core.http import Request

FOLDER = Path(__file__).parents[1] / "payments" / "providers" / "openapi"
FORM = "application/x-www-form-urlencoded"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


def descriptions(name: str) -> Mapping[str, Any]:
    """By call; empty where the company publishes none."""
    file = FOLDER / f"{name}.json"
    return json.loads(file.read_text()) if file.exists() else {}


def check_described(name: str, base_url: str, requests: Iterable[Request], *, every_write: bool = True) -> None:
    """Whatever is described must fit; and where the description is complete, `every_write` be described.

    AssertionError, or jsonschema's ValidationError, says what does not.
    """
    described = descriptions(name)
    complete = every_write and described.get("complete")
    for request in requests if described else ():
        path = urlsplit(request.url.removeprefix(base_url)).path
        call = called(described, request.method, path)
        assert call or not complete or request.method not in WRITES, f"{name} does not describe {request.method} {path}"
        if call:
            jsonschema.validate(_document(request, described[call]), described[call])


def called(described: Mapping[str, Any], method: str, path: str) -> str | None:
    """Which of the described calls that is: the one that spells out most of the path; None where there is none."""
    calls = (call for call in described if call.startswith(f"{method} "))
    fitting = [call for call in calls if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", call.partition(" ")[2]), path)]
    return min(fitting, key=lambda call: call.count("{"), default=None)


def _document(request: Request, schema: Mapping[str, Any]) -> Any:
    headers = {name.lower(): value for name, value in request.headers.items()}
    if request.method in WRITES and headers.get("content-type") != FORM:
        return json.loads(request.body or b"{}")
    written = (request.body or b"").decode() if request.method in WRITES else urlsplit(request.url).query
    return _typed(_nested(parse_qsl(written, keep_blank_values=True, strict_parsing=bool(written))), schema)


def _nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in pairs:
        first, *inner = name.replace("]", "").split("[")
        if inner == [""]:
            document.setdefault(first, []).append(value)
        elif inner:
            (key,) = inner
            document.setdefault(first, {})[key] = value
        else:
            assert first not in document, f"{first} stands twice in a form"
            document[first] = value
    return document


def _typed(value: Any, schema: Mapping[str, Any]) -> Any:
    """What a form can write only as text, as the type that the schema wants; what does not fit stays as it is."""
    for choice in schema.get("anyOf", ()):
        if jsonschema.Draft202012Validator(choice).is_valid(_typed(value, choice)):
            return _typed(value, choice)
    if isinstance(value, dict):
        inner, others = schema.get("properties", {}), schema.get("additionalProperties") or {}
        return {name: _typed(child, inner.get(name, others)) for name, child in value.items()}
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", str(value)):
        return int(value)
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}.get(value, value)
    return value
