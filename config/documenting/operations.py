"""What each operation says of itself: its docstring, its scope, and whether it can be repeated safely."""

import inspect
from typing import Any, cast

from drf_spectacular.openapi import AutoSchema

from merchants.views import ApiView

KEY = "Idempotency-Key"
_PROPER = {"api": "API", "csv": "CSV", "url": "URL", "urls": "URLs"}


class Schema(AutoSchema):
    """The description is the docstring of the view's method; the summary is the operation's id in words."""

    @property
    def asked(self) -> ApiView:
        return cast(ApiView, self.view)

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular asks for it without arguments
        return inspect.getdoc(getattr(self.view, self.method.lower())) or ""

    def get_summary(self) -> str:
        words = [_PROPER.get(word, word) for word in self.get_operation_id().split("_")]
        return " ".join([words[0].capitalize(), *words[1:]])

    def get_operation(self, *arguments: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*arguments)
        if operation is not None:
            self._name_the_scope(operation)
            self._name_the_key(operation)
        return operation

    def _name_the_scope(self, operation: dict[str, Any]) -> None:
        scope = self.asked.scopes[self.method]
        told = operation.get("description", "")
        operation["description"] = f"{told}\n\nThe key needs the scope `{scope}`." if told else ""
        operation["security"] = [{scheme: [scope]} for way in operation.get("security", []) for scheme in way]

    def _name_the_key(self, operation: dict[str, Any]) -> None:
        if self.method != "POST":
            return
        required = not self.asked.key_is_optional
        others = [given for given in operation.get("parameters", []) if given["name"] != KEY]
        operation["parameters"] = [
            *others,
            {
                "name": KEY,
                "in": "header",
                "required": required,
                "description": "Of your own making, the same on every try of one request: then it happens once.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
                "example": "order-1042-first-try" if required else "a-key-of-your-own",
            },
        ]
