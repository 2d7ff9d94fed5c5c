"""An epoch's steps and its look at val: on the host's batches, or on a part that lives on the device."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from data.pack.augmentation import Augment
from data.pack.dataset import TileDataset
from data.pack.gpu_dataset import EpochPlan, GpuDataset
from tuning.metrics.histogram import check_mask, count_bins, to_probs
from tuning.train.cuda_graphs import GraphedCall, GraphStream
from tuning.train.device_metrics import DeviceMetrics
from tuning.train.evaluate import EVAL_BATCH, count_dataset
from tuning.train.training_step import TrainingStep

Found = tuple[np.ndarray, float]  # histogram (2, BINS) and mean loss per tile
Check = Callable[
    [str, float], None
]  # refuses a loss, named in the first argument, that is not finite


class EpochRunner(Protocol):
    """Trains epoch by epoch; both methods yield after each batch, so that trainings can take turns."""

    @property
    def ahead(self) -> bool:
        """Whether the next epoch may be begun once this one was read: it takes the host no time."""

    def train(self) -> Iterator[None]:
        """Take one step on every batch of train."""

    def judge(self) -> Iterator[None]:
        """Judge every batch of val."""

    def read(self) -> tuple[Found, Found]:
        """Return what train and val gave, once both are through."""


class HostEpochRunner:
    """Epochs whose batches the host makes; each loss is looked at as it comes.

    Attributes:
        ahead: Never: the host would be done with the next epoch before this one is written.

    Args:
        steps: Takes the steps.
        parts: Train and val.
        augment: How train's tiles change.
        generator: Generator of the CPU for order and changes.
        check: Looks at every loss.
    """

    ahead = False

    def __init__(
        self,
        steps: TrainingStep,
        parts: tuple[TileDataset, TileDataset],
        augment: Augment,
        generator: torch.Generator,
        check: Check,
    ) -> None:
        self._steps, self._augment, self._check = steps, augment, check
        self._train, self._val = parts
        self._generator = generator
        self._found: list[Found] = []

    def train(self) -> Iterator[None]:
        """Take one step on every batch of train."""
        steps = self._steps
        steps.model.train()
        losses, counts = [], torch.zeros((), dtype=torch.int64, device=steps.device)
        size = steps.config["batch_size"]
        for batch in self._train.shuffled(size, self._generator, self._augment):
            loss, logits = steps.take(batch)
            self._check("loss", float(loss))
            steps.schedule.step()
            losses.append(loss * len(batch.x))
            counts = counts + count_bins(to_probs(logits), batch.mask)
            yield
        self._found = [(counts.cpu().numpy(), float(sum(losses)) / len(self._train))]

    def judge(self) -> Iterator[None]:
        """Judge every batch of val, at once."""
        self._steps.model.eval()
        self._found.append(count_dataset(self._steps.model, self._val, self._val_loss))
        yield

    def _val_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        loss = self._steps.loss(logits, mask)
        self._check("val loss", float(loss))
        return loss

    def read(self) -> tuple[Found, Found]:
        """Return what train and val gave."""
        train, val = self._found
        return train, val


class DeviceEpochRunner:
    """Epochs on parts that live on the device: nothing waits for it before :meth:`read`.

    Arguments as of :class:`HostEpochRunner`, and:

    Args:
        graphs: Whether a GPU's steps are recorded as CUDA graphs.
    """

    def __init__(
        self,
        steps: TrainingStep,
        parts: tuple[TileDataset, TileDataset],
        augment: Augment,
        generator: torch.Generator,
        check: Check,
        *,
        graphs: bool = True,
    ) -> None:
        self._steps, self._generator, self._check = steps, generator, check
        self._train, self._val = GpuDataset(parts[0], augment), GpuDataset(parts[1])
        for part in (self._train, self._val):
            check_mask(*(float(value) for value in part.mask.aminmax()))
        self._tallies = DeviceMetrics(steps.device), DeviceMetrics(steps.device)
        # A step whose gradients are scaled is left out or not, which the host has to see.
        self._lane = GraphStream(steps.device, graphs=graphs and not steps.scaler.is_enabled())
        self._works: dict[tuple[bool, int], tuple[Tensor, GraphedCall]] = {}

    @property
    def ahead(self) -> bool:
        """Whether every batch is a replay by now."""
        return bool(self._works) and all(replay.recorded for _, replay in self._works.values())

    def _make_work(self, learns: bool, size: int) -> tuple[Tensor, GraphedCall]:
        """Make the work on batches of one size, and the tensor ``(3, B)`` from which it reads which tiles."""
        part, tally = (self._train if learns else self._val), self._tallies[not learns]
        now = torch.zeros(3, size, dtype=torch.int64, device=self._steps.device)
        use = self._steps.take if learns else self._steps.judge

        def work() -> None:
            batch = part.gather(now)
            loss, logits = use(batch)
            tally.add(loss, logits, batch.mask)

        return now, GraphedCall(work, self._lane, () if part.noise is None else (part.noise,))

    def _walk(self, plan: EpochPlan, learns: bool) -> Iterator[None]:
        """Queue the work on each batch of a plan."""
        part = self._train if learns else self._val

        def queue(rows: Tensor, seed: int | None) -> None:
            key = learns, rows.shape[1]
            if key not in self._works:
                self._works[key] = self._make_work(*key)
            now, replay = self._works[key]
            now.copy_(rows)
            part.seed(seed)
            replay()
            if learns:
                self._steps.schedule.step()

        for rows, seed in zip(plan.batches, plan.seeds, strict=True):
            self._lane.run(lambda rows=rows, seed=seed: queue(rows, seed))  # type: ignore[misc]
            yield

    def _plan(self, learns: bool) -> EpochPlan:
        """Draw the epoch and send it."""
        self._tallies[not learns].clear()
        if learns:
            return self._train.draw(self._steps.config["batch_size"], self._generator)
        return self._val.in_order(EVAL_BATCH)

    def train(self) -> Iterator[None]:
        """Queue one step on every batch of train."""
        self._lane.follow()
        self._steps.model.train()
        yield from self._walk(self._on_lane(learns=True), learns=True)

    def judge(self) -> Iterator[None]:
        """Queue the judgement of every batch of val."""
        self._steps.model.eval()
        yield from self._walk(self._on_lane(learns=False), learns=False)

    def _on_lane(self, *, learns: bool) -> EpochPlan:
        with torch.cuda.stream(self._lane.stream):
            return self._plan(learns)

    def read(self) -> tuple[Found, Found]:
        """Wait for the device; return what train and val gave.

        Raises:
            BadTrialError: If a loss was not finite, by the check that was given.
        """
        self._lane.join()
        train, val = self._tallies[0].read(len(self._train)), self._tallies[1].read(len(self._val))
        self._check("loss", train[1])
        self._check("val loss", val[1])
        return train, val
