"""What a model reads and how much was searched for it: the fairness of a comparison, in one record per row."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WHOLE_TILE = "whole tile"


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
        search_trials: Search trials of a network, from its campaign; a baseline's config has its own number.
    """
    channels = config["channels"]
    if isinstance(channels, str):  # as MLflow keeps a list
        channels = [word.strip(" '\"") for word in channels.strip("[]()").split(",")]
    own, context = config.get("search_trials"), config.get("context_px")
    return Reads(
        channels=tuple(name for name in channels if name),
        acquisitions=f"{config['timesteps']} {config['steps']}",
        context=WHOLE_TILE if context is None else f"{context} px",
        search_trials=search_trials if own is None else int(own),
    )
