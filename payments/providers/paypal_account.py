"""What we hold of a PayPal account: its app's credentials, and what differs between accounts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core import addresses
from core.certified_signatures import check_authorities
from core.crypto import Secret
from payments.providers import paypal_words as words
from payments.providers.reports import Word

_CHOICES: Mapping[str, tuple[str, ...]] = {
    "landing_page": ("LOGIN", "GUEST_CHECKOUT", "NO_PREFERENCE"),
    "payment_method_preference": ("UNRESTRICTED", "IMMEDIATE_PAYMENT_REQUIRED"),
    "webhook_verification": ("offline", "endpoint"),
}
_LONGEST = {"brand_name": 127, "soft_descriptor": 22, "locale": 10}
_MAPS = ("order_words", "capture_words", "authorization_words", "refund_words")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Those of a REST app."""

    client_id: Secret
    client_secret: Secret


@dataclass(frozen=True, slots=True)
class Options:
    """What differs between accounts.

    `webhook_ids` are the ids of the webhook subscriptions at PayPal, two during a change: they are part of what is
    signed. `webhook_verification` is "offline", by the certificate that PayPal names, or "endpoint", by asking PayPal
    for each. `certificate_authorities` is the PEM of those who may vouch for that certificate, such as an intermediate
    that PayPal leaves out; empty means the public ones. PayPal names no age after which a message is old, so
    `webhook_max_age_hours` covers its three days of retries. `domestic_currencies` are those of BRL, CNY, INR and MYR
    that the account may take. The maps give PayPal's statuses our words.
    """

    webhook_ids: tuple[str, ...] = ()
    webhook_verification: str = "offline"
    webhook_max_age_hours: int = 96
    certificate_authorities: str = ""
    source_addresses: tuple[str, ...] = ()
    brand_name: str = ""
    locale: str = ""
    soft_descriptor: str = ""
    landing_page: str = "NO_PREFERENCE"
    payment_method_preference: str = "IMMEDIATE_PAYMENT_REQUIRED"
    domestic_currencies: tuple[str, ...] = ()
    order_words: Mapping[str, str] = field(default_factory=lambda: dict(words.ORDER_WORDS))
    capture_words: Mapping[str, str] = field(default_factory=lambda: dict(words.CAPTURE_WORDS))
    authorization_words: Mapping[str, str] = field(default_factory=lambda: dict(words.AUTHORIZATION_WORDS))
    refund_words: Mapping[str, str] = field(default_factory=lambda: dict(words.REFUND_WORDS))

    def __post_init__(self) -> None:
        addresses.networks(self.source_addresses)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name!r} must be one of {', '.join(choices)}")
        for name, longest in _LONGEST.items():
            if len(getattr(self, name)) > longest:
                raise ValueError(f"{name!r} has at most {longest} characters")
        for name in _MAPS:
            for word in getattr(self, name).values():
                if word not in list(Word):
                    raise ValueError(f"{name!r} maps to {word!r}, which is none of our words")
        self._check_webhooks()

    def _check_webhooks(self) -> None:
        if self.webhook_max_age_hours < 1:
            raise ValueError("'webhook_max_age_hours' is at least 1")
        if not words.DOMESTIC.issuperset(self.domestic_currencies):
            raise ValueError(f"'domestic_currencies' are of {', '.join(sorted(words.DOMESTIC))}")
        try:
            check_authorities(self.certificate_authorities)
        except ValueError:
            raise ValueError("'certificate_authorities' is not a text of PEM certificates") from None
