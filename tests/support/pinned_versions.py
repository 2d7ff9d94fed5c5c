"""The exact versions in ``constraints.txt``."""

import re
from pathlib import Path

from packaging.utils import canonicalize_name

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][A-Za-z0-9.+!-]*)")


def list_pin_lines() -> list[str]:
    """List the lines that are neither empty nor a comment."""
    return [line for line in CONSTRAINTS.read_text().splitlines() if line and line[0] != "#"]


def read_pins() -> dict[str, str]:
    """Return the pinned version of every package, by its canonical name; fail for a line that is not NAME==VERSION."""
    pins = {line: PIN.fullmatch(line) for line in list_pin_lines()}
    assert [line for line, pin in pins.items() if pin is None] == []
    return {canonicalize_name(pin[1]): pin[2] for pin in pins.values() if pin}
