"""Trainings and hours of a matrix, estimated before it starts.

A training is taken to last all its epochs: patience and the scheduler end many earlier, so that the hours are rather too many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.io.processes import count_cpus
from tuning.baselines.baselines import is_deterministic
from tuning.cluster.resources import NodeResources, default_resources
from tuning.matrix.cost.tiles import CellSize
from tuning.matrix.cost.timing import (
    Likeness,
    Pace,
    describe_likeness,
    find_earlier,
    measure_pace,
)
from tuning.matrix.run_matrix import takes_over
from tuning.settings.presets import get_preset
from tuning.settings.settings import Settings
from tuning.train.fit import choose_device

# Rough, from runs on two busy cores with the preset quick on the twin. A trial's process starts and its results are sent; a campaign is set
# up, checked and reported; a run of a baseline without learning and with it, for 100 test tiles.
TRIAL_S, CAMPAIGN_S = 8.0, 40.0
BASELINE_S = {True: 1.5, False: 20.0}
TEST_PASSES = 3  # over the test tiles: the scores, the event-free series, the parts of the series
REPLAY_PASSES = 8  # one for each acquisition after the event


@dataclass(frozen=True)
class CellCost:
    """What a cell costs.

    Attributes:
        campaign: Name of its campaign.
        searches: Search trials.
        repeats: Repeat trials.
        baselines: Runs of baselines.
        fixed_s: Seconds that do not depend on the number of seeds, on one slot.
        seed_s: Seconds of each seed, on one slot.
    """

    campaign: str
    searches: int
    repeats: int
    baselines: int
    fixed_s: float
    seed_s: float


@dataclass(frozen=True)
class MatrixCost:
    """What a matrix costs.

    Attributes:
        cells: Cost of each cell.
        seeds: Number of seeds.
        slots: Trials at once.
        sources: Where the times come from, one sentence for each network.
    """

    cells: tuple[CellCost, ...]
    seeds: int
    slots: int
    sources: tuple[str, ...]

    @property
    def hours(self) -> float:
        """Estimated hours."""
        return self.hours_with(self.seeds)

    def hours_with(self, seeds: int) -> float:
        """Return the estimated hours with another number of seeds."""
        trained = sum(cell.fixed_s + seeds * cell.seed_s for cell in self.cells) / self.slots
        return (trained + CAMPAIGN_S * len(self.cells)) / 3600


class Estimator:
    """Estimates what cells cost; each network is measured once per input.

    Args:
        root: Output folder, with earlier campaigns.
    """

    def __init__(self, root: Path) -> None:
        self._epochs, self._baselines = find_earlier(root)
        self._paces: dict[Likeness, Pace] = {}

    def pace(self, model: str, settings: Settings) -> Pace:
        """Return the seconds per tile of a network at a cell's input."""
        size = get_preset(settings.preset).batch_size
        like = describe_likeness(model, len(settings.channels), settings.timesteps, size)
        if like not in self._paces:
            earlier = self._epochs.get(like)
            self._paces[like] = (
                measure_pace(model, settings) if earlier is None else Pace(earlier, 0.0, "earlier")
            )
        return self._paces[like]

    def baseline_s(self, key: str) -> float:
        """Return the seconds of one run of a baseline."""
        return self._baselines.get(key, BASELINE_S[is_deterministic(key)])

    def describe(self) -> tuple[str, ...]:
        """Say where the times of each network come from."""
        return tuple(
            f"{model}, {channels} channels, {timesteps} acquisitions: {1000 * pace.train:.0f} ms per train tile and epoch, "
            + ("from earlier trials here" if pace.source == "earlier" else "measured now")
            for (model, channels, timesteps, _), pace in self._paces.items()
        )


def estimate(
    cells: Sequence[Settings], sizes: Mapping[str, CellSize], search: str, estimator: Estimator
) -> MatrixCost:
    """Estimate what a matrix costs.

    Args:
        cells: Settings of its cells, the reference first.
        sizes: Their tiles by campaign.
        search: ``once`` or ``per-cell``.
        estimator: Knows the pace of networks.
    """
    costs = tuple(
        _estimate_cell(
            one, sizes[one.campaign], estimator, searched=not takes_over(search, cells[0], one)
        )
        for one in cells
    )
    first = cells[0]
    node = NodeResources(float(count_cpus()), float(choose_device().type == "cuda"))
    need = default_resources(first, [node])
    slots = node.gpus / need.gpus if need.gpus else node.cpus / need.cpus
    return MatrixCost(costs, first.seeds, max(1, int(slots)), estimator.describe())


def _estimate_cell(
    settings: Settings, size: CellSize, estimator: Estimator, *, searched: bool
) -> CellCost:
    preset = get_preset(settings.preset)
    folds = size.folds if settings.search == "per-fold" else size.folds[:1]
    fixed = per_seed = 0.0
    for model in settings.models:
        pace = estimator.pace(model, settings)
        if searched:
            for fold in folds:
                trial = TRIAL_S + preset.search_epochs * _epoch_s(pace, fold.train, fold.val)
                fixed += settings.trials * trial
        for fold in size.folds:
            passes = TEST_PASSES + (REPLAY_PASSES if settings.replay else 0)
            test = passes * fold.test * (pace.val or pace.train / 3)
            per_seed += TRIAL_S + preset.epochs * _epoch_s(pace, fold.train, fold.val) + test
    runs = learning = 0
    for key in settings.baselines:
        seconds = estimator.baseline_s(key) * len(size.folds)
        fixed += seconds  # the search on val
        if is_deterministic(key):
            runs += len(size.folds)
            fixed += seconds
        else:
            learning += len(size.folds)
            per_seed += seconds
    searches = settings.trials * len(folds) * len(settings.models) if searched else 0
    repeats = settings.seeds * len(size.folds) * len(settings.models)
    return CellCost(
        settings.campaign, searches, repeats, runs + learning * settings.seeds, fixed, per_seed
    )


def _epoch_s(pace: Pace, train: int, val: int) -> float:
    return pace.train * train + pace.val * val
