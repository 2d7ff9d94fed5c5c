"""U-Net with a ConvLSTM at the bottom: the published study's TemporalUNet_ConvLSTM.

Papers: Shi et al. (2015), Convolutional LSTM Network: A Machine Learning Approach for Precipitation
Nowcasting, arXiv:1506.04214; Ronneberger et al. (2015), doi:10.1007/978-3-319-24574-4_28.
Published setting: repository snfatih/SEN12Landslide-Hokkaido-SAR, commit faba61f. Written from the
description; no code was copied.
"""

import torch
from torch import nn

from models._blocks import CONVS, NORMS, Decoder, Encoder, Plan, he_conv, make_norm_layer
from models._checks import check_at_least_one, check_choice, check_input
from models._convlstm import ConvLSTM

SKIP_MODES = ("last", "mean", "max")


class UNetConvLSTM(nn.Module):
    """One encoder for every acquisition, a ConvLSTM over time at the bottom, one decoder.

    Args:
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T.
        width: Channels of the first level; the ConvLSTM has ``width * 2**depth`` filters.
        depth: Number of 2x2 poolings.
        dropout: Share of feature maps dropped in the wide blocks.
        conv: ``"separable"`` or ``"plain"``, in the blocks; the ConvLSTM's is always plain.
        norm: ``"layer"``, ``"batch"`` or ``"group"``.
        skip_mode: What the skips carry: the ``"last"`` acquisition (published), or the ``"mean"``
            or ``"max"`` over time.

    Shape:
        x ``(B, T, C, H, W)``, H and W multiples of ``2**depth``; logits ``(B, 1, H, W)``.
    """

    def __init__(
        self,
        in_channels: int,
        timesteps: int,
        width: int = 16,
        depth: int = 4,
        dropout: float = 0.1,
        conv: str = "separable",
        norm: str = "layer",
        skip_mode: str = "last",
    ) -> None:
        super().__init__()
        check_at_least_one(in_channels=in_channels, timesteps=timesteps)
        check_choice("skip_mode", skip_mode, SKIP_MODES)
        plan = Plan(width, depth, dropout, conv, norm)
        bottom = plan.widths[-1]
        self.in_channels, self.timesteps, self.depth = in_channels, timesteps, depth
        self.skip_mode = skip_mode
        self.encoder = Encoder(in_channels, plan)
        self.convlstm = ConvLSTM(bottom, bottom)
        self.bridge = nn.Sequential(
            make_norm_layer(norm, bottom),
            he_conv(bottom, bottom, 1),
            make_norm_layer(norm, bottom),
            nn.ReLU(inplace=True),
        )
        self.decoder = Decoder(plan)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)``."""
        check_input(x, self.in_channels, self.timesteps, self.depth)
        # Time first, so that each step, and the last one as a skip, is a view without a copy.
        x = x.transpose(0, 1).flatten(0, 1)  # (T * B, C, H, W)
        levels = [level.unflatten(0, (self.timesteps, -1)) for level in self.encoder(x)]
        skips = [self._over_time(level) for level in levels[:-1]]
        bottom = self.bridge(self.convlstm(levels[-1]))
        logits: torch.Tensor = self.decoder([*skips, bottom])
        return logits

    def _over_time(self, level: torch.Tensor) -> torch.Tensor:
        """Reduce the skips of all steps, ``(T, B, C, H, W)``, to one map ``(B, C, H, W)``."""
        if self.skip_mode == "last":
            return level[-1]
        return level.mean(0) if self.skip_mode == "mean" else level.amax(0)


build = UNetConvLSTM
SPACE = {
    "width": [8, 16, 24, 32],
    "depth": [3, 4],
    "dropout": [0.0, 0.1, 0.2],
    "conv": list(CONVS),
    "norm": list(NORMS),
    "skip_mode": list(SKIP_MODES),
}
PUBLISHED = {
    "width": 16,
    "depth": 4,
    "dropout": 0.1,
    "conv": "separable",
    "norm": "layer",
    "skip_mode": "last",
}
# The last acquisition alone, full of speckle, is a poor skip: a change shows only between steps, and
# the mean over time is the smoothest map there is.
KNOWN_GOOD = {**PUBLISHED, "depth": 3, "conv": "plain", "norm": "batch", "skip_mode": "mean"}
PAPER_NAME = "TemporalUNet_ConvLSTM"
