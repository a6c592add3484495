"""A merchant's own facts: up to 50 pairs of texts."""

import pytest
from rest_framework.exceptions import ValidationError

from core.metadata import MetadataField


def test_pairs_of_texts_are_kept_as_they_are():
    given = {"order": "20417", "empty": "", "long": "v" * 500, "k" * 40: "x"}
    assert MetadataField().run_validation(given) == given


def test_fifty_pairs_are_enough():
    assert len(MetadataField().run_validation({f"k{n}": "v" for n in range(50)})) == 50


@pytest.mark.parametrize(
    "given",
    [
        {f"k{n}": "v" for n in range(51)},
        {"k" * 41: "v"},
        {"": "v"},
        {"k": "v" * 501},
        {"k": 1},
        {"k": None},
        {"k": {"nested": "x"}},
        {"k": ["x"]},
        {"k": True},
        {"k": "nul \x00"},
        {"nul \x00": "v"},
        [],
        "text",
        None,
    ],
)
def test_anything_else_is_refused(given: object):
    with pytest.raises(ValidationError):
        MetadataField().run_validation(given)


def test_without_any_it_is_an_object_of_its_own():
    field = MetadataField()
    assert field.get_default() == {}
    assert field.get_default() is not field.get_default()
