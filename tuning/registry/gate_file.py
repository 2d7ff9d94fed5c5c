"""The gate's windows as the artifact ``gate.npz`` of a campaign's run: the report reads MLflow alone, so the campaign logs them."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.io.safe_arrays import ArraySpec, read_arrays
from data.io.safe_json import refused_error
from data.pack import Pack
from data.tiles import ACQUISITIONS
from tuning.registry.gate_tiles import MAX_TILES, SQUARE_PX, GateTiles, make_gate_tiles

logger = logging.getLogger(__name__)

GATE_FILE = "gate.npz"  # artifact of the campaign's run
_HALVES = ("x", "before", "placebo")
_ARRAYS = {
    "x": ArraySpec("float16", (None, None, None, *SQUARE_PX)),
    "before": ArraySpec("float16", (None, None, *SQUARE_PX)),
    "placebo": ArraySpec("float16", (None, None, None, *SQUARE_PX)),
    "mask": ArraySpec("uint8", (None, *SQUARE_PX)),
    "after": ArraySpec("int64", (None, None)),
    "days": ArraySpec("float32", (None, None)),
    "placebo_days": ArraySpec("float32", (None, None)),
}
_LATER = ("placebo", "days", "placebo_days")  # earlier releases did not write them


def write_gate_tiles(
    pack: Pack,
    val: Sequence[str],
    channels: Sequence[str],
    timesteps: int,
    steps: str,
    folder: Path,
) -> list[Path]:
    """Write ``gate.npz`` into a folder; return its path, or an empty list if no val tile is suitable."""
    try:
        tiles = make_gate_tiles(pack, val, channels, timesteps, steps)
    except ValueError as error:
        logger.warning("No model of this campaign can be promoted. %s", error)
        return []
    halves = {name: getattr(tiles, name).astype(np.float16) for name in _HALVES}
    others = {name: getattr(tiles, name) for name in ("mask", "after", "days", "placebo_days")}
    np.savez_compressed(folder / GATE_FILE, **others, **halves)
    return [folder / GATE_FILE]


def read_gate_tiles(file: Path) -> GateTiles:
    """Read ``gate.npz``: plain arrays within the limits of :mod:`data.io.safe_arrays`.

    Raises:
        ValueError: If the file has other arrays or shapes than :func:`write_gate_tiles` writes.
    """
    arrays = read_arrays(file, _ARRAYS, optional=_LATER)
    x = arrays["x"]
    tiles, steps, channels = x.shape[:3]
    placebo = arrays.setdefault("placebo", x[:0])
    arrays.setdefault("days", np.full((tiles, steps), np.nan, np.float32))
    arrays.setdefault("placebo_days", np.full((len(placebo), steps), np.nan, np.float32))
    shapes = {
        "before": (tiles, channels),
        "mask": (tiles,),
        "after": (tiles, channels),
        "days": (tiles, steps),
        "placebo_days": (len(placebo), steps),
    }
    wrong = [name for name, shape in shapes.items() if arrays[name].shape[: len(shape)] != shape]
    if arrays["placebo"].shape[1:] != x.shape[1:] or len(arrays["placebo"]) > tiles:
        wrong.append("placebo")
    if wrong or not x.size or tiles > MAX_TILES or steps > ACQUISITIONS:
        got = f"x of shape {x.shape} and {', '.join(wrong) or 'no array'} of another size"
        raise refused_error(f"A gate must have equal arrays of 1 to {MAX_TILES} tiles", got, file)
    halves = {name: arrays[name].astype(np.float32) for name in _HALVES}
    return GateTiles(**(arrays | halves))
