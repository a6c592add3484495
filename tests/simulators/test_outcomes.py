"""The words for what becomes of a payment: the same at every company."""

from pathlib import Path

from simulators.outcomes import COMMON, no_such

DOCS = Path(__file__).parents[2] / "docs"


def test_a_word_that_is_not_known_is_answered_with_those_that_are_the_common_ones_first():
    told = str(no_such("explode", ["approve", "cancel", "succeed"]))
    assert told == "no outcome named 'explode'; known: succeed, cancel; and of its own: approve"


def test_the_documentation_has_each():
    text = (DOCS / "simulators.md").read_text()
    assert all(f"`{word}`" in text for word in COMMON)
