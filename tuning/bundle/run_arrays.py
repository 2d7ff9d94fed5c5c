"""The arrays of one run in a bundle: its histograms without their empty cells, and its counts.

A histogram is stored as the steps from each filled cell to the next (the first from -1) and the pixels of each, so that a map's
65,025 bins take as many bytes as it has different probabilities.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from data.io.safe_arrays import ArraySpec, read_arrays
from data.io.safe_json import refused_error
from tuning.bundle.archive import zip_files
from tuning.metrics.histogram import BINS
from tuning.objects.boundary import LENGTH as BOUNDARY
from tuning.objects.object_scores import LENGTH as OBJECTS
from tuning.report.sums.run_result import TILE_BINS

CELLS = 2 * TILE_BINS  # of a tile's histogram: background, then landslide
_LIST16, _LIST = ArraySpec("uint16", (None,)), ArraySpec("uint32", (None,))
_TABLES = {"at_half": 4, "at_val": 4, "objects": OBJECTS, "boundary": BOUNDARY}
# By the histogram's name: its number of cells. The histogram against the true ground has the bins of landslide pixels alone, since
# the others of each bin are its background.
_WHOLE = {"counts": 2 * BINS, "val": 2 * BINS, "truth": BINS}
OPTIONAL = ("val", "truth")
SPECS = {
    "tile_cells": _LIST16,
    "cell_steps": _LIST16,
    "cell_pixels": _LIST16,
    **{f"{name}_{what}": _LIST for name in _WHOLE for what in ("steps", "pixels")},
    **{name: ArraySpec("uint32", (None, width)) for name, width in _TABLES.items()},
}


def encode_run(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the ``.npz`` of a run.

    Args:
        arrays: ``tiles (N, CELLS)``, ``counts (2, BINS)``, ``at_half``, ``at_val`` and ``boundary (N, 4)``, ``objects (N, 29)``,
            and where they are known ``val (2, BINS)`` and ``truth (2, BINS)``.

    Raises:
        ValueError: If *truth* counts other pixels than *counts*.
    """
    filled = [np.flatnonzero(tile) for tile in arrays["tiles"]]
    steps = [np.diff(cells, prepend=-1) for cells in filled]
    found: dict[str, np.ndarray] = {
        "tile_cells": np.array([len(cells) for cells in filled], np.uint16),
        "cell_steps": np.concatenate(steps).astype(np.uint16),
        "cell_pixels": arrays["tiles"][arrays["tiles"] > 0].astype(np.uint16),
        **{name: arrays[name].astype(np.uint32) for name in _TABLES},
    }
    for name in _WHOLE:
        if name not in arrays:
            continue
        whole = arrays[name]
        if name == "truth":
            if not np.array_equal(whole.sum(axis=0), arrays["counts"].sum(axis=0)):
                raise ValueError(
                    "The histogram against the true ground must count the pixels of that against the labels, but got "
                    f"{whole.sum():,} and {arrays['counts'].sum():,}. Measure the run again."
                )
            whole = whole[1]
        cells = np.flatnonzero(whole)
        found[f"{name}_steps"] = np.diff(cells, prepend=-1).astype(np.uint32)
        found[f"{name}_pixels"] = whole.reshape(-1)[cells].astype(np.uint32)
    return zip_files({f"{name}.npy": _dump(array) for name, array in found.items()}, packed=False)


def _dump(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
    return content.getvalue()


def decode_run(path: Path, tiles: int) -> dict[str, np.ndarray]:
    """Read the arrays that :func:`encode_run` took, without those that the run does not have.

    Args:
        path: The file.
        tiles: Number of test tiles of the run.

    Raises:
        RefusedError: If the file holds other arrays, another number of tiles, or a cell that no histogram has.
    """
    optional = [f"{name}_{what}" for name in OPTIONAL for what in ("steps", "pixels")]
    arrays = read_arrays(path, SPECS, optional)
    sizes = {len(arrays[name]) for name in ("tile_cells", *_TABLES)}
    if sizes != {tiles}:
        got = " and ".join(map(str, sorted(sizes)))
        raise refused_error(f"All counts must be of the run's {tiles} test tiles", got, path.name)
    found = {name: arrays[name].astype(np.int64) for name in _TABLES}
    found["tiles"] = _fill_tiles(arrays, path)
    for name, cells in _WHOLE.items():
        if f"{name}_steps" not in arrays or f"{name}_pixels" not in arrays:
            continue
        steps, pixels = (arrays[f"{name}_{what}"].astype(np.int64) for what in ("steps", "pixels"))
        found[name] = _fill(steps, pixels, cells, f"the histogram {name}", path)
    return _shape_whole(found, path)


def _fill_tiles(arrays: Mapping[str, np.ndarray], path: Path) -> np.ndarray:
    """Return every tile's histogram, shape ``(N, CELLS)``, uint16."""
    ends = np.cumsum(arrays["tile_cells"], dtype=np.int64)
    if not len(ends) or len(arrays["cell_steps"]) != ends[-1]:
        got = f"{len(arrays['cell_steps']):,} for {ends[-1] if len(ends) else 0:,}"
        raise refused_error("Every filled cell must have its step", got, path)
    tiles = np.zeros((len(ends), CELLS), np.uint16)
    steps, pixels = arrays["cell_steps"].astype(np.int64), arrays["cell_pixels"]
    for row, (start, end) in enumerate(zip(np.r_[0, ends[:-1]], ends, strict=True)):
        one = pixels[start:end]
        tiles[row] = _fill(steps[start:end], one, CELLS, f"the histogram of tile {row}", path)
    return tiles


def _fill(steps: np.ndarray, pixels: np.ndarray, cells: int, what: str, path: Path) -> np.ndarray:
    """Return a histogram of so many cells, int64."""
    at = np.cumsum(steps) - 1
    if len(steps) != len(pixels) or steps.min(initial=1) < 1 or at.max(initial=0) >= cells:
        got = f"{len(steps):,} steps that end at {at.max(initial=0):,}, and {len(pixels):,} numbers"
        raise refused_error(f"{what} must fill some of {cells:,} cells, each once", got, path)
    histogram = np.zeros(cells, np.int64)
    histogram[at] = pixels
    return histogram


def _shape_whole(found: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    for name in ("counts", "val"):
        if name in found:
            found[name] = found[name].reshape(2, BINS)
    if "truth" in found:
        landslides = found["truth"]
        background = found["counts"].sum(axis=0) - landslides
        if background.min() < 0:
            rule = "The histogram against the true ground must count the run's pixels"
            raise refused_error(rule, "more of them in a bin", path)
        found["truth"] = np.stack([background, landslides])
    return found
