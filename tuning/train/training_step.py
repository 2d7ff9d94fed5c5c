"""One optimizer step: forward in half precision on a GPU, loss, backward, gradient clipping, AdamW on a schedule."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from data.pack.dataset import Batch
from models import apply_network
from tuning.train.losses import make_loss
from tuning.trial.folder import Config
from tuning.trial.recipe import CONSTANT, COSINE

WARMUP = 0.05  # share of all steps over which the learning rate rises
FINAL_LR = 0.01  # learning rate of the last step, as a share of the config's


def lr_factor(step: int, total_steps: int) -> float:
    """Return the factor of the learning rate: linear warm-up, then half a cosine.

    Reference:
        Loshchilov and Hutter (2017), SGDR, arXiv 1608.03983.
    """
    warm = max(1, int(WARMUP * total_steps))
    if step < warm:
        return (step + 1) / warm
    done = min(1.0, (step - warm) / max(1, total_steps - warm))
    return FINAL_LR + (1 - FINAL_LR) * 0.5 * (1 + math.cos(math.pi * done))


def choose_factor(config: Config, total_steps: int) -> Callable[[int], float]:
    """Return the factor of the learning rate by step: that of `lr_factor`, or always 1 for a constant schedule."""
    if config.get("schedule", COSINE) == CONSTANT:
        return lambda step: 1.0
    return lambda step: lr_factor(step, total_steps)


class TrainingStep:
    """Trains a network batch by batch.

    Args:
        config: The trial's config.
        model: Its network, on the device.
        total_steps: Number of steps of the whole training.
        device: Device of the training.
    """

    def __init__(
        self, config: Config, model: nn.Module, total_steps: int, device: torch.device
    ) -> None:
        self.config, self.model, self.device = config, model, device
        self.loss = make_loss(config)  # of logits ``(B, 1, H, W)`` and labels ``(B, H, W)``
        self._factor = choose_factor(config, total_steps)
        cuda = device.type == "cuda"
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            config["lr"],
            weight_decay=config["weight_decay"],
            fused=cuda,
            capturable=cuda,
        )
        # The first steps run before their CUDA graph is captured; torch would warn about that.
        self.optimizer._warned_capturable_if_run_uncaptured = True
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._factor)
        self._move_lr_to_gpu()
        self.half = torch.bfloat16 if cuda and torch.cuda.is_bf16_supported() else torch.float16
        self.scaler = torch.amp.GradScaler(device.type, enabled=cuda and self.half == torch.float16)

    def _move_lr_to_gpu(self) -> None:
        """Make the learning rate a GPU tensor: a captured step reads it anew, and the scheduler fills it."""
        if self.device.type != "cuda":
            return
        for group in self.optimizer.param_groups:
            lr = torch.as_tensor(group["lr"], dtype=torch.float32)
            group["lr"] = lr.to(self.device, copy=True)

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        return float(self.config["lr"] * self._factor(self.scheduler.last_epoch))

    def train_batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Take one optimizer step; the caller then steps the scheduler. On a GPU this only queues work.

        Returns:
            The loss and the logits ``(B, 1, H, W)``.
        """
        with torch.autocast(self.device.type, self.half, enabled=self.device.type == "cuda"):
            logits = apply_network(self.model, batch.x, batch.days)
        loss = self.loss(logits, batch.mask)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config["clip"])
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.detach(), logits.detach()

    def validate_batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return loss and logits of a batch without training on it."""
        with torch.no_grad():
            logits = apply_network(self.model, batch.x, batch.days)
            return self.loss(logits, batch.mask), logits

    def components(self) -> dict[str, Any]:
        """Return the objects whose states a checkpoint holds, by name."""
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "schedule": self.scheduler,
            "scaler": self.scaler,
        }

    def load_state(self, saved: dict[str, Any]) -> None:
        """Load the states of all :meth:`components`."""
        for name, component in self.components().items():
            component.load_state_dict(saved[name])
        self._move_lr_to_gpu()
