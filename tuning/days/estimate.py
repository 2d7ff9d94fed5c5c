"""Estimates of models on each day after the event: means over seeds, intervals over blocks and seeds, days to the plateau.

Means, block influences and the seeds' pooled variance are those of :mod:`tuning.statistics`, day by day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tuning.days.plateau import draw_moves, find_plateau, pool_deviations
from tuning.days.reduce import ReducedReplay, ReplayedModel
from tuning.days.result import AP, SCORES, Band, DaysResult
from tuning.statistics.blocks import SamplingUnits
from tuning.statistics.dependence import calibrate
from tuning.statistics.estimate import INDEPENDENT, find_intervals, pool_seeds
from tuning.statistics.influence import ModelScores


@dataclass(frozen=True)
class _Curves:
    """A model's scores on common days: each seed's ``(S, D)`` and the influences of all folds' tiles ``(D, N)``, by name."""

    pooled: Mapping[str, np.ndarray]
    influences: Mapping[str, np.ndarray]

    def on_day(self, name: str, day: int) -> ModelScores:
        return ModelScores(self.pooled[name][:, day], self.influences[name][day])


def _trace(model: ReplayedModel, days: np.ndarray) -> _Curves:
    """Return a model's curves: a seed's score is the mean over folds."""
    pooled, influences = {}, {}
    for name in SCORES:
        values = [[run.values[name][run.at(days)] for run in runs] for runs in model.seeds]
        pooled[name] = np.mean(values, axis=1)
        moves = [
            np.concatenate([run.influences[name][run.at(days)] for run in runs], axis=1) / len(runs)
            for runs in model.seeds
        ]
        influences[name] = np.mean(moves, axis=0)
    return _Curves(pooled, influences)


def estimate_days(models: Sequence[ReplayedModel], units: SamplingUnits) -> list[DaysResult]:
    """Estimate models that were replayed on the same test tiles.

    Args:
        models: The models, with the same number of seeds' folds.
        units: Blocks and folds of the tiles, fold after fold in the order of each seed's replays.

    Returns:
        In the order of *models*, all on the days of all of them.

    Raises:
        ValueError: If a model's tiles are not those of the units.
    """
    _check_tiles(models, units)
    days = np.unique(np.concatenate([run.days for run in _list_runs(models)]))
    curves = {model.label: _trace(model, days) for model in models}
    kinds = {model.label: model.kind for model in models}
    bands = {name: _estimate_bands(curves, kinds, units, name) for name in SCORES}
    acquisitions = _merge_acquisitions(models, days)
    dependence = calibrate(units, INDEPENDENT)
    deviations = pool_deviations({label: one.pooled[AP] for label, one in curves.items()}, kinds)
    results = []
    for model in models:
        of_mean = deviations[model.kind] / np.sqrt(len(model.seeds))
        moves = draw_moves(curves[model.label].influences[AP], of_mean, units, dependence)
        ap = bands[AP][model.label]
        results.append(
            DaysResult(
                label=model.label,
                network=model.network,
                seeds=len(model.seeds),
                tiles=len(units.folds),
                days=days,
                acquisitions=acquisitions,
                scores={name: bands[name][model.label] for name in SCORES},
                mapped_km2=_add_folds(model, days),
                labelled_km2=sum(run.labelled_km2 for run in model.seeds[0]),
                to_plateau=find_plateau(days, ap.mean, moves),
            )
        )
    return results


def _list_runs(models: Iterable[ReplayedModel]) -> list[ReducedReplay]:
    return [run for model in models for runs in model.seeds for run in runs]


def _check_tiles(models: Sequence[ReplayedModel], units: SamplingUnits) -> None:
    wanted = np.bincount(units.folds).tolist()
    for model in models:
        for runs in model.seeds:
            if (got := [run.tiles for run in runs]) != wanted:
                raise ValueError(
                    f"Every model must be replayed on the test tiles of each fold, {wanted}, but got {got} of {model.label!r}. "
                    "Compare models of one campaign."
                )


def _add_folds(model: ReplayedModel, days: np.ndarray) -> np.ndarray:
    areas = [sum(run.mapped_km2[run.at(days)] for run in runs) for runs in model.seeds]
    mean: np.ndarray = np.mean(areas, axis=0)
    return mean


def _merge_acquisitions(models: Sequence[ReplayedModel], days: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean acquisitions of each modality on each day, from the models that read it."""
    merged: dict[str, np.ndarray] = {}
    for model in models:
        runs = model.seeds[0]
        weights = [run.tiles for run in runs]
        for name in runs[0].acquisitions:
            counts = [
                run.acquisitions[name][run.at(days)] for run in runs if name in run.acquisitions
            ]
            if name not in merged and len(counts) == len(runs):
                merged[name] = np.average(counts, axis=0, weights=weights)
    return merged


def _estimate_bands(
    curves: Mapping[str, _Curves], kinds: Mapping[str, str], units: SamplingUnits, name: str
) -> dict[str, Band]:
    means = {label: one.pooled[name].mean(axis=0) for label, one in curves.items()}
    ends = {label: np.full((2, len(mean)), np.nan) for label, mean in means.items()}
    for day in range(len(next(iter(means.values())))):
        scores = {label: one.on_day(name, day) for label, one in curves.items()}
        defined = {label: one for label, one in scores.items() if np.isfinite(one.mean)}
        found = find_intervals(defined, units, pool_seeds(defined, kinds), kinds)
        for label, (low, high, _) in found.items():
            ends[label][:, day] = low, high
    return {label: Band(mean, *ends[label]) for label, mean in means.items()}
