"""Predicts windows of any size with one or several networks, optionally averaged over flips of the input."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from data.scene.base import InputSpec
from tuning.predict.ensemble import Member
from tuning.serving.stored_network import TorchProgram

BATCH_PX = 2**18
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]  # input and days to probabilities
FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))  # axes to flip


class Predictor:
    """One or several networks on a device.

    Args:
        members: One network, or a study's seeds, all with the same input.
        device: The device they run on.
        flips: Whether to average over the input's four flips.

    Attributes:
        spec: The networks' input.
        threshold: The networks' mean threshold.
        layers: Names of the predicted layers: ``probability``, and for several networks ``spread``.
        batch_px: Recommended number of pixels in a batch.
        local: Whether a pixel's probability depends only on its surroundings; GroupNorm depends on the whole window.

    Raises:
        ValueError: If the networks have different inputs.
    """

    def __init__(
        self, members: Sequence[Member], device: torch.device, *, flips: bool = False
    ) -> None:
        self.spec: InputSpec = members[0].spec
        if others := [member for member in members if member.spec != self.spec]:
            raise ValueError(
                f"The networks of an ensemble must read the same input, but {members[0].uri} reads {self.spec} and "
                f"{others[0].uri} reads {others[0].spec}."
            )
        self.threshold = float(np.mean([member.threshold for member in members]))
        self.device = device
        self.layers = ("probability", "spread") if len(members) > 1 else ("probability",)
        self.batch_px = BATCH_PX * (8 if device.type == "cuda" else 1)
        self._programs: list[Predict] = [_place(member, device) for member in members]
        self._flips = FLIPS if flips else FLIPS[:1]
        self._multiple = math.lcm(*(member.program.multiple for member in members))
        self.local = all(member.program.local for member in members)

    def __call__(self, x: np.ndarray, days: np.ndarray) -> dict[str, np.ndarray]:
        """Predict windows.

        Args:
            x: The acquisitions that the networks use, shape ``(B, T, C, H, W)``, float32, any H and W; NaN = no data.
            days: Days from the event to each of them, shape ``(B, T)``, float32; NaN = no acquisition.

        Returns:
            Mean probability and its standard deviation over networks, by layer, shape ``(B, H, W)``, float32.
        """
        height, width = x.shape[-2:]
        below, right = (-size % self._multiple for size in (height, width))
        if below or right:
            beside = [(0, 0)] * 3 + [(0, below), (0, right)]
            x = np.pad(x, beside, constant_values=np.nan)
        each = [self._predict(program, x, days)[..., :height, :width] for program in self._programs]
        if "spread" not in self.layers:
            return {"probability": each[0]}
        probs = np.stack(each)
        return {"probability": probs.mean(0), "spread": probs.std(0, ddof=1)}

    def _predict(self, program: Predict, x: np.ndarray, days: np.ndarray) -> np.ndarray:
        if len(self._flips) == 1:
            return program(x, days)
        flipped = [np.flip(program(np.flip(x, axes), days), axes) for axes in self._flips]
        mean: np.ndarray = np.stack(flipped).mean(0)
        return mean


def _place(member: Member, device: torch.device) -> Predict:
    """Return a member on a device: ONNX Runtime is faster on a CPU, torch needs no other package for a GPU."""
    return member.program if device.type == "cpu" else TorchProgram(member.network, device)
