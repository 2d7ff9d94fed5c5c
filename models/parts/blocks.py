"""Building blocks of the networks: norm, convolution block, encoder, attention gate, decoder.

With the default `UNetConfig` they build the networks of the published study (repository
snfatih/SEN12Landslide-Hokkaido-SAR, commit faba61f). All feature maps have shape ``(B, C, H, W)``.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from models._checks import check_choice, check_positive_integers

CONVS = ("separable", "plain")
NORMS = ("layer", "batch", "group")
MAX_DEPTH = 7  # poolings until a tile of 128 px is one pixel
MAX_WIDTH = 1024  # channels of the bottleneck: twice the largest of a search, 0.5 GB of weights


@dataclass(frozen=True)
class UNetConfig:
    """The arch values that all U-Nets share.

    Args:
        width: Channels of the first level; each deeper level doubles them.
        depth: Number of 2x2 poolings.
        dropout: Share of feature maps dropped after blocks of at least ``4 * width`` channels.
        conv: ``"separable"`` (depthwise and pointwise, published) or ``"plain"`` 3x3 convolutions.
        norm: ``"layer"`` (over the channels of each pixel, published), ``"batch"`` or ``"group"``.

    Raises:
        ValueError: If a value is invalid, or the network would be too large.
    """

    width: int = 16
    depth: int = 4
    dropout: float = 0.1
    conv: str = "separable"
    norm: str = "layer"

    def __post_init__(self) -> None:
        check_positive_integers(width=self.width, depth=self.depth)
        check_choice("conv", self.conv, CONVS)
        check_choice("norm", self.norm, NORMS)
        if self.depth > MAX_DEPTH or self.width * 2**self.depth > MAX_WIDTH:
            raise ValueError(
                f"A network must have a depth of at most {MAX_DEPTH} and width * 2**depth of at most {MAX_WIDTH}, "
                f"but got width={self.width}, depth={self.depth}. Pass smaller values to save memory."
            )
        if not isinstance(self.dropout, int | float) or not 0 <= self.dropout < 1:
            raise ValueError(
                f"dropout must be in [0, 1), but got dropout={self.dropout!r}. "
                "Pass the share of feature maps to drop, such as 0.1."
            )

    @property
    def widths(self) -> list[int]:
        """Channels of the ``depth + 1`` levels, from full resolution to the bottleneck."""
        return [self.width * 2**level for level in range(self.depth + 1)]

    def dropout_at(self, channels: int) -> float:
        """Return the dropout of a block with this number of output channels."""
        return self.dropout if channels >= 4 * self.width else 0.0


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalisation of ``(B, C, H, W)`` over the channels of each pixel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise each pixel over its channels."""
        # In channels_last memory the permuted view needs no copy, and its output is channels_last. The next
        # layers keep this layout, in which this norm is 2.5 to 7 times faster.
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def make_norm_layer(kind: str, channels: int) -> nn.Module:
    """Return a normalisation layer of *kind* (one of `NORMS`)."""
    if kind == "layer":
        return ChannelLayerNorm(channels)
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    # At least two channels per group: a group of one would lose its mean, which is the level in dB.
    return nn.GroupNorm(math.gcd(8, max(1, channels // 2)), channels)


def make_he_conv(
    in_channels: int, out_channels: int, size: int, bias: bool = False, groups: int = 1
) -> nn.Conv2d:
    """Return a convolution with same padding, He-normal weights and zero bias, for use before a ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, size, padding=size // 2, bias=bias, groups=groups)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def make_pointwise_conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Return a 1x1 convolution with Glorot weights and zero bias, for use without a ReLU."""
    conv = nn.Conv2d(in_channels, out_channels, 1)
    nn.init.xavier_uniform_(conv.weight)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # Conv2d has a bias by default
    return conv


def make_conv(kind: str, in_channels: int, out_channels: int) -> nn.Module:
    """Return a 3x3 convolution of *kind* (one of `CONVS`) without bias, because a norm follows."""
    if kind == "plain":
        return make_he_conv(in_channels, out_channels, 3)
    return nn.Sequential(
        make_he_conv(in_channels, in_channels, 3, groups=in_channels),
        make_he_conv(in_channels, out_channels, 1),
    )


class Block(nn.Sequential):
    """Two times convolution, norm and ReLU, then spatial dropout if the block is wide enough."""

    def __init__(self, in_channels: int, out_channels: int, config: UNetConfig) -> None:
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            layers.append(make_conv(config.conv, channels, out_channels))
            layers.append(make_norm_layer(config.norm, out_channels))
            layers.append(nn.ReLU(inplace=True))
        if (dropout := config.dropout_at(out_channels)) > 0:
            layers.append(nn.Dropout2d(dropout))
        super().__init__(*layers)


class Encoder(nn.Module):
    """Blocks with 2x2 max pooling between them.

    Args:
        in_channels: Channels of the input.
        config: Widths, convolution, norm and dropout.
    """

    def __init__(self, in_channels: int, config: UNetConfig) -> None:
        super().__init__()
        inputs = [in_channels, *config.widths]
        self.blocks = nn.ModuleList(
            Block(i, o, config) for i, o in zip(inputs, config.widths, strict=False)
        )

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return one map per level; level l has shape ``(B, width * 2**l, H / 2**l, W / 2**l)``."""
        levels: list[torch.Tensor] = []
        if any(weight.dim() == 4 and not weight.is_contiguous() for weight in self.parameters()):
            # The weights are channels_last: converting x once is faster than in the first convolution, which would
            # convert it in the forward and in the backward pass.
            x = x.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(F.max_pool2d(x, 2) if levels else x)
            levels.append(x)
        return levels


class AttentionGate(nn.Module):
    """Additive attention gate on a skip connection.

    Args:
        channels: Channels of the skip, of the gating map and of their sum.

    Reference:
        Oktay et al. (2018), Attention U-Net, arXiv:1804.03999. As in the published study, the
        gating map is the upsampled map, so the gate needs no resampling.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.theta = make_he_conv(channels, channels, 1, bias=True)
        self.phi = make_he_conv(channels, channels, 1, bias=True)
        self.psi = make_pointwise_conv(channels, 1)

    def weights(self, skip: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """Return the attention of each pixel, shape ``(B, 1, H, W)``, in (0, 1)."""
        return torch.sigmoid(self.psi(F.relu(self.theta(skip) + self.phi(up))))

    def forward(self, skip: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """Return *skip* weighted by its attention; both inputs have shape ``(B, C, H, W)``."""
        return skip * self.weights(skip, up)


class Decoder(nn.Module):
    """Transposed convolutions up to full resolution with skip connections, and a 1x1 output convolution.

    Args:
        config: Widths, convolution, norm and dropout.
        gated: Whether an attention gate weights each skip.
    """

    def __init__(self, config: UNetConfig, gated: bool = False) -> None:
        super().__init__()
        ups = config.widths[:0:-1]  # input channels of each level, deepest first
        self.ups = nn.ModuleList(nn.ConvTranspose2d(c, c // 2, 2, stride=2) for c in ups)
        self.gates = nn.ModuleList(AttentionGate(c // 2) for c in ups if gated)
        self.blocks = nn.ModuleList(Block(c, c // 2, config) for c in ups)
        self.head = make_pointwise_conv(config.width, 1)
        for up in self.ups:
            nn.init.xavier_uniform_(up.weight)  # type: ignore[arg-type]
            nn.init.zeros_(up.bias)  # type: ignore[arg-type]

    def forward(self, levels: list[torch.Tensor]) -> torch.Tensor:
        """Return the logits ``(B, 1, H, W)`` of an `Encoder`'s maps, finest first."""
        *skips, x = levels
        for level, (up, block) in enumerate(zip(self.ups, self.blocks, strict=True)):
            x, skip = up(x), skips[-1 - level]
            if self.gates:
                skip = self.gates[level](skip, x)
            x = block(torch.cat([x, skip], dim=1))
        logits: torch.Tensor = self.head(x)
        return logits
