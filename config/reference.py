"""The API's reference, served from this host: OpenAPI 3.1, a readable page, and a page for each code it can answer."""

import json
from functools import lru_cache

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer

from config.documenting.collection import collection
from config.documenting.failures import FAILURES
from core.errors import every_error


@require_safe
def document(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_document(settings.PUBLIC_URL), content_type="application/json")


@require_safe
def requests(request: HttpRequest) -> HttpResponse:
    """A collection for Postman and those who read its form."""
    made = collection(json.loads(_document(settings.PUBLIC_URL)))
    answer = JsonResponse(made, json_dumps_params={"ensure_ascii": False, "indent": 1})
    answer["Content-Disposition"] = 'attachment; filename="lango.postman_collection.json"'
    return answer


@lru_cache(maxsize=2)
def _document(public_url: str) -> bytes:
    """Half a second's work for whoever asks first; the same for everybody while the process lives."""
    made = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return bytes(OpenApiJsonRenderer().render(made, renderer_context={}))


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/reference.html")


def error(request: HttpRequest, code: str) -> HttpResponse:
    found = _told_of(code)
    if not found:
        raise Http404(code)
    return render(request, "docs/error.html", {"code": code, "found": found})


def errors(request: HttpRequest) -> HttpResponse:
    kinds = sorted((kind.status, kind.code, kind.title) for kind in every_error())
    return render(request, "docs/errors.html", {"errors": kinds, "failures": sorted(FAILURES.items())})


def _told_of(code: str) -> list[dict[str, str | SafeString]]:
    """What the code says as an answer's, and as a payment's `failure.code`: one word may be both."""
    found = [
        _shown(f"HTTP {kind.status}", kind.title, kind.__doc__, kind.remedy)
        for kind in every_error()
        if kind.code == code
    ]
    told = FAILURES.get(code)  # type: ignore[call-overload]  # a member of the enum equals its text
    return found + ([_shown("failure.code", told.title, told.meaning, told.remedy)] if told else [])


def _shown(where: str, title: str, meaning: str | None, remedy: str) -> dict[str, str | SafeString]:
    return {"where": where, "title": title, "meaning": _marked(meaning or ""), "remedy": _marked(remedy)}


def _marked(text: str) -> SafeString:
    """Words in backquotes as code, everything else as it is."""
    pieces = enumerate(" ".join(text.split()).split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", piece) if at % 2 else piece,) for at, piece in pieces)
    )
