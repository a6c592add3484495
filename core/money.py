"""Money as whole minor units of an ISO 4217 currency. No float, ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

_TWO_DECIMALS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY
COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR
MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD
SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG
"""
_ZERO_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DECIMALS = "BHD IQD JOD KWD LYD OMR TND"

EXPONENTS: dict[str, int] = {
    code: exponent
    for exponent, codes in ((2, _TWO_DECIMALS), (0, _ZERO_DECIMALS), (3, _THREE_DECIMALS))
    for code in codes.split()
}
"""ISO 4217 active codes and how many decimals each has (source: ISO 4217 table A.1)."""


class NotRepresentable(ValueError):
    """The amount cannot be written in the unit that was asked for without rounding."""


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` minor units of `currency`: Money(25000, "KES") is KES 250.00."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in EXPONENTS:
            raise ValueError(f"{self.currency!r} is not an ISO 4217 currency code")
        if isinstance(self.amount, bool) or not isinstance(self.amount, int):
            raise TypeError("an amount is a whole number of minor units")

    def __str__(self) -> str:
        exponent = EXPONENTS[self.currency]
        return f"{self.currency} {self.major():,.{exponent}f}"

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError(f"cannot combine {self.currency} with {other.currency}")
        return other.amount

    def major(self) -> Decimal:
        """In major units: Money(25000, "KES").major() == Decimal("250.00")."""
        return Decimal(self.amount).scaleb(-EXPONENTS[self.currency])

    def in_units(self, exponent: int) -> int:
        """Whole units of 10^-exponent of the currency, as a provider counts them.

        Raises NotRepresentable where that would need rounding: Money(25050, "KES").in_units(0).
        """
        value = self.major().scaleb(exponent)
        if value != value.to_integral_value():
            raise NotRepresentable(f"{self} has more than the {exponent} decimals that are taken here")
        return int(value)

    @classmethod
    def from_units(cls, units: int, currency: str, *, exponent: int) -> "Money":
        """The inverse of `in_units`; raises NotRepresentable below our own minor unit."""
        return cls.from_major(Decimal(units).scaleb(-exponent), currency)

    @classmethod
    def from_major(cls, value: Decimal, currency: str) -> "Money":
        """From a provider's decimal: Money.from_major(Decimal("250.00"), "KES")."""
        minor = value.scaleb(EXPONENTS.get(currency, 2))
        if minor != minor.to_integral_value():
            raise NotRepresentable(f"{value} {currency} is finer than the currency's minor unit")
        return cls(int(minor), currency)

    def times(self, factor: Decimal) -> "Money":
        """Multiplied and rounded half to even: the one rounding in the house."""
        return Money(int((self.amount * factor).quantize(Decimal(1), ROUND_HALF_EVEN)), self.currency)

    def split(self, weights: Sequence[int]) -> list["Money"]:
        """Shares in proportion to `weights` that sum to exactly this amount (largest remainder)."""
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise ValueError("weights must be non-negative and not all zero")
        shares = [self.amount * weight // total for weight in weights]
        remainders = [self.amount * weight % total for weight in weights]
        order = sorted(range(len(weights)), key=lambda place: -remainders[place])
        for place in order[: self.amount - sum(shares)]:
            shares[place] += 1
        return [Money(share, self.currency) for share in shares]
