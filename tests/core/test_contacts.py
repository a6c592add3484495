"""Phone numbers and e-mail addresses in one written form, and masked."""

import pytest
from rest_framework import serializers

from core import cards, contacts
from core.api import PhoneField, StrictSerializer

LIKE_A_CARD = "+6281234567899"


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+254 711 000 111", "", "+254711000111"),
        ("0711 000 111", "KE", "+254711000111"),
        ("254711000111", "KE", "+254711000111"),
        ("+62 812-3456-7890", "KE", "+6281234567890"),
        ("(0)20 7946 0000", "GB", "+442079460000"),
    ],
)
def test_a_number_is_read_into_e164(text, region, number):
    assert contacts.phone(text, region=region) == number


@pytest.mark.parametrize(
    ("text", "region", "why"),
    [
        ("0711 000 111", "", "must begin with + and a country code"),
        ("nonsense", "KE", "is not a phone number"),
        ("+254", "", "is not a phone number"),
        ("+254 711 000 111 000 111", "", "is not a phone number"),
        ("+254 711 000 111 ext. 7", "", "is not a phone number"),
    ],
)
def test_what_is_no_number_is_refused_without_showing_it(text, region, why):
    with pytest.raises(ValueError, match="^" + why.replace("+", r"\+") + "$"):
        contacts.phone(text, region=region)


def test_addresses_are_compared_without_regard_to_case_or_space():
    assert contacts.email(" Njeri@Example.COM ") == contacts.email("njeri@example.com") == "njeri@example.com"


def test_masks_show_a_beginning_and_an_end():
    assert contacts.masked_phone("+254711000111") == "+2547•••111"
    assert contacts.masked_phone("+29012345") == "+29•••"
    assert contacts.masked_email("njeri@example.com") == "n•••@example.com"
    assert contacts.masked_name("Njeri wa Kamau") == "N••• w••• K•••"
    assert contacts.masked_name("a b c d e f") == "a••• b••• c••• d•••"


class Asked(StrictSerializer):
    phone = PhoneField(max_length=40)
    note = serializers.CharField(required=False)


def test_a_phone_number_that_could_pass_for_a_cards_is_taken_in_a_field_for_phones_only():
    assert cards.looks_like_card(LIKE_A_CARD)
    taken = Asked(data={"phone": LIKE_A_CARD})
    assert taken.is_valid()
    assert taken.validated_data == {"phone": LIKE_A_CARD}
    for refused in ({"phone": LIKE_A_CARD, "note": LIKE_A_CARD}, {"phone": "+4242424242424242"}):
        asked = Asked(data=refused)
        assert not asked.is_valid()
        assert [error.code for errors in asked.errors.values() for error in [errors]] == [cards.CODE]


def test_a_region_is_a_country_with_phone_numbers():
    assert contacts.is_region("KE")
    assert not contacts.is_region("XX")
    assert not contacts.is_region("ke")
