"""Several seeds of one config trained at once by one process, each exactly as it would be alone.

A small network leaves most of a large GPU idle, since its kernels are short and come one after another. Here each
seed is a training of its own, with its own weights, generators, optimizer, best epoch and folder; they share the
tiles, and take turns step by step, each on a stream of its own, where the GPU works on all of them side by side.
No seed's arithmetic changes. (Stacked weights and grouped convolutions, the other way to do this, were measured
against it in `benchmarks/train_gpu.py`.)
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from types import TracebackType

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

SeedResult = str | BadTrialError | ValueError  # why a seed ended, or why it has no result


@dataclass(frozen=True)
class SeedRun:
    """One seed of a stack.

    Attributes:
        config: The trial's config; those of a stack differ in ``seed`` alone.
        folder: The trial's folder; what it holds of the same trial is continued.
        report: Called after every epoch with its row, also for epochs trained earlier.
    """

    config: Config
    folder: Path
    report: ReportRow


class RandomState:
    """A training's own state of torch's shared generator, from which dropout draws; a context manager.

    Made right after what it belongs to was seeded. On a GPU a recorded graph keeps the state that was in place
    when it was recorded, so that its replays draw from it as well.
    """

    def __init__(self, device: torch.device) -> None:
        self._shared = shared_generator(device)
        there = _state(self._shared)
        self._own = there.clone_state() if isinstance(there, torch.Generator) else there

    def __enter__(self) -> None:
        self._others = _state(self._shared)
        _set_state(self._shared, self._own)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._own = _state(self._shared)  # another one after a failed recording
        _set_state(self._shared, self._others)


def _state(shared: torch.Generator) -> torch.Generator | Tensor:
    """Return a GPU's state itself, which goes on when it is drawn from, and a copy of the CPU's."""
    if shared.device.type == "cuda":
        return shared.graphsafe_get_state()
    return shared.get_state()


def _set_state(shared: torch.Generator, state: torch.Generator | Tensor) -> None:
    if isinstance(state, torch.Generator):
        shared.graphsafe_set_state(state)
    else:
        shared.set_state(state)


class _Member:
    """A seed under way: its training until it ended, and how it ended."""

    def __init__(
        self, seed: SeedRun, begun: Training | str | ValueError, device: torch.device
    ) -> None:
        self.report, self.draws = seed.report, RandomState(device)
        self.training = begun if isinstance(begun, Training) else None
        self.outcome: SeedResult = "" if isinstance(begun, Training) else begun
        self._settle()

    def _settle(self) -> None:
        """Leave the training where it is over."""
        if self.training is None or not is_training_finished(self.training):
            return
        try:
            self.outcome = finish_training(self.training)
        except BadTrialError as error:
            self.outcome = error
        self.training = None

    def halt(self) -> None:
        """Wait for what is still queued, where training was cut off."""
        if self.training is not None:
            self.training.halt()

    def run(self, turns_later: int) -> Iterator[None]:
        """Train to the end, yielding after each batch; begin some turns later than the first."""
        for _ in range(turns_later):
            yield
        while self.training is not None:
            yield from self._walk(self.training)
            self._end_epoch()

    def _walk(self, training: Training) -> Iterator[None]:
        """Train an epoch and judge val."""
        batches = training.walk_epoch()
        while True:
            with self.draws:
                try:
                    next(batches)
                except StopIteration:
                    return
                except BadTrialError as error:
                    self.outcome, self.training = error, None
                    return
            yield

    def _end_epoch(self) -> None:
        """Write the epoch and report it; the training may be over then."""
        if self.training is None:
            return
        with self.draws:
            try:
                row = self.training.end_epoch()
            except BadTrialError as error:
                self.training.halt()
                self.outcome, self.training = error, None
                return
            self.report(row)
            self._settle()


def fit_stacked(
    seeds: Sequence[SeedRun], pack: Pack, *, device: torch.device | None = None
) -> list[SeedResult]:
    """Train several seeds of one config at once, to the end of each.

    Args:
        seeds: What to train; each folder gets exactly what :func:`tuning.train.fit` leaves there. An epoch's
            ``seconds`` and the hours of ``cost.json`` are the time that passed, as for trials side by side.
        pack: The packed tiles; their hash must be the configs' ``data``.
        device: Where to train; a GPU where there is one.

    Returns:
        For each seed why it ended, as :func:`tuning.train.fit` says it, or the error of one that cannot give a
        result or whose folder cannot be continued; the others are trained on.

    Raises:
        ValueError: If the configs differ in more than their seeds or have a seed twice.
    """
    device = device or choose_device()
    _check_stack([seed.config for seed in seeds])
    members: list[_Member] = []
    parts = None
    for seed in seeds:
        begun = _begin(seed, pack, device, parts)
        members.append(_Member(seed, begun, device))
        parts = begun.parts if isinstance(begun, Training) else parts
    try:
        for _ in zip_longest(*_stagger(members)):
            pass
    finally:
        for member in members:
            member.halt()
    return [member.outcome for member in members]


def _begin(
    seed: SeedRun, pack: Pack, device: torch.device, parts: TrainingData | None
) -> Training | str | ValueError:
    try:
        return start_training(
            seed.config, pack, TrialFolder(seed.folder), seed.report, device, parts
        )
    except ValueError as error:
        return error


def _stagger(members: Sequence[_Member]) -> list[Iterator[None]]:
    """Let the seeds' epochs end one after another: while one is written, the GPU works on the others."""
    walks = []
    for place, member in enumerate(members):
        training = member.training
        turns = 0
        if training is not None:
            turns = math.ceil(len(training.parts.train) / training.config["batch_size"])
        walks.append(member.run(place * turns // len(members)))
    return walks


def _check_stack(configs: Sequence[Config]) -> None:
    """Refuse configs that are no seeds of one."""
    rest = [{name: value for name, value in config.items() if name != "seed"} for config in configs]
    if other := [config for config in rest if config != rest[0]]:
        names = sorted(
            name for name in {*rest[0], *other[0]} if rest[0].get(name) != other[0].get(name)
        )
        raise ValueError(
            f"Seeds trained at once must have one config, but two differ in {', '.join(names)}. "
            "Train them one by one."
        )
    found = [config["seed"] for config in configs]
    if len(set(found)) < len(found):
        raise ValueError(
            f"Seeds trained at once must differ, but got {', '.join(map(str, found))}. Give each once."
        )
