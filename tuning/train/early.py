"""Scores of a network soon after the event, when a place has only its first images after it.

A map is wanted within days, and the benchmark's test series reach over months. So val and test are read once more with the first
one, two and three acquisitions after the event, the last of which takes the places of those to come.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from data.pack.dataset import TileDataset
from data.tiles import PIXEL_M
from models import apply_network
from tuning.metrics.after_event import ALL, name_score
from tuning.metrics.curve import average_precision
from tuning.metrics.histogram import BINS, count_bins, to_bins, to_probs
from tuning.metrics.scores import confuse, score_confusion
from tuning.objects.alarm_threshold import FalseLimits, count_alarms
from tuning.trial.folder import TrialFolder

MOST = 3  # acquisitions after the event
KEPT = ("threshold", "precision", "recall", "alarms_per_km2")  # scores that are stored with a model
_BATCH = 16

Open = Callable[[int | None], TileDataset]  # most acquisitions after the event, None for all


def list_early(tiles: TileDataset) -> list[int]:
    """Return the numbers of acquisitions after the event to measure: 1 to 3, below what the network reads of each orbit."""
    length = int(tiles.batch([0]).x.shape[1])
    places = tiles.first_after[:, (tiles.first_after < length).any(dim=0)]  # without maps
    most = length - int(places.max(dim=1).values.median()) if places.numel() else 0
    return list(range(1, min(MOST, most - 1) + 1))


def measure_early(model: nn.Module, open_val: Open, open_test: Open) -> dict[str, float]:
    """Measure a network with few acquisitions after the event, and with all that it reads.

    The threshold of few acquisitions is that of the highest F1 on val among those at which val has no more false pixels than
    with all acquisitions at their own threshold; from there it is raised until val has no more false alarms either.

    Args:
        model: The network in eval mode: normalised ``(B, T, C, H, W)`` to logits ``(B, 1, H, W)``.
        open_val: Opens the val tiles.
        open_test: Opens the test tiles.

    Returns:
        For each number of acquisitions (:func:`name_score`): ``val_pr_auc``, ``threshold``, and on test ``pr_auc``,
        ``precision``, ``recall``, ``f1_dice`` and ``alarms_per_km2``, found objects that touch no landslide per km2. Nothing if
        the network reads fewer than two acquisitions after the event.
    """
    tiles = open_val(None)
    early = list_early(tiles)
    if not early:
        return {}
    whole, bins = _count(model, tiles)
    limits = FalseLimits.measure(whole, bins, _read_masks(tiles))
    scores = _rate(model, whole, limits.threshold, open_test(None), ALL)
    for after in early:
        val, bins = _count(model, open_val(after))
        scores |= _rate(model, val, limits.choose(val, bins), open_test(after), after)
    return scores


def read_early_scores(trial: TrialFolder) -> dict[str, dict[str, float]]:
    """Return a trial's threshold and scores by the number of acquisitions after the event, such as ``{"1": …}``."""
    stored = trial.read("early") or {}
    return {
        str(after): {name: stored[name_score(name, after)] for name in KEPT}
        for after in range(1, MOST + 1)
        if name_score("threshold", after) in stored
    }


def _rate(
    model: nn.Module, val: np.ndarray, threshold: float, test: TileDataset, after: int | str
) -> dict[str, float]:
    counts, bins = _count(model, test)
    masks = _read_masks(test)
    km2 = masks.size * PIXEL_M**2 / 1e6
    score = score_confusion(confuse(counts, threshold))
    values: dict[str, Any] = {
        "val_pr_auc": average_precision(val),
        "threshold": threshold,
        "pr_auc": average_precision(counts),
        **{name: score[name] for name in ("precision", "recall", "f1_dice")},
        "alarms_per_km2": count_alarms(bins, masks, threshold) / km2,
    }
    return {name_score(name, after): float(value) for name, value in values.items()}


def _read_masks(tiles: TileDataset) -> np.ndarray:
    return np.concatenate([batch.mask.cpu().numpy() for batch in tiles.batches(_BATCH)])


@torch.no_grad()
def _count(model: nn.Module, tiles: TileDataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the histogram ``(2, BINS)`` of all tiles, and each pixel's bin, ``(N, H, W)``, uint16."""
    counts, bins = np.zeros((2, BINS), np.int64), []
    for batch in tiles.batches(_BATCH):
        probs = to_probs(apply_network(model, batch.x, batch.days))
        counts += count_bins(probs, batch.mask).cpu().numpy()
        bins.append(to_bins(probs).cpu().numpy().astype(np.uint16))
    return counts, np.concatenate(bins)
