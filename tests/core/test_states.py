"""A machine knows its edges, its ends, and what a word means at each state."""

import pytest

from core.states import Machine, Verdict

MACHINE = Machine(
    start="created",
    edges={
        "created": ["processing", "cancelled"],
        "processing": ["waiting", "paid", "failed"],
        "waiting": ["processing", "paid", "failed"],
        "paid": [],
        "failed": [],
        "cancelled": [],
    },
    late={"failed": ["paid"], "cancelled": ["paid"]},
    success=["paid"],
)


def test_its_states_stand_in_the_order_of_their_declaration_and_start_with_its_start():
    assert MACHINE.states == ("created", "processing", "waiting", "paid", "failed", "cancelled")
    assert MACHINE.start == "created"


def test_it_ends_where_only_late_money_goes_on():
    assert MACHINE.terminals == {"paid", "failed", "cancelled"}


def test_it_takes_declared_edges_and_late_ones_and_no_others():
    taken = {(state, to) for state in MACHINE.states for to in MACHINE.states if MACHINE.can(state, to)}
    assert taken == {
        ("created", "processing"),
        ("created", "cancelled"),
        ("processing", "waiting"),
        ("processing", "paid"),
        ("processing", "failed"),
        ("waiting", "processing"),
        ("waiting", "paid"),
        ("waiting", "failed"),
        ("failed", "paid"),
        ("cancelled", "paid"),
    }
    assert MACHINE.is_late("failed", "paid")
    assert not MACHINE.is_late("processing", "paid")


@pytest.mark.parametrize(
    ("state", "to", "verdict"),
    [
        ("processing", "processing", Verdict.SAME),
        ("paid", "paid", Verdict.SAME),
        ("processing", "paid", Verdict.MOVES),
        ("waiting", "processing", Verdict.MOVES),
        ("failed", "paid", Verdict.MOVES),
        ("processing", "created", Verdict.BEHIND),
        ("paid", "processing", Verdict.BEHIND),
        ("paid", "waiting", Verdict.BEHIND),
        ("failed", "waiting", Verdict.BEHIND),
        ("failed", "cancelled", Verdict.BEHIND),
        ("paid", "failed", Verdict.CONTRADICTS),
        ("paid", "cancelled", Verdict.CONTRADICTS),
    ],
)
def test_a_word_moves_repeats_lags_or_contradicts(state: str, to: str, verdict: Verdict):
    assert MACHINE.judge(state, to) is verdict


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "nowhere", "edges": {"a": []}},
        {"start": "a", "edges": {"a": ["nowhere"]}},
        {"start": "a", "edges": {"a": []}, "late": {"nowhere": ["a"]}},
        {"start": "a", "edges": {"a": []}, "late": {"a": ["nowhere"]}},
        {"start": "a", "edges": {"a": []}, "success": ["nowhere"]},
    ],
)
def test_a_state_that_is_not_declared_is_refused_by_name(wrong: dict):
    with pytest.raises(ValueError, match="nowhere"):
        Machine(**wrong)


def test_its_diagram_draws_every_edge_and_marks_the_late_ones():
    machine = Machine(start="open", edges={"open": ["lost", "won"], "lost": [], "won": []}, late={"lost": ["won"]})
    assert machine.to_mermaid().splitlines() == [
        "stateDiagram-v2",
        "    [*] --> open",
        "    open --> lost",
        "    open --> won",
        "    lost --> won: late",
        "    lost --> [*]",
        "    won --> [*]",
    ]
