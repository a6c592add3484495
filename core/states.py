"""Lifecycles as data: which states there are and which steps between them exist."""

from collections.abc import Iterable, Mapping
from enum import Enum


class Verdict(Enum):
    """What a word about an object means, given the state that it has now."""

    MOVES = "moves"
    SAME = "same"
    BEHIND = "behind"
    CONTRADICTS = "contradicts"


class Machine:
    """States and edges, each declared once.

    `late` edges are steps that only money arriving after an end may take; they do not count when
    asking whether a word is behind. `success` names the states that no other word may undo.
    """

    def __init__(
        self,
        *,
        start: str,
        edges: Mapping[str, Iterable[str]],
        late: Mapping[str, Iterable[str]] | None = None,
        success: Iterable[str] = (),
    ) -> None:
        self.start = str(start)
        self.edges = {str(state): frozenset(map(str, targets)) for state, targets in edges.items()}
        self.late = {str(state): frozenset(map(str, targets)) for state, targets in (late or {}).items()}
        self.success = frozenset(map(str, success))
        self._check()
        self._reach = {state: self._reachable(state) for state in self.edges}

    def _check(self) -> None:
        mentioned = set(self.late) | self.success | {self.start}
        for targets in [*self.edges.values(), *self.late.values()]:
            mentioned |= targets
        unknown = mentioned - set(self.edges)
        if unknown:
            raise ValueError(f"states without an entry in edges: {sorted(unknown)}")

    @property
    def states(self) -> tuple[str, ...]:
        return tuple(self.edges)

    @property
    def terminals(self) -> frozenset[str]:
        """States that nothing but late money leaves."""
        return frozenset(state for state, targets in self.edges.items() if not targets)

    def can(self, state: str, to: str) -> bool:
        return to in self.edges[state] or self.is_late(state, to)

    def is_late(self, state: str, to: str) -> bool:
        return to in self.late.get(state, frozenset())

    def judge(self, state: str, to: str) -> Verdict:
        """How the word `to` stands to the present `state`; see docs/architecture.md, "States"."""
        if state == to:
            return Verdict.SAME
        if self.can(state, to):
            return Verdict.MOVES
        if state in self.success and state not in self._reach[to]:
            return Verdict.CONTRADICTS
        return Verdict.BEHIND

    def _reachable(self, state: str) -> frozenset[str]:
        found: set[str] = set()
        waiting = [state]
        while waiting:
            for target in self.edges[waiting.pop()] - found:
                found.add(target)
                waiting.append(target)
        return frozenset(found)

    def to_mermaid(self) -> str:
        """The diagram that docs/ shows; dashed labels mark late edges."""
        lines = ["stateDiagram-v2", f"    [*] --> {self.start}"]
        for state, targets in self.edges.items():
            lines += [f"    {state} --> {target}" for target in sorted(targets)]
            lines += [f"    {state} --> {target}: late" for target in sorted(self.late.get(state, ()))]
        lines += [f"    {state} --> [*]" for state in sorted(self.terminals)]
        return "\n".join(lines)
