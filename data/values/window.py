"""A window of acquisitions around an event: so many before it and so many after it, such as ``pre:4/post:2``.

This module becomes part of every logged model, so it needs only the standard library.
"""

import re
from dataclasses import dataclass

_WINDOW = re.compile(r"pre:(all|[0-9]{1,3})/post:(all|[0-9]{1,3})")
_AROUND_EVENT = ("event", "common")
_SHOWN = 60  # characters of a wrong text


@dataclass(frozen=True)
class Window:
    """How many acquisitions of each series are read before the event and after it; None stands for all.

    Its text, ``pre:4/post:2`` or ``pre:all/post:2``, is one of the choices of acquisitions. In a config both are numbers.
    """

    pre: int | None
    post: int | None

    def __str__(self) -> str:
        pre, post = ("all" if number is None else str(number) for number in (self.pre, self.post))
        return f"pre:{pre}/post:{post}"

    @property
    def total(self) -> int:
        """The acquisitions on both sides, without a side of which all are read."""
        return (self.pre or 0) + (self.post or 0)

    @property
    def settled(self) -> bool:
        """Whether both sides are numbers."""
        return self.pre is not None and self.post is not None


def parse_window(text: str) -> Window:
    """Parse ``pre:K/post:K``, where K is a number from 1 or ``all``.

    Raises:
        ValueError: If the text is anything else.
    """
    match = _WINDOW.fullmatch(text)
    numbers = [None if side == "all" else int(side) for side in match.groups()] if match else []
    if not match or 0 in numbers:
        raise ValueError(
            "A window is pre:K/post:K, where K is the number of acquisitions before and after the event, 1 or more, or "
            f"all, but got {text[:_SHOWN]!r}. Write it such as pre:4/post:2 or pre:all/post:1."
        )
    return Window(*numbers)


def is_window(steps: str) -> bool:
    """Return whether a choice of acquisitions is a window; its text may be wrong all the same."""
    return steps.startswith("pre:")


def is_around_event(steps: str) -> bool:
    """Return whether a choice goes by the date of the event, so that a program's input holds the chosen acquisitions alone."""
    return steps in _AROUND_EVENT or is_window(steps)
