"""Staff's pages of customers."""

import pytest

from merchants.models import Customer
from tests import staff
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db
CONTACT = {"name": "Wanjiku Mwangi", "email": "wanjiku@example.org", "phone": "+254733444555"}


@pytest.fixture
def customer():
    row = CustomerFactory(**CONTACT, reference="till-7", metadata={"note": "likes mandazi"})
    row.merchant.default_region = "KE"
    row.merchant.save()
    return row


def act(customer, action, *permissions, **form):
    client = staff.signed_in("merchants.view_customer", *permissions)
    answer = client.post(staff.page(customer, action), {"reason": "asked by letter", **form}, follow=True)
    customer.refresh_from_db()
    return answer


def test_list_and_page_show_masked_values_only(customer):
    client = staff.signed_in("merchants.view_customer")
    for page in (staff.listing(customer), staff.page(customer)):
        shown = client.get(page).text
        for text in (customer.pk, "W••• M•••", "w•••@example.org", "+2547•••555", "till-7"):
            assert text in shown, text
        assert not any(value in shown for value in (*CONTACT.values(), "mandazi", customer.phone_fingerprint))


@pytest.mark.parametrize(
    "term",
    ["till-7", "+254 733 444 555", "0733 444 555", "wanjiku@example.org", "WANJIKU@example.org", "id", "merchant"],
)
def test_a_customer_is_found_by_exact_words(customer, term):
    other = CustomerFactory(name="Wanjiku Mwangi", reference="till-70")
    term = {"id": customer.pk, "merchant": customer.merchant_id}.get(term, term)
    shown = staff.signed_in("merchants.view_customer").get(staff.listing(customer), {"q": term}).text
    assert staff.page(customer) in shown
    assert staff.page(other) not in shown


def test_part_of_a_word_finds_nobody(customer):
    client = staff.signed_in("merchants.view_customer")
    for term in ("till", "wanjiku", "Wanjiku Mwangi", "44555", "@example.org"):
        assert staff.page(customer) not in client.get(staff.listing(customer), {"q": term}).text, term


def test_a_duplicate_is_merged_with_a_reason(customer):
    duplicate = CustomerFactory(merchant=customer.merchant)
    act(customer, "merge", "merchants.merge_customer", duplicate=f" {duplicate.pk} ")
    duplicate.refresh_from_db()
    assert (duplicate.state, duplicate.merged_into_id) == ("merged", customer.pk)
    assert ("staff:amina", "customer.merge", {"reason": "asked by letter"}) in staff.recorded(customer)
    assert staff.page(duplicate) in staff.signed_in(superuser=True, username="root").get(staff.page(customer)).text


def test_somebody_elses_customer_is_not_merged_and_the_refusal_is_recorded(customer):
    other = CustomerFactory()
    answer = act(customer, "merge", "merchants.merge_customer", duplicate=other.pk)
    assert "There is no such customer." in answer.text
    assert set(Customer.objects.values_list("state", flat=True)) == {"active"}
    refused = {"reason": "asked by letter", "refused": "invalid_request"}
    assert staff.recorded(customer) == [("staff:amina", "customer.merge", refused)]


def test_a_customer_is_erased_with_a_reason(customer):
    answer = act(customer, "erase", "merchants.erase_customer")
    assert customer.state == "erased"
    assert "likes mandazi" not in answer.text
    assert "W•••" not in answer.text
    assert ("staff:amina", "customer.erase", {"reason": "asked by letter"}) in staff.recorded(customer)


def test_a_hold_keeps_a_customer_until_it_is_ended(customer):
    assert "asked by letter" in act(customer, "hold", "merchants.hold_customer").text
    assert (customer.legal_hold, customer.legal_hold_reason) == (True, "asked by letter")
    for user, action in (("otieno", "erase"), ("kamau", "end_hold"), ("achieng", "erase")):
        client = staff.signed_in(
            "merchants.view_customer", "merchants.erase_customer", "merchants.hold_customer", username=user
        )
        client.post(staff.page(customer, action), {"reason": f"as {user} says"})
        customer.refresh_from_db()
        assert customer.state == ("erased" if user == "achieng" else "active")
    refused = {"reason": "as otieno says", "refused": "legal_hold"}
    assert ("staff:otieno", "customer.erase", refused) in staff.recorded(customer)


@pytest.mark.parametrize("action", ["merge", "erase", "hold", "end_hold"])
def test_an_action_needs_its_permission(customer, action):
    assert act(customer, action).status_code == 403
    assert (customer.state, customer.legal_hold) == ("active", False)


def test_an_erased_customer_offers_no_action(customer):
    act(customer, "erase", "merchants.erase_customer")
    shown = staff.signed_in(superuser=True, username="root").get(staff.page(customer)).text
    assert not any(staff.page(customer, action) in shown for action in ("merge", "erase", "hold", "end_hold"))
