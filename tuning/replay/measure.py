"""Measures a trained model along the calendar after the event: the test tiles as they were on each day.

The maps are those that the model would make on the day: a series has its acquisitions until then, the last of which takes the
places of those to come, as in the augmentation ``cut``; a series without any yet repeats its last image before the event. The
threshold is chosen on val tiles with as many acquisitions, by :mod:`tuning.objects.alarm_threshold`. Labels of test are read to
score alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from data.pack import Pack
from data.splits import Split
from data.tiles import ACQUISITIONS
from tuning.metrics.curve import average_precision
from tuning.metrics.histogram import BINS, count_stored, reach, to_bins
from tuning.metrics.tile_sums import count_tile_confusions
from tuning.objects.alarm_threshold import FalseLimits
from tuning.objects.objects import count_objects
from tuning.replay.calendar import Calendar, make_calendar
from tuning.replay.record import Replay, reduce_tile

BATCH = 16

PredictTiles = Callable[[Sequence[str]], np.ndarray]  # B ids to probabilities (B, H, W), float32


@dataclass(frozen=True)
class Cut:
    """A trained model for series that end soon after the event.

    Attributes:
        channels: Channels that the model reads.
        bind: From acquisitions after the event by row of the pack and modality, shape ``(N, modalities)``, to the probabilities
            of val and test tiles.
    """

    channels: tuple[str, ...]
    bind: Callable[[np.ndarray], PredictTiles]


@dataclass(frozen=True)
class Whole:
    """What is measured with all acquisitions.

    Attributes:
        val: Histogram of val, shape ``(2, BINS)``.
        test: Bins of the test tiles, shape ``(N, H, W)``, uint16.
    """

    val: np.ndarray
    test: np.ndarray


def measure_replay(
    pack: Pack, split: Split, cut: Cut, whole: Whole, reads: tuple[str, int]
) -> Replay:
    """Measure test on each day of its calendar; the last day is what is measured with all acquisitions.

    A tile is mapped again only on the days on which it gets an acquisition.

    Args:
        pack: The packed tiles.
        split: Thresholds are chosen on val, scores are of test.
        cut: The trained model.
        whole: What was measured with all acquisitions.
        reads: How the model chooses acquisitions, one of ``data.pack.channels.STEPS``, and their number.
    """
    calendar = make_calendar(pack, split.test, split.val, cut.channels, *reads)
    rows = pack.rows(split.test)
    thresholds = [*_choose_thresholds(pack, split, cut, whole, calendar)]
    maps = _map_days(cut, split.test, rows, whole.test, calendar)
    days = [
        _count_day(bins, pack.mask[rows], threshold)
        for bins, threshold in zip(maps, thresholds, strict=True)
    ]
    return Replay(
        days=calendar.days,
        modalities=np.array(calendar.modalities),
        acquisitions=calendar.average(pack, rows),
        tile_ids=np.array(split.test),
        tiles=np.stack([day.tiles for day in days]),
        confusions=np.stack([day.confusions for day in days]),
        landslides=np.stack([day.landslides for day in days]),
        thresholds=np.array(thresholds),
        pr_auc=np.array([day.pr_auc for day in days]),
    )


def _predict_bins(predict: PredictTiles, tile_ids: Sequence[str]) -> np.ndarray:
    """Return each pixel's bin, shape ``(N, H, W)``, uint16, of one tile or more."""
    parts = []
    for start in range(0, len(tile_ids), BATCH):
        probs = torch.from_numpy(predict(tile_ids[start : start + BATCH]))
        parts.append(to_bins(probs).numpy().astype(np.uint16))
    return np.concatenate(parts)


def _choose_thresholds(
    pack: Pack, split: Split, cut: Cut, whole: Whole, calendar: Calendar
) -> Iterator[float]:
    """Yield the threshold of each day; days on which val tiles have the same acquisitions share one."""
    rows = pack.rows(split.val)
    everything = np.full(calendar.after.shape[1:], ACQUISITIONS)
    masks = pack.mask[rows]
    bins = _predict_bins(cut.bind(everything), split.val)
    limits = FalseLimits.measure(whole.val, bins, masks)
    known: dict[bytes, float] = {}
    for after in calendar.after[:-1]:
        key = after[rows].tobytes()
        if key not in known:
            bins = _predict_bins(cut.bind(after), split.val)
            known[key] = limits.choose(count_stored(bins, masks), bins)
        yield known[key]
    yield limits.threshold


def _map_days(
    cut: Cut, test: Sequence[str], rows: np.ndarray, whole: np.ndarray, calendar: Calendar
) -> Iterator[np.ndarray]:
    """Yield the bins of the test tiles on each day, shape ``(N, H, W)``."""
    held = calendar.after[:, rows]
    complete = (held == held[-1]).all(axis=2)  # (D, N)
    bins = whole.copy()
    for day, after in enumerate(calendar.after):
        bins[complete[day]] = whole[complete[day]]
        new = ~complete[day]
        if day:
            new &= (held[day] != held[day - 1]).any(axis=1)
        if new.any():
            chosen = np.flatnonzero(new)
            bins[chosen] = _predict_bins(cut.bind(after), [test[int(place)] for place in chosen])
        yield bins


@dataclass(frozen=True)
class _Day:
    """What a day's maps are reduced to, as in :class:`tuning.replay.record.Replay`, without the axis of days."""

    tiles: np.ndarray
    confusions: np.ndarray
    landslides: np.ndarray
    pr_auc: float


def _count_day(bins: np.ndarray, masks: np.ndarray, threshold: float) -> _Day:
    total, tiles = np.zeros((2, BINS), np.int64), []
    for one in map(count_stored, bins, masks):
        total += one
        tiles.append(reduce_tile(one))
    first = reach(threshold)
    objects = count_objects(bins >= first, masks)
    return _Day(
        tiles=np.stack(tiles),
        confusions=count_tile_confusions(bins, masks, first),
        landslides=np.stack([objects.touched, objects.references], axis=-1),
        pr_auc=average_precision(total),
    )
