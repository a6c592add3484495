"""What the reference says of every operation: problem answers, lists and the way to authenticate."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers


class FieldProblem(serializers.Serializer[Any]):
    param = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """RFC 9457 problem details. An error status means that nothing was created."""

    type = serializers.URLField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    param = serializers.CharField(allow_null=True)
    request_id = serializers.CharField()
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment]  # a field that shares the name


def problem(description: str) -> OpenApiResponse:
    return OpenApiResponse(Problem, description=description)


PROBLEMS: dict[Any, OpenApiResponse] = {
    (400, "application/problem+json"): problem("The request is not valid"),
    (401, "application/problem+json"): problem("The API key was not accepted"),
    (403, "application/problem+json"): problem("The key lacks the scope"),
    (404, "application/problem+json"): problem("There is no such object for this key"),
    (409, "application/problem+json"): problem("The object's state, or a request under way, does not allow this"),
    (422, "application/problem+json"): problem("The key was used for another request, or more is asked than may be"),
    (429, "application/problem+json"): problem("Too many requests; see Retry-After"),
    (503, "application/problem+json"): problem("Not available for a moment; see Retry-After"),
}


def list_of(item: type[serializers.Serializer[Any]]) -> Any:
    """A page of a list."""
    return inline_serializer(
        f"{item.__name__.removesuffix('Output')}List",
        {
            "object": serializers.CharField(default="list"),
            "data": item(many=True),
            "next_cursor": serializers.CharField(allow_null=True),
            "has_more": serializers.BooleanField(),
        },
    )


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself when made
    target_class = "merchants.authentication.ApiKeyAuthentication"
    name = ["ApiKey", "ApiKeyHeader"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        bearer = {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer sk_test_…`"}
        header = {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "`X-API-Key: sk_test_…`"}
        return [bearer, header]
