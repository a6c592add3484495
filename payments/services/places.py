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
        account = next((account for account in accounts if reserve(account, held)), None)
        if account is None:
            raise busy(accounts[0].provider)
        yield account


def reserve(account: ProviderAccount, held: ExitStack) -> bool:
    """Take a place at the account, to be given back with what `held` closes; False where none is left."""
    try:
        held.enter_context(connections.reserve(account))
    except http.Busy:
        return False
    return True


def busy(provider: str) -> ProviderBusy:
    """No account of the provider has a place left."""
    return ProviderBusy(
        f"{provider} is answering slowly and takes no more calls now. "
        "Nothing was created; send the same request again.",
        retry_after=2,
    )
