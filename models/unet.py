"""U-Net on all acquisitions at once, the published study's VanillaUNet.

Paper: Ronneberger, Fischer, Brox (2015), U-Net: Convolutional Networks for Biomedical Image
Segmentation, doi:10.1007/978-3-319-24574-4_28.
Published setting: repository snfatih/SEN12Landslide-Hokkaido-SAR, commit faba61f. It differs from the paper in
same padding, separable convolutions, LayerNorm, spatial dropout, and one logit instead of two classes.
Written from the description; no code was copied.
"""

import torch
from torch import nn

from models._checks import check_input, check_positive_integers
from models.parts.blocks import CONVS, NORMS, Decoder, Encoder, UNetConfig


class UNet(nn.Module):
    """Encoder and decoder with skip connections; the acquisitions are stacked as channels.

    Args:
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T.
        width: Channels of the first level.
        depth: Number of 2x2 poolings.
        dropout: Share of feature maps dropped in blocks of at least ``4 * width`` channels.
        conv: ``"separable"`` or ``"plain"``.
        norm: ``"layer"``, ``"batch"`` or ``"group"``.

    Shape:
        x ``(B, T, C, H, W)``, H and W multiples of ``2**depth``; logits ``(B, 1, H, W)``.
    """

    gated = False  # whether attention gates weight the skips

    def __init__(
        self,
        in_channels: int,
        timesteps: int,
        width: int = 16,
        depth: int = 4,
        dropout: float = 0.1,
        conv: str = "separable",
        norm: str = "layer",
    ) -> None:
        super().__init__()
        check_positive_integers(in_channels=in_channels, timesteps=timesteps)
        config = UNetConfig(width, depth, dropout, conv, norm)
        self.in_channels, self.timesteps, self.depth = in_channels, timesteps, depth
        self.encoder = Encoder(in_channels * timesteps, config)
        self.decoder = Decoder(config, gated=self.gated)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)``."""
        check_input(x, self.in_channels, self.timesteps, self.depth)
        # The published order: index c * T + t for channel c at time t.
        x = x.transpose(1, 2).flatten(1, 2)  # (B, C * T, H, W)
        logits: torch.Tensor = self.decoder(self.encoder(x))
        return logits


build = UNet
SPACE = {
    "width": [8, 16, 24, 32],
    "depth": [3, 4],
    "dropout": [0.0, 0.1, 0.2],
    "conv": list(CONVS),
    "norm": list(NORMS),
}
PUBLISHED = {"width": 16, "depth": 4, "dropout": 0.1, "conv": "separable", "norm": "layer"}
# Batch norm learns in fewer steps than the published LayerNorm, plain convolutions learn at least as
# well as separable ones, and the fifth level costs a quarter more time without a gain.
KNOWN_GOOD = {"width": 16, "depth": 3, "dropout": 0.1, "conv": "plain", "norm": "batch"}
NARROW = {"width": [8], "depth": [3], "conv": ["plain"], "norm": ["batch"]}
PAPER_NAME = "VanillaUNet"
