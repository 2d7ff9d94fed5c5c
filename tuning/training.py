"""The state of one training: network, optimizer, schedule, generators and checkpoints, epoch by epoch."""

import math
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Self

import numpy as np
import torch

from data.augment import make_augment
from data.dataset import Tiles
from data.norm import Norm, make_norm
from data.pack import Pack
from data.splits import Split
from tuning.checkpoints import keep_next, naming_last, settle_best, take_next
from tuning.environment import Usage
from tuning.epochs import DeviceEpochs, Epochs, HostEpochs
from tuning.evaluate import make_model
from tuning.graphed import EAGER
from tuning.journal import Config, Journal, Row, write_aside
from tuning.metrics import average_precision, choose_threshold, is_constant, score_at
from tuning.saved import load_saved
from tuning.steps import Steps

TRIED_STEPS = EAGER + 1  # on a GPU the last of them is recorded, which takes memory of its own


class BadTrialError(RuntimeError):
    """A training that cannot give a result; the message says why."""


@dataclass(frozen=True)
class Parts:
    """What trainings of one data set share: the tiles of train and val, and their normalisation."""

    norm: Norm
    train: Tiles
    val: Tiles

    @classmethod
    def make(
        cls,
        config: Config,
        pack: Pack,
        split: Split,
        device: torch.device,
        *,
        resident: bool | None = None,
    ) -> Self:
        """Make the parts of a config; on a GPU they live in its memory when *resident* is left out."""
        norm = make_norm(config["norm"], pack, split.train, config["channels"])
        train, val = (
            Tiles(pack, ids, norm, config["timesteps"], device, config["steps"], resident=resident)
            for ids in (split.train, split.val)
        )
        return cls(norm, train, val)


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
        journal: Journal,
        device: torch.device,
        *,
        parts: Parts | None = None,
        graphs: bool = True,
    ) -> None:
        torch.manual_seed(config["seed"])  # weights and dropout
        self.config, self.journal, self.device = config, journal, device
        self.parts = parts or Parts.make(config, pack, split, device)
        self.model = make_model(config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator = torch.Generator().manual_seed(config["seed"])  # order and turns
        steps = config["epochs"] * math.ceil(len(self.parts.train) / config["batch_size"])
        self.steps = Steps(config, self.model, steps, device)
        self.epochs = self._make_epochs(graphs)
        self.epoch, self.stale, self.best = 0, 0, -1.0
        self.usage = Usage(device)

    def _make_epochs(self, graphs: bool) -> Epochs:
        augment = make_augment(self.config["augment"])
        both = self.parts.train, self.parts.val
        given = self.steps, both, augment, self.generator, self._check_finite
        if self.parts.train.resident is None:
            return HostEpochs(*given)
        return DeviceEpochs(*given, graphs=graphs)

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

    def walk_epoch(self) -> Iterator[None]:
        """Train one epoch and measure val, yielding after each batch; :meth:`end_epoch` is due then."""
        self._began, self._lr = time.perf_counter(), self.steps.lr
        yield from self.epochs.train()
        yield from self.epochs.judge()

    def end_epoch(self) -> Row:
        """Write the checkpoints of an epoch that was walked through; return its row."""
        (train, train_loss), (val, val_loss) = self.epochs.read()
        row = _score_part("train", train, train_loss) | _score_part("val", val, val_loss)
        self.epoch += 1
        self._keep_best(row["val_pr_auc"], val)
        row |= {"epoch": self.epoch, "lr": self._lr}
        row |= {"best_val_pr_auc": self.best, "stale": self.stale}
        row |= {"seconds": time.perf_counter() - self._began, "time_ms": int(time.time() * 1000)}
        row |= {"system": self.usage.look()}
        self.journal.append(row)
        self._save_last()
        if self.stale == 0:
            take_next(self.journal)
        return row

    def run_epoch(self) -> Row:
        """Train one epoch, measure val, write the checkpoints; return the epoch's row."""
        for _ in self.walk_epoch():
            pass
        return self.end_epoch()

    def _keep_best(self, pr_auc: float, counts: np.ndarray) -> None:
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
            "model": self.model.state_dict(),
            "config": self.config,
            "norm": asdict(self.parts.norm),
            "epoch": self.epoch,
            "threshold": choose_threshold(counts),
        }
        keep_next(self.journal, content, counts)

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

    def _save_last(self) -> None:
        content: dict[str, Any] = {
            name: part.state_dict() for name, part in self.steps.parts().items()
        }
        content |= {"epoch": self.epoch, "stale": self.stale, "best": self.best}
        content |= {"order": self.generator.get_state(), "rng": torch.get_rng_state()}
        if self.device.type == "cuda":
            content["cuda_rng"] = torch.cuda.get_rng_state(self.device)
        write_aside(self.journal.last, lambda aside: torch.save(content, aside))

    def resume(self) -> None:
        """Continue from ``last.pt`` where there is one, as if never interrupted."""
        if not self.journal.last.is_file():
            self.journal.rewrite_history([])
            settle_best(self.journal, self.epoch)
            return
        with naming_last(self.journal):
            self._restore(load_saved(self.journal.last))
        # A kill between the row and its checkpoint leaves a row that will be made again.
        self.journal.rewrite_history(self.journal.history()[: self.epoch])
        settle_best(self.journal, self.epoch)

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
