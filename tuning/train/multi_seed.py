"""Several seeds of one config trained in one process at once, each exactly as if trained alone.

A small network leaves most of a large GPU idle, because its kernels are short and run one after another. Here each
seed is a training with its own weights, generators, optimizer, best epoch and folder. The seeds share the tiles and
alternate batch by batch, each on its own CUDA stream, so that the GPU runs their kernels in parallel. No seed's
arithmetic changes. (`benchmarks/train_gpu.py` compares this with stacked weights and grouped convolutions.)
"""

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import torch
from torch import Tensor

from data.pack import Pack
from tuning.train.cuda_graphs import shared_generator
from tuning.train.fit import (
    ReportRow,
    choose_device,
    finish_training,
    is_training_finished,
    start_training,
)
from tuning.train.training import BadTrialError, Training
from tuning.train.training_data import TrainingData
from tuning.trial.folder import Config, TrialFolder

SeedResult = str | BadTrialError | ValueError  # why a seed's training ended, or its error


@dataclass(frozen=True)
class SeedRun:
    """One of the seeds to train at once.

    Attributes:
        config: The trial's config; the configs differ only in ``seed``.
        folder: The trial's folder; a training of the same trial is resumed from it.
        report: Called after every epoch with its row, also for epochs trained earlier.
    """

    config: Config
    folder: Path
    report: ReportRow


class GeneratorState:
    """A training's own state of torch's default generator, from which dropout draws.

    Create it right after seeding the generator for the training. A captured CUDA graph keeps the state that was
    active at its capture, so its replays draw from that state too.
    """

    def __init__(self, device: torch.device) -> None:
        self._shared = shared_generator(device)
        state = self._get()
        self._own = state.clone_state() if isinstance(state, torch.Generator) else state

    @contextmanager
    def active(self) -> Iterator[None]:
        """Draw from this state instead of the current one."""
        others = self._get()
        self._set(self._own)
        try:
            yield
        finally:
            self._own = self._get()  # a failed capture replaces the state
            self._set(others)

    def _get(self) -> torch.Generator | Tensor:
        """Return a GPU's state itself, which advances with every draw, or a copy of the CPU's."""
        if self._shared.device.type == "cuda":
            return self._shared.graphsafe_get_state()
        return self._shared.get_state()

    def _set(self, state: torch.Generator | Tensor) -> None:
        if isinstance(state, torch.Generator):
            self._shared.graphsafe_set_state(state)
        else:
            self._shared.set_state(state)


class _SeedTraining:
    """The training of one seed, advanced batch by batch, and its result."""

    def __init__(
        self, run: SeedRun, pack: Pack, device: torch.device, data: TrainingData | None
    ) -> None:
        self.result: SeedResult = ""
        self.training: Training | None = None
        self._report = run.report
        try:
            started = start_training(
                run.config, pack, TrialFolder(run.folder), run.report, device, data
            )
        except ValueError as error:
            self.result = error
        else:
            if isinstance(started, Training):
                self.training = started
            else:
                self.result = started
        self._generator_state = GeneratorState(device)

    def run(self, delay: int) -> Generator[None, None, None]:
        """Train to the end, yielding after each batch; start after *delay* batches of the first seed."""
        if self.training is None:
            return
        try:
            for _ in range(delay):
                yield
            while not is_training_finished(self.training):
                yield from self._run_epoch(self.training)
            self.result = finish_training(self.training)
        except BadTrialError as error:
            self.result = error
        finally:
            self.training.synchronise()
            self.training = None  # frees the device's memory for the other seeds

    def _run_epoch(self, training: Training) -> Iterator[None]:
        batches = training.iterate_epoch()
        while True:
            with self._generator_state.active():
                if next(batches, StopIteration) is StopIteration:
                    break
            yield
        with self._generator_state.active():
            self._report(training.finish_epoch())


def fit_stacked(
    runs: Sequence[SeedRun], pack: Pack, *, device: torch.device | None = None
) -> list[SeedResult]:
    """Train several seeds of one config at once, each to its end.

    Args:
        runs: The seeds; each folder receives exactly the files that :func:`tuning.train.fit.fit` writes. An epoch's
            ``seconds`` and the hours in ``cost.json`` are wall-clock time, as for trials that run in parallel.
        pack: The packed tiles; their hash must be the configs' ``data``.
        device: Device of the training; by default a GPU if there is one.

    Returns:
        For each seed why its training ended, as :func:`tuning.train.fit.fit` returns it, or its error: the training
        gave no result, or the folder cannot be resumed. An error does not stop the other seeds.

    Raises:
        ValueError: If the configs differ in more than their seeds, or two seeds are equal.
    """
    device = device or choose_device()
    _check_configs([run.config for run in runs])
    seeds: list[_SeedTraining] = []
    data = None
    for run in runs:
        seeds.append(_SeedTraining(run, pack, device, data))
        data = seeds[-1].training.data if seeds[-1].training else data
    iterators = [seed.run(_delay(seed, place, len(seeds))) for place, seed in enumerate(seeds)]
    try:
        for _ in zip_longest(*iterators):
            pass
    finally:
        for iterator in iterators:
            iterator.close()  # waits for the work that the seed has queued
    return [seed.result for seed in seeds]


def _delay(seed: _SeedTraining, place: int, seeds: int) -> int:
    """Spread the seeds over an epoch, in batches: while one seed writes its epoch, the GPU trains the others."""
    if seed.training is None:
        return 0
    config, tiles = seed.training.config, len(seed.training.data.train)
    batches = math.ceil(tiles / int(config["batch_size"]))
    return place * batches // seeds


def _check_configs(configs: Sequence[Config]) -> None:
    """Refuse configs that differ in more than their seeds, and equal seeds."""
    for config in configs[1:]:
        differing = {
            name for name in {*configs[0], *config} if configs[0].get(name) != config.get(name)
        }
        if names := sorted(differing - {"seed"}):
            raise ValueError(
                f"Seeds trained at once must have one config, but two differ in {', '.join(names)}. "
                "Train them one by one."
            )
    seeds = [config["seed"] for config in configs]
    if len(set(seeds)) < len(seeds):
        raise ValueError(
            f"Seeds trained at once must differ, but got {', '.join(map(str, seeds))}. "
            "Name each seed once."
        )
