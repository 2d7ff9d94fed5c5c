"""Results over days after the event: scores of one model with their intervals, and when it reaches most of its plateau."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuning.objects.object_scores import SIZES

NAMES = {"s1asc": "ascending", "s1dsc": "descending", "s2": "Sentinel-2"}
SHARE = 0.9  # of the score with all acquisitions
AP, F1, RECALL = "ap", "f1", "recall"
BY_SIZE = tuple(f"{RECALL}/{size}" for size in SIZES)
SCORES = (AP, F1, RECALL, *BY_SIZE)
LABELS = {AP: "average precision", F1: "F1", RECALL: "recall of landslides"}


@dataclass(frozen=True)
class Band:
    """A score on D days: mean over seeds and 95 % interval over blocks and seeds, each of shape ``(D,)``; NaN if not defined."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class DaysToPlateau:
    """The first day on which average precision reaches a share of what it is with all acquisitions.

    Between two acquisitions a map stays as it is, so the day is one on which an image came; nothing is interpolated.

    Attributes:
        days: Days after the event; 0 if the model has that share without any image after the event.
        low, high: 95 % interval over spatial blocks and seeds, in days; NaN with fewer than two blocks.
    """

    days: float
    low: float
    high: float

    def __str__(self) -> str:
        count = f"{self.days:g} day{'' if self.days == 1 else 's'}"
        if not np.isfinite([self.low, self.high]).all():
            return count
        return f"{count} ({self.low:g} to {self.high:g})"


@dataclass(frozen=True)
class DaysResult:
    """One model on each day of the calendar after the event.

    Attributes:
        label: The model's name, or campaign and model where several are shown; unique in a figure.
        network: Whether it is drawn in colour.
        seeds: Number of seeds.
        tiles: Number of test tiles.
        days: Whole days after the event, ascending from 0, shape ``(D,)``; between two of them nothing changes.
        acquisitions: Acquisitions after the event by then, the mean over test tiles, shape ``(D,)``, by modality.
        scores: A band for each of ``SCORES``: average precision of pixels, F1 of pixels, and the share of landslides that any
            found pixel touches, of all and by size; at thresholds chosen on val with as many acquisitions.
        mapped_km2: Area called landslide, mean over seeds, shape ``(D,)``.
        labelled_km2: Area of the labelled landslides.
        to_plateau: When average precision reaches ``SHARE`` of its last value.
    """

    label: str
    network: bool
    seeds: int
    tiles: int
    days: np.ndarray
    acquisitions: Mapping[str, np.ndarray]
    scores: Mapping[str, Band]
    mapped_km2: np.ndarray
    labelled_km2: float
    to_plateau: DaysToPlateau

    @property
    def ap(self) -> Band:
        """Average precision."""
        return self.scores[AP]

    @property
    def first(self) -> int:
        """Place of the first day with an acquisition after the event of any modality; that of day 0 if there is none."""
        some = np.max(list(self.acquisitions.values()), axis=0) > 0
        return int(some.argmax())

    def describe(self) -> str:
        """Say in a sentence when the model reaches ``SHARE`` of its average precision with all acquisitions."""
        score = f"average precision with all acquisitions ({self.ap.mean[-1]:.3f})"
        if self.to_plateau.days == 0:
            return f"{self.label} has {SHARE:.0%} of its {score} without any image after the event: it does not read the change."
        return f"{self.label} reaches {SHARE:.0%} of its {score} after {self.to_plateau}."


def name_modality(modality: str) -> str:
    """Return the name of a modality for figures and tables, such as ``ascending``."""
    return NAMES.get(modality, modality)


def order_results(results: Iterable[DaysResult]) -> list[DaysResult]:
    """Order results by their last average precision, highest first."""
    return sorted(results, key=lambda one: (-float(one.ap.mean[-1]), one.label))


def pick_shown(results: Sequence[DaysResult], baselines: int = 3) -> list[DaysResult]:
    """Return the models that a figure shows: networks, and some baselines with the highest last average precision."""
    ordered = order_results(results)
    greys = [one for one in ordered if not one.network][:baselines]
    return [one for one in ordered if one.network] + greys
