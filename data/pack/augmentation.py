"""Augmentation of a batch on its device: symmetries, crops, speckle, calibration jitter, dropped and cut series."""

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
    """Augmentation of training batches; 0 turns a component off.

    Attributes:
        turn: 1 flips and rotates each tile by one of the square's eight symmetries.
        crop: Side in px of a random window, the same in all acquisitions.
        speckle: Standard deviation in dB of noise per backscatter pixel; fully developed speckle of L looks
            has about 4.34 / sqrt(L).
        jitter: Standard deviation in dB of one offset per backscatter image, because calibration, moisture
            and frost shift whole images.
        drop: Probability of dropping an acquisition: all its channels become the mean.
        cut: Probability of cutting a tile's series after one of its first acquisitions after the event, so that the
            network also learns to map an event from the images of its first days. The last image that is left takes
            the later places.
    """

    turn: int = 1
    crop: int = 0
    speckle: float = 0.0
    jitter: float = 0.0
    drop: float = 0.0
    cut: float = 0.0

    @property
    def moves_pixels(self) -> bool:
        """Whether it flips, rotates or crops."""
        return bool(self.turn or self.crop)

    @property
    def changes_values(self) -> bool:
        """Whether it adds noise or drops acquisitions."""
        return bool(self.speckle or self.jitter or self.drop)


NO_AUGMENT = Augment(turn=0)
_LIMITS = {
    "turn": (0, 1),
    "crop": (0, TILE_PX),
    "speckle": (0, 10),
    "jitter": (0, 10),
    "cut": (0, 1),
}
UNCUT = 2**20  # in `AugmentParams.cuts`: the whole series


def parse_augment(words: Iterable[str]) -> Augment:
    """Parse the words ``turn``, ``crop=96``, ``speckle=1``, ``jitter=0.5``, ``drop=0.1``, ``cut=0.5`` or ``none``.

    Raises:
        ValueError: If a name is unknown, or a value is not a number or out of range.
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
    """Return the augmentation of a config.

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
    """Random parameters of the augmentation of B tiles, on the CPU.

    Attributes:
        symmetries: Index of each tile's symmetry of the square, shape ``(B,)``, 0 to 7.
        corners: First pixel of each tile's crop, as an index into the flattened tile, shape ``(B,)``.
        cuts: Where each tile's series is cut, shape ``(B,)``, int64: from 0, after the first acquisition after the
            event, to ``UNCUT``, not at all.
        noise_seed: Seed of noise and dropped acquisitions; None if the augmentation has neither.
    """

    symmetries: Tensor
    corners: Tensor
    cuts: Tensor
    noise_seed: int | None


def draw_params(
    batch_size: int, side: int, augment: Augment, generator: torch.Generator
) -> AugmentParams:
    """Draw the augmentation of a batch of tiles with *side* px from a CPU generator."""
    symmetries = corners = torch.zeros(batch_size, dtype=torch.int64)
    cuts, noise_seed = torch.full((batch_size,), UNCUT), None
    if augment.turn:
        symmetries = torch.randint(8, (batch_size,), generator=generator)
    if augment.crop:
        row, column = torch.randint(side - augment.crop + 1, (2, batch_size), generator=generator)
        corners = row * side + column
    if augment.cut:
        whole = torch.rand(batch_size, generator=generator) >= augment.cut
        cuts = torch.randint(UNCUT, (batch_size,), generator=generator).masked_fill(whole, UNCUT)
    if augment.changes_values:
        noise_seed = int(torch.randint(2**62, (), generator=generator))
    return AugmentParams(symmetries, corners, cuts, noise_seed)


def make_symmetry_maps(side: int, size: int) -> Tensor:
    """Return the source pixel of each pixel of a flipped or rotated crop at a tile's first pixel.

    Args:
        side: Side of the tiles in px.
        size: Side of the crop in px, s.

    Returns:
        One map of flat pixel indices for each of the square's eight symmetries, the identity first; shape
        ``(8, s, s)``, int64.
    """
    numbers = torch.arange(8)
    row = torch.arange(size)[:, None].expand(8, size, size)
    column = torch.arange(size).expand(8, size, size)
    swap, up, left = ((numbers >> bit & 1).bool()[:, None, None] for bit in range(3))
    row, column = torch.where(swap, column, row), torch.where(swap, row, column)
    row = torch.where(up, size - 1 - row, row)
    column = torch.where(left, size - 1 - column, column)
    return row * side + column


