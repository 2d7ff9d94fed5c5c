"""Errors in the labels of train tiles, made on purpose, to see how much networks and baselines mind them.

- ``drop`` removes a share of the landslides of each region, as if somebody had overlooked them.
- ``shift`` moves each landslide by so many pixels, each in a random direction of its own; what leaves its tile is lost.
- ``dilate`` then grows all landslides by so many pixels in the eight directions, or shrinks them if it is negative; thin ones vanish.

A landslide is an object of `tuning.objects.objects`, over the borders of train tiles too. What happens to it depends on the
``seed`` of the noise, its first tile and its first pixel, not on a trial's seed; of two shares, the smaller drops
landslides that the larger drops, too.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from data.io.errors import unknown_name
from data.io.safe_json import is_number, show_value
from data.pack import Pack
from tuning.objects.mosaic import find_neighbours
from tuning.objects.objects import label_objects

# Least and greatest value, and whether it must be whole.
_LIMITS = {
    "drop": (0, 0.95, False),
    "shift": (0, 64, False),
    "dilate": (-16, 16, True),
    "seed": (0, 2**32 - 1, True),
}
_EXAMPLES = {"drop": 0.2, "shift": 2, "dilate": 1, "seed": 1}
_AROUND = np.ones((1, 3, 3), bool)  # within a tile, never between tiles


@dataclass(frozen=True)
class LabelNoise:
    """Errors in labels; 0 turns a kind off.

    Attributes:
        drop: Share of the landslides that is removed.
        shift: Pixels by which each landslide is moved.
        dilate: Pixels by which landslides grow; negative, shrink.
        seed: Of what is dropped, and where landslides are moved.
    """

    drop: float = 0.0
    shift: float = 0.0
    dilate: int = 0
    seed: int = 0

    def __bool__(self) -> bool:
        return bool(self.drop or self.shift or self.dilate)

    def __str__(self) -> str:
        return " ".join(f"{name}={value:g}" for name, value in self.to_entry().items()) or "none"

    def to_entry(self) -> dict[str, float]:
        """Return the values other than 0; nothing without noise."""
        return {name: value for name, value in asdict(self).items() if value} if self else {}


def parse_label_noise(words: Iterable[str]) -> LabelNoise:
    """Parse the words ``drop=0.2``, ``shift=2``, ``dilate=-1``, ``seed=1`` or ``none``.

    Raises:
        ValueError: If a kind is unknown, or a value is no number or out of range.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, _, text = word.partition("=")
        if word == "none":
            continue
        _check_kind(name)
        try:
            values[name] = int(text) if _LIMITS[name][2] else float(text)
        except ValueError as error:
            raise ValueError(
                f"Label noise needs {_describe_rule(name)}, such as {name}={_EXAMPLES[name]}, but got {word!r}."
            ) from error
    noise = make_label_noise(values)
    if values.keys() == {"seed"}:
        raise ValueError(
            f"Label noise needs drop, shift or dilate, but got seed={values['seed']} alone. Add one of them."
        )
    return noise


def make_label_noise(values: Mapping[str, Any]) -> LabelNoise:
    """Return the noise of a config or of saved settings.

    Raises:
        ValueError: If a kind is unknown or a value out of range.
    """
    for name, value in values.items():
        _check_kind(name)
        low, high, whole = _LIMITS[name]
        if not is_number(value, low, high, whole=whole):
            raise ValueError(
                f"Label noise {name} must be {_describe_rule(name)}, but got {show_value(value)}."
            )
    return LabelNoise(**values)


def _check_kind(name: str) -> None:
    if name not in _LIMITS:
        raise ValueError(unknown_name("label noise", name, [*_LIMITS, "none"]))


def _describe_rule(name: str) -> str:
    low, high, whole = _LIMITS[name]
    return f"{'a whole number' if whole else 'a number'} from {low} to {high}"


def label_train(pack: Pack, train: Sequence[str], values: Mapping[str, Any]) -> np.ndarray:
    """Return the labels of all tiles of a pack, those of train with errors; the pack is not changed.

    Args:
        pack: The packed tiles.
        train: Ids of the train tiles.
        values: Entry ``label_noise`` of a config; empty for none.

    Returns:
        Shape ``(N, H, W)``, uint8; the pack's own array without noise.

    Raises:
        ValueError: If the noise is invalid, or leaves no landslide pixel.
    """
    noise, mask = make_label_noise(values), pack.mask
    if not noise:
        return mask
    noisy = np.array(mask)
    regions = np.array(pack.regions)
    rows = pack.rows(train)
    for region in np.unique(regions[rows]):
        here = rows[regions[rows] == region]
        around = find_neighbours(
            pack.corners[here], [pack.crs[row] for row in here], mask.shape[1:]
        )
        noisy[here] = disturb(mask[here], [pack.tile_ids[row] for row in here], around, noise)
    if not noisy[rows].any():
        raise ValueError(
            f"--label-noise {noise} must leave a landslide pixel in train, but leaves none of the "
            f"{int(mask[rows].sum()):,} in {len(rows)} train tiles. Lower it."
        )
    return noisy


def disturb(
    mask: np.ndarray, tile_ids: Sequence[str], neighbours: np.ndarray, noise: LabelNoise
) -> np.ndarray:
    """Return labels with errors.

    Args:
        mask: Labels of one region's train tiles, shape ``(N, H, W)``, 0 or 1.
        tile_ids: Ids of the N tiles.
        neighbours: Of :func:`tuning.objects.mosaic.find_neighbours`.
        noise: The errors.

    Returns:
        Shape ``(N, H, W)``, the type of *mask*.
    """
    labels, _ = label_objects(mask, neighbours)
    at = np.flatnonzero(labels)
    _, first, of = np.unique(labels.ravel()[at], return_index=True, return_inverse=True)
    tiles, pixels = np.divmod(at[first], mask[0].size)
    draws = _draw([f"{noise.seed} {tile_ids[t]} {p}" for t, p in zip(tiles, pixels, strict=True)])
    kept = np.ones(len(first), bool)
    kept[np.argsort(draws[:, 0], kind="stable")[: round(noise.drop * len(first))]] = False
    angles = 2 * math.pi * draws[:, 1]
    down, right = (np.rint(noise.shift * f(angles)).astype(int) for f in (np.sin, np.cos))
    tile, row, column = np.unravel_index(at, mask.shape)
    row, column = row + down[of], column + right[of]
    inside = kept[of] & (np.minimum(row, column) >= 0)
    inside &= (row < mask.shape[1]) & (column < mask.shape[2])
    moved = np.zeros(mask.shape, bool)
    moved[tile[inside], row[inside], column[inside]] = True
    return _resize(moved, noise.dilate).astype(mask.dtype)


def _draw(names: Sequence[str]) -> np.ndarray:
    """Return two numbers in [0, 1) for each name, shape ``(K, 2)``: they depend on it alone."""
    digests = b"".join(hashlib.sha256(name.encode()).digest()[:8] for name in names)
    return np.frombuffer(digests, "<u4").reshape(-1, 2) / 2.0**32


def _resize(mask: np.ndarray, pixels: int) -> np.ndarray:
    """Grow or shrink each tile's landslides; beyond a tile's border, its edge counts as going on."""
    if not pixels:
        return mask
    resize = ndimage.binary_dilation if pixels > 0 else ndimage.binary_erosion
    resized: np.ndarray = resize(mask, _AROUND, iterations=abs(pixels), border_value=pixels < 0)
    return resized
