"""Search and measure a baseline on one split: tune on val, fit on train, read test once."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from data.pack import Pack
from data.pack.reader import After
from data.splits import Split
from tuning.baselines.baselines import (
    get_baseline,
    is_deterministic,
    list_baselines,
    make_baseline_config,
)
from tuning.baselines.definition import Params, Task
from tuning.baselines.inputs import Inputs, list_dual_orbits
from tuning.baselines.tune import Tried, find_tried, pick_winner, search_params
from tuning.metrics.curve import average_precision
from tuning.metrics.histogram import BINS, count_bins
from tuning.objects.label_noise import label_train
from tuning.replay.measure import Cut, PredictTiles
from tuning.train.evaluate import measure_predictions, measure_val
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import make_key
from tuning.trial.status import is_finished
from tuning.trial.variants import REPLAY, pick_data_entries, pick_measured_entries

logger = logging.getLogger(__name__)

SEARCH_FILE = "search"  # .json of a trial's folder: the samples that were tried


class Bound(Protocol):
    """A fitted baseline, for the tiles of any pack."""

    def __call__(self, pack: Pack, after: After = None) -> PredictTiles:
        """Return the prediction function of a pack, or of its series that end soon after the event."""


@dataclass
class Bench:
    """One baseline on one split; what was read stays in memory between samples and seeds.

    Attributes:
        key: The baseline.
        pack: The packed tiles.
        split: The split; the search reads its train and val alone.
        channels: Channels that may be read.
        steps: Choice of the acquisitions.
        timesteps: Their number.
        seeds: All seeds that will be used, whose train pixels are then read in one pass.
        variant: Entries of the config that say what is learnt from (`tuning.trial.variants`); a baseline that learns has them.
    """

    key: str
    pack: Pack
    split: Split
    channels: Sequence[str]
    steps: str
    timesteps: int
    seeds: Sequence[int] = ()
    variant: Mapping[str, Any] = field(default_factory=dict)
    _inputs: Inputs | None = field(default=None, init=False, repr=False)

    def config(self, seed: int, params: Params | None = None, search_trials: int = 1) -> Config:
        """Return the config of a run with some searched values; those of sample 0 if None."""
        learnt = {} if is_deterministic(self.key) else pick_data_entries(self.variant)
        return (
            pick_measured_entries(self.variant)
            | learnt
            | make_baseline_config(
                self.key,
                self.split.name,
                self.pack.hash,
                seed,
                self.channels,
                steps=self.steps,
                timesteps=self.timesteps,
                params=params,
                search_trials=search_trials,
            )
        )

    def search(self, trials: int, seed: int, folder: Path) -> list[Tried]:
        """Try up to *trials* samples on val, on one seed; go on where an earlier process stopped.

        Args:
            trials: Most samples.
            seed: Seed of the draws and of the drawn train pixels.
            folder: Folder of the journals of all searches.
        """
        baseline, score = get_baseline(self.key), partial(self._score, seed)
        journal = self._journal(seed, folder)
        return search_params(score, baseline.first, baseline.space, trials, seed, journal)

    def find_search(self, trials: int, seed: int, folder: Path) -> list[Tried] | None:
        """Return the samples of a search that is over, of the same arguments as :meth:`search`; None if some are left."""
        space = get_baseline(self.key).space
        return find_tried(space, trials, seed, self._journal(seed, folder))

    def _journal(self, seed: int, folder: Path) -> Path:
        return folder / f"{make_key('tune', self.config(seed))}.json"

    def _score(self, seed: int, params: Params) -> float:
        predict = self.bind(self.config(seed, params))(self.pack)
        return score_tiles(predict, self.pack, self.split.val)

    def bind(self, config: Config) -> Bound:
        """Return the fitted baseline, as :func:`make_predictor`."""
        if self._inputs is None:
            self._inputs = _open(config, self.pack, self.split, self.split.val, self.seeds)
        return _bind(config, self._inputs, self.split)

    def measure(self, config: Config, tried: Sequence[Tried], folder: Path) -> TrialFolder:
        """Measure one run and write its results into a trial's *folder*, unless they exist already."""
        trial = TrialFolder(folder)
        if is_finished(trial, "repeat"):  # measured before the campaign was resumed
            return trial
        trial.write(SEARCH_FILE, {"tried": [asdict(one) for one in tried]})
        return _measure(trial, config, self.pack, self.split, self.bind(config))


