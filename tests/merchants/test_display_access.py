"""Who may follow a store, and until when."""

from datetime import timedelta

import pytest

from core import clock
from core.errors import RateLimited
from events.models import RefusedKeys
from merchants import display_access, display_tokens, stores
from merchants.display_access import DisplayTokenRefused
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)


def admit(presented, store):
    return display_access.admit(f"Bearer {presented}", store=store, address="198.51.100.7")


def test_a_current_token_opens_its_own_store():
    token = factories.DisplayTokenFactory()
    assert admit(token.presented, token.store_id).store == token.store
    assert not RefusedKeys.objects.exists()


@pytest.mark.parametrize("store", ["", "\x00", "store_" + "0" * 26, "sk_test_1"])
def test_it_opens_nothing_else(store):
    token = factories.DisplayTokenFactory()
    with pytest.raises(DisplayTokenRefused):
        admit(token.presented, store)


def test_what_is_no_bearer_token_is_refused():
    token = factories.DisplayTokenFactory()
    for authorization in ("", token.presented, f"Basic {token.presented}"):
        with pytest.raises(DisplayTokenRefused):
            display_access.admit(authorization, store=token.store_id, address="198.51.100.7")


def test_a_token_of_one_mode_opens_no_store_of_the_other():
    live = factories.StoreFactory(livemode=True)
    token = factories.DisplayTokenFactory(store=live)
    assert admit(token.presented, live.pk).pk == token.pk
    with pytest.raises(DisplayTokenRefused):
        admit(token.presented.replace("display_live_", "display_test_"), live.pk)


def test_refusals_are_limited_by_address(settings):
    settings.RATE_LIMIT_PER_ADDRESS = "2/minute"
    token = factories.DisplayTokenFactory()
    codes = []
    for _ in range(4):
        with pytest.raises(Exception, match=r"^(display_token_refused|rate_limited)") as refused:
            admit("display_test_wrong", token.store_id)
        codes.append(refused.value.code)
    assert codes == ["display_token_refused"] * 2 + ["rate_limited"] * 2
    assert admit(token.presented, token.store_id).pk == token.pk


def test_a_token_that_is_accepted_is_limited_too(settings):
    settings.RATE_LIMIT_PER_KEY = "2/minute"
    token, other = factories.DisplayTokenFactory(), factories.DisplayTokenFactory()
    for _ in range(2):
        admit(token.presented, token.store_id)
    with pytest.raises(RateLimited):
        admit(token.presented, token.store_id)
    assert admit(other.presented, other.store_id).pk == other.pk


def test_those_that_have_ended_are_told_with_the_reason():
    current, revoked, expired, closed, given_up = (factories.DisplayTokenFactory() for _ in range(5))
    display_tokens.revoke_token(revoked, by="tests")
    type(expired).objects.filter(pk=expired.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    stores.change_store(closed.store, by="tests", is_enabled=False)
    type(given_up.merchant).objects.filter(pk=given_up.merchant_id).update(is_active=False)

    tokens = {token.pk for token in (current, revoked, expired, closed, given_up)}
    assert display_access.ended(tokens | {"dtok_gone"}) == {
        revoked.pk: "token_revoked",
        expired.pk: "token_expired",
        closed.pk: "store_disabled",
        given_up.pk: "merchant_inactive",
        "dtok_gone": "token_revoked",
    }
