"""What Stripe takes as an amount. Source: docs.stripe.com/currencies and docs.stripe.com/error-codes."""

from __future__ import annotations

from fractions import Fraction

from simulators.stripe.errors import StripeError

LARGEST = 99_999_999
# Whole units sent as if they had two decimals, and thousandths of which the last digit must be 0.
DIVISORS = {"isk": 100, "ugx": 100, "bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10}
ZERO_DECIMAL = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf")
)
THREE_DECIMAL = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
SMALLEST = {
    "usd": 50, "eur": 50, "gbp": 30, "aud": 50, "cad": 50, "chf": 50, "sgd": 50, "inr": 50, "jpy": 50,
    "hkd": 400, "mxn": 1000, "dkk": 250, "nok": 300, "sek": 300, "myr": 200, "aed": 200, "pln": 200,
}  # fmt: skip
SMALLEST_ELSEWHERE = 1
CURRENCY_LIST = (
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd "
    "cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd "
    "hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad "
    "mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln "
    "pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs "
    "uah ugx uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw"
)
CURRENCIES = frozenset(CURRENCY_LIST.split())


def check_currency(currency: str) -> str:
    """The currency in lower case, as Stripe answers it."""
    lower = currency.lower()
    if lower not in CURRENCIES:
        known = ", ".join(CURRENCY_LIST.split())
        message = f"Invalid currency: {currency}. Stripe currently supports these currencies: {known}"
        raise StripeError(message, param="currency")
    return lower


def check_amount(amount: int, currency: str) -> None:
    if amount < 1:
        raise StripeError(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if amount > LARGEST:
        raise StripeError("Amount must be no more than 99999999.", code="amount_too_large", param="amount")
    if amount < SMALLEST.get(currency, SMALLEST_ELSEWHERE):
        message = "Amount must convert to at least the minimum charge amount of the settlement currency."
        raise StripeError(message, code="amount_too_small", param="amount")
    check_divisible(amount, currency)


def check_divisible(amount: int, currency: str) -> None:
    divisor = DIVISORS.get(currency, 1)
    if amount % divisor:
        message = f"Invalid amount: {amount} {currency.upper()} must be evenly divisible by {divisor}."
        raise StripeError(message, code="parameter_invalid_integer", param="amount")


def fee(amount: int) -> int:
    """2.9 % rounded half to even, and 30 smallest units, whatever the currency's decimals are."""
    return round(Fraction(amount * 29, 1000)) + 30


def converted(amount: int, rate: float) -> int:
    """Smallest units times the rate, as Stripe defines `exchange_rate`; rounded half to even."""
    return round(amount * Fraction(str(rate)))


def shown(amount: int, currency: str) -> str:
    """For people: `125.00 USD`."""
    places = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    whole, part = divmod(amount, 10**places)
    return f"{whole:,}{f'.{part:0{places}}' if places else ''} {currency.upper()}"
