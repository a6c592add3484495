"""The API's reference, served from this host: OpenAPI 3.1, a readable page, and a page for each error code."""

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from drf_spectacular.views import SpectacularJSONAPIView

from core.errors import every_error
from events import subjects

document = SpectacularJSONAPIView.as_view()


def page(request: HttpRequest) -> HttpResponse:
    return render(request, "docs/reference.html")


def error(request: HttpRequest, code: str) -> HttpResponse:
    found = next((kind for kind in every_error() if kind.code == code), None)
    if found is None:
        raise Http404(code)
    shown = {"status": found.status, "code": found.code, "title": found.title}
    told = {"meaning": _marked(found.__doc__ or ""), "remedy": _marked(found.remedy)}
    return render(request, "docs/error.html", {**shown, **told})


def _marked(text: str) -> SafeString:
    """Words in backquotes as code, everything else as it is."""
    pieces = enumerate(" ".join(text.split()).split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", piece) if at % 2 else piece,) for at, piece in pieces)
    )


def add_webhooks(result: dict[str, Any], generator: Any, request: Any, public: Any) -> dict[str, Any]:
    """Put every event of the catalogue into the document's `webhooks`."""
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}}
    result["webhooks"] = {
        name: {
            "post": {
                "operationId": f"on_{name.replace('.', '_')}",
                "summary": name,
                "tags": [_WEBHOOKS],
                "security": [],
                "requestBody": {"content": body},
                "responses": {"2XX": {"description": "Any 2xx counts as delivered"}},
            }
        }
        for name in subjects.event_types()
    }
    result["tags"] = [{"name": name} for name in [*_tags_of(result["paths"]), _WEBHOOKS]]
    return result


def _tags_of(paths: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The order of the page's chapters: what merchants call first, what calls them last."""
    return sorted({tag for methods in paths.values() for operation in methods.values() for tag in operation["tags"]})


_WEBHOOKS = "Webhooks to you"
