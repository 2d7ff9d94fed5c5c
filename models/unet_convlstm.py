"""U-Net with a ConvLSTM as its bottleneck, the published study's TemporalUNet_ConvLSTM.

Papers: Shi et al. (2015), Convolutional LSTM Network: A Machine Learning Approach for Precipitation
Nowcasting, arXiv:1506.04214; Ronneberger et al. (2015), doi:10.1007/978-3-319-24574-4_28.
Published setting: repository snfatih/SEN12Landslide-Hokkaido-SAR, commit faba61f. Written from the
description; no code was copied.
"""

import torch
from torch import nn

from models._checks import check_choice, check_input, check_positive_integers
from models.parts.blocks import (
    CONVS,
    NORMS,
    Decoder,
    Encoder,
    UNetConfig,
    make_he_conv,
    make_norm_layer,
)
from models.parts.convlstm import ConvLSTM

SKIP_MODES = ("last", "mean", "max")


class UNetConvLSTM(nn.Module):
    """One encoder for all acquisitions, a ConvLSTM over time as the bottleneck, and one decoder.

    Args:
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T.
        width: Channels of the first level; the ConvLSTM has ``width * 2**depth`` filters.
        depth: Number of 2x2 poolings.
        dropout: Share of feature maps dropped in blocks of at least ``4 * width`` channels.
        conv: ``"separable"`` or ``"plain"`` in the blocks; the ConvLSTM is always plain.
        norm: ``"layer"``, ``"batch"`` or ``"group"``.
        skip_mode: Feature map of each skip: that of the ``"last"`` acquisition (published), or the ``"mean"``
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
        check_positive_integers(in_channels=in_channels, timesteps=timesteps)
        check_choice("skip_mode", skip_mode, SKIP_MODES)
        config = UNetConfig(width, depth, dropout, conv, norm)
        bottom = config.widths[-1]
        self.in_channels, self.timesteps, self.depth = in_channels, timesteps, depth
        self.skip_mode = skip_mode
        self.encoder = Encoder(in_channels, config)
        self.convlstm = ConvLSTM(bottom, bottom)
        self.bridge = nn.Sequential(
            make_norm_layer(norm, bottom),
            make_he_conv(bottom, bottom, 1),
            make_norm_layer(norm, bottom),
            nn.ReLU(inplace=True),
        )
        self.decoder = Decoder(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)``."""
        check_input(x, self.in_channels, self.timesteps, self.depth)
        # Time first, so that each step is a view without a copy.
        x = x.transpose(0, 1).flatten(0, 1)  # (T * B, C, H, W)
        levels = [level.unflatten(0, (self.timesteps, -1)) for level in self.encoder(x)]
        skips = [self._reduce_time(level) for level in levels[:-1]]
        bottom = self.bridge(self.convlstm(levels[-1]))
        logits: torch.Tensor = self.decoder([*skips, bottom])
        return logits

    def _reduce_time(self, level: torch.Tensor) -> torch.Tensor:
        """Reduce the maps of all acquisitions, ``(T, B, C, H, W)``, to one skip ``(B, C, H, W)``."""
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
# The last acquisition alone is a poor skip: it is full of speckle, and a change shows only between
# acquisitions. The mean over time has the least speckle.
KNOWN_GOOD = {**PUBLISHED, "depth": 3, "conv": "plain", "norm": "batch", "skip_mode": "mean"}
NARROW = {"width": [8], "depth": [3], "conv": ["plain"], "norm": ["batch"]}
PAPER_NAME = "TemporalUNet_ConvLSTM"
