"""Examples of requests and answers, made from each schema with the words in `samples`."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it comes without stubs

from config.documenting import samples

Schema = Mapping[str, Any]
_JSON = "application/json"


class Maker:
    """Makes a value for any schema of one document."""

    def __init__(self, components: Mapping[str, Any]) -> None:
        self.components = components

    def value(self, schema: Schema, *, name: str = "", required_only: bool = False) -> Any:
        """An example; of an object that is sent, only what must be."""
        component, shape = self.resolved(schema)
        if name not in samples.PROPERTIES and {"type": "null"} in schema.get("oneOf", ()):
            return None
        if "properties" in shape:
            return self._object(component, shape, required_only=required_only)
        if name in samples.PROPERTIES and self.fits(samples.PROPERTIES[name], schema):
            return samples.PROPERTIES[name]
        return self._plain(shape, name)

    def _object(self, component: str, shape: Schema, *, required_only: bool) -> dict[str, Any]:
        told = samples.COMPONENTS.get(component, {})
        made: dict[str, Any] = {}
        for name, inner in shape["properties"].items():
            if required_only and name not in shape.get("required", ()):
                continue
            if name in told and self.fits(told[name], inner):
                made[name] = told[name]
            elif name == "id":
                made[name] = samples.sample_id(shape["properties"].get("object", {}).get("default", component.lower()))
            else:
                made[name] = self.value(inner, name=name, required_only=required_only)
        return made

    def _plain(self, shape: Schema, name: str) -> Any:
        kinds = shape.get("type", "string")
        if "null" in kinds if isinstance(kinds, list) else kinds == "null":
            return None
        if "default" in shape:
            return shape["default"]
        if "enum" in shape:
            return shape["enum"][0]
        if kinds == "array":
            return [self.value(shape["items"], name=name)]
        if kinds == "string":
            return {"date-time": samples.MOMENT, "date": samples.MOMENT[:10]}.get(shape.get("format", ""), "text")
        return {"boolean": False, "integer": shape.get("minimum", 0), "object": {}}[kinds]

    def resolved(self, schema: Schema) -> tuple[str, Schema]:
        """The component's name and its own shape; what may be null is taken for what it is otherwise."""
        for inner in (*schema.get("allOf", ()), *schema.get("oneOf", ())):
            if inner.get("type") != "null":
                return self.resolved(inner)
        if "$ref" not in schema:
            return "", schema
        name = schema["$ref"].rpartition("/")[2]
        _, shape = self.resolved(self.components["schemas"][name])
        return name, shape

    def fits(self, value: Any, schema: Schema) -> bool:
        return bool(Draft202012Validator({**schema, "components": self.components}).is_valid(value))


def add(operation: dict[str, Any], maker: Maker) -> None:
    """Give the operation's request and its good answers their examples, where they have none yet."""
    name = operation["operationId"]
    asked = operation.get("requestBody", {}).get("content", {}).get(_JSON)
    if asked is not None:
        told = samples.REQUESTS.get(name) or {"Smallest": maker.value(asked["schema"], required_only=True)}
        asked["examples"] = _named(told)
    for content in _answers(operation):
        made = maker.value(content["schema"])
        told = samples.ANSWERS.get(name) or {"Answer": {}}
        content["examples"] = _named({title: altered(made, more) for title, more in told.items()})
    for answer in operation["responses"].values():
        for kind, content in answer.get("content", {}).items():
            if kind == "text/csv":
                content["example"] = samples.CSV.get(name, "id\r\n")
            elif kind in samples.IMAGES:
                content["example"] = samples.IMAGES[kind]
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            counted = parameter["schema"]["type"] == "integer"
            parameter["example"] = 1 if counted else samples.sample_id(_kind_of(parameter["name"]))


def altered(made: Any, more: Mapping[str, Any]) -> Any:
    """The example with some of it otherwise, or absent."""
    if not more:
        return made
    return {name: value for name, value in {**made, **more}.items() if value is not samples.ABSENT}


def _answers(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for status, answer in operation["responses"].items():
        if status.startswith("2") and _JSON in answer.get("content", {}):
            yield answer["content"][_JSON]


def _named(told: Mapping[str, Any]) -> dict[str, Any]:
    return {re.sub(r"\W+", "_", title.lower()): {"summary": title, "value": value} for title, value in told.items()}


def _kind_of(parameter: str) -> str:
    word = parameter.removesuffix("_id")
    return PARTS.get(word, word)


PARTS = {
    "key": "api key",
    "account": "provider account",
    "endpoint": "webhook endpoint",
    "receipt": "unallocated receipt",
    "registration": "callback registration",
    "replay": "webhook replay",
    "run": "reconciliation run",
    "exception": "discrepancy",
    "source": "order source",
    "token": "display token",
}
