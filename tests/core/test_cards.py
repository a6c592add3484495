"""Card data is refused by the name of a field or by a number that can only be a card."""

import time

import pytest

from core import cards

VISA = "4242424242424242"


@pytest.mark.parametrize(
    "number",
    [
        "4242424242424242",
        "4222222222222",
        "4000000000000000006",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "30569309025904",
        "6011111111111117",
        "3566002020360505",
        "6200000000000005",
        "9792030394440796",
        "6759649826438453",
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
    ],
)
def test_a_number_with_a_brands_prefix_and_length_and_a_right_luhn_digit_is_a_card(number: str):
    assert cards.looks_like_card(number)
    assert cards.looks_like_card(f"please charge {number}, thanks")


@pytest.mark.parametrize(
    "text",
    [
        "please charge 4242 4242 4242 4242 12/27",
        "4242424242424242 12/27 123",
        "1 4242424242424242",
        "table 7 - 4242-4242-4242-4242",
        "254708374149 4242424242424242",
    ],
)
def test_digits_beside_a_card_number_do_not_hide_it(text: str):
    assert cards.looks_like_card(text)


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",
        "1234567890123452",
        "254708374149",
        "2026-11-20 14:05:06",
        "424242424242424",
        "42424242424242424242424242424242",
        "INV-20417",
        "",
        "x4242",
    ],
)
def test_other_numbers_are_not_cards(text: str):
    assert not cards.looks_like_card(text)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"card": {"number": VISA}}, "card"),
        ({"card": "tok"}, "card"),
        ({"metadata": {"CVC": "123"}}, "metadata/CVC"),
        ({"metadata": {"card-number": "x"}}, "metadata/card-number"),
        ({"metadata": {"note": VISA}}, "metadata/note"),
        ({"description": f"paid with {VISA}"}, "description"),
        ({"a": [1, {"b": ["x", VISA]}]}, "a/1/b/1"),
        ({"n": int(VISA)}, "n"),
        ({"first": "fine", "exp_month": 12}, "exp_month"),
    ],
)
def test_the_field_that_carries_card_data_is_named(data: object, path: str):
    assert cards.find(data) == path


def test_a_name_that_is_a_card_number_is_refused_and_not_repeated():
    found = cards.find({"metadata": {VISA: "x"}})
    assert found.startswith("metadata/")
    assert VISA not in found


@pytest.mark.parametrize(
    "data",
    [
        {"amount": 4242, "metadata": {"order": "4242 4242"}},
        {"flag": True, "nothing": None, "list": []},
        {"payment_method": "pm_card_visa"},
        "text",
        None,
    ],
)
def test_what_carries_none_is_let_through(data: object):
    assert cards.find(data) == ""


@pytest.mark.parametrize("depth", [40, 5000])
def test_a_card_number_buried_deeply_is_found_at_once(depth: int):
    data: object = VISA
    for _ in range(depth):
        data = {"a": data}
    began = time.perf_counter()
    assert cards.find(data).startswith("a/a/a")
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("text", ["4 " * 130_000, "4-" * 130_000, "4" * 260_000, "0 " * 130_000])
def test_a_body_full_of_digits_costs_little(text: str):
    began = time.thread_time()
    assert not cards.looks_like_card(text)
    assert time.thread_time() - began < 4


def test_the_refusal_names_the_way_out_and_never_the_value():
    assert cards.refusal().code == "card_data_not_allowed"
    assert "token" in cards.refusal()
