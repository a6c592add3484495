"""`/metrics`: for whoever presents the token or comes from an address in the settings; for others it is not there."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from config import metrics
from core import addresses
from core.crypto import matches


@require_GET
def show(request: HttpRequest) -> HttpResponse:
    if not (_presents_token(request) or _comes_from_trusted(request)):
        raise Http404
    return HttpResponse(metrics.text(), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _presents_token(request: HttpRequest) -> bool:
    scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
    expected = settings.METRICS_TOKEN
    return bool(expected) and scheme.lower() == "bearer" and matches(presented.strip(), expected.reveal())


def _comes_from_trusted(request: HttpRequest) -> bool:
    """A proxy that we were not told of would lend its own address to everybody behind it."""
    if "X-Forwarded-For" in request.headers and not settings.TRUSTED_PROXIES:
        return False
    address = addresses.client_address(request.META, trusted_proxies=settings.TRUSTED_PROXIES)
    return addresses.is_listed(address, settings.METRICS_ADDRESSES)