def flip_and_crop(layers: Tensor, maps: Tensor, symmetries: Tensor, corners: Tensor) -> Tensor:
    """Flip, rotate and crop layers ``(B, ..., H, W)`` with each tile's own parameters, without synchronising.

    Args:
        layers: Input or masks, on any device.
        maps: Result of :func:`make_symmetry_maps`, on the same device.
        symmetries: As in :class:`AugmentParams`, on the same device.
        corners: As in :class:`AugmentParams`, on the same device.
    """
    source = maps.index_select(0, symmetries) + corners[:, None, None]
    flat = layers.reshape(len(layers), -1, layers.shape[-2] * layers.shape[-1])
    index = source.flatten(1)[:, None].expand(-1, flat.shape[1], -1)
    return flat.gather(2, index).view(*layers.shape[:-2], *source.shape[1:])


def cut_series(x: Tensor, first_after: Tensor, cuts: Tensor) -> Tensor:
    """Cut each tile's series after one of its first acquisitions after the event, without synchronising.

    Args:
        x: Input, shape ``(B, T, C, H, W)``, on any device.
        first_after: Place of the first acquisition after the event in each channel, T for none, shape ``(B, C)``, int64,
            on the same device.
        cuts: As in :class:`AugmentParams`, on the same device. The same number keeps the same share of each orbit.

    Returns:
        The series; the last image that is kept takes the later places.
    """
    later = (x.shape[1] - first_after - 1).clamp(min=0)  # that may be cut
    last = first_after + cuts[:, None] * later // UNCUT
    places = torch.arange(x.shape[1], device=x.device)[None, :, None]
    source = torch.minimum(places, last[:, None])
    return x.gather(1, source[..., None, None].expand_as(x))


def apply_augment(
    x: Tensor,
    mask: Tensor,
    augment: Augment,
    norm: Normalisation,
    params: AugmentParams,
    first_after: Tensor,
) -> tuple[Tensor, Tensor]:
    """Augment a batch; the same parameters give the same result on the same device.

    Args:
        x: Normalised input, shape ``(B, T, C, H, W)``; may be overwritten.
        mask: Label, shape ``(B, H, W)``.
        augment: The augmentation.
        norm: Normalisation of the channels, which converts dB to units of *x*.
        params: Result of :func:`draw_params`.
        first_after: As in :func:`cut_series`.

    Returns:
        Augmented input and label.
    """
    if augment.moves_pixels:
        maps = make_symmetry_maps(mask.shape[1], augment.crop or mask.shape[1])
        moves = [index.to(x.device) for index in (maps, params.symmetries, params.corners)]
        x, mask = flip_and_crop(x, *moves), flip_and_crop(mask[:, None], *moves)[:, 0]
    if params.noise_seed is not None:
        noise = torch.Generator(x.device).manual_seed(params.noise_seed)
        add_noise(x, augment, units_per_db(norm).to(x.device), noise)
    if augment.cut:  # last, since a repeated image has the same noise
        x = cut_series(x, first_after.to(x.device), params.cuts.to(x.device))
    return x, mask


def units_per_db(norm: Normalisation) -> Tensor:
    """Return the size of 1 dB in each normalised channel, 0 for channels other than backscatter; shape ``(C, 1, 1)``."""
    is_sar = [name in SAR_CHANNELS for name in norm.channels]
    values = [sar / std for sar, std in zip(is_sar, norm.std, strict=True)]
    return torch.tensor(values, dtype=torch.float32)[:, None, None]


def add_noise(x: Tensor, augment: Augment, db: Tensor, generator: torch.Generator) -> None:
    """Add speckle and jitter to the backscatter and drop acquisitions, in place.

    Args:
        x: Normalised input, shape ``(B, T, C, H, W)``.
        augment: The augmentation.
        db: Result of :func:`units_per_db`, on the device of *x*.
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
        kept[:, -1] |= ~kept.any(1)  # each tile keeps at least its last acquisition
        x *= kept[:, :, None, None, None]
