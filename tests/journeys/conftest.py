"""The same world as the tests of payments."""

from tests.payments.conftest import caller, certificate, companies, other_shop, server, shop, world

__all__ = ["caller", "certificate", "companies", "other_shop", "server", "shop", "world"]
