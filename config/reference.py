"""The API's reference, served from this host: OpenAPI 3.1, a readable page, and a page for each error code."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
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
    return render(request, "docs/error.html", {"error": found})


def add_webhooks(result: dict[str, Any], generator: Any, request: Any, public: Any) -> dict[str, Any]:
    """Put every event of the catalogue into the document's `webhooks`."""
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Event"}}}
    result["webhooks"] = {
        name: {
            "post": {
                "operationId": f"on_{name.replace('.', '_')}",
                "summary": name,
                "tags": ["Webhooks to you"],
                "security": [],
                "requestBody": {"content": body},
                "responses": {"2XX": {"description": "Any 2xx counts as delivered"}},
            }
        }
        for name in subjects.event_types()
    }
    return result
