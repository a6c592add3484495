"""Events, for merchants."""

import pytest

from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def test_events_are_listed_newest_first_and_filtered(api):
    first = factories.EventFactory(about__merchant=api.key.merchant)
    second = factories.EventFactory(about__merchant=api.key.merchant, type="payment.failed")
    factories.EventFactory()

    def listed(query=""):
        return [row["id"] for row in api.get(f"/v1/events{query}").json()["data"]]

    assert listed() == [second.pk, first.pk]
    assert listed("?type=payment.failed") == [second.pk]
    assert listed(f"?subject={first.subject}") == [first.pk]
    assert api.get(f"/v1/events/{first.pk}").json()["data"] == {"object": first.data}
