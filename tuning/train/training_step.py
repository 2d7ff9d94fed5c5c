"""One optimizer step: forward in half precision on a GPU, loss, backward, clipping, AdamW on a schedule."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from data.pack.dataset import Batch
from tuning.train.losses import bce_dice
from tuning.trial.folder import Config

WARMUP = 0.05  # share of all steps over which the learning rate rises
FINAL_LR = 0.01  # share of the learning rate that the last step has


def lr_factor(step: int, steps: int) -> float:
    """Rise linearly, then fall along a half cosine (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    warm = max(1, int(WARMUP * steps))
    if step < warm:
        return (step + 1) / warm
    done = min(1.0, (step - warm) / max(1, steps - warm))
    return FINAL_LR + (1 - FINAL_LR) * 0.5 * (1 + math.cos(math.pi * done))


class TrainingStep:
    """What turns a batch into better weights.

    Args:
        config: The trial's config.
        model: Its network, on the device.
        steps: How many steps the whole training takes.
        device: Where to train.
    """

    def __init__(self, config: Config, model: nn.Module, steps: int, device: torch.device) -> None:
        self.config, self.model, self.device, self.steps = config, model, device, steps
        cuda = device.type == "cuda"
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            config["lr"],
            weight_decay=config["weight_decay"],
            fused=cuda,
            capturable=cuda,
        )
        # The steps before the recording are no reason to warn.
        self.optimizer._warned_capturable_if_run_uncaptured = True
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: lr_factor(step, steps)
        )
        self._place_lr()
        self.half = torch.bfloat16 if cuda and torch.cuda.is_bf16_supported() else torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=cuda and self.half == torch.float16)

    def _place_lr(self) -> None:
        """Put the learning rate on a GPU, where a captured step reads it anew; the schedule then fills it."""
        if self.device.type != "cuda":
            return
        for group in self.optimizer.param_groups:
            lr = torch.as_tensor(group["lr"], dtype=torch.float32)
            group["lr"] = lr.to(self.device, copy=True)

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return float(self.config["lr"] * lr_factor(self.schedule.last_epoch, self.steps))

    def loss(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Measure the config's loss."""
        return bce_dice(logits, mask, self.config["bce_weight"], self.config["pos_weight"])

    def take(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Take one step, after which the schedule is due; on a GPU this only queues work.

        Returns:
            The loss and the logits ``(B, 1, H, W)``.
        """
        with torch.autocast(self.device.type, self.half, enabled=self.device.type == "cuda"):
            logits = self.model(batch.x)
        loss = self.loss(logits, batch.mask)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config["clip"])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach(), logits.detach()

    def judge(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return loss and logits of a batch that nothing is learnt from."""
        with torch.no_grad():
            logits = self.model(batch.x)
            return self.loss(logits, batch.mask), logits

    def parts(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, by name."""
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "scaler": self.scaler,
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Continue from the states of :meth:`parts`."""
        for name, part in self.parts().items():
            part.load_state_dict(saved[name])
        self._place_lr()
