"""One whole training in plain PyTorch: no Ray, no MLflow, so that it runs and is tested alone.

``python -m tuning.train config.json --pack PACK --to FOLDER`` reruns exactly the trial of a config.
"""

import argparse
import logging
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from data.dataset import Batch, Tiles, measure_norm
from data.pack import Pack, load_pack
from data.splits import Split, make_split
from tuning.evaluate import count_part, make_model, measure_test
from tuning.journal import Config, Journal, Row, read_json, write_aside
from tuning.losses import bce_dice
from tuning.metrics import average_precision, choose_threshold, count_bins, score_at

logger = logging.getLogger(__name__)

WARMUP = 0.05  # share of all steps over which the learning rate rises
FINAL_LR = 0.01  # share of the learning rate that the last step has

REQUIRED = (
    *("model", "arch", "channels", "timesteps", "batch_size", "lr", "weight_decay", "bce_weight"),
    *("pos_weight", "clip", "augment", "epochs", "patience", "seed", "split", "data"),
)

Report = Callable[[Row], None]


class BadTrialError(RuntimeError):
    """A training that cannot give a result; the message says why."""


def pick_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


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
        self.norm = measure_norm(pack, split.train, config["channels"])
        tiles = (
            Tiles(pack, ids, self.norm, config["timesteps"], device)
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

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Measure the config's loss."""
        return bce_dice(logits, mask, self.config["bce_weight"], self.config["pos_weight"])

    def _step(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Take one optimizer step; return the loss and the batch's histogram."""
        with torch.autocast(self.device.type, self.half, enabled=self.device.type == "cuda"):
            logits = self.model(batch.x)
        loss = self.loss(logits, batch.mask)
        if not torch.isfinite(loss):
            raise BadTrialError(
                f"The loss must stay finite, but got {float(loss.detach())} in epoch {self.epoch + 1}. "
                f"Lower the learning rate (lr={self.config['lr']:.2g})."
            )
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config["clip"])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()
        return loss.detach(), count_bins(logits.detach().squeeze(1).float().sigmoid(), batch.mask)

    def _train_epoch(self) -> Row:
        self.model.train()
        size, augment = self.config["batch_size"], self.config["augment"]
        losses, counts = [], torch.zeros((), dtype=torch.int64, device=self.device)
        for batch in self.train_tiles.shuffled(size, self.generator, augment=augment):
            loss, found = self._step(batch)
            losses.append(loss * len(batch.x))
            counts = counts + found
        return _score_part(
            "train", counts.cpu().numpy(), float(sum(losses)) / len(self.train_tiles)
        )

    def run_epoch(self) -> Row:
        """Train one epoch, measure val, write the checkpoints; return the epoch's row."""
        began, lr = time.perf_counter(), self.schedule.get_last_lr()[0]
        row = self._train_epoch()
        self.model.eval()
        counts, loss = count_part(self.model, self.val_tiles, self.loss)
        row |= _score_part("val", counts, loss)
        self.epoch += 1
        self._keep_best(row["val_pr_auc"], counts)
        row |= {"epoch": self.epoch, "lr": lr, "best_val_pr_auc": self.best, "stale": self.stale}
        row |= {"seconds": time.perf_counter() - began, "time_ms": int(time.time() * 1000)}
        self.journal.append(row)
        self._save_last()
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
            "norm": {name: list(values) for name, values in vars(self.norm).items()},
            "epoch": self.epoch,
            "threshold": choose_threshold(counts),
        }
        write_aside(self.journal.best, lambda aside: torch.save(content, aside))
        self.journal.write_counts("val", counts)

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
            return
        saved = torch.load(self.journal.last, map_location="cpu", weights_only=True)
        for name, part in self._parts().items():
            part.load_state_dict(saved[name])
        self.epoch, self.stale, self.best = saved["epoch"], saved["stale"], saved["best"]
        self.generator.set_state(saved["order"])
        torch.set_rng_state(saved["rng"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(saved["cuda_rng"], self.device)
        # A kill between the row and its checkpoint leaves a row that will be made again.
        self.journal.rewrite_history(self.journal.history()[: self.epoch])


def _score_part(part: str, counts: np.ndarray, loss: float) -> Row:
    scores = score_at(counts, 0.5)
    return {
        f"{part}_loss": loss,
        f"{part}_pr_auc": average_precision(counts),
        f"{part}_dice": scores["f1_dice"],
        f"{part}_iou": scores["iou"],
    }


def fit(
    config: Config,
    pack: Pack,
    folder: Path,
    report: Report,
    *,
    device: torch.device | None = None,
) -> str:
    """Train one network to its end, or continue a training that was interrupted.

    Args:
        config: The trial's config (see :func:`tuning.space.compose`).
        pack: The packed tiles; their hash must be the config's ``data``.
        folder: The trial's folder; what it holds of the same trial is continued.
        report: Called after every epoch with its row, also for epochs trained earlier.
        device: Where to train; a GPU where there is one.

    Returns:
        Why training ended: ``last epoch`` or ``patience``.

    Raises:
        ValueError: If the pack or the folder belongs to another config.
        BadTrialError: If the loss or val average precision is not finite.
    """
    journal = Journal(folder)
    _claim(journal, config, pack)
    training = Training(
        config, pack, make_split(config["split"], pack.tile_ids), journal, device or pick_device()
    )
    training.resume()
    for row in journal.history():
        report(row)
    while training.epoch < config["epochs"] and training.stale < config["patience"]:
        report(training.run_epoch())
    reason = "last epoch" if training.epoch >= config["epochs"] else "patience"
    journal.write("end", {"reason": reason, "epoch": training.epoch})
    return reason


def _claim(journal: Journal, config: Config, pack: Pack) -> None:
    """Check that pack and folder belong to the config, and leave the config in the folder."""
    lacking = [name for name in REQUIRED if name not in config]
    if lacking:
        raise ValueError(
            f"A config names {', '.join(REQUIRED)}, but this one lacks {', '.join(lacking)}. "
            "Take a trial's config.json as it is."
        )
    if config["data"] != pack.hash:
        raise ValueError(
            f"A config runs on the data that it names ({config['data']}), but the pack {pack.path} "
            f"has the hash {pack.hash}. Give the pack of those tiles."
        )
    there = journal.read("config")
    if there is not None and there != config:
        raise ValueError(
            f"A trial's folder holds one config, but {journal.path} holds another. "
            "Choose a new folder."
        )
    journal.write("config", config)


def main(argv: list[str] | None = None) -> int:
    """Rerun one config; return the exit code."""
    parser = argparse.ArgumentParser("python -m tuning.train", description=__doc__)
    parser.add_argument("config", type=Path, help="a trial's config.json")
    parser.add_argument("--pack", type=Path, required=True, help="folder pack-<hash>")
    parser.add_argument("--to", type=Path, required=True, help="folder for checkpoints and history")
    parser.add_argument("--test", action="store_true", help="measure the test part at the end")
    args = parser.parse_args(argv)
    try:
        config = read_json(args.config)
        if config is None:
            raise FileNotFoundError(
                f"A config is a JSON file, but got {args.config}: no such file."
            )
        pack = load_pack(args.pack)
        reason = fit(config, pack, args.to, lambda row: print(_line(row), flush=True))
        print(f"Ended by {reason}; the best checkpoint is {args.to / 'best.pt'}.")
        if args.test:
            split = make_split(config["split"], pack.tile_ids)
            print(measure_test(Journal(args.to), pack, split, pick_device()))
    except (ValueError, OSError, BadTrialError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _line(row: Row) -> str:
    return (
        f"epoch {row['epoch']:3d}  train loss {row['train_loss']:.4f}  val loss {row['val_loss']:.4f}  "
        f"val AP {row['val_pr_auc']:.4f}  best {row['best_val_pr_auc']:.4f}  {row['seconds']:.1f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
