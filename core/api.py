"""The glue between Django REST framework and the API's conventions: JSON, errors, strict input, cursor pages."""

import base64
import logging
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import orjson
from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db.models import Model, QuerySet
from django.http import Http404, HttpResponse
from rest_framework import exceptions, parsers, renderers, serializers
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from core import cards, contacts, errors, ids
from core.errors import ApiError, FieldError
from core.fields import PublicIdField
from core.middleware import is_database_away, unavailable

logger = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
_MOST_LEVELS = 32


class JsonParser(parsers.JSONParser):
    """UTF-8 JSON objects only; a number that JSON does not know, or a list, is a clear error."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestDataTooBig
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise exceptions.ParseError(f"The body is not valid JSON: {error}.") from error
        if not isinstance(parsed, dict):
            raise exceptions.ParseError("The body must be a JSON object.")
        if _is_deeper_than(_MOST_LEVELS, parsed):
            raise exceptions.ParseError(f"The body is nested in more than {_MOST_LEVELS} levels.")
        return parsed


def _is_deeper_than(levels: int, parsed: dict[str, Any]) -> bool:
    """Whether anything lies deeper than so many objects and lists: whoever reads the body further may recurse."""
    level: list[Any] = [parsed]
    for _ in range(levels):
        inner = (each for part in level for each in (part.values() if isinstance(part, dict) else part))
        level = [each for each in inner if isinstance(each, dict | list)]
        if not level:
            return False
    return True


class JsonRenderer(renderers.JSONRenderer):
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else orjson.dumps(data)


class CsvRenderer(JsonRenderer):
    """Lets a list be asked for as `Accept: text/csv`, which the view then streams; problems stay JSON."""

    media_type = "text/csv"
    format = "csv"


def wants_csv(request: Request) -> bool:
    return bool(request.accepted_renderer.format == CsvRenderer.format)


def handle_exception(exception: Exception, context: Mapping[str, Any]) -> HttpResponse | Response:
    """Every error of the API as RFC 9457 problem details, with the request's id."""
    request = context["request"]
    if is_database_away(exception):
        return unavailable(request._request)
    problem = _as_api_error(exception)
    if problem is None:
        logger.exception("unhandled error", exc_info=exception)
        problem = ApiError("The fault is recorded under this request_id. Ask again later, with the same key.")
    return problem_response(problem, getattr(request, "request_id", ""))


def problem_response(problem: ApiError, request_id: str) -> Response:
    documentation = f"{settings.PUBLIC_URL}/docs/errors/"
    body = problem.problem(request_id=request_id, documentation=documentation)
    response = Response(body, status=problem.status, content_type=PROBLEM)
    for name, value in problem.headers.items():
        response[name] = value
    if problem.retry_after is not None:
        response["Retry-After"] = str(problem.retry_after)
    if problem.status == errors.Unauthorized.status:
        response["WWW-Authenticate"] = "Bearer"
    return response


