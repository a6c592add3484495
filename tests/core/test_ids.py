"""Public ids name their kind and sort by time; references and tokens cannot be guessed."""

import string

import pytest
from django.apps import apps

from core import ids
from core.fields import PublicIdField


def test_an_id_is_its_prefix_and_26_characters_of_crockford():
    made = ids.new_id("pay")
    prefix, _, tail = made.partition("_")
    assert prefix == "pay"
    assert len(tail) == 26
    assert set(tail) <= set("0123456789abcdefghjkmnpqrstvwxyz")


def test_ids_made_later_sort_later():
    made = [ids.new_id("evt") for _ in range(1000)]
    assert made == sorted(made)
    assert len(set(made)) == 1000


def test_an_id_of_an_unlisted_kind_cannot_be_made():
    with pytest.raises(KeyError, match="'nope' is not a registered id prefix"):
        ids.new_id("nope")


def test_the_shape_of_an_id_is_recognised():
    made = ids.new_id("pay")
    assert ids.is_id(made, "pay")
    assert not ids.is_id(made, "ref")
    for wrong in ("", "pay_", made[:-1], made + "0", made.replace("_", "-"), "pay_" + "u" * 26, made.upper()):
        assert not ids.is_id(wrong, "pay")


def test_every_table_has_a_prefix_of_its_own_that_the_one_list_names():
    used = [
        (model._meta.pk.prefix, model.__name__)
        for model in apps.get_models()
        if isinstance(model._meta.pk, PublicIdField)
    ]
    prefixes = [prefix for prefix, _ in used]
    assert len(set(prefixes)) == len(prefixes), used
    assert set(prefixes) == set(ids.PREFIXES)


def test_an_id_fits_its_column():
    assert max(len(ids.new_id(prefix)) for prefix in ids.PREFIXES) <= 32


def test_a_reference_has_the_length_and_the_alphabet_that_a_provider_takes():
    made = ids.random_reference(length=12)
    assert len(made) == 12
    assert set(made) <= set(string.ascii_uppercase + string.digits)
    assert ids.random_reference(length=5, alphabet="x") == "xxxxx"


def test_a_token_is_128_random_bits_in_hex():
    made = {ids.random_token() for _ in range(100)}
    assert len(made) == 100
    assert all(len(token) == 32 and int(token, 16) >= 0 for token in made)


@pytest.mark.parametrize("prefix", ["", "\x00", "nonsense"])
def test_what_begins_with_no_registered_prefix_is_no_id_of_that_kind_either(prefix):
    assert not ids.is_id(f"{prefix}_{'0' * 26}", prefix)
