"""How values are written in tables: by the heading of their column where it is listed here, else by their type."""

import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

MISSING = "\N{EN DASH}"
DIGITS = 3  # significant ones of a setting, an amount of time or of work
SMALL, LARGE = 0.01, 1e5  # settings outside are written as 1.2e-3
_IN_NUMBERS = frozenset("0123456789 .,:%+-/()[]<±\N{MINUS SIGN}\N{EN DASH}\N{MULTIPLICATION SIGN}")
_NEUTRAL = (MISSING, "∞", "-∞", "")  # cells that do not decide their column's kind
_SHORT_CHARS = 28  # a longer text may break within its table cell


def format_cell(value: Any) -> str:
    """Format a table cell as plain text.

    Floats get three decimals and never a negative zero, floats and integers thousands separators,
    NaN and None an en dash, booleans yes or no, anything else its ``str``.
    """
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    if isinstance(value, numbers.Real):
        number = float(value)
        return f"{number:z,.3f}" if math.isfinite(number) else _format_infinite(number)
    return MISSING if value is None else str(value)


def _format_infinite(number: float) -> str:
    return MISSING if math.isnan(number) else ("∞" if number > 0 else "-∞")


def format_count(value: float) -> str:
    """Format a number of things, or a mean of such numbers: whole if it is whole or has three digits."""
    if float(value).is_integer() or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}"


def format_amount(value: float) -> str:
    """Format an amount of time or of work with three significant digits and without exponent, such as 0.0123 or 1,230."""
    if not value:
        return "0"
    decimals = max(0, DIGITS - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def format_p(value: float) -> str:
    """Format a p-value: three decimals, or that it is below 0.001."""
    return "< 0.001" if value < 0.0005 else f"{value:.3f}"


def describe_p(value: float) -> str:
    """Return a p-value as in a sentence: ``p = 0.012`` or ``p < 0.001``."""
    shown = format_p(value)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def format_setting(value: Any) -> str:
    """Format the value of a hyperparameter: a number with three significant digits, such as 32, 0.25 or 1.2e-3.

    Args:
        value: A number, or its text as a tracker stores it; another text is returned as it is.
    """
    text = str(value)
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return text
    number = float(text)
    if re.fullmatch(r"[+-]?\d+", text) or not number or not math.isfinite(number):
        return text
    if SMALL <= abs(number) < LARGE:
        return f"{number:.{DIGITS}g}"
    mantissa, _, power = f"{number:.{DIGITS - 1}e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(power)}"


COLUMN_FORMATS: Mapping[str, Callable[[float], str]] = {
    "parameters": format_count,
    "peak memory, MB": format_count,
    "GMAC per tile": format_amount,
    "CPU hours per run": format_amount,
    "GPU hours per run": format_amount,
    "ms per tile": format_amount,
    "p": format_p,
}


def format_in_column(column: str, value: Any) -> str:
    """Format a cell of a column; numbers by ``COLUMN_FORMATS`` if the column is one of them.

    Args:
        column: Heading of the column; what follows a semicolon in it is an explanation.
        value: The cell.
    """
    form = COLUMN_FORMATS.get(column.partition(";")[0])
    number = isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
    if form is None or not number or not math.isfinite(float(value)):
        return format_cell(value)
    return form(float(value))


def column_kind(cells: Sequence[str]) -> str:
    """Return a column's CSS class: ``num`` for numbers, ``short`` or ``long`` for text."""
    deciding = [cell for cell in cells if cell not in _NEUTRAL]
    if deciding and all(
        _IN_NUMBERS.issuperset(cell) and re.search(r"\d", cell) for cell in deciding
    ):
        return "num"
    return "long" if any(len(cell) > _SHORT_CHARS for cell in deciding) else "short"
