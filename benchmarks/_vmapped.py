"""Another way to train several seeds in parallel: weights stacked along an axis, grouped convolutions by torch.vmap.

Used only in this benchmark, for a comparison with `tuning.train.multi_seed`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state

from data.pack.gpu_dataset import GpuDataset
from tuning.train.cuda_graphs import GraphedCall, GraphStream
from tuning.train.device_metrics import DeviceMetrics
from tuning.train.losses import bce_dice
from tuning.train.training import Training


class Vmapped:
    """S trainings of one architecture as one network with an additional axis.

    Args:
        trainings: At their start; their tiles and generators are used.
        nhwc: Whether the stacked weights lie with their channels last.
    """

    def __init__(self, trainings: Sequence[Training], *, nhwc: bool) -> None:
        first = trainings[0]
        self.config, self.device, self.base = first.config, first.device, first.model
        self._generators = [training.generator for training in trainings]
        self._tiles = GpuDataset(first.data.train, first.runner._train._augment)  # type: ignore[attr-defined]
        self.params, self.buffers = stack_module_state([one.model for one in trainings])
        if nhwc:
            for name, weights in self.params.items():
                if weights.ndim == 5:
                    last = weights.detach().permute(0, 1, 3, 4, 2).contiguous()
                    self.params[name] = last.permute(0, 1, 4, 2, 3).requires_grad_()
        cuda = self.device.type == "cuda"
        self.optimizer = torch.optim.AdamW(
            self.params.values(), 1e-3, weight_decay=0.01, fused=cuda, capturable=cuda
        )
        self.tally, self.lane = DeviceMetrics(self.device), GraphStream(self.device)
        self._works: dict[int, tuple[Tensor, GraphedCall]] = {}

    def step(self, rows: Tensor) -> Tensor:
        """Take one step of all seeds, on the tiles that *rows* ``(S, 3, B)`` name; return the losses ``(S,)``."""
        batches = [self._tiles.load_batch(one) for one in rows.unbind()]
        x = torch.stack([batch.x for batch in batches])
        mask = torch.stack([batch.mask for batch in batches])
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            logits = torch.vmap(self._call, randomness="different")(self.params, self.buffers, x)
        weights = self.config["bce_weight"], self.config["pos_weight"]
        losses = torch.stack([bce_dice(*one, *weights) for one in zip(logits, mask, strict=True)])
        self.optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        self._clip()
        self.optimizer.step()
        self.tally.update(losses.detach().mean(), logits.detach().flatten(0, 1), mask.flatten(0, 1))
        return losses.detach()

    def _call(self, params: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        logits: Tensor = functional_call(self.base, (params, buffers), (x,))
        return logits

    def _clip(self) -> None:
        """Clip each seed's gradient on its own."""
        grads = [weights.grad for weights in self.params.values() if weights.grad is not None]
        norm = sum(grad.float().flatten(1).square().sum(1) for grad in grads).sqrt()  # type: ignore[union-attr]
        scale = (self.config["clip"] / (norm + 1e-6)).clamp(max=1.0)
        for grad in grads:
            grad.mul_(scale.view(-1, *[1] * (grad.ndim - 1)))

    def train(self) -> None:
        """Train all seeds for an epoch, each in its own order."""
        self.lane.wait_for_current()
        with self.lane.active():
            plans = [
                self._tiles.plan_shuffled(self.config["batch_size"], generator)
                for generator in self._generators
            ]
            for rows in zip(*(plan.batches for plan in plans), strict=True):
                self._queue(torch.stack(rows))
        self.lane.block_current()

    def _queue(self, rows: Tensor) -> None:
        size = rows.shape[-1]
        if size not in self._works:
            now = torch.zeros_like(rows)
            self._works[size] = now, GraphedCall(lambda: self.step(now), self.lane)
        now, replay = self._works[size]
        now.copy_(rows)
        replay()
