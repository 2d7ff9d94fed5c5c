"""Predicts windows of any size with one or several networks, optionally averaged over flips of the input."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from data.scene.base import InputSpec
from tuning.predict.ensemble import Member
from tuning.serving.fuse import fuse
from tuning.serving.program import STEP_PX, Program

BATCH_PX = 2**18
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
        self._programs: list[Program] = [
            fuse(member.program, self.spec.timesteps, device).to(
                device,
                memory_format=torch.channels_last,  # type: ignore[call-overload]
            )
            for member in members
        ]
        self._flips = FLIPS if flips else FLIPS[:1]
        names = {name for program in self._programs for name in program.operators}
        self.local = not any("group_norm" in name for name in names)

    @torch.inference_mode()
    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Predict windows.

        Args:
            x: The acquisitions that the networks use, shape ``(B, T, C, H, W)``, float32, any H and W; NaN = no data.

        Returns:
            Mean probability and its standard deviation over networks, by layer, shape ``(B, H, W)``, float32.
        """
        height, width = x.shape[-2:]
        below, right = (-size % STEP_PX for size in (height, width))
        series = torch.from_numpy(x).to(self.device)
        if below or right:
            series = torch.nn.functional.pad(series, (0, right, 0, below), value=torch.nan)
        probs = torch.stack([self._predict(program, series) for program in self._programs])
        probs = probs[..., :height, :width]
        layers = {"probability": probs.mean(0)}
        if "spread" in self.layers:
            layers["spread"] = probs.std(0)
        return {name: layer.cpu().numpy() for name, layer in layers.items()}

    def _predict(self, program: Program, series: Tensor) -> Tensor:
        if len(self._flips) == 1:
            probs: Tensor = program(series)
            return probs
        flipped = [program(series.flip(axes)).flip(axes) for axes in self._flips]
        return torch.stack(flipped).mean(0)
