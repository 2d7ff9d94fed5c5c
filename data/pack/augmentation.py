"""Augmentation of a batch on its device: symmetries, crops, speckle, calibration jitter, lost acquisitions."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from data.io.errors import unknown_name
from data.pack.channels import SAR_CHANNELS
from data.pack.normalisation import Normalisation
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


NO_AUGMENT = Augment(turn=0)
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
            raise ValueError(unknown_name("augmentation", name, [*names, "none"]))
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


@dataclass(frozen=True)
class AugmentParams:
    """What chance decided for a batch of B tiles, on the CPU.

    Attributes:
        turns: Which of the square's eight symmetries each tile undergoes, shape ``(B,)``, 0 to 7.
        corners: Pixel at which each tile's window begins, counted row by row, shape ``(B,)``.
        seed: Of the noise and the lost acquisitions; None where none is asked for.
    """

    turns: Tensor
    corners: Tensor
    seed: int | None


def draw_params(
    batch: int, side: int, augment: Augment, generator: torch.Generator
) -> AugmentParams:
    """Draw the changes of a batch, of tiles with *side* px, from a generator of the CPU."""
    turns = corners = torch.zeros(batch, dtype=torch.int64)
    seed = None
    if augment.turn:
        turns = torch.randint(8, (batch,), generator=generator)
    if augment.crop:
        row, column = torch.randint(side - augment.crop + 1, (2, batch), generator=generator)
        corners = row * side + column
    if is_noisy(augment):
        seed = int(torch.randint(2**62, (), generator=generator))
    return AugmentParams(turns, corners, seed)


def is_noisy(augment: Augment) -> bool:
    """Tell whether an augmentation changes values, and does not only move pixels."""
    return bool(augment.speckle or augment.jitter or augment.drop)


def make_symmetry_maps(side: int, size: int) -> Tensor:
    """List the source pixel of every pixel of a turned window at a tile's first pixel.

    Args:
        side: Side of the tiles in px.
        size: Side of the window in px, s.

    Returns:
        One map for each of the square's eight symmetries, the first of which changes nothing; shape
        ``(8, s, s)``, int64.
    """
    turns = torch.arange(8)
    row = torch.arange(size)[:, None].expand(8, size, size)
    column = torch.arange(size).expand(8, size, size)
    swap, up, left = ((turns >> bit & 1).bool()[:, None, None] for bit in range(3))
    row, column = torch.where(swap, column, row), torch.where(swap, row, column)
    row = torch.where(up, size - 1 - row, row)
    column = torch.where(left, size - 1 - column, column)
    return row * side + column


def flip_and_crop(layers: Tensor, symmetries: Tensor, turns: Tensor, corners: Tensor) -> Tensor:
    """Turn and cut layers ``(B, ..., H, W)``, each tile as it was drawn; on any device, without waiting for it."""
    source = symmetries.index_select(0, turns) + corners[:, None, None]
    flat = layers.reshape(len(layers), -1, layers.shape[-2] * layers.shape[-1])
    index = source.flatten(1)[:, None].expand(-1, flat.shape[1], -1)
    return flat.gather(2, index).view(*layers.shape[:-2], *source.shape[1:])


def apply_augment(
    x: Tensor, mask: Tensor, augment: Augment, norm: Normalisation, generator: torch.Generator
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
    drawn = draw_params(len(mask), mask.shape[1], augment, generator)
    return apply_changes(x, mask, augment, norm, drawn)


def apply_changes(
    x: Tensor, mask: Tensor, augment: Augment, norm: Normalisation, drawn: AugmentParams
) -> tuple[Tensor, Tensor]:
    """Change a batch as it was drawn; arguments and result as in :func:`apply_augment`."""
    if augment.turn or augment.crop:
        symmetries = make_symmetry_maps(mask.shape[1], augment.crop or mask.shape[1])
        how = [part.to(x.device) for part in (symmetries, drawn.turns, drawn.corners)]
        x, mask = flip_and_crop(x, *how), flip_and_crop(mask[:, None], *how)[:, 0]
    if drawn.seed is not None:
        noise = torch.Generator(x.device).manual_seed(drawn.seed)
        add_noise(x, augment, units_per_db(norm).to(x.device), noise)
    return x, mask


def units_per_db(norm: Normalisation) -> Tensor:
    """Return what a dB is in each normalised channel, 0 where there is no backscatter; shape ``(C, 1, 1)``."""
    at = [name in SAR_CHANNELS for name in norm.channels]
    values = [is_sar / std for is_sar, std in zip(at, norm.std, strict=True)]
    return torch.tensor(values, dtype=torch.float32)[:, None, None]


def add_noise(x: Tensor, augment: Augment, db: Tensor, generator: torch.Generator) -> None:
    """Add noise to the backscatter and lose acquisitions, in place.

    Args:
        x: Normalised input, shape ``(B, T, C, H, W)``.
        augment: What to do.
        db: Of :func:`units_per_db`, on the device of *x*.
        generator: Generator of that device.
    """

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=x.device)

    if augment.speckle:
        x.addcmul_(draw(*x.shape), db * augment.speckle)
    if augment.jitter:
        x.addcmul_(draw(*x.shape[:3], 1, 1), db * augment.jitter)
    if augment.drop:
        kept = torch.rand(x.shape[:2], generator=generator, device=x.device) >= augment.drop
        kept[:, -1] |= ~kept.any(1)  # a tile keeps at least its last acquisition
        x *= kept[:, :, None, None, None]
