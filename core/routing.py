"""Which account takes a payment next: the pure choice from a merchant's rules, health and cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Strategy(StrEnum):
    """How a rule puts its accounts in order: as written, by chance in shares, or the cheapest first."""

    IN_ORDER = "in_order"
    SPLIT = "split"
    LOWEST_FEE = "lowest_fee"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a payment before anybody is asked for it. `amount` is in minor units; `store` may be empty."""

    method: str
    currency: str
    amount: int
    store: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account that can take the payment. `fee` is what it is expected to cost, in minor units of its currency.

    `is_resting` says that its breaker is open: nothing new is sent there for now.
    """

    account: str
    fee: int | None = None
    is_resting: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """An account of a rule; `share` is in percent, and counts in a split only."""

    account: str
    share: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. An empty condition holds for everything; `least` and `most` are included.

    Without targets it is about every account. `only` keeps the payment from accounts that the rule does not name.
    """

    name: str
    strategy: Strategy
    targets: tuple[Target, ...] = ()
    methods: frozenset[str] = frozenset()
    currencies: frozenset[str] = frozenset()
    least: int | None = None
    most: int | None = None
    only: bool = False
    store: str = ""

    def applies(self, facts: Facts) -> bool:
        return (
            (not self.methods or facts.method in self.methods)
            and (not self.currencies or facts.currency in self.currencies)
            and (self.least is None or facts.amount >= self.least)
            and (self.most is None or facts.amount <= self.most)
            and (not self.store or facts.store == self.store)
        )


@dataclass(frozen=True, slots=True)
class Route:
    """The accounts to try, in this order, and the rule that put them there; empty where none did.

    `left_out` gives for every other candidate the reason why it is not tried.
    """

    accounts: tuple[str, ...]
    rule: str = ""
    left_out: tuple[tuple[str, str], ...] = ()


def route(facts: Facts, candidates: Sequence[Candidate], rules: Iterable[Rule], *, draw: float) -> Route:
    """The first rule that applies and names a candidate decides; the other candidates follow in their own order.

    `candidates` come in the order in which they are tried where no rule applies; `draw` is a number from 0 up to 1,
    by chance, for a split. An account at rest is left out, whatever a rule says.
    """
    rule = deciding(facts, candidates, rules)
    ordered = list(candidates) if rule is None else _by_rule(rule, candidates, draw)
    chosen = tuple(candidate.account for candidate in ordered if not candidate.is_resting)
    left_out = tuple(
        (candidate.account, _why_not(candidate)) for candidate in candidates if candidate.account not in chosen
    )
    return Route(chosen, rule.name if rule else "", left_out)


def deciding(facts: Facts, candidates: Sequence[Candidate], rules: Iterable[Rule]) -> Rule | None:
    """The first rule that applies and names a candidate."""
    return next((rule for rule in rules if rule.applies(facts) and _named(rule, candidates)), None)


def _why_not(candidate: Candidate) -> str:
    return "at rest after failures" if candidate.is_resting else "not named by the rule"


def _named(rule: Rule, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that the rule is about, in its order."""
    if not rule.targets:
        return list(candidates)
    by_account = {candidate.account: candidate for candidate in candidates}
    return [by_account[target.account] for target in rule.targets if target.account in by_account]


def _by_rule(rule: Rule, candidates: Sequence[Candidate], draw: float) -> list[Candidate]:
    named = _named(rule, candidates)
    match rule.strategy:
        case Strategy.LOWEST_FEE:
            named.sort(key=lambda candidate: (candidate.fee is None, candidate.fee or 0))
        case Strategy.SPLIT:
            drawn = _drawn(rule.targets, draw)
            named.sort(key=lambda candidate: candidate.account != drawn)
    return named if rule.only else named + [candidate for candidate in candidates if candidate not in named]


def _drawn(targets: Sequence[Target], draw: float) -> str:
    """The account into whose share the draw falls."""
    point = draw * sum(target.share for target in targets)
    for target in targets:
        if point < target.share:
            return target.account
        point -= target.share
    return ""
