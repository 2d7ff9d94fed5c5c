"""Probabilities of windows of any size: one network or several, on flips of the input where that is wanted."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from data.inputs import pick_steps
from data.scene import Need
from tuning.members import Member
from tuning.served_program import STEP_PX, Program

BATCH_PX = 2**18
FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))  # axes to turn


class Predictor:
    """Networks on their device.

    Args:
        members: One network, or a study's seeds, which read the same.
        device: Where they run.
        flips: Whether to average over the input's four flips.

    Attributes:
        need: What is read.
        threshold: The networks' mean threshold.
        layers: Names of what it says: ``probability``, and of several networks ``spread``.
        batch_px: Pixels of the windows that fit well into one batch.
        local: Whether a pixel's probability depends on its surroundings alone: GroupNorm looks at the whole window.

    Raises:
        ValueError: If the networks read different things.
    """

    def __init__(
        self, members: Sequence[Member], device: torch.device, *, flips: bool = False
    ) -> None:
        self.need: Need = members[0].need
        if others := [member for member in members if member.need != self.need]:
            raise ValueError(
                f"The networks of an ensemble must read the same, but {members[0].uri} reads {self.need} and "
                f"{others[0].uri} reads {others[0].need}."
            )
        self.threshold = float(np.mean([member.threshold for member in members]))
        self.device = device
        self.layers = ("probability", "spread") if len(members) > 1 else ("probability",)
        self.batch_px = BATCH_PX * (8 if device.type == "cuda" else 1)
        self._programs: list[Program] = [
            member.program.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for member in members
        ]
        self._flips = FLIPS if flips else FLIPS[:1]
        names = {name for program in self._programs for name in program.operators}
        self.local = not any("group_norm" in name for name in names)
        series, count = self._programs[0].series, self.need.timesteps
        self._places = list(range(count)) if series == count else pick_steps(count)
        self._room, self._filled = torch.empty(0), (0,)

    @torch.inference_mode()
    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Map windows.

        Args:
            x: The acquisitions that the networks use, shape ``(B, T, C, H, W)``, float32, any H and W; NaN = no data.

        Returns:
            By layer, shape ``(B, H, W)``, float32: mean probability, and its standard deviation over networks.
        """
        height, width = x.shape[-2:]
        series = self._lend(x).to(self.device, non_blocking=True)
        answers = torch.stack([self._ask(program, series) for program in self._programs])
        answers = answers[..., :height, :width]
        found = {"probability": answers.mean(0)}
        if "spread" in self.layers:
            found["spread"] = answers.std(0)
        return {name: layer.cpu().numpy() for name, layer in found.items()}

    def _ask(self, program: Program, series: Tensor) -> Tensor:
        total = torch.zeros(())
        for axes in self._flips:
            turned = series.flip(axes) if axes else series
            total = program(turned).flip(axes) + total.to(series.device)
        return total / len(self._flips)

    def _lend(self, x: np.ndarray) -> Tensor:
        """Put acquisitions in their places among all that a network expects, and pad to a size that it takes.

        The rest of the room stays NaN, no data, and is used again: fresh memory costs more than what is written.
        """
        batch, _, channels, height, width = x.shape
        padded = (-(-size // STEP_PX) * STEP_PX for size in (height, width))
        shape = (batch, self._programs[0].series, channels, *padded)
        if self._filled != x.shape:  # another size may have been written where this one is padded
            self._room, self._filled = torch.full(shape, torch.nan), x.shape
        self._room[:, self._places, :, :height, :width] = torch.from_numpy(x)
        return self._room
