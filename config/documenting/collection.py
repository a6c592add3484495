"""A Postman collection (v2.1, which Bruno, Insomnia and Hoppscotch import as well) of every request in the document.

`base_url` and `key` are its variables, the `Idempotency-Key` is new with every click, and the id of what a request
makes becomes the variable that other requests name in their path.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from config.documenting.examples import PARTS
from config.documenting.operations import KEY
from config.documenting.samples import SAMPLE
from core.ids import PREFIXES

FORM = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_JSON = "application/json"

_REMEMBER = """\
if (pm.response.code < 300 && pm.response.headers.get("Content-Type") === "application/json") {
    const made = pm.response.json(), names = %s;
    if (made.id) pm.collectionVariables.set((names[made.object] || made.object) + "_id", made.id);
}"""


def collection(document: Mapping[str, Any]) -> dict[str, Any]:
    """Of an OpenAPI document as `document.complete` leaves it."""
    chapters = [
        {"name": tag["name"], "description": tag["description"], "item": list(_requests(document, tag["name"]))}
        for tag in document["tags"]
    ]
    return {
        "info": {"name": document["info"]["title"], "description": document["info"]["description"], "schema": FORM},
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{key}}", "type": "string"}]},
        "variable": [
            {"key": "base_url", "value": document["servers"][0]["url"]},
            {"key": "key", "value": ""},
            *({"key": name, "value": ""} for name in sorted(_ids(document))),
        ],
        "event": [{"listen": "test", "script": {"type": "text/javascript", "exec": _script().splitlines()}}],
        "item": [chapter for chapter in chapters if chapter["item"]],
    }


def _script() -> str:
    named = {kind.replace(" ", "_"): word for word, kind in PARTS.items()}
    return _REMEMBER % json.dumps(named)


def _ids(document: Mapping[str, Any]) -> set[str]:
    return {name for path in document["paths"] for name in re.findall(r"\{(\w+)\}", path)}


def _requests(document: Mapping[str, Any], chapter: str) -> Iterator[dict[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if chapter in operation["tags"]:
                yield from _of_operation(method, path, operation)


def _of_operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One for each example of a body; one where there is no body."""
    content = operation.get("requestBody", {}).get("content", {}).get(_JSON, {})
    told = list(content.get("examples", {}).values()) or [None]
    for example in told:
        name = operation["summary"] + (f": {example['summary']}" if len(told) > 1 else "")
        yield {"name": name, "request": _request(method, path, operation, example), "response": []}


def _request(method: str, path: str, operation: dict[str, Any], example: dict[str, Any] | None) -> dict[str, Any]:
    headers = [{"key": KEY, "value": "{{$guid}}"}] if method == "post" else []
    request = {"method": method.upper(), "description": operation["description"], "header": headers}
    request["url"] = _url(path, operation)
    if example is not None:
        headers.append({"key": "Content-Type", "value": _JSON})
        written = json.dumps(example["value"], indent=2, ensure_ascii=False)
        request["body"] = {"mode": "raw", "raw": re.sub(rf'"([a-z]+)_{SAMPLE}"', _variable, written)}
        request["body"]["options"] = {"raw": {"language": "json"}}
    return request


def _variable(found: re.Match[str]) -> str:
    """The id of an example gives way to that of what was made before."""
    kind = PREFIXES[found[1]]
    word = next((word for word, named in PARTS.items() if named == kind.lower()), kind.replace(" ", "_"))
    return f'"{{{{{word}_id}}}}"'


_NEEDED = "1042"
"""The value of a parameter that must be given."""


def _url(path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """Filters stand there switched off, each to be switched on by itself; what must be given has a value."""
    written = re.sub(r"\{(\w+)\}", r"{{\1}}", path)
    parameters = [given for given in operation.get("parameters", ()) if given["in"] == "query"]
    query = [
        {"key": given["name"], "value": _NEEDED if needed else "", "description": given.get("description", "")}
        | ({} if needed else {"disabled": True})
        for given in parameters
        for needed in [given.get("required", False)]
    ]
    asked = "&".join(f"{given['name']}={_NEEDED}" for given in parameters if given.get("required", False))
    raw = "{{base_url}}" + written + (f"?{asked}" if asked else "")
    return {"raw": raw, "host": ["{{base_url}}"], "path": written.strip("/").split("/")} | (
        {"query": query} if query else {}
    )
