"""Who declares codes for a counter is held to it."""

from payments.services import static_codes
from tests.contracts.static_codes import StaticCodeContract
from tests.payments.providers import test_xendit_static_codes


def test_each_provider_that_makes_them_has_its_contract():
    assert test_xendit_static_codes.TestContract.name == "xendit"
    assert {kind.name for kind in StaticCodeContract.__subclasses__()} == set(static_codes.makers())
