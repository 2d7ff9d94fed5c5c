"""Parts that the networks share: norm, convolution block, encoder, attention gate, decoder.

The parts follow the networks of the published study (repository
snfatih/SEN12Landslide-Hokkaido-SAR, commit faba61f); with the default `Plan` they are those
networks. All feature maps have shape ``(B, C, H, W)``.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from models._checks import check_at_least_one, check_choice

CONVS = ("separable", "plain")
NORMS = ("layer", "batch", "group")
MAX_DEPTH = 7  # poolings of a tile of 128 px
MAX_WIDTH = 1024  # channels of the bottom, twice the largest of a search: about 0.5 GB of weights


@dataclass(frozen=True)
class Plan:
    """The arch values that every network of this family has.

    Args:
        width: Channels of the first level; each level below doubles them.
        depth: Number of 2x2 poolings.
        dropout: Share of whole feature maps dropped after the blocks of ``4 * width`` and wider.
        conv: ``"separable"`` (depthwise and pointwise, published) or ``"plain"`` 3x3 convolutions.
        norm: ``"layer"`` (over the channels of each pixel, published), ``"batch"`` or ``"group"``.
    """

    width: int = 16
    depth: int = 4
    dropout: float = 0.1
    conv: str = "separable"
    norm: str = "layer"

    def __post_init__(self) -> None:
        check_at_least_one(width=self.width, depth=self.depth)
        check_choice("conv", self.conv, CONVS)
        check_choice("norm", self.norm, NORMS)
        if self.depth > MAX_DEPTH or self.width * 2**self.depth > MAX_WIDTH:
            raise ValueError(
                f"A network has a depth of at most {MAX_DEPTH} and width * 2**depth of at most {MAX_WIDTH}, "
                f"but got width={self.width}, depth={self.depth}. Pass smaller ones: it would fill the memory."
            )
        if not isinstance(self.dropout, int | float) or not 0 <= self.dropout < 1:
            raise ValueError(
                f"dropout must lie in [0, 1), but got dropout={self.dropout!r}. "
                "Pass the share of feature maps to drop, such as 0.1."
            )

    @property
    def widths(self) -> list[int]:
        """Channels per level, from full resolution to the bottom, ``depth + 1`` values."""
        return [self.width * 2**level for level in range(self.depth + 1)]

    def dropout_at(self, channels: int) -> float:
        """Return the dropout of a block with so many output channels."""
        return self.dropout if channels >= 4 * self.width else 0.0


class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalisation over the channel axis of ``(B, C, H, W)``, at each pixel on its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise each pixel over its channels."""
        # The permuted view costs no copy in channels_last memory, and its output is channels_last,
        # so the layers after it stay in the layout where this norm is 2.5 to 7 times faster.
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def make_norm_layer(kind: str, channels: int) -> nn.Module:
    """Return the normalisation layer called *kind* (one of `NORMS`)."""
    if kind == "layer":
        return ChannelLayerNorm(channels)
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    # At least two channels a group: one alone would lose its mean, and with it the level in dB.
    return nn.GroupNorm(math.gcd(8, max(1, channels // 2)), channels)


def he_conv(i: int, o: int, size: int, bias: bool = False, groups: int = 1) -> nn.Conv2d:
    """Return a same-size convolution that feeds a ReLU: He-normal weights, bias zero."""
    conv = nn.Conv2d(i, o, size, padding=size // 2, bias=bias, groups=groups)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv


def glorot_pointwise(i: int, o: int) -> nn.Conv2d:
    """Return a 1x1 convolution that feeds no ReLU: Glorot weights, bias zero."""
    conv = nn.Conv2d(i, o, 1)
    nn.init.xavier_uniform_(conv.weight)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # Conv2d has a bias by default
    return conv


def make_conv(kind: str, i: int, o: int) -> nn.Module:
    """Return a 3x3 convolution of *kind* (one of `CONVS`), without bias: a norm follows."""
    if kind == "plain":
        return he_conv(i, o, 3)
    return nn.Sequential(he_conv(i, i, 3, groups=i), he_conv(i, o, 1))


class Block(nn.Sequential):
    """Twice convolution, norm and ReLU, then spatial dropout where the plan has it."""

    def __init__(self, i: int, o: int, plan: Plan) -> None:
        layers: list[nn.Module] = []
        for channels in (i, o):
            layers += [make_conv(plan.conv, channels, o), make_norm_layer(plan.norm, o)]
            layers.append(nn.ReLU(inplace=True))
        if plan.dropout_at(o) > 0:
            layers.append(nn.Dropout2d(plan.dropout_at(o)))
        super().__init__(*layers)


class Encoder(nn.Module):
    """Blocks with 2x2 max pooling between them.

    Args:
        in_channels: Channels of the input.
        plan: Widths, convolution, norm and dropout.
    """

    def __init__(self, in_channels: int, plan: Plan) -> None:
        super().__init__()
        ins = [in_channels, *plan.widths]
        self.blocks = nn.ModuleList(
            Block(i, o, plan) for i, o in zip(ins, plan.widths, strict=False)
        )

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return one map per level; level l has shape ``(B, width * 2**l, H / 2**l, W / 2**l)``."""
        levels: list[torch.Tensor] = []
        if any(weight.dim() == 4 and not weight.is_contiguous() for weight in self.parameters()):
            # Else the first convolution lays its input out by itself, once forward and once backward, and more slowly.
            x = x.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(F.max_pool2d(x, 2) if levels else x)
            levels.append(x)
        return levels


class AttentionGate(nn.Module):
    """Additive attention gate on a skip connection.

    Args:
        channels: Channels of the skip and of the gating map, and of the space they are added in.

    Reference:
        Oktay et al. (2018), Attention U-Net, arXiv:1804.03999. As in the published study, the
        gating map is the upsampled one, so no resampling is needed.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.theta = he_conv(channels, channels, 1, bias=True)
        self.phi = he_conv(channels, channels, 1, bias=True)
        self.psi = glorot_pointwise(channels, 1)

    def weights(self, skip: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """Return the attention of each pixel, shape ``(B, 1, H, W)``, in (0, 1)."""
        return torch.sigmoid(self.psi(F.relu(self.theta(skip) + self.phi(up))))

    def forward(self, skip: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        """Return *skip* weighted by its attention; both inputs have shape ``(B, C, H, W)``."""
        return skip * self.weights(skip, up)


class Decoder(nn.Module):
    """Transposed convolutions back to full resolution, with skips, and the 1x1 output.

    Args:
        plan: Widths, convolution, norm and dropout.
        gated: Whether an attention gate weights each skip.
    """

    def __init__(self, plan: Plan, gated: bool = False) -> None:
        super().__init__()
        ups = plan.widths[:0:-1]  # channels that come up from below, the deepest first
        self.ups = nn.ModuleList(nn.ConvTranspose2d(c, c // 2, 2, stride=2) for c in ups)
        self.gates = nn.ModuleList(AttentionGate(c // 2) for c in ups if gated)
        self.blocks = nn.ModuleList(Block(c, c // 2, plan) for c in ups)
        self.head = glorot_pointwise(plan.width, 1)
        for up in self.ups:
            nn.init.xavier_uniform_(up.weight)  # type: ignore[arg-type]
            nn.init.zeros_(up.bias)  # type: ignore[arg-type]

    def forward(self, levels: list[torch.Tensor]) -> torch.Tensor:
        """Return the logits ``(B, 1, H, W)`` from the maps of an `Encoder`, finest first."""
        *skips, x = levels
        for level, (up, block) in enumerate(zip(self.ups, self.blocks, strict=True)):
            x, skip = up(x), skips[-1 - level]
            if self.gates:
                skip = self.gates[level](skip, x)
            x = block(torch.cat([x, skip], dim=1))
        logits: torch.Tensor = self.head(x)
        return logits
