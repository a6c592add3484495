"""What accounts at payment providers are made of, for the floor below, which keeps them."""

from collections.abc import Sequence

from django.conf import settings

from merchants.accounts import Kind
from merchants.models import ProviderAccount
from payments.providers import REGISTRY
from payments.services import connections, registering
from payments.services.connections import SIMULATOR


def kind_of(provider: str) -> Kind:
    """The adapter's declarations as merchants know them."""
    adapter = REGISTRY[provider]

    def hosts(livemode: bool) -> Sequence[str]:
        if livemode:
            return tuple(adapter.live_hosts)
        # Where a company has one host for both modes, its keys tell them apart; elsewhere test stays off the live one.
        sandboxes = [name for name in adapter.hosts if name not in adapter.live_hosts] or list(adapter.hosts)
        return (*sandboxes, *((SIMULATOR,) if settings.SIMULATORS_URL else ()))

    return Kind(
        title=adapter.title,
        credentials_type=adapter.credentials_type,
        options_type=adapter.options_type,
        hosts=hosts,
        check_mode=adapter.check_mode,
        check=_check,
        methods=sorted(adapter.capabilities.methods),
        app=adapter.app,
        register_doors=registering.register_doors if adapter.capabilities.registers_doors else None,
    )


def _check(account: ProviderAccount) -> None:
    with connections.reserve(account):
        connections.connect(account).check_credentials()
