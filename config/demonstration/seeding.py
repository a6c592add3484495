"""Who takes part in the demo: a merchant with a test-mode key, its accounts at the simulators, and two of the staff.

Import it only after `django.setup()`.
"""

import json
import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.db.models import Q

from config.demonstration.credentials import Credentials
from config.demonstration.places import Places
from config.demonstration.telling import CannotGoOn
from core import clock
from core.http import HttpFault, Request, Response, send
from merchants import doors, scopes, services
from merchants.authentication import key_hash
from merchants.fees import Tier, write_schedule
from merchants.models import ApiKey, Merchant, ProviderAccount
from payments.providers import REGISTRY
from payments.providers.stripe import Options as StripeOptions

ACTOR = "demo"
MERCHANT = "Demo merchant"
ADMINISTRATOR, OPERATOR = "demo-admin", "demo-ops"
STRIPE_KEY = "sk_test_lango_simulator"
MPESA_CREDENTIALS = {
    "consumer_key": "lango-simulator-key",
    "consumer_secret": "lango-simulator-secret",
    "passkey": "lango-simulator-passkey-600111",
    "initiator_name": "lango-operator",
    "initiator_password": "Simulator-Pass-1!",
}
MPESA_SHORTCODE = "600111"
CODES: Mapping[str, Mapping[str, str]] = {
    "midtrans": {"server_key": "SB-Mid-server-lango-simulator"},
    "xendit": {
        "secret_key": "xnd_development_lango-simulator",
        "callback_token": "lango-simulator-callback-token",
    },
}
"""Who issues codes, in the order in which they are asked.

These are what the simulators accept: public test values, printed by `make simulators`.
"""

_APPLICATIONS = ("events", "ledger", "merchants", "orders", "payments", "reconciliation")
_NOT_FOR_OPERATORS = ("set_credentials",)
_WRITTEN_BY_OPERATORS = ("add_feeschedule",)
_DEADLINE_SECONDS = 10.0


def find_merchant(credentials: Credentials) -> Merchant | None:
    """The merchant that an earlier run seeded in this database, if its key still works."""
    key = ApiKey.objects.select_related("merchant").filter(hash=key_hash(credentials.api_key)).first()
    return key.merchant if key and key.is_current else None


def seed_merchant(credentials: Credentials, *, places: Places) -> Merchant:
    """A merchant with a key, whose text goes into `credentials`, and an account at each simulator."""
    certificate = _call(Request("GET", f"{simulator(places, 'mpesa')}/_simulator/certificate")).body.decode()
    with transaction.atomic():
        _free_app()
        merchant = services.create_merchant(name=MERCHANT, by=ACTOR)
        _issue_key(merchant, credentials)
        _create_accounts(merchant, certificate)
    credentials.endpoint = credentials.endpoint_secret = ""
    return merchant


def _issue_key(merchant: Merchant, credentials: Credentials) -> None:
    _, secret = services.create_api_key(
        merchant=merchant, name="Demo", owner="The demo", scopes=list(scopes.known()), by=ACTOR
    )
    credentials.api_key = secret.reveal()


def renew_key(merchant: Merchant, credentials: Credentials) -> None:
    """A key from before the newest scopes gives way to one that has them all."""
    key = ApiKey.objects.get(hash=key_hash(credentials.api_key))
    if not set(scopes.known()) <= set(key.scopes):
        _issue_key(merchant, credentials)
        services.revoke_api_key(key, by=ACTOR)


def _free_app() -> None:
    """An app serves one account: an earlier demo merchant, whose key nobody has any more, gives it up."""
    for account in ProviderAccount.objects.filter(merchant__name=MERCHANT, provider="mpesa", livemode=False):
        given_up = MPESA_CREDENTIALS | {"consumer_key": f"given-up-by-{account.pk}"}
        services.set_credentials(account, given_up, by=ACTOR)


def _create_accounts(merchant: Merchant, certificate: str) -> None:
    services.create_provider_account(
        merchant=merchant,
        provider="stripe",
        name="Stripe simulator",
        host="simulator",
        # The secret follows once the simulator has been told our address and has answered with it.
        credentials={"secret_key": STRIPE_KEY, "webhook_secrets": []},
        by=ACTOR,
    )
    services.create_provider_account(
        merchant=merchant,
        provider="mpesa",
        name="M-Pesa simulator",
        host="simulator",
        credentials=MPESA_CREDENTIALS,
        options={
            "shortcode": MPESA_SHORTCODE,
            "certificate": certificate,
            "source_addresses": ["127.0.0.1"],
        },
        by=ACTOR,
    )