def make_run(tried: Sequence[Tried]) -> dict[str, Any]:
    """Return the winner's values and the number of samples, as arguments of :meth:`Bench.config`."""
    return {"params": pick_winner(tried).params, "search_trials": len(tried)}


def score_tiles(predict: PredictTiles, pack: Pack, tile_ids: Iterable[str]) -> float:
    """Return the average precision on some tiles, pooled over their pixels; 0 if they have no landslide."""
    total = np.zeros((2, BINS), dtype=np.int64)
    for tile in tile_ids:
        mask = torch.from_numpy(pack.mask[pack.rows([tile])])
        total += count_bins(torch.from_numpy(predict([tile])), mask).numpy()
    return average_precision(total) if total[1].any() else 0.0


def make_predictor(config: Config, pack: Pack, split: Split) -> Bound:
    """Return a baseline, ready for any pack; one that learns is fitted on train, never on val or test.

    Args:
        config: Result of :func:`tuning.baselines.baselines.make_baseline_config`.
        pack: The packed tiles.
        split: Its train tiles are used for fitting.

    Returns:
        The probabilities of B tiles, shape ``(B, H, W)``, float32, in [0, 1]; the module of a baseline without learning
        says what its scores mean.

    Raises:
        ValueError: If the baseline is unknown, the pack has none of its channels, or train lacks landslides or background.
    """
    get_baseline(config["model"])
    return _bind(config, _open(config, pack, split), split)


def _open(
    config: Config,
    pack: Pack,
    split: Split,
    keep: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> Inputs:
    reads = (config["channels"], config["steps"], config["timesteps"])
    labels = label_train(pack, split.train, config.get("label_noise", {}))
    inputs = Inputs(pack, *reads, keep=keep, seeds=seeds, labels=labels)
    needs_both = get_baseline(config["model"]).dual
    if not (list_dual_orbits(inputs.channels) if needs_both else inputs.channels):
        what = "packed channels" + (", both polarisations of an orbit" if needs_both else "")
        got = f"{config['model']} with {' '.join(config['channels']) or 'no channel'}"
        raise ValueError(
            f"A baseline needs {what}, but got {got} for a pack of "
            f"{' '.join(pack.modalities)}. Choose one of {', '.join(list_baselines(pack.modalities))}."
        )
    return inputs


def _bind(config: Config, inputs: Inputs, split: Split) -> Bound:
    bind = get_baseline(config["model"]).make(Task(config, inputs, split))

    def bound(pack: Pack, after: After = None) -> PredictTiles:
        return bind(inputs.of(pack, after))

    return bound


def run_baseline(config: Config, pack: Pack, split: Split, folder: Path) -> TrialFolder:
    """Measure a baseline by its config, unless the trial's *folder* has its results already."""
    trial = TrialFolder(folder)
    if is_finished(trial, "repeat"):
        return trial
    return _measure(trial, config, pack, split, make_predictor(config, pack, split))


def _measure(
    trial: TrialFolder, config: Config, pack: Pack, split: Split, bind: Bound
) -> TrialFolder:
    trial.write("config", config)
    measure_val(trial, pack, split, bind(pack))
    reads = {"steps": config["steps"], "timesteps": config["timesteps"]}
    cut = Cut(tuple(config["channels"]), partial(bind, pack)) if config.get(REPLAY) else None
    measure_predictions(trial, pack, split, bind, **reads, cut=cut)
    trial.end("last epoch", epoch=0)
    return trial
