"""What each provider can do, drawn from what its adapter declares: the tables of docs/providers.md."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from core.money import Money
from payments.providers import REGISTRY
from payments.providers.base import Capabilities, Kind, MethodCapability
from payments.providers.static_codes import MakesStaticCodes

_MANY = 6
"""More currencies than this are counted, and listed below the table."""

Row = Sequence[str]


def by_method() -> str:
    """A row for each method of each provider."""
    headers: Row = ("Provider", "Method", "Channels", "Currencies", "Limits", "Needs", "The payer gets", "Lives")
    headers = (*headers, "Held, captured later", "Saved", "Failover when an answer is lost")
    rows = []
    for provider in REGISTRY:
        capabilities = REGISTRY[provider].capabilities
        for method, capability in capabilities.methods.items():
            rows.append((REGISTRY[provider].title, f"`{method}`", *_method(method, capability, capabilities)))
    return "\n".join([_table(headers, rows), *_long_lists()])


def _method(method: str, capability: MethodCapability, capabilities: Capabilities) -> Row:
    life = capability.code_life or capability.prompt_life
    return (
        _codes(capability.channels) or "-",
        _currencies(capability.currencies),
        "; ".join(_span(currency, *span) for currency, span in sorted(capability.limits.items())) or "-",
        _codes([*([capability.instrument] if capability.instrument else []), *_payer(capability)]) or "-",
        _codes(capability.next_actions) or "-",
        _duration(life) if life else "-",
        _yes(capability.manual_capture),
        _yes(capabilities.saving is not None and method in capabilities.saving.methods),
        _yes(capability.held_by_us),
    )


def _payer(capability: MethodCapability) -> list[str]:
    return [f"payer_details.{name}" for name in sorted(capability.payer)]


def _currencies(codes: frozenset[str] | None) -> str:
    if codes is None:
        return "any"
    return ", ".join(sorted(codes)) if len(codes) <= _MANY else f"{len(codes)}, see below"


def _long_lists() -> Iterable[str]:
    for provider in REGISTRY:
        for method, capability in REGISTRY[provider].capabilities.methods.items():
            if capability.currencies is not None and len(capability.currencies) > _MANY:
                yield f"\n{REGISTRY[provider].title} takes `{method}` in {', '.join(sorted(capability.currencies))}."


def _span(currency: str, least: int, most: int) -> str:
    return f"{Money(least, currency)} to {Money(most, currency)}"


def _duration(life: timedelta) -> str:
    minutes = int(life.total_seconds()) // 60
    for unit, length in (("day", 1440), ("hour", 60)):
        if minutes >= length and minutes % length == 0:
            return _counted(minutes // length, unit)
    return _counted(minutes, "minute")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def by_provider() -> str:
    """A row for each provider: what can be done with a payment, and how sure its word is."""
    headers: Row = (
        "Provider",
        "Refunds",
        "Cancel",
        "Repeats a lost `create`",
        "Finds a lost `create`",
        "Callbacks' proof",
    )
    headers = (*headers, "Tells its costs", "Answers to disputes", "Registers addresses", "Static codes")
    return _table(
        headers, [(*_provider(REGISTRY[name].title, REGISTRY[name].capabilities), _codes_of(name)) for name in REGISTRY]
    )


def _codes_of(name: str) -> str:
    """The method of its codes that stand on a counter."""
    kind = REGISTRY[name]
    return f"`{kind.static_method}`" if issubclass(kind, MakesStaticCodes) else "-"


def _provider(title: str, capabilities: Capabilities) -> Row:
    create = capabilities.operations[Kind.CREATE]
    replay = create.replay.replace("_", " ")
    if create.key_lifetime:
        replay += f", for {_duration(create.key_lifetime)}"
    return (
        title,
        {"partial": "in parts", "full": "the whole only", "none": "no"}[capabilities.refunds],
        _offered(capabilities, Kind.CANCEL),
        replay.replace("none", "no"),
        create.lookup.replace("_", " ").replace("none", "no"),
        _proof(capabilities),
        _yes(capabilities.reports_cost),
        _yes(Kind.EVIDENCE in capabilities.operations),
        _yes(capabilities.registers_doors),
    )


def _offered(capabilities: Capabilities, kind: Kind) -> str:
    """For every method, or for those that do not lack it."""
    offered = [method for method in capabilities.methods if capabilities.offers(kind, method)]
    return _yes(bool(offered)) if len(offered) in (0, len(capabilities.methods)) else ", ".join(offered)


def _proof(capabilities: Capabilities) -> str:
    """In the words of the doors: a signed door is weak where the signature leaves something out."""
    told = {f"{door.proof}{', signed' if door.signed else ''}" for door in capabilities.doors.values()}
    return "; ".join(sorted(told)) or "-"


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _yes(does: bool) -> str:
    return "yes" if does else "-"


def _table(headers: Row, rows: Iterable[Row]) -> str:
    lines = [headers, *rows]
    drawn = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([drawn[0], f"|{'---|' * len(headers)}", *drawn[1:]])