def seed_code_accounts(merchant: Merchant, *, places: Places) -> None:
    """Accounts for QRIS, also for a merchant of an earlier demo; Xendit's webhooks come to our door."""
    for place, (provider, credentials) in enumerate(CODES.items()):
        if not ProviderAccount.objects.filter(merchant=merchant, provider=provider).exists():
            services.create_provider_account(
                merchant=merchant,
                provider=provider,
                name=f"{REGISTRY[provider].title} simulator",
                host="simulator",
                credentials=dict(credentials),
                priority=10 + place,
                by=ACTOR,
            )
    account = ProviderAccount.objects.get(merchant=merchant, provider="xendit")
    told = json.dumps({"webhook_url": doors.callback_url(account, "notifications")}).encode()
    headers = {"Content-Type": "application/json"}
    _call(Request("POST", f"{simulator(places, 'xendit')}/_simulator/settings", headers, told))


def write_tariffs(merchant: Merchant) -> None:
    """What the providers are expected to keep: sample tariffs, unless staff have written others."""
    samples = {
        "stripe": ("USD", [Tier(0, 30, Decimal("2.9"))]),
        "mpesa": ("KES", [Tier(0, 0, Decimal("0.55")), Tier(20_000_000, 110_000, Decimal(0))]),
        "midtrans": ("IDR", [Tier(0, 0, Decimal("0.7"))]),
        "xendit": ("IDR", [Tier(0, 0, Decimal("0.63"))]),
    }
    for account in ProviderAccount.objects.filter(merchant=merchant, fee_schedules=None):
        currency, tiers = samples[account.provider]
        write_schedule(
            account=account,
            method="",
            currency=currency,
            effective_from=clock.now(),
            tax_percent=Decimal(0),
            tiers=tiers,
            note="A sample for the demo",
            by=ACTOR,
        )


def connect_stripe(merchant: Merchant, *, places: Places) -> None:
    """Have the Stripe simulator send its events to our door, as a merchant does in Stripe's dashboard.

    An endpoint that another port or database left behind is deleted; the simulator is the demo's own.
    """
    account = ProviderAccount.objects.get(merchant=merchant, provider="stripe")
    url, base = doors.callback_url(account, "events"), simulator(places, "stripe")
    known = json.loads(_call(_stripe("GET", f"{base}/v1/webhook_endpoints?limit=100")).body)["data"]
    for endpoint in known:
        if endpoint["url"] != url:
            _call(_stripe("DELETE", f"{base}/v1/webhook_endpoints/{endpoint['id']}"))
    if all(endpoint["url"] != url for endpoint in known):
        asked = {"url": url, "enabled_events[]": "*", "api_version": StripeOptions().api_version}
        made = json.loads(_call(_stripe("POST", f"{base}/v1/webhook_endpoints", asked)).body)
        services.set_credentials(account, {"secret_key": STRIPE_KEY, "webhook_secrets": [made["secret"]]}, by=ACTOR)


def seed_staff(credentials: Credentials) -> None:
    """An administrator, and an operator who sees everything and may act, but edits nothing except tariffs."""
    for name in (ADMINISTRATOR, OPERATOR):
        user = User.objects.filter(username=name).first()
        if user is None or name not in credentials.staff:
            user = user or User(username=name)
            credentials.staff[name] = secrets.token_urlsafe(9)
            user.set_password(credentials.staff[name])
        user.is_staff = user.is_active = True
        user.is_superuser = name == ADMINISTRATOR
        user.save()
    User.objects.get(username=OPERATOR).user_permissions.set(_operator_permissions())


def _operator_permissions() -> list[Permission]:
    ours = Permission.objects.filter(content_type__app_label__in=_APPLICATIONS)
    edits = Q(codename__startswith="add_") | Q(codename__startswith="change_") | Q(codename__startswith="delete_")
    edits &= ~Q(codename__in=_WRITTEN_BY_OPERATORS)
    return list(ours.exclude(edits).exclude(codename__in=_NOT_FOR_OPERATORS))


def simulator(places: Places, provider: str) -> str:
    """The address of a provider's simulator."""
    return places.simulator(list(REGISTRY).index(provider))


def _stripe(method: str, url: str, form: Mapping[str, str] | None = None) -> Request:
    headers = {
        "Authorization": f"Bearer {STRIPE_KEY}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return Request(method, url, headers, urlencode(form or {}).encode())


def _call(request: Request) -> Response:
    try:
        answer = send(request, deadline=_DEADLINE_SECONDS)
    except HttpFault as fault:
        raise CannotGoOn(f"The simulator does not answer {request.method} {request.url}: {fault}") from fault
    if answer.status >= 300:
        told: Any = answer.body[:300].decode(errors="replace")
        raise CannotGoOn(f"The simulator answered {request.method} {request.url} with {answer.status}: {told}")
    return answer
