"""The state of one training: network, optimizer, schedule, generators and checkpoints, epoch by epoch."""

import math
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

import numpy as np
import torch

from data.io.safe_checkpoint import load_tensors
from data.pack import Pack
from data.pack.augmentation import make_augment
from data.splits import Split
from tuning.metrics.curve import average_precision, choose_threshold, is_constant
from tuning.metrics.scores import score_at
from tuning.train.checkpoints import (
    explain_damage,
    make_model,
    promote_candidate,
    save_candidate,
    settle_candidate,
)
from tuning.train.cuda_graphs import WARMUP_CALLS
from tuning.train.environment import ResourceUsage
from tuning.train.epochs import DeviceEpochRunner, EpochRunner, HostEpochRunner
from tuning.train.gpu_snapshot import StateSnapshot
from tuning.train.training_data import TrainingData
from tuning.train.training_step import TrainingStep
from tuning.trial.folder import Config, Row, TrialFolder, write_atomically

TRIED_STEPS = (
    WARMUP_CALLS + 1
)  # on a GPU the last of them is recorded, which takes memory of its own


class BadTrialError(RuntimeError):
    """A training that cannot give a result; the message says why."""


class Training:
    """The state of one training: network, optimizer, schedule, random generators, best epoch.

    Args:
        config: The trial's config.
        pack: The packed tiles.
        split: Their parts.
        journal: The trial's folder.
        device: Where to train.
        parts: Tiles that other trainings of the same data use as well; its own when left out.
        graphs: Whether a GPU's steps are recorded as CUDA graphs.
    """

    def __init__(
        self,
        config: Config,
        pack: Pack,
        split: Split,
        journal: TrialFolder,
        device: torch.device,
        *,
        parts: TrainingData | None = None,
        graphs: bool = True,
    ) -> None:
        torch.manual_seed(config["seed"])  # weights and dropout
        self.config, self.journal, self.device = config, journal, device
        self.parts = parts or TrainingData.make(config, pack, split, device)
        self.model = make_model(config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator = torch.Generator().manual_seed(config["seed"])  # order and turns
        steps = config["epochs"] * math.ceil(len(self.parts.train) / config["batch_size"])
        self.steps = TrainingStep(config, self.model, steps, device)
        self.epochs = self._make_epochs(graphs)
        self.epoch, self.stale, self.best = 0, 0, -1.0
        self._ahead = False  # whether the next epoch is queued already
        self.usage = ResourceUsage(device)

    def _make_epochs(self, graphs: bool) -> EpochRunner:
        augment = make_augment(self.config["augment"])
        both = self.parts.train, self.parts.val
        given = self.steps, both, augment, self.generator, self._check_finite
        if self.parts.train.resident is None:
            return HostEpochRunner(*given)
        return DeviceEpochRunner(*given, graphs=graphs)

    def _check_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise BadTrialError(
                f"The {what} must stay finite, but got {value} in epoch {self.epoch + 1}. "
                f"Lower the learning rate (lr={self.config['lr']:.2g})."
            )

    def try_step(self) -> None:
        """Train a few batches and judge one, to see whether they fit into memory; nothing is kept."""
        for _ in islice(self.epochs.train(), TRIED_STEPS):
            pass
        for _ in islice(self.epochs.judge(), 1):
            pass
        StateSnapshot(self._state())  # what an epoch that begins ahead takes

    def walk_epoch(self) -> Iterator[None]:
        """Train one epoch and measure val, yielding after each batch; :meth:`end_epoch` is due then."""
        if self._ahead:
            self._ahead = False
            yield
            return
        self._began = time.perf_counter()
        yield from self._walk()

    def _walk(self) -> Iterator[None]:
        self._lr = self.steps.lr
        yield from self.epochs.train()
        yield from self.epochs.judge()

    def _go_ahead(self) -> None:
        """Queue the next epoch: the GPU works on it while this one is scored and written."""
        if self.epoch < self.config["epochs"]:
            for _ in self._walk():
                pass
            self._ahead = True

    def halt(self) -> None:
        """Wait for what was queued ahead and is not wanted any more, before its memory is another's."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def end_epoch(self) -> Row:
        """Write the checkpoints of an epoch that was walked through; return its row."""
        (train, train_loss), (val, val_loss) = self.epochs.read()
        self.epoch += 1
        lr, state, draws = self._lr, self._state(), self._draws()
        if self.epochs.ahead:
            kept = {name: StateSnapshot(part) for name, part in state.items()}
            self._go_ahead()
            state = {name: part.fetch() for name, part in kept.items()}
        row = _score_part("train", train, train_loss) | _score_part("val", val, val_loss)
        self._keep_best(row["val_pr_auc"], val, state["model"])
        row |= {"epoch": self.epoch, "lr": lr}
        row |= {"best_val_pr_auc": self.best, "stale": self.stale}
        row |= {"seconds": self._stop_clock(), "time_ms": int(time.time() * 1000)}
        row |= {"system": self.usage.look()}
        self.journal.append(row)
        self._save_last(state | draws)
        if self.stale == 0:
            promote_candidate(self.journal)
        return row

    def _stop_clock(self) -> float:
        """Return the seconds of an epoch; the time of one that is queued begins here."""
        now = time.perf_counter()
        began, self._began = self._began, now
        return now - began

    def run_epoch(self) -> Row:
        """Train one epoch, measure val, write the checkpoints; return the epoch's row."""
        for _ in self.walk_epoch():
            pass
        return self.end_epoch()

    def _keep_best(self, pr_auc: float, counts: np.ndarray, weights: dict[str, Any]) -> None:
        if not math.isfinite(pr_auc):
            raise BadTrialError(
                f"Val average precision must be finite, but got {pr_auc} in epoch {self.epoch}. "
                "The val part needs at least one landslide pixel."
            )
        self.stale += 1
        if pr_auc <= self.best:
            return
        self.best, self.stale = pr_auc, 0
        content = {
            "model": weights,
            "config": self.config,
            "norm": asdict(self.parts.norm),
            "epoch": self.epoch,
            "threshold": choose_threshold(counts),
        }
        save_candidate(self.journal, content, counts)

    def cost(self) -> dict[str, float]:
        """Say what the training took: parameters, hours of cores or GPU, peak memory of its process."""
        seconds = sum(row["seconds"] for row in self.journal.history())
        cuda = self.device.type == "cuda"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts KiB
        return {
            "parameters": sum(weights.numel() for weights in self.model.parameters()),
            "cpu_hours": seconds * torch.get_num_threads() / 3600,
            "gpu_hours": seconds / 3600 if cuda else 0.0,
            "peak_memory_mb": peak / 1e6,
            "peak_gpu_memory_mb": torch.cuda.max_memory_allocated() / 1e6 if cuda else 0.0,
        }

    def _state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.steps.parts().items()}

    def _draws(self) -> dict[str, Any]:
        """Return the generators' states; torch takes them back from memory of their own alone."""
        draws = {"order": self.generator.get_state(), "rng": torch.get_rng_state()}
        if self.device.type == "cuda":
            draws["cuda_rng"] = torch.cuda.get_rng_state(self.device)
        return draws

    def _save_last(self, state: dict[str, Any]) -> None:
        content = state | {"epoch": self.epoch, "stale": self.stale, "best": self.best}
        write_atomically(self.journal.last, lambda aside: torch.save(content, aside))

    def resume(self) -> None:
        """Continue from ``last.pt`` where there is one, as if never interrupted."""
        if not self.journal.last.is_file():
            self.journal.rewrite_history([])
            settle_candidate(self.journal, self.epoch)
            return
        with explain_damage(self.journal):
            self._restore(load_tensors(self.journal.last))
        # A kill between the row and its checkpoint leaves a row that will be made again.
        self.journal.rewrite_history(self.journal.history()[: self.epoch])
        settle_candidate(self.journal, self.epoch)

    def _restore(self, saved: dict[str, Any]) -> None:
        self.steps.restore(saved)
        self.epoch, self.stale, self.best = saved["epoch"], saved["stale"], saved["best"]
        self.generator.set_state(saved["order"])
        torch.set_rng_state(saved["rng"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(saved["cuda_rng"], self.device)

    def check_result(self) -> None:
        """Refuse an ended training whose best network tells no pixel from another.

        Raises:
            BadTrialError: If all val pixels have the same probability.
        """
        counts = self.journal.counts("val")
        if counts is not None and is_constant(counts):
            raise BadTrialError(
                "A network must tell pixels apart, but its best epoch gives every val pixel the same "
                f"probability. Change the learning rate (lr={self.config['lr']:.2g}) or the network."
            )


def _score_part(part: str, counts: np.ndarray, loss: float) -> Row:
    scores = score_at(counts, 0.5)
    return {
        f"{part}_loss": loss,
        f"{part}_pr_auc": average_precision(counts),
        f"{part}_dice": scores["f1_dice"],
        f"{part}_iou": scores["iou"],
    }
