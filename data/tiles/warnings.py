"""What is suspicious about a tile that can be used: one short function for each kind of finding."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from data.tiles.catalogue import read_catalogue
from data.tiles.rules import (
    BANDS,
    EVENT,
    NODATA,
    ORBITS,
    TileWarning,
    list_variables,
    measure_shift,
)

SHIFT_M = 0.01  # what rounding may do to a coordinate
MIN_STD = 0.05  # dB or reflectance numbers; speckle alone gives about 2 dB


def find_storage(variables: Mapping[str, Any], modality: str) -> Iterator[TileWarning]:
    """Find variables that are stored as another type of number than published."""
    for name, published in list_variables(modality).items():
        if (stored := np.dtype(variables[name].dtype).name) != published:
            yield TileWarning(
                "storage-dtype", f"{name} is stored as {stored}, published as {published}."
            )


def find_place(tile_id: str, x: np.ndarray, y: np.ndarray) -> Iterator[TileWarning]:
    """Find a tile that the catalogue does not know, or that lies a little beside its place.

    Args:
        tile_id: Such as ``hokkaido_579``.
        x: Eastings in m, shape ``(W,)``.
        y: Northings in m, shape ``(H,)``.

    Yields:
        At most one finding.
    """
    if tile_id not in read_catalogue():
        yield TileWarning(
            "not-in-catalogue", f"{tile_id} is not in the catalogue of Hokkaido's tiles."
        )
    elif (shift_m := measure_shift(tile_id, x, y)) > SHIFT_M:
        yield TileWarning("shifted", f"It lies {shift_m:g} m beside its place in the catalogue.")


def find_gaps(
    bands: np.ndarray, dem: np.ndarray, times: np.ndarray, modality: str
) -> Iterator[TileWarning]:
    """Find pixels without data, and acquisitions of which a band has nothing else.

    Args:
        bands: Shape ``(T, C, H, W)``, NaN = no data.
        dem: Heights in m, shape ``(H, W)``, -9999 = no data.
        times: Acquisition times, shape ``(T,)``.
        modality: Names the bands.

    Yields:
        Up to one finding for the bands' gaps, one for the heights' and one for empty acquisitions.
    """
    gaps = np.isnan(bands).sum(axis=(2, 3))
    shares = gaps.sum(axis=0) / bands[:, 0].size
    if parts := _list_shares(BANDS[modality], shares):
        yield TileWarning("nodata", f"No data in {parts}.")
    if parts := _list_shares(["DEM"], [float(np.mean(dem == NODATA))]):
        yield TileWarning("nodata", f"No data in {parts}.")
    if (empty := (gaps == dem.size).any(axis=1)).any():
        days = ", ".join(np.datetime_as_string(times[empty], "D"))
        yield TileWarning("empty-step", f"A band has no data at all on {days}.")


def _list_shares(names: Sequence[str], shares: Sequence[float] | np.ndarray) -> str:
    pairs = zip(names, shares, strict=True)
    return ", ".join(f"{100 * share:.2g} % of {name}" for name, share in pairs if share > 0)


def find_flat(bands: np.ndarray, modality: str) -> Iterator[TileWarning]:
    """Find bands, shape ``(T, C, H, W)``, that hardly vary: power clipped as if it were dB does not."""
    spread = np.nanstd if np.isnan(bands).any() else np.std
    for i, name in enumerate(BANDS[modality]):
        if (std := float(spread(bands[:, i]))) < MIN_STD:
            unit = " dB" if modality in ORBITS else ""
            yield TileWarning(
                "constant-band", f"{name} has a standard deviation of {std:.2g}{unit} only."
            )


def find_mask(tile_id: str, mask: np.ndarray, annotated: str) -> Iterator[TileWarning]:
    """Find a mask that contradicts the file's own attribute or the catalogue.

    Args:
        tile_id: Such as ``hokkaido_579``.
        mask: 1 = landslide, shape ``(H, W)``.
        annotated: The file's attribute of that name, such as ``True``.

    Yields:
        At most one finding.
    """
    tile, count = read_catalogue().get(tile_id), int(mask.sum())
    if count == 0 and (annotated == "True" or (tile and tile.annotated_px)):
        said = (
            f"{tile.annotated_px} in the catalogue"
            if tile
            else "an annotated tile by its attribute"
        )
        yield TileWarning("mask-empty", f"MASK has no landslide pixel, but {said}.")
    elif tile and count != tile.annotated_px:
        text = f"MASK has {count} landslide pixels, but {tile.annotated_px} in the catalogue."
        yield TileWarning("mask-differs-from-catalogue", text)


def find_dates(times: np.ndarray) -> Iterator[TileWarning]:
    """Find a series, shape ``(T,)``, that has no acquisition before or none after the event."""
    span = " to ".join(np.datetime_as_string(times[[0, -1]], "D"))
    if times[0] > EVENT:
        yield TileWarning("no-date-before-event", f"All acquisitions ({span}) lie after the event.")
    if times[-1] <= EVENT:
        yield TileWarning("no-date-after-event", f"All acquisitions ({span}) lie before the event.")