def _as_api_error(exception: Exception) -> ApiError | None:
    match exception:
        case ApiError():
            return exception
        case exceptions.ValidationError():
            return _invalid(exception)
        case Http404() | exceptions.NotFound():
            return errors.NotFound("There is no such object for this key.")
        case exceptions.ParseError():
            return errors.InvalidRequest(str(exception.detail))
        case exceptions.MethodNotAllowed():
            return errors.MethodNotAllowed(f"{exception.detail}")
        case exceptions.UnsupportedMediaType():
            return errors.UnsupportedMediaType("Send the body as application/json.")
        case exceptions.NotAcceptable():
            return errors.NotAcceptable("Answers are application/json.")
        case RequestDataTooBig():
            return errors.PayloadTooLarge(f"A body has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return errors.Unauthorized("Send a current API key as `Authorization: Bearer sk_…`.")
        case PermissionDenied() | exceptions.PermissionDenied():
            return errors.Forbidden("This key may not do that.")
    return None


def _invalid(exception: exceptions.ValidationError) -> ApiError:
    found = _flatten(exception.detail, "")
    kind = errors.CardDataNotAllowed if any(error.code == cards.CODE for error in found) else errors.InvalidRequest
    first = found[0]
    return kind(f"{first.pointer}: {first.detail}", param=first.pointer, errors=found)


def _flatten(detail: Any, pointer: str) -> list[FieldError]:
    """All faults at once, each with its JSON pointer."""
    if isinstance(detail, dict):
        return [
            error
            for name, inner in detail.items()
            for error in _flatten(inner, pointer if name == "non_field_errors" else f"{pointer}/{name}")
        ]
    if isinstance(detail, list):
        return [error for inner in detail for error in _flatten(inner, pointer)]
    return [FieldError(pointer or "/", str(detail), getattr(detail, "code", "invalid"))]


class PhoneField(serializers.CharField):
    """A phone number, read into E.164. One without a country code is read in `context["region"]`."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return contacts.phone(super().to_internal_value(data), region=self.context.get("region", ""))
        except ValueError as fault:
            raise serializers.ValidationError(str(fault)) from None


class StrictSerializer(serializers.Serializer[Any]):
    """Parses input. An unknown field is an error that names it; card data anywhere is refused, unlogged."""

    def to_internal_value(self, data: Any) -> Any:
        found = cards.find(self._without_phones(data))
        if found:
            raise serializers.ValidationError({found: cards.refusal()})
        unknown = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if unknown:
            message = "is not a field of this request"
            raise serializers.ValidationError(
                {name: serializers.ErrorDetail(message, code="unknown_field") for name in unknown}
            )
        return super().to_internal_value(data)

    def _without_phones(self, data: Any) -> Any:
        """One phone number in ten that begins with 62 would pass for a card's; in a field for phones it is none."""
        if not isinstance(data, dict):
            return data
        phones = {name for name, field in self.fields.items() if isinstance(field, PhoneField)}
        return {name: value for name, value in data.items() if name not in phones or not contacts.is_phone(value)}


class NothingInput(StrictSerializer):
    """No fields: what the path says is all that is asked."""


class ListQuery(StrictSerializer):
    """The parameters that every list takes; subclasses add their filters as fields."""

    limit = serializers.IntegerField(min_value=1, max_value=100, default=20)
    cursor = serializers.CharField(max_length=200, required=False)


def page(
    rows: QuerySet[Any],
    asked: ListQuery,
    *,
    present: Callable[[Any], dict[str, Any]],
    prepare: Callable[[list[Any]], None] = lambda rows: None,
) -> dict[str, Any]:
    """One page, newest first, by keyset over the id: stable while rows are inserted, and never counting.

    `prepare` is given the page's rows before any is presented, to fetch for all what `present` needs of each.
    Raises InvalidRequest for a cursor that this API did not give out.
    """
    limit, cursor = asked.validated_data["limit"], asked.validated_data.get("cursor")
    if cursor:
        rows = rows.filter(pk__lt=_decoded(cursor, rows.model))
    found: list[Model] = list(rows.order_by("-pk")[: limit + 1])
    more = len(found) > limit
    shown = found[:limit]
    prepare(shown)
    return {
        "object": "list",
        "data": [present(row) for row in shown],
        "next_cursor": _encoded(shown[-1].pk) if more else None,
        "has_more": more,
    }


def _encoded(public_id: str) -> str:
    return base64.urlsafe_b64encode(public_id.encode()).decode().rstrip("=")


def _decoded(cursor: str, model: type[Model]) -> str:
    try:
        public_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except ValueError:
        public_id = ""
    if not ids.is_id(public_id, cast(PublicIdField, model._meta.pk).prefix):
        raise errors.InvalidRequest("The cursor is not one that this API gave out.", param="cursor")
    return public_id


def refuse_stray_parameters(request: Request) -> None:
    """Of two values for one parameter one would be ignored, and of a write's parameters all.

    Raises InvalidRequest that names them.
    """
    faults = [
        errors.FieldError(f"/{name}", "is given more than once", "repeated")
        for name, values in request.query_params.lists()
        if len(values) > 1
    ]
    if request.method not in SAFE_METHODS:
        faults += [
            errors.FieldError(f"/{name}", "is not a parameter of this request", "unknown_field")
            for name in request.query_params
        ]
    if faults:
        raise errors.InvalidRequest.naming(faults)


Asked = TypeVar("Asked", bound=ListQuery)


def query(request: Request, serializer: type[Asked], *, context: Mapping[str, Any] | None = None) -> Asked:
    """The validated parameters of a list; `a[gte]` is the field `a__gte`."""
    given = {name.replace("[", "__").replace("]", ""): value for name, value in request.query_params.items()}
    parsed = serializer(data=given, context=dict(context or {}))
    parsed.is_valid(raise_exception=True)
    return parsed
