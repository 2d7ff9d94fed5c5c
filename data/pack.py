"""All tiles of a data set as arrays on disk, made once and mapped into memory by every trial.

A pack is a folder ``pack-<hash>``: ``x.f16`` with backscatter in dB, ``mask.u8``, ``dem.i16``, ``times.npy``,
``moments.npy`` and ``manifest.json``. The hash covers the content of every tile file.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from data.machine import count_cpus
from data.rows import CHANNELS, SAR_CHANNELS, TileRow, read_row
from data.tiles import (
    ACQUISITIONS,
    ORBITS,
    TILE_PX,
    TileError,
    Units,
    hash_file,
    list_tiles,
    list_unpaired,
    tile_path,
)

logger = logging.getLogger(__name__)

FORMAT = 1  # raise when the arrays' layout changes: older packs are then made again
_SHAPES = {
    "x.f16": (ACQUISITIONS, len(SAR_CHANNELS), TILE_PX, TILE_PX),
    "mask.u8": (TILE_PX, TILE_PX),
    "dem.i16": (TILE_PX, TILE_PX),
}
_DTYPES = {"x.f16": np.float16, "mask.u8": np.uint8, "dem.i16": np.int16}


@dataclass(frozen=True)
class Pack:
    """Arrays of N tiles, mapped into memory.

    Attributes:
        path: The pack's folder.
        hash: Twelve hex digits over the content of all tile files.
        synthetic: Whether the tiles come from the twin.
        tile_ids: The N ids in the order of the arrays.
        excluded: Reason by tile id for every tile that could not be used.
        x: Backscatter in dB, shape ``(N, T, C, H, W)``, float16, C as ``SAR_CHANNELS``, NaN = no data.
        mask: 1 = landslide, shape ``(N, H, W)``, uint8.
        dem: Height in m, shape ``(N, H, W)``, int16.
        times: Acquisition times, shape ``(N, orbits, T)``, datetime64[s].
        moments: Count, sum and sum of squares per channel of ``CHANNELS``, shape ``(N, C + 1, 3)``.
    """

    path: Path
    hash: str
    synthetic: bool
    tile_ids: tuple[str, ...]
    excluded: dict[str, str]
    x: np.ndarray
    mask: np.ndarray
    dem: np.ndarray
    times: np.ndarray
    moments: np.ndarray

    def rows(self, tile_ids: Sequence[str]) -> np.ndarray:
        """Return the array rows of *tile_ids*, in their order."""
        at = {tile: row for row, tile in enumerate(self.tile_ids)}
        return np.array([at[tile] for tile in tile_ids], dtype=np.int64)


def _hash_tile(root: Path, tile_id: str) -> list[str]:
    return [hash_file(tile_path(root, tile_id, orbit)) for orbit in ORBITS]


def _hash_inputs(root: Path, tile_ids: Sequence[str], units: Units, workers: int) -> str:
    """Hash what a pack is made from: the files' content, their units and the pack's format."""
    with ThreadPoolExecutor(workers) as pool:  # hashing releases the interpreter's lock
        digests = list(pool.map(partial(_hash_tile, root), tile_ids))
    named = [FORMAT, units, dict(zip(tile_ids, digests, strict=True))]
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:12]


def _read_rows(
    root: Path, tile_ids: Sequence[str], units: Units, workers: int
) -> Iterator[tuple[str, TileRow | str]]:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        rows = pool.map(partial(read_row, root, units), tile_ids, chunksize=4)
        yield from zip(
            tile_ids, tqdm(rows, "packing tiles", len(tile_ids), unit="tile"), strict=True
        )


def _write(
    folder: Path, rows: Iterator[tuple[str, TileRow | str]]
) -> tuple[list[str], dict[str, str]]:
    """Append every usable row to the arrays of *folder*; return the ids written and the reasons."""
    kept: list[str] = []
    excluded: dict[str, str] = {}
    times, moments = [], []
    with (
        (folder / "x.f16").open("wb") as x,
        (folder / "mask.u8").open("wb") as mask,
        (folder / "dem.i16").open("wb") as dem,
    ):
        for tile_id, row in rows:
            if isinstance(row, str):
                excluded[tile_id] = row
                continue
            if row.warning:
                logger.warning("%s: %s; %s's is used.", tile_id, row.warning, ORBITS[0])
            for file, array in ((x, row.x), (mask, row.mask), (dem, row.dem)):
                file.write(np.ascontiguousarray(array).tobytes())
            kept.append(tile_id)
            times.append(row.times)
            moments.append(row.moments)
    if kept:
        np.save(folder / "times.npy", np.stack(times))
        np.save(folder / "moments.npy", np.stack(moments))
    return kept, excluded


def make_pack(
    tiles: Path,
    packs: Path,
    *,
    synthetic: bool,
    units: Units = "dB",
    tile_ids: Sequence[str] | None = None,
    workers: int | None = None,
) -> Pack:
    """Pack the tiles of a data folder, or reuse the pack made of the very same files.

    Args:
        tiles: Data folder with ``s1asc/`` and ``s1dsc/``.
        packs: Folder that holds the packs.
        synthetic: Whether *tiles* are the twin's.
        units: Unit of the files' backscatter; linear power becomes dB.
        tile_ids: Tiles to pack; all that have both orbits when left out.
        workers: Processes that read tiles; the machine's cores when left out.

    Returns:
        The pack. Tiles that could not be used are in ``excluded`` with their reasons.

    Raises:
        FileNotFoundError: If *tiles* is no data folder.
        TileError: If no tile can be used.
    """
    found = list_tiles(tiles)
    chosen = found if tile_ids is None else [tile for tile in tile_ids if tile in set(found)]
    workers = workers or count_cpus()
    digest = _hash_inputs(tiles, chosen, units, workers)
    final = packs / f"pack-{digest}"
    if (final / "manifest.json").is_file():
        logger.info("Reusing the pack %s.", final)
        return load_pack(final)
    aside = packs / f".{final.name}.{os.getpid()}"
    aside.mkdir(parents=True)
    try:
        kept, excluded = _write(aside, _read_rows(tiles, chosen, units, workers))
        excluded |= dict.fromkeys(list_unpaired(tiles), "It has one orbit direction only.")
        if not kept:
            reason = next(iter(excluded.values()), "The folder has no tile with both orbits.")
            raise TileError(
                f"A pack needs at least one usable tile, but got none of {len(excluded)} in {tiles}. "
                f"The first reason: {reason}"
            )
        manifest = {
            "format": FORMAT,
            "hash": digest,
            "synthetic": synthetic,
            "units": units,
            "source": str(tiles.resolve()),
            "channels": CHANNELS,
            "tile_ids": kept,
            "excluded": excluded,
        }
        (aside / "manifest.json").write_text(json.dumps(manifest, indent=1))
        _publish(aside, final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return load_pack(final)


def _publish(aside: Path, final: Path) -> None:
    """Rename the finished folder into place; another process may have been first with the same."""
    try:
        aside.rename(final)
    except OSError:
        if not (final / "manifest.json").is_file():
            raise


def load_pack(path: Path) -> Pack:
    """Map a pack's arrays into memory.

    Raises:
        FileNotFoundError: If *path* holds no finished pack.
    """
    if not (path / "manifest.json").is_file():
        raise FileNotFoundError(
            f"A pack is a folder with a manifest.json, but got {path}. "
            "Make one with `python -m tuning.run`."
        )
    manifest: dict[str, Any] = json.loads((path / "manifest.json").read_text())
    count = len(manifest["tile_ids"])
    arrays = {
        name: np.memmap(path / name, dtype=_DTYPES[name], mode="r", shape=(count, *shape))
        for name, shape in _SHAPES.items()
    }
    return Pack(
        path=path.resolve(),
        hash=manifest["hash"],
        synthetic=manifest["synthetic"],
        tile_ids=tuple(manifest["tile_ids"]),
        excluded=manifest["excluded"],
        x=arrays["x.f16"],
        mask=arrays["mask.u8"],
        dem=arrays["dem.i16"],
        times=np.load(path / "times.npy"),
        moments=np.load(path / "moments.npy"),
    )
