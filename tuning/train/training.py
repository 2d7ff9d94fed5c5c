"""The state of one training: network, optimizer, scheduler, generators and checkpoints, epoch by epoch."""

import math
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any
from weakref import proxy

import numpy as np
import torch

from data.io.durable import write_atomically
from data.io.safe_checkpoint import load_tensors
from data.pack import Pack
from data.pack.augmentation import make_augment
from data.splits import Split
from models import reads_dates, use_channels_last
from tuning.metrics.curve import choose_threshold, is_constant
from tuning.train.checkpoints import (
    explain_damage,
    promote_candidate,
    save_candidate,
    settle_candidate,
    start_model,
)
from tuning.train.cuda_graphs import WARMUP_CALLS
from tuning.train.environment import ResourceUsage
from tuning.train.epochs import DeviceEpochRunner, EpochRunner, HostEpochRunner, score_epoch
from tuning.train.gpu_snapshot import StateSnapshot
from tuning.train.training_data import TrainingData
from tuning.train.training_step import TrainingStep
from tuning.trial.folder import VAL_AP, Config, Row, TrialFolder

DRY_RUN_STEPS = WARMUP_CALLS + 1  # on a GPU the last one captures a graph, which needs extra memory


class BadTrialError(RuntimeError):
    """A training cannot give a result; the message says why."""


