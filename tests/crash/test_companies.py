"""That the crash rounds go over every provider."""

from payments.providers import REGISTRY
from tests.crash.companies import ALL


def test_every_provider_is_in_the_crash_rounds():
    assert [company.name for company in ALL] == list(REGISTRY)


def test_every_way_to_pay_in_the_rounds_is_one_that_its_provider_has():
    for company in ALL:
        methods = REGISTRY[company.name].capabilities.methods
        for way in company.ways:
            channel = way.body.get("channel", "")
            assert channel in (*methods[way.body["method"]].channels, ""), company.name
