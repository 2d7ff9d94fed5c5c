"""Numbers that stand for no data though no file says so, and the places where a zero does.

Producers fill the surroundings of a swath with -9999, -32768, the extremes of float32 (GDAL: 3.4028235e38), netCDF's own fill
value (9.96921e36), 1e20, or infinity; none of these can be backscatter or a height. Zero can: published files end at 0 dB. It
is no data where it fills a square or runs along the border of an image. In the published and in synthetic tiles, slopes that
face the radar are as bright: the largest square that is all 0 dB has 9 x 9 px.

This module becomes part of every logged model.
"""

import numpy as np

NODATA = -9999
HUGE = 1e10  # larger numbers are nobody's backscatter, in any unit
BLOB_PX = 16  # side of the smallest square of zeros that is no data
INFINITE_PX = 4  # the same of +inf, which is damage where it stands alone


def find_fills(values: np.ndarray) -> np.ndarray:
    """Return where values are fills wherever they stand: -9999, everything below it, and finite numbers above 1e10."""
    with np.errstate(invalid="ignore"):
        return np.asarray((values <= NODATA) | ((values >= HUGE) & np.isfinite(values)))


def find_blobs(places: np.ndarray, side: int = BLOB_PX) -> np.ndarray:
    """Return the places that belong to a blob: a square of *side* px, or a run of that length along the border.

    Args:
        places: Where a number stands that is no data in blobs alone, shape ``(..., H, W)``, bool.
        side: In px; smaller in a smaller image.

    Returns:
        Same shape: the squares and runs, and what is connected with them within *side* px.
    """
    side = min(side, *places.shape[-2:])
    if not (_erode(places, -1, side).any() or _erode(places, -2, side).any()):
        return np.zeros_like(places)
    blobs: np.ndarray = (_open(places, side, -1) | _open(places, side, -2)) & places
    for _ in range(side):
        grown = _dilate(blobs) & places
        if np.array_equal(grown, blobs):
            break
        blobs = grown
    return blobs


def _open(places: np.ndarray, side: int, beyond: int) -> np.ndarray:
    """Return the places that a square of places covers; squares may reach over the border along the axis *beyond*."""
    widths = [(0, 0)] * places.ndim
    widths[beyond] = (side - 1, side - 1)
    padded = np.pad(places, widths, constant_values=True)
    squares = _erode(_erode(padded, -1, side), -2, side)
    if not squares.any():
        return np.zeros_like(places)
    widths = [(0, 0)] * (places.ndim - 2) + [(side - 1, side - 1)] * 2
    outside = ~np.pad(squares, widths)
    covered = ~_erode(_erode(outside, -1, side), -2, side)
    return np.asarray(np.take(covered, np.arange(places.shape[beyond]) + side - 1, axis=beyond))


def _erode(places: np.ndarray, axis: int, side: int) -> np.ndarray:
    """Return where a run of *side* places begins along an axis; the result is shorter by ``side - 1``."""
    length, axis = places.shape[axis] - side + 1, axis % places.ndim
    cuts = [(slice(None),) * axis + (slice(n, n + length),) for n in range(side)]
    found: np.ndarray = places[cuts[0]].copy()
    for cut in cuts[1:]:
        found &= places[cut]
    return found


def _dilate(places: np.ndarray) -> np.ndarray:
    """Add the neighbours along both axes of each place."""
    grown = places.copy()
    grown[..., 1:, :] |= places[..., :-1, :]
    grown[..., :-1, :] |= places[..., 1:, :]
    wide = grown.copy()
    grown[..., 1:] |= wide[..., :-1]
    grown[..., :-1] |= wide[..., 1:]
    return grown
