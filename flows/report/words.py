"""Numbers and findings in words, for people."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from markupsafe import Markup, escape

MINUS = "\N{MINUS SIGN}"
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
NOTHING = "n/a"
SMALL_RATIO = 0.1


def known(value: float | None) -> bool:
    """Return whether a stored number is one (null, NaN and infinity are none)."""
    return value is not None and math.isfinite(value)


def superscript(exponent: int) -> str:
    """Return an integer in raised digits."""
    return str(exponent).translate(RAISED)


def scientific(value: float | None, digits: int = 3) -> Markup:
    """Return a number as 4.19 times 10 to the power of -4 with so many significant digits."""
    if value is None or not math.isfinite(value):
        return Markup(NOTHING)
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    return _with_power(mantissa, int(exponent))


def _with_power(mantissa: str, power: int) -> Markup:
    mantissa = mantissa.replace("-", MINUS)
    if power == 0:
        return Markup(mantissa)
    raised = str(power).replace("-", MINUS)
    return Markup(f"{mantissa}&nbsp;&times;&nbsp;10<sup>{raised}</sup>")


def significant(value: float | None, digits: int = 3) -> Markup:
    """Return a number with so many significant digits, in plain notation where it is short."""
    if value is not None and math.isfinite(value) and not is_short(value):
        return scientific(value, digits)
    return Markup(plain_number(value, digits).replace("-", MINUS))


def is_short(value: float) -> bool:
    """Return whether a number reads well without a power of ten."""
    return value == 0 or 1e-2 <= abs(value) < 1e5


def plain_number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits and without a power of ten."""
    if value is None or not math.isfinite(value):
        return NOTHING
    rounded = float(f"{value:.{digits - 1}e}")
    places = digits - 1 - (math.floor(math.log10(abs(rounded))) if rounded else 0)
    return f"{rounded:,.{max(0, places)}f}"


def interval(ends: Sequence[float | None], digits: int = 3) -> Markup:
    """Return an interval, with one power of ten for both ends where they are close."""
    low, high = ends
    if low is None or high is None or not low > 0 or not math.isfinite(high) or high > 50 * low:
        return Markup(f"{scientific(low, digits)} to {scientific(high, digits)}")
    power = math.floor(math.log10(math.sqrt(low * high)))
    if -3 < power < 5:
        return Markup(f"{significant(low, digits)} to {significant(high, digits)}")
    first, last = (significant(end / 10.0**power, digits) for end in (low, high))
    return Markup(f"{first} to {_with_power(last, power)}")


def with_error(value: float | None, error: float | None) -> str:
    """Return 34.67 ± 0.07: as many places as two digits of the error have."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if error is None or not math.isfinite(error) or error <= 0:
        return f"{value:.2f}".replace("-", MINUS)
    places = decimals(error)
    return f"{value:.{places}f} ± {error:.{places}f}".replace("-", MINUS)


def decimals(error: float) -> int:
    """Return how many decimals show two significant digits of an error."""
    return min(6, max(0, 1 - math.floor(math.log10(error))))


def percent(fraction: float | None) -> str:
    """Return a share in per cent with two significant digits."""
    if fraction is None or not math.isfinite(fraction):
        return NOTHING
    value = 100.0 * fraction
    return f"{value:,.0f} %" if value >= 10 else f"{value:.2g} %"


def count(value: float | None) -> str:
    """Return a whole number with its thousands set apart."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """Return a time span as people say it."""
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds < 10:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def ratio(value: float | None, to: float | None) -> str:
    """Return "3.1 times the answer", or "1/1,590 of the answer" where it is much smaller."""
    if value is None or to is None or not math.isfinite(value) or not to or not math.isfinite(to):
        return NOTHING
    if 0 < value / to < SMALL_RATIO:
        return f"1/{plain_number(to / value)} of the answer"
    return f"{plain_number(value / to)} times the answer"


def formula(name: str) -> Markup:
    """Return a guest's name with lowered digits where it is a chemical formula."""
    stem, colon, model = name.partition(":")
    if re.fullmatch(r"([A-Z][a-z]?\d*)+", stem):
        stem = stem.translate(LOWERED)
    return Markup(escape(stem + colon + model))
