"""Augmentation of a batch on its device: symmetries, crops, speckle, calibration jitter, dropped and cut series."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from data.io.errors import unknown_name
from data.pack.augment.cuts import UNCUT, cut_series, forget_cut_days
from data.pack.augment.symmetries import flip_and_crop, make_symmetry_maps
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


def apply_augment(
    x: Tensor,
    mask: Tensor,
    days: Tensor,
    augment: Augment,
    norm: Normalisation,
    params: AugmentParams,
    first_after: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Augment a batch; the same parameters give the same result on the same device.

    Args:
        x: Normalised input, shape ``(B, T, C, H, W)``; may be overwritten.
        mask: Label, shape ``(B, H, W)``.
        days: Days from the event to each acquisition, shape ``(B, T, C)``.
        augment: The augmentation.
        norm: Normalisation of the channels, which converts dB to units of *x*.
        params: Result of :func:`draw_params`.
        first_after: As in :func:`cut_series`.

    Returns:
        Augmented input, label and days; those of acquisitions that were dropped or cut are NaN.
    """
    if augment.moves_pixels:
        maps = make_symmetry_maps(mask.shape[1], augment.crop or mask.shape[1])
        moves = [index.to(x.device) for index in (maps, params.symmetries, params.corners)]
        x, mask = flip_and_crop(x, *moves), flip_and_crop(mask[:, None], *moves)[:, 0]
    if params.noise_seed is not None:
        noise = torch.Generator(x.device).manual_seed(params.noise_seed)
        days = add_noise(x, days, augment, units_per_db(norm).to(x.device), noise)
    if augment.cut:  # last, since a repeated image has the same noise
        cut = first_after.to(x.device), params.cuts.to(x.device)
        x, days = cut_series(x, *cut), forget_cut_days(days, *cut)
    return x, mask, days


def units_per_db(norm: Normalisation) -> Tensor:
    """Return the size of 1 dB in each normalised channel, 0 for channels other than backscatter; shape ``(C, 1, 1)``."""
    is_sar = [name in SAR_CHANNELS for name in norm.channels]
    values = [sar / std for sar, std in zip(is_sar, norm.std, strict=True)]
    return torch.tensor(values, dtype=torch.float32)[:, None, None]


def add_noise(
    x: Tensor, days: Tensor, augment: Augment, db: Tensor, generator: torch.Generator
) -> Tensor:
    """Add speckle and jitter to the backscatter and drop acquisitions, in place.

    Args:
        x: Normalised input, shape ``(B, T, C, H, W)``.
        days: Days from the event, shape ``(B, T, C)``.
        augment: The augmentation.
        db: Result of :func:`units_per_db`, on the device of *x*.
        generator: Generator of that device.

    Returns:
        The days, NaN for dropped acquisitions.
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
        days = days.masked_fill(~kept[..., None], math.nan)
    return days
