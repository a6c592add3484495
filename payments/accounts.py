"""What accounts at payment providers are made of, for the floor below, which keeps them."""

from collections.abc import Sequence

from django.conf import settings

from merchants.accounts import Kind
from payments.providers import REGISTRY
from payments.services.connections import SIMULATOR


def kind_of(provider: str) -> Kind:
    """The adapter's declarations as merchants know them."""
    adapter = REGISTRY[provider]

    def hosts(livemode: bool) -> Sequence[str]:
        if livemode:
            return tuple(adapter.live_hosts)
        return (*adapter.hosts, *((SIMULATOR,) if settings.SIMULATORS_URL else ()))

    return Kind(
        title=adapter.title,
        credentials_type=adapter.credentials_type,
        options_type=adapter.options_type,
        hosts=hosts,
        check_mode=adapter.check_mode,
        methods=sorted(adapter.capabilities.methods),
    )
