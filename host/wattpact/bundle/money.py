"""Amounts for people: exact decimals made from integers.

    1 unit of currency = 10^6 micro-units (prices per kWh) = 10^9 nano-units (amounts)

What always holds: `exact` loses nothing; `rounded` is for the eye alone, nothing is computed from it.
"""

from collections.abc import Callable

NANO = 1_000_000_000
CENT_NANO = NANO // 100
MICRO = 1_000_000


def exact(amount_nano: int, currency: str) -> str:
    """Every digit there is, and never fewer than two: 3.141592653 EUR."""
    return f"{_decimal(amount_nano, 9)} {currency}"


def rounded(amount_nano: int, currency: str) -> str:
    """To the cent, half away from zero: 3.14 EUR."""
    cents = (2 * abs(amount_nano) + CENT_NANO) // (2 * CENT_NANO)
    return f"{'-' if amount_nano < 0 and cents else ''}{cents // 100}.{cents % 100:02} {currency}"


def due(amount_nano: int, currency: str, shown: Callable[[int, str], str] = rounded) -> str:
    """3.14 EUR to pay; below 0 it is to receive. `shown` is `rounded` or `exact`."""
    return f"{shown(abs(amount_nano), currency)} {'to pay' if amount_nano >= 0 else 'to receive'}"


def price(micro_per_kwh: int, currency: str) -> str:
    """0.18 EUR/kWh."""
    return f"{_decimal(micro_per_kwh, 6)} {currency}/kWh"


def energy(wh: int) -> str:
    """1.234 kWh, every Wh."""
    return f"{'-' if wh < 0 else ''}{abs(wh) // 1000}.{abs(wh) % 1000:03} kWh"


def _decimal(value: int, places: int) -> str:
    whole, part = divmod(abs(value), 10**places)
    digits = f"{part:0{places}}".rstrip("0").ljust(2, "0")
    return f"{'-' if value < 0 else ''}{whole}.{digits}"
