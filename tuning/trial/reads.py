"""What a model reads and how much was searched for it: the fairness of a comparison, in one record per row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.io.errors import unknown_name
from data.io.safe_json import show_value
from data.pack.channels import CHANNELS, STEPS, check_choice
from data.tiles import ACQUISITIONS
from data.values.window import is_window

WHOLE_TILE = "whole tile"
MOST_DIGITS = 9


@dataclass(frozen=True)
class Reads:
    """What a model reads, and the size of its search.

    Models of equal *channels* and *acquisitions* are compared like with like.

    Attributes:
        channels: Names of its channels.
        acquisitions: Their number and how they are chosen, such as ``4 even``.
        context: Width of the square around a pixel that its value depends on, such as ``3 px``; ``whole tile`` for a
            network.
        search_trials: Samples that its search has tried; None if unknown.
    """

    channels: tuple[str, ...]
    acquisitions: str
    context: str
    search_trials: int | None

    @property
    def input(self) -> tuple[tuple[str, ...], str]:
        """What decides whether two models are compared like with like: channels and acquisitions."""
        return self.channels, self.acquisitions


def describe_reads(config: Mapping[str, Any], search_trials: int | None = None) -> Reads:
    """Return what a trial reads.

    Args:
        config: The config of a network or a baseline, or the params of its MLflow run, whose values are texts.
            Baselines whose config names no acquisitions, as in earlier releases, read all.
        search_trials: Search trials of a network, from its campaign; a baseline's config has its own number.

    Raises:
        ValueError: If a value is not what a trial logs: somebody else may have written it.
    """
    channels = config.get("channels", ())
    if isinstance(channels, str):  # as MLflow keeps a list
        channels = [word.strip(" '\"") for word in channels.strip("[]()").split(",")]
    for name in channels:
        if name not in CHANNELS:
            raise ValueError(unknown_name("channel", show_value(name), CHANNELS))
    steps = str(config.get("steps", "all"))
    if not is_window(steps) and steps not in STEPS:
        raise ValueError(unknown_name("choice of steps", show_value(steps), STEPS))
    check_choice(steps)
    own, context = _read_number(config, "search_trials"), _read_number(config, "context_px")
    timesteps = _read_number(config, "timesteps") or ACQUISITIONS
    return Reads(
        channels=tuple(channels),
        acquisitions=f"{timesteps} {steps}",
        context=WHOLE_TILE if context is None else f"{context} px",
        search_trials=search_trials if own is None else own,
    )


def _read_number(config: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number of a config or of its texts; None if it is missing."""
    text = str(config.get(name, ""))
    if text and not (text.isascii() and text.isdigit() and len(text) < MOST_DIGITS):
        raise ValueError(f"A trial's {name} must be a whole number, but got {show_value(text)}.")
    return int(text) if text else None
