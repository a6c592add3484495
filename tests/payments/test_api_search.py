"""Finding one's payments by the words of others."""

import pytest

from tests import factories

pytestmark = pytest.mark.django_db
PATH = "/v1/payments"


@pytest.fixture
def paid(api):
    """A payment with everything that it may be found by, beside one that has other words."""
    account = factories.ProviderAccountFactory(merchant=api.key.merchant)
    made = [
        factories.AttemptFactory(
            payment=factories.PaymentFactory(merchant=api.key.merchant, reference=f"order-{word}"),
            account=account,
            provider_reference=f"R{word}",
            provider_id=f"pi_{word}",
        )
        for word in ("a", "b")
    ]
    for attempt, word in zip(made, ("a", "b"), strict=True):
        factories.ReceiptFactory(attempt=attempt, provider_money_id=f"QK{word}")
    return made[0]


def found(api, query):
    answer = api.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]]


@pytest.mark.parametrize("query", ["reference=order-a", "provider_reference=Ra", "provider_id=pi_a", "receipt=QKa"])
def test_a_payment_is_found_by_each_of_its_words_exactly(api, paid, query):
    assert found(api, query) == [paid.payment.pk]
    assert found(api, query + "x") == []
    assert found(api, query[:-1]) == []


def test_a_payment_is_found_by_the_receipt_of_its_refund(api, paid):
    refund = factories.RefundFactory(attempt=paid, payment=paid.payment)
    factories.ReceiptFactory(attempt=paid, refund=refund, kind="refund", provider_money_id="QKback")
    assert found(api, "receipt=QKback") == [paid.payment.pk]


def test_several_words_must_all_fit(api, paid):
    assert found(api, "receipt=QKa&provider_id=pi_a&provider=stripe") == [paid.payment.pk]
    assert found(api, "receipt=QKa&provider_id=pi_b") == []
    assert found(api, "receipt=QKa&provider=mpesa") == []


def test_anothers_words_find_nothing(api, paid):
    stranger = factories.ApiKeyFactory()
    live = factories.ApiKeyFactory(merchant=api.key.merchant, livemode=True)
    for key in (stranger, live):
        answer = api.get(f"{PATH}?receipt=QKa", presented=key.presented)
        assert answer.json()["data"] == []


def test_a_payment_that_was_tried_twice_at_a_provider_is_listed_once(api, paid):
    factories.AttemptFactory(payment=paid.payment, account=paid.account)
    assert found(api, "provider=stripe&reference=order-a") == [paid.payment.pk]
