"""Requests of the screens in a store: a display token in the place of an API key (security.md 15)."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from core import addresses
from core.crypto import Secret
from events import audit
from merchants import display_access
from merchants.authentication import ApiKeyAuthentication, HasScope
from merchants.models import DisplayToken
from merchants.request_log import ANSWERED, facts_of

_PREFIX = "display_"


@dataclass(frozen=True, slots=True)
class Screen:
    """What a screen presents. Whether that is good is known once the store is, of which it wants to see something."""

    authorization: Secret
    address: str

    is_authenticated = True

    def admitted(self, *, store: str) -> DisplayToken:
        """Its token, where that is a current one of this very store. Raises DisplayTokenRefused, RateLimited."""
        return display_access.admit(self.authorization.reveal(), store=store, address=self.address)

    def note(self, request: Request, token: DisplayToken, *, object_id: str, status: int) -> None:
        """Write down what was asked, as of every request with a key."""
        row = audit.entry(
            actor=token.pk,
            action=ANSWERED,
            merchant=token.merchant_id,
            livemode=token.livemode,
            object_id=object_id,
            address=self.address,
            request=facts_of(request, status=status),
        )
        audit.record_read(row)


class KeyOrDisplayToken(BaseAuthentication):
    """`Authorization: Bearer display_…` is a screen; everything else is a matter of API keys."""

    def authenticate(self, request: Request) -> tuple[Any, Any]:
        scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not presented.strip().startswith(_PREFIX):
            return ApiKeyAuthentication().authenticate(request)
        address = addresses.client_address(request.META, trusted_proxies=settings.TRUSTED_PROXIES)
        return Screen(Secret(f"{scheme} {presented}"), address), None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScopeOrIsScreen(HasScope):
    """A screen has no scopes: the view asks for its store."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.user, Screen) or super().has_permission(request, view)
