"""The setting ``--window``: so many acquisitions before the event, and so many after it.

``all`` depends on the tiles, so a campaign counts them when it starts (`tuning.campaign.window`); until then the settings hold
the user's text and the most acquisitions that it can mean.
"""

from typing import Any

from data.pack.channels import STEPS, check_choice, check_steps
from data.tiles import ACQUISITIONS
from data.values.window import Window, is_window, parse_window

_OTHERS = ("steps", "timesteps")  # options that choose acquisitions otherwise


def take_window(options: dict[str, Any]) -> dict[str, Any]:
    """Take ``--window`` out of the user's options, and return the settings that it means; none without it.

    Raises:
        ValueError: If it is no window, a tile has fewer acquisitions, or another option chooses them.
    """
    if is_window(options.get("steps", "")):
        raise ValueError(
            f"--steps is {', '.join(STEPS[:-1])} or {STEPS[-1]}, but got {options['steps']!r}. Give a window with --window."
        )
    if "window" not in options:
        return {}
    if extra := [name for name in _OTHERS if name in options]:
        raise ValueError(
            f"--window chooses the acquisitions and their number, but also got --{', --'.join(extra)}. Omit one of them."
        )
    window = parse_window(options.pop("window"))
    return {"window": str(window), "steps": str(window), "timesteps": count_most(window)}


def count_most(window: Window) -> int:
    """Return the number of acquisitions of a window, the most that it can have if one side is ``all``.

    Raises:
        ValueError: If a tile has fewer.
    """
    if window.settled:
        most = window.total
    else:
        most = max(ACQUISITIONS, window.total + [window.pre, window.post].count(None))
    if most > ACQUISITIONS:
        raise ValueError(
            f"A tile has {ACQUISITIONS} acquisitions, on both sides of the event, but got --window {window}. Choose fewer."
        )
    return most


def check_acquisitions(window: str, steps: str, timesteps: int) -> None:
    """Check a campaign's choice of acquisitions.

    Args:
        window: The user's window; empty without one.
        steps: The choice; the window with its numbers, once the tiles are counted.
        timesteps: Number of acquisitions.

    Raises:
        ValueError: If they are unknown or do not fit each other.
    """
    if window and steps == window:
        most = count_most(parse_window(window))
        if timesteps != most:
            raise ValueError(f"--window {window} reads {most} acquisitions, but got {timesteps}.")
        return
    check_steps(steps, timesteps)
    if is_window(steps) != bool(window):
        raise ValueError(
            f"A campaign's window and its choice of acquisitions must agree, but got the window {window!r} and the choice "
            f"{steps!r}. Choose acquisitions with --window or with --steps."
        )
    if window:
        check_choice(steps)
        wished, chosen = parse_window(window), parse_window(steps)
        if wished.pre not in (None, chosen.pre) or wished.post not in (None, chosen.post):
            raise ValueError(
                f"A campaign's acquisitions must be those of its window {window}, but got {steps}. Begin a new campaign."
            )
