"""The world of payments: our web server, the companies' simulators, a merchant."""

from tests.payments.conftest import caller, certificate, companies, midtrans, server, shop, world, xendit

__all__ = ["caller", "certificate", "companies", "midtrans", "server", "shop", "world", "xendit"]
