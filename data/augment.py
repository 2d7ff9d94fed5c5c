"""Augmentation of a batch on its device: symmetries, crops, speckle, calibration jitter, lost acquisitions."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from data.inputs import SAR_CHANNELS
from data.names import unknown
from data.norm import Norm
from data.tiles import TILE_PX


@dataclass(frozen=True)
class Augment:
    """Which changes a training batch undergoes; each is off at 0.

    Attributes:
        turn: 1 flips and rotates each tile by one of the square's eight symmetries.
        crop: Side in px of a random window, the same in all acquisitions.
        speckle: Standard deviation in dB of noise per backscatter pixel; fully developed speckle of L looks
            has about 4.34 / sqrt(L).
        jitter: Standard deviation in dB of one offset per backscatter image, as calibration, moisture
            and frost shift whole scenes.
        drop: Probability with which an acquisition is lost: all its channels become the mean.
    """

    turn: int = 1
    crop: int = 0
    speckle: float = 0.0
    jitter: float = 0.0
    drop: float = 0.0


OFF = Augment(turn=0)
_LIMITS = {"turn": (0, 1), "crop": (0, TILE_PX), "speckle": (0, 10), "jitter": (0, 10)}


def parse_augment(words: Iterable[str]) -> Augment:
    """Read ``turn``, ``crop=96``, ``speckle=1``, ``jitter=0.5``, ``drop=0.1`` or ``none``.

    Raises:
        ValueError: If a name is unknown or a value is no number or out of range.
    """
    values: dict[str, Any] = {"turn": 0}
    names = [field.name for field in fields(Augment)]
    for word in words:
        name, _, text = word.partition("=")
        if name == "none" and not text:
            continue
        if name not in names:
            raise ValueError(unknown("augmentation", name, [*names, "none"]))
        try:
            values[name] = int(text or 1) if name in ("turn", "crop") else float(text)
        except ValueError as error:
            raise ValueError(
                f"An augmentation needs a number, such as {name}=0.5, but got {word!r}. Add it."
            ) from error
    return make_augment(values)


def make_augment(values: dict[str, Any]) -> Augment:
    """Make an augmentation of a config's values, checked.

    Raises:
        ValueError: If a value is out of range.
    """
    augment = Augment(**values)
    for name, value in asdict(augment).items():
        low, high = _LIMITS.get(name, (0, 0.9))
        if not low <= value <= high:
            raise ValueError(
                f"Augmentation {name} must be from {low} to {high}, but got {value}. Change it."
            )
    if augment.crop % 32:
        raise ValueError(
            f"Augmentation crop must be a multiple of 32 px, but got {augment.crop}. Networks halve it "
            "up to five times."
        )
    return augment


def _map_pixels(batch: int, side: int, crop: int, turn: bool, generator: torch.Generator) -> Tensor:
    """Draw each tile's window and symmetry; return the source pixel of every pixel, ``(B, s, s)``.

    Args:
        batch: Tiles, B.
        side: Side of the tiles in px.
        crop: Side of the window in px, s; 0 keeps the whole tile.
        turn: Whether to draw a symmetry.
        generator: Generator of the CPU.
    """
    size = crop or side
    turns = torch.randint(8, (batch,), generator=generator) if turn else torch.zeros(batch).long()
    corner = torch.randint(side - size + 1, (2, batch, 1, 1), generator=generator) if crop else 0
    row = torch.arange(size)[:, None].expand(batch, size, size)
    column = torch.arange(size).expand(batch, size, size)
    swap, up, left = ((turns >> bit & 1).bool()[:, None, None] for bit in range(3))
    row, column = torch.where(swap, column, row), torch.where(swap, row, column)
    row = torch.where(up, size - 1 - row, row)
    column = torch.where(left, size - 1 - column, column)
    if isinstance(corner, Tensor):
        row, column = row + corner[0], column + corner[1]
    return row * side + column


def _move_pixels(layers: Tensor, source: Tensor) -> Tensor:
    """Take the pixels *source* ``(B, s, s)`` of layers ``(B, ..., H, W)``."""
    flat = layers.reshape(len(layers), -1, layers.shape[-2] * layers.shape[-1])
    index = source.flatten(1)[:, None].expand(-1, flat.shape[1], -1)
    return flat.gather(2, index).view(*layers.shape[:-2], *source.shape[1:])


def apply_augment(
    x: Tensor, mask: Tensor, augment: Augment, norm: Norm, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Change a batch at random; the same generator state changes it alike on the same device.

    Args:
        x: Normalised input, shape ``(B, T, C, H, W)``; may be overwritten.
        mask: Label, shape ``(B, H, W)``.
        augment: What to do.
        norm: Normalisation of the channels, which turns dB into units of *x*.
        generator: Generator of the CPU.

    Returns:
        Both, changed alike.
    """
    if augment.turn or augment.crop:
        batch, side = mask.shape[:2]
        source = _map_pixels(batch, side, augment.crop, bool(augment.turn), generator).to(x.device)
        x, mask = _move_pixels(x, source), _move_pixels(mask[:, None], source)[:, 0]
    if augment.speckle or augment.jitter or augment.drop:
        seed = int(torch.randint(2**62, (), generator=generator))
        _disturb(x, augment, norm, torch.Generator(x.device).manual_seed(seed))
    return x, mask


def _disturb(x: Tensor, augment: Augment, norm: Norm, generator: torch.Generator) -> None:
    """Add noise to the backscatter and lose acquisitions, in place."""
    at = [name in SAR_CHANNELS for name in norm.channels]
    per_db = _column([is_sar / std for is_sar, std in zip(at, norm.std, strict=True)], x)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=x.device)

    if augment.speckle:
        x.addcmul_(draw(*x.shape), per_db * augment.speckle)
    if augment.jitter:
        x.addcmul_(draw(*x.shape[:3], 1, 1), per_db * augment.jitter)
    if augment.drop:
        kept = torch.rand(x.shape[:2], generator=generator, device=x.device) >= augment.drop
        kept[:, -1] |= ~kept.any(1)  # a tile keeps at least its last acquisition
        x *= kept[:, :, None, None, None]


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]
