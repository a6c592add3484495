"""The world of payments: our web server, the companies' simulators, a merchant."""

from tests.payments.conftest import caller, certificate, companies, server, shop, world

__all__ = ["caller", "certificate", "companies", "server", "shop", "world"]
