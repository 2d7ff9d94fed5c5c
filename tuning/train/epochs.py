"""One epoch of training and validation: on batches made by the host, or on tiles preloaded onto the device."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from data.pack.augmentation import Augment
from data.pack.gpu_dataset import PLAN_ROWS, GpuDataset
from tuning.metrics.curve import average_precision
from tuning.metrics.histogram import check_mask, count_bins, to_probs
from tuning.metrics.scores import score_at
from tuning.train.cuda_graphs import GraphedCall, GraphStream
from tuning.train.device_metrics import DeviceMetrics
from tuning.train.evaluate import EVAL_BATCH, count_dataset
from tuning.train.training_data import TrainingData
from tuning.train.training_step import TrainingStep
from tuning.trial.folder import Row

DatasetMetrics = tuple[np.ndarray, float]  # histogram (2, BINS) and mean loss per tile
CheckLoss = Callable[[str, float], None]  # name and value of a loss; raises if it is not finite


class HostEpochRunner:
    """Runs epochs on batches made by the host, and checks each loss at once.

    The iterators yield after each batch, so that several trainings can alternate.

    Attributes:
        can_queue_ahead: Always False: the whole next epoch would run before this one is written.

    Args:
        step: Trains on a batch.
        data: Train and val tiles.
        augment: Augmentation of the train tiles.
        generator: CPU generator of order and augmentation.
        check_loss: Called with every loss.
    """

    can_queue_ahead = False

    def __init__(
        self,
        step: TrainingStep,
        data: TrainingData,
        augment: Augment,
        generator: torch.Generator,
        check_loss: CheckLoss,
    ) -> None:
        self._step, self._data, self._augment = step, data, augment
        self._generator, self._check_loss = generator, check_loss
        self._results: list[DatasetMetrics] = []

    def train(self) -> Iterator[None]:
        """Take one step on every train batch."""
        step, tiles = self._step, self._data.train
        step.model.train()
        losses, counts = [], torch.zeros((), dtype=torch.int64, device=step.device)
        for batch in tiles.shuffled(step.config["batch_size"], self._generator, self._augment):
            loss, logits = step.train_batch(batch)
            self._check_loss("loss", float(loss))
            step.scheduler.step()
            losses.append(loss * len(batch.x))
            counts = counts + count_bins(to_probs(logits), batch.mask)
            yield
        self._results = [(counts.cpu().numpy(), float(sum(losses)) / len(tiles))]

    def validate(self) -> Iterator[None]:
        """Measure all val batches in one go."""
        self._step.model.eval()
        self._results.append(count_dataset(self._step.model, self._data.val, self._val_loss))
        yield

    def _val_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        loss = self._step.loss(logits, mask)
        self._check_loss("val loss", float(loss))
        return loss

    def results(self) -> tuple[DatasetMetrics, DatasetMetrics]:
        """Return the metrics of train and val."""
        train, val = self._results
        return train, val


class DeviceEpochRunner:
    """Runs epochs on preloaded tiles like :class:`HostEpochRunner`; the host does not wait before :meth:`results`.

    Args:
        step: As for :class:`HostEpochRunner`, like the next four.
        data: Train and val tiles, preloaded.
        augment: Augmentation of the train tiles.
        generator: CPU generator of order and augmentation.
        check_loss: Called with the mean losses at the end of an epoch.
        graphs: Whether to capture a GPU's steps as CUDA graphs.

    Raises:
        ValueError: If a label is neither 0 nor 1.
    """

    def __init__(
        self,
        step: TrainingStep,
        data: TrainingData,
        augment: Augment,
        generator: torch.Generator,
        check_loss: CheckLoss,
        *,
        graphs: bool = True,
    ) -> None:
        self._step, self._generator, self._check_loss = step, generator, check_loss
        self._train, self._val = GpuDataset(data.train, augment), GpuDataset(data.val)
        for tiles in (self._train, self._val):
            check_mask(*(float(value) for value in tiles.masks.aminmax()))
        self._train_metrics, self._val_metrics = (DeviceMetrics(step.device) for _ in range(2))
        # The host must see whether a step with scaled gradients is skipped, so that step cannot be captured.
        self._stream = GraphStream(step.device, graphs=graphs and not step.scaler.is_enabled())
        self._calls: dict[tuple[bool, int], tuple[Tensor, GraphedCall]] = {}

    @property
    def can_queue_ahead(self) -> bool:
        """Whether every batch is a graph replay: then queueing an epoch takes the host almost no time."""
        return bool(self._calls) and all(call.captured for _, call in self._calls.values())

    def train(self) -> Iterator[None]:
        """Queue one step on every train batch."""
        self._stream.wait_for_current()
        self._step.model.train()
        yield from self._run(training=True)

    def validate(self) -> Iterator[None]:
        """Queue the validation of every val batch."""
        self._step.model.eval()
        yield from self._run(training=False)

    def _run(self, *, training: bool) -> Iterator[None]:
        """Draw the epoch, send it to the device and queue each of its batches."""
        with self._stream.active():
            if training:
                self._train_metrics.reset()
                plan = self._train.plan_shuffled(self._step.config["batch_size"], self._generator)
            else:
                self._val_metrics.reset()
                plan = self._val.plan_in_order(EVAL_BATCH)
        for planned, seed in zip(plan.batches, plan.noise_seeds, strict=True):
            with self._stream.active():
                self._queue_batch(planned, seed, training)
            yield

    def _queue_batch(self, planned: Tensor, seed: int | None, training: bool) -> None:
        key = training, planned.shape[1]
        if key not in self._calls:
            self._calls[key] = self._make_call(*key)
        current, call = self._calls[key]
        current.copy_(planned)
        if training:
            self._train.seed_noise(seed)
        call()
        if training:
            self._step.scheduler.step()

    def _make_call(self, training: bool, batch_size: int) -> tuple[Tensor, GraphedCall]:
        """Return the tensor ``(PLAN_ROWS, B)`` that holds the current batch's plan, and the call that reads it."""
        tiles = self._train if training else self._val
        metrics = self._train_metrics if training else self._val_metrics
        run_batch = self._step.train_batch if training else self._step.validate_batch
        current = torch.zeros(PLAN_ROWS, batch_size, dtype=torch.int64, device=self._step.device)

        def run() -> None:
            batch = tiles.load_batch(current)
            loss, logits = run_batch(batch)
            metrics.update(loss, logits, batch.mask)

        generators = () if tiles.noise is None else (tiles.noise,)
        return current, GraphedCall(run, self._stream, generators)

    def results(self) -> tuple[DatasetMetrics, DatasetMetrics]:
        """Wait for the device; return the metrics of train and val.

        Raises:
            BadTrialError: If a loss is not finite.
        """
        self._stream.block_current()
        train = self._train_metrics.compute(len(self._train))
        val = self._val_metrics.compute(len(self._val))
        self._check_loss("loss", train[1])
        self._check_loss("val loss", val[1])
        return train, val


EpochRunner = HostEpochRunner | DeviceEpochRunner


def score_epoch(part: str, counts: np.ndarray, loss: float) -> Row:
    """Return the columns of an epoch's row for *part*, from its histogram ``(2, BINS)`` and mean loss."""
    scores = score_at(counts, 0.5)
    return {
        f"{part}_loss": loss,
        f"{part}_pr_auc": average_precision(counts),
        f"{part}_dice": scores["f1_dice"],
        f"{part}_iou": scores["iou"],
    }
