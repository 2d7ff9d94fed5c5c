"""A replay reduced to scores and the influences of its tiles, so that no histogram stays in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data.tiles import PIXEL_M
from tuning.days.result import AP, BY_SIZE, F1, RECALL
from tuning.metrics.tile_sums import Score, pooled_ap, pooled_f1
from tuning.replay.record import Replay
from tuning.statistics.influence import differentiate

PIXEL_KM2 = (PIXEL_M / 1000) ** 2


@dataclass(frozen=True)
class ReducedReplay:
    """A repeat run's replay, reduced to scores and the influences of its tiles.

    Attributes:
        days: Shape ``(D,)``.
        acquisitions: Shape ``(D,)`` by modality.
        values: Each of ``SCORES`` on each day, shape ``(D,)``; NaN if it is not defined.
        influences: Of the N tiles on it, shape ``(D, N)``.
        mapped_km2: Shape ``(D,)``.
        labelled_km2: Area of the landslides.
    """

    days: np.ndarray
    acquisitions: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    influences: Mapping[str, np.ndarray]
    mapped_km2: np.ndarray
    labelled_km2: float

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return int(self.influences[AP].shape[1])

    def at(self, days: np.ndarray) -> np.ndarray:
        """Return the place of the last own day up to each of some days: until the next one nothing changes."""
        return np.searchsorted(self.days, days, side="right") - 1


@dataclass(frozen=True)
class ReplayedModel:
    """The reduced replays of one model.

    Attributes:
        label: Its name; unique.
        kind: Models of one kind share the variance of seeds, as in `tuning.statistics.estimate.Kinds`.
        network: Whether figures draw it in colour.
        seeds: For each seed a replay of every fold, in the order of the folds of the sampling units.
    """

    label: str
    kind: str
    network: bool
    seeds: Sequence[Sequence[ReducedReplay]]


def _rate_landslides(total: np.ndarray) -> np.ndarray:
    """Return found over all landslides, ``(..., 2)`` to ``(...)``; NaN without any."""
    found, every = total[..., 0], total[..., 1]
    return np.asarray(np.divide(found, every, out=np.full(found.shape, np.nan), where=every > 0))


def _list_sums(replay: Replay) -> dict[str, tuple[np.ndarray, Score]]:
    landslides = replay.landslides
    by_size = {name: (landslides[:, :, k], _rate_landslides) for k, name in enumerate(BY_SIZE)}
    return {
        AP: (replay.tiles, pooled_ap),
        F1: (replay.confusions, pooled_f1),
        RECALL: (landslides.sum(axis=2), _rate_landslides),
        **by_size,
    }


def reduce_replay(replay: Replay) -> ReducedReplay:
    """Reduce a repeat run's replay to scores and influences."""
    values, influences = {}, {}
    for name, (sums, score) in _list_sums(replay).items():
        values[name] = score(sums.sum(axis=1, dtype=np.float64))
        defined = np.isfinite(values[name]).all()
        influences[name] = differentiate(sums, score) if defined else np.zeros(sums.shape[:2])
    values[AP] = replay.pr_auc  # of all bins
    tp, fp, fn, _ = np.moveaxis(replay.confusions.sum(axis=1), -1, 0)
    names = map(str, replay.modalities)
    return ReducedReplay(
        days=replay.days,
        acquisitions=dict(zip(names, replay.acquisitions.T, strict=True)),
        values=values,
        influences=influences,
        mapped_km2=(tp + fp) * PIXEL_KM2,
        labelled_km2=float((tp + fn)[-1] * PIXEL_KM2),
    )
