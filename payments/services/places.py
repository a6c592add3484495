"""A place in flight at an account, for whoever is about to call it while somebody waits (money.md 14b)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from core import http
from core.errors import ProviderBusy
from merchants.models import ProviderAccount
from payments.services import connections


@contextmanager
def place_in_flight(*accounts: ProviderAccount) -> Iterator[ProviderAccount]:
    """A call in flight to the first account that has a place; none is `provider_busy`, before anything is written."""
    with ExitStack() as held:
        for account in accounts:
            try:
                held.enter_context(connections.reserve(account))
            except http.Busy:
                continue
            yield account
            return
    raise busy(accounts[0].provider)


def busy(provider: str) -> ProviderBusy:
    """No account of the provider has a place left."""
    return ProviderBusy(
        f"{provider} is answering slowly and takes no more calls now. "
        "Nothing was created; send the same request again.",
        retry_after=2,
    )