class Training:
    """The state of one training: network, optimizer, scheduler, random generators, best epoch.

    Args:
        config: The trial's config.
        pack: The packed tiles.
        split: Their train, val and test tiles.
        trial: The trial's folder.
        device: Device of the training.
        data: Tiles shared with other trainings on the same data; loaded if omitted.
        graphs: Whether to capture a GPU's steps as CUDA graphs.
    """

    def __init__(
        self,
        config: Config,
        pack: Pack,
        split: Split,
        trial: TrialFolder,
        device: torch.device,
        *,
        data: TrainingData | None = None,
        graphs: bool = True,
    ) -> None:
        torch.manual_seed(config["seed"])  # weights and dropout
        self.config, self.trial, self.device = config, trial, device
        self.data = data or TrainingData.make(config, pack, split, device)
        self.model = use_channels_last(start_model(config, pack.path.parent)).to(device)
        self.generator = torch.Generator().manual_seed(config["seed"])  # order and augmentation
        total_steps = config["epochs"] * math.ceil(len(self.data.train) / config["batch_size"])
        self.step = TrainingStep(config, self.model, total_steps, device)
        self.runner = self._make_runner(graphs)
        self.epoch, self.stale, self.best = 0, 0, -1.0
        self._rows: list[Row] = []
        self._queued = False  # whether the next epoch is queued on the device already
        self.usage = ResourceUsage(device)

    def _make_runner(self, graphs: bool) -> EpochRunner:
        augment = make_augment(self.config["augment"])
        this = proxy(self)  # a reference would keep tiles and weights until garbage is collected
        args = self.step, self.data, augment, self.generator, lambda *loss: this.check_loss(*loss)
        if self.data.train.preloaded is None:
            return HostEpochRunner(*args)
        return DeviceEpochRunner(*args, graphs=graphs)

    def check_loss(self, name: str, value: float) -> None:
        """Raise BadTrialError if a loss is not finite."""
        if not math.isfinite(value):
            raise BadTrialError(
                f"The {name} must stay finite, but got {value} in epoch {self.epoch + 1}. "
                f"Lower the learning rate (lr={self.config['lr']:.2g})."
            )

    def dry_run(self) -> None:
        """Train a few batches and validate one, to see whether they fit into memory; nothing is saved."""
        for _ in islice(self.runner.train(), DRY_RUN_STEPS):
            pass
        for _ in islice(self.runner.validate(), 1):
            pass
        StateSnapshot(self._state_dicts())  # an epoch queued ahead needs this memory too

    def iterate_epoch(self) -> Iterator[None]:
        """Train one epoch and measure val, yielding after each batch; call :meth:`finish_epoch` afterwards."""
        if self._queued:
            self._queued = False
            yield
            return
        self._began = time.perf_counter()
        yield from self._run_batches()

    def _run_batches(self) -> Iterator[None]:
        self._lr = self.step.lr
        yield from self.runner.train()
        yield from self.runner.validate()

    def _queue_next_epoch(self) -> None:
        """Queue the next epoch, so that the GPU runs it while this one is scored and written."""
        if self.epoch < self.config["epochs"]:
            for _ in self._run_batches():
                pass
            self._queued = True

    def synchronise(self) -> None:
        """Wait for all queued work, before its memory is reused."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def finish_epoch(self) -> Row:
        """Score an epoch and write its checkpoints; return its row."""
        (train, train_loss), (val, val_loss) = self.runner.results()
        self.epoch += 1
        lr, state, generators = self._lr, self._state_dicts(), self._generator_states()
        if self.runner.can_queue_ahead:
            snapshots = {name: StateSnapshot(values) for name, values in state.items()}
            self._queue_next_epoch()
            state = {name: snapshot.fetch() for name, snapshot in snapshots.items()}
        row = score_epoch("train", train, train_loss) | score_epoch("val", val, val_loss)
        self._update_best(row["val_pr_auc"], val, state["model"])
        row |= {"epoch": self.epoch, "lr": lr}
        row |= {VAL_AP: self.best, "stale": self.stale}
        row |= {"seconds": self._stop_clock(), "time_ms": int(time.time() * 1000)}
        row |= {"system": self.usage.measure()}
        self._rows.append(row)
        self.trial.append(row)
        self._save_last(state | generators)
        if self.stale == 0:
            promote_candidate(self.trial)
        return row

    def _stop_clock(self) -> float:
        """Return the seconds of this epoch, and start the clock of the next one, which may be queued already."""
        now = time.perf_counter()
        began, self._began = self._began, now
        return now - began

    def run_epoch(self) -> Row:
        """Train one epoch, measure val, write the checkpoints; return the epoch's row."""
        for _ in self.iterate_epoch():
            pass
        return self.finish_epoch()

    def _update_best(self, pr_auc: float, counts: np.ndarray, weights: dict[str, Any]) -> None:
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
            "norm": asdict(self.data.norm),
            "profile": asdict(self.data.profile),
            "epoch": self.epoch,
            "threshold": choose_threshold(counts),
        }
        save_candidate(self.trial, content, counts)

    def cost(self) -> dict[str, float]:
        """Return the number of parameters, hours of cores or GPU, peak memory of the process, and whether dates are read."""
        seconds = sum(row["seconds"] for row in self.trial.history())
        cuda = self.device.type == "cuda"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts KiB
        return {
            "parameters": sum(weights.numel() for weights in self.model.parameters()),
            "cpu_hours": seconds * torch.get_num_threads() / 3600,
            "gpu_hours": seconds / 3600 if cuda else 0.0,
            "peak_memory_mb": peak / 1e6,
            "peak_gpu_memory_mb": torch.cuda.max_memory_allocated() / 1e6 if cuda else 0.0,
            "days_as_input": float(reads_dates(self.model)),
        }

    def _state_dicts(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.step.components().items()}

    def _generator_states(self) -> dict[str, Any]:
        """Return copies of the generators' states; torch cannot restore a state from a view."""
        states = {"order": self.generator.get_state(), "rng": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda_rng"] = torch.cuda.get_rng_state(self.device)
        return states

    def _save_last(self, state: dict[str, Any]) -> None:
        own = {"epoch": self.epoch, "stale": self.stale, "best": self.best, "history": self._rows}
        content = state | own
        write_atomically(self.trial.last, lambda aside: torch.save(content, aside))

    def resume(self) -> None:
        """Continue from ``last.pt``, if it exists, as if never interrupted; the history becomes that of its epoch."""
        if self.trial.last.is_file():
            with explain_damage(self.trial):
                self._load_state(load_tensors(self.trial.last))
        self.trial.rewrite_history(self._rows)
        settle_candidate(self.trial, self.epoch)

    def _load_state(self, saved: dict[str, Any]) -> None:
        self.step.load_state(saved)
        self.epoch, self.stale, self.best = saved["epoch"], saved["stale"], saved["best"]
        self._rows = list(saved["history"])
        self.generator.set_state(saved["order"])
        torch.set_rng_state(saved["rng"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(saved["cuda_rng"], self.device)

    def check_result(self) -> None:
        """Refuse a finished training whose best network gives all pixels the same probability.

        Raises:
            BadTrialError: If all val pixels have the same probability.
        """
        counts = self.trial.counts("val")
        if counts is not None and is_constant(counts):
            raise BadTrialError(
                "A network must distinguish pixels, but its best epoch gives every val pixel the same "
                f"probability. Change the learning rate (lr={self.config['lr']:.2g}) or the network."
            )
