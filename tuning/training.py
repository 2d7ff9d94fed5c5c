"""The state of one training: network, optimizer, schedule, generators and checkpoints, epoch by epoch."""

import math
import resource
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data.augment import make_augment
from data.dataset import Batch, Tiles
from data.norm import make_norm
from data.pack import Pack
from data.splits import Split
from tuning.checkpoints import keep_next, naming_last, settle_best
from tuning.environment import Usage
from tuning.evaluate import EVAL_BATCH, count_part, make_model
from tuning.journal import Config, Journal, Row, write_aside
from tuning.losses import bce_dice
from tuning.metrics import (
    average_precision,
    choose_threshold,
    count_bins,
    is_constant,
    score_at,
    to_probs,
)
from tuning.saved import load_saved

WARMUP = 0.05  # share of all steps over which the learning rate rises
FINAL_LR = 0.01  # share of the learning rate that the last step has


class BadTrialError(RuntimeError):
    """A training that cannot give a result; the message says why."""


def _share_of_lr(step: int, steps: int) -> float:
    """Rise linearly, then fall along a half cosine (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    warm = max(1, int(WARMUP * steps))
    if step < warm:
        return (step + 1) / warm
    done = min(1.0, (step - warm) / max(1, steps - warm))
    return FINAL_LR + (1 - FINAL_LR) * 0.5 * (1 + math.cos(math.pi * done))


class Training:
    """The state of one training: network, optimizer, schedule, random generators, best epoch."""

    def __init__(
        self, config: Config, pack: Pack, split: Split, journal: Journal, device: torch.device
    ) -> None:
        torch.manual_seed(config["seed"])  # weights and dropout
        self.config, self.journal, self.device = config, journal, device
        self.norm = make_norm(config["norm"], pack, split.train, config["channels"])
        self.augment = make_augment(config["augment"])
        tiles = (
            Tiles(pack, ids, self.norm, config["timesteps"], device, config["steps"])
            for ids in (split.train, split.val)
        )
        self.train_tiles, self.val_tiles = tiles
        self.model = make_model(config).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.generator = torch.Generator().manual_seed(config["seed"])  # order and turns
        cuda = device.type == "cuda"
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), config["lr"], weight_decay=config["weight_decay"], fused=cuda
        )
        steps = config["epochs"] * math.ceil(len(self.train_tiles) / config["batch_size"])
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: _share_of_lr(step, steps)
        )
        self.half = torch.bfloat16 if cuda and torch.cuda.is_bf16_supported() else torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=cuda and self.half == torch.float16)
        self.epoch, self.stale, self.best = 0, 0, -1.0
        self.usage = Usage(device)

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Measure the config's loss."""
        return bce_dice(logits, mask, self.config["bce_weight"], self.config["pos_weight"])

    def _step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Take one optimizer step; return the loss and the batch's histogram."""
        with torch.autocast(self.device.type, self.half, enabled=self.device.type == "cuda"):
            logits = self.model(batch.x)
        loss = self.loss(logits, batch.mask)
        self._check_finite("loss", float(loss.detach()))
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config["clip"])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return loss.detach(), count_bins(to_probs(logits.detach()), batch.mask)

    def _val_loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        loss = self.loss(logits, mask)
        self._check_finite("val loss", float(loss))
        return loss

    def _check_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise BadTrialError(
                f"The {what} must stay finite, but got {value} in epoch {self.epoch + 1}. "
                f"Lower the learning rate (lr={self.config['lr']:.2g})."
            )

    def _train_epoch(self) -> Row:
        self.model.train()
        size = self.config["batch_size"]
        losses, counts = [], torch.zeros((), dtype=torch.int64, device=self.device)
        for batch in self.train_tiles.shuffled(size, self.generator, self.augment):
            loss, found = self._step(batch)
            losses.append(loss * len(batch.x))
            counts = counts + found
        return _score_part(
            "train", counts.cpu().numpy(), float(sum(losses)) / len(self.train_tiles)
        )

    def try_step(self) -> None:
        """Train one batch and judge one, to see whether they fit into memory; nothing is kept."""
        size = self.config["batch_size"]
        self.model.train()
        self._step(next(iter(self.train_tiles.shuffled(size, self.generator, self.augment))))
        self.model.eval()
        with torch.no_grad():
            self.model(next(iter(self.val_tiles.batches(EVAL_BATCH))).x)

    def run_epoch(self) -> Row:
        """Train one epoch, measure val, write the checkpoints; return the epoch's row."""
        began, lr = time.perf_counter(), self.schedule.get_last_lr()[0]
        row = self._train_epoch()
        self.model.eval()
        counts, loss = count_part(self.model, self.val_tiles, self._val_loss)
        row |= _score_part("val", counts, loss)
        self.epoch += 1
        self._keep_best(row["val_pr_auc"], counts)
        row |= {"epoch": self.epoch, "lr": lr, "best_val_pr_auc": self.best, "stale": self.stale}
        row |= {"seconds": time.perf_counter() - began, "time_ms": int(time.time() * 1000)}
        row |= {"system": self.usage.look()}
        self.journal.append(row)
        self._save_last()
        settle_best(self.journal, self.epoch)
        return row

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
            "norm": asdict(self.norm),
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

    def _parts(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
        }

    def _save_last(self) -> None:
        content: dict[str, Any] = {name: part.state_dict() for name, part in self._parts().items()}
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
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
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
