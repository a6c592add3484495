"""What `manage.py check --deploy` refuses: settings that are only for a machine of one's own."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

from core import addresses

METRICS_TOKEN_LENGTH = 24


@register(Tags.security, deploy=True)
def only_for_development(app_configs: Any, **_: Any) -> Iterable[CheckMessage]:
    """Development switches are errors in a deployment."""
    if settings.DEVELOPMENT:
        yield Error("LANGO_DEVELOPMENT is set: unset it in a deployment.", id="lango.E001")
    if settings.OUTGOING_LOOPBACK_ALLOWED:
        yield Error(
            "OUTGOING_LOOPBACK_ALLOWED opens this machine's own addresses to webhook URLs: unset it.",
            id="lango.E002",
        )
    if not settings.PUBLIC_URL.startswith("https://"):
        yield Error("PUBLIC_URL must begin with https:// in a deployment.", id="lango.E003")
    if settings.SIMULATORS_URL:
        yield Error("SIMULATORS_URL names simulators of providers: unset it in a deployment.", id="lango.E004")
    if settings.METRICS_TOKEN and len(settings.METRICS_TOKEN.reveal()) < METRICS_TOKEN_LENGTH:
        yield Error(f"METRICS_TOKEN has fewer than {METRICS_TOKEN_LENGTH} characters.", id="lango.E005")
    try:
        addresses.networks(settings.METRICS_ADDRESSES)
    except ValueError as fault:
        yield Error(f"METRICS_ADDRESSES: {fault}.", id="lango.E006")
