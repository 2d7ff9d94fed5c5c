"""Builds a pack: all tiles of a data set as arrays on disk, made once and memory-mapped by every trial.

A pack is a folder ``pack-<hash>`` with the files of :mod:`data.pack.file_format`. The hash covers the content of every
tile file, so a changed, added or removed tile gives a new pack. Unchanged tiles are copied from earlier packs; only
the others are read.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from data.io.processes import WorkerDied, count_cpus, map_processes
from data.pack.file_format import FORMAT, MANIFEST, PackWriter, count_bytes, load_pack
from data.pack.pack import Pack
from data.pack.tile_row import TileRow, read_tile_row
from data.tiles import (
    ORBITS,
    TileError,
    Units,
    hash_file,
    list_tiles,
    list_unpaired,
    tile_path,
)
from data.tiles.manifest import read_manifest
from data.tiles.paths import region_of
from data.tiles.regions import read_regions

logger = logging.getLogger(__name__)

READER_CRASHED = "The NetCDF library crashed while reading it: the file is damaged."


@dataclass(frozen=True)
class _Request:
    """The tiles to pack, and how to read them."""

    root: Path
    modalities: tuple[str, ...]
    units: Units
    tile_ids: tuple[str, ...]
    workers: int | None

    def hash_tile(self, tile_id: str) -> str:
        """Return the hash of everything that determines a tile's row: format, unit, content of its files."""
        paths = (tile_path(self.root, tile_id, modality) for modality in self.modalities)
        text = json.dumps(
            [FORMAT, self.units, self.modalities, [hash_file(path) for path in paths]]
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def hash_tiles(self) -> dict[str, str]:
        """Return the hash of every tile by id."""
        threads = self.workers or count_cpus()
        with ThreadPoolExecutor(threads) as pool:  # hashing releases the GIL
            return dict(zip(self.tile_ids, pool.map(self.hash_tile, self.tile_ids), strict=True))


def _list_earlier(packs: Path, modalities: Sequence[str]) -> list[Pack]:
    """Return the packs of the same format and modalities, newest first."""
    earlier = []
    for file in sorted(packs.glob(f"pack-*/{MANIFEST}"), key=lambda file: -file.stat().st_mtime):
        try:
            pack = load_pack(file.parent)
        except (ValueError, KeyError, OSError) as error:
            logger.info("Not reusing the pack %s: %s", file.parent, error)
            continue
        if pack.modalities == tuple(modalities):
            earlier.append(pack)
    return earlier


def _find_rows(earlier: Sequence[Pack], digests: dict[str, str]) -> dict[str, Pack]:
    """Return, by tile id, the newest earlier pack that read the tile from identical files."""
    packs: dict[str, Pack] = {}
    for pack in reversed(earlier):  # newest last, so that it wins
        known = {*pack.tile_ids, *pack.excluded}
        same = (tile for tile, digest in digests.items() if pack.digests.get(tile) == digest)
        packs |= {tile: pack for tile in same if tile in known}
    return packs


def _read_rows(request: _Request, earlier: dict[str, Pack]) -> Iterator[tuple[str, TileRow | str]]:
    """Yield each tile's row, or the reason why the tile is unusable."""
    unread = [tile for tile in request.tile_ids if tile not in earlier]
    work = partial(read_tile_row, request.root, request.modalities, request.units)
    rows = map_processes(work, unread, "packing tiles", workers=request.workers)
    for tile in request.tile_ids:
        if tile in earlier:
            pack = earlier[tile]
            yield tile, pack.excluded[tile] if tile in pack.excluded else pack.tile_row(tile)
        else:
            row = next(rows)
            yield tile, READER_CRASHED if isinstance(row, WorkerDied) else row


def _write(
    writer: PackWriter, rows: Iterator[tuple[str, TileRow | str]]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Write every usable row; return why tiles were excluded, and the warnings about others, by tile id."""
    excluded: dict[str, str] = {}
    suspicious: dict[str, list[str]] = {}
    for tile_id, row in rows:
        if isinstance(row, str):
            excluded[tile_id] = row
        else:
            writer.add(tile_id, row)
            if row.warnings:
                suspicious[tile_id] = list(row.warnings)
    return excluded, suspicious


def _check_space(packs: Path, request: _Request) -> None:
    needed = count_bytes(request.modalities, len(request.tile_ids))
    if (free := shutil.disk_usage(packs).free) < needed:
        raise OSError(
            f"A pack of {len(request.tile_ids)} tiles needs {needed / 1e6:.0f} MB, but got "
            f"{free / 1e6:.0f} MB free in {packs}. Free disk space or choose another folder with --root."
        )


def make_pack(
    tiles: Path,
    packs: Path,
    *,
    units: Units | None = None,
    modalities: Sequence[str] = ORBITS,
    tile_ids: Sequence[str] | None = None,
    workers: int | None = None,
    events: Mapping[str, np.datetime64] | None = None,
) -> Pack:
    """Pack the tiles of a data folder, or reuse the pack of identical files.

    Args:
        tiles: Data folder with a subfolder per modality.
        packs: Folder of all packs.
        units: Unit of the files' backscatter; linear power is converted to dB. By default the unit in the
            folder's manifest.
        modalities: Modalities to pack, out of ``data.tiles.MODALITIES``; a tile must have all of them.
        tile_ids: Tiles to pack; by default all that have the modalities.
        workers: Processes that read tiles; by default chosen by :func:`data.io.processes.map_processes`.
        events: Times of events by region that replace the files' own, as in :func:`data.tiles.events.fill_events`.

    Returns:
        The pack. Its ``excluded`` gives the reason for every unusable tile, its ``suspicious`` the warnings about
        tiles that are used.

    Raises:
        FileNotFoundError: If *tiles* is not a data folder.
        TileError: If no tile is usable, or some tiles are synthetic and others real.
        ValueError: If the event of a region is unknown.
        OSError: If the disk has too little free space.
    """
    regions = None if tile_ids is None else set(map(region_of, tile_ids))
    source, available = read_manifest(tiles, units), set(list_tiles(tiles, modalities, regions))
    chosen = (
        sorted(available) if tile_ids is None else [tile for tile in tile_ids if tile in available]
    )
    request = _Request(tiles, tuple(modalities), source.units, tuple(chosen), workers)
    digests = request.hash_tiles()
    reason = f"It lacks a file of {' or '.join(modalities)}."
    unpaired = dict.fromkeys(list_unpaired(tiles, modalities, regions), reason)
    given = {region: str(time) for region, time in (events or {}).items()}
    known = {name: str(read_regions()[name].event) for name in _list_known(chosen)}
    content = json.dumps([digests, unpaired, source.synthetic, given, known], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    final = packs / f"pack-{digest}"
    if (final / MANIFEST).is_file():
        logger.info("Reusing the pack %s.", final)
        return load_pack(final)
    manifest = {
        "hash": digest,
        "synthetic": source.synthetic,
        "units": source.units,
        "source": str(tiles.resolve()),
        "origin": source.origin,
        "seed": source.seed,
        "modalities": list(modalities),
        "digests": digests,
    }
    with _temporary_folder(final) as temporary:
        _fill(temporary, request, manifest, unpaired, events)
        _publish(temporary, final)
    return load_pack(final)


def _list_known(tile_ids: Sequence[str]) -> set[str]:
    """Return the tiles' regions that the catalogue knows: a new event there changes what is packed."""
    return {region_of(tile) for tile in tile_ids} & read_regions().keys()


@contextmanager
def _temporary_folder(final: Path) -> Iterator[Path]:
    """Create a temporary folder next to *final*; delete it at the end unless it was renamed."""
    temporary = final.with_name(f".{final.name}.{os.getpid()}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(
    folder: Path,
    request: _Request,
    manifest: dict[str, Any],
    unpaired: dict[str, str],
    events: Mapping[str, np.datetime64] | None,
) -> None:
    """Write a pack's files, with the manifest last."""
    _check_space(folder.parent, request)
    earlier = _find_rows(_list_earlier(folder.parent, request.modalities), manifest["digests"])
    if earlier:
        logger.info(
            "Copying %d of %d tiles from earlier packs.", len(earlier), len(request.tile_ids)
        )
    with PackWriter(folder, request.modalities) as writer:
        excluded, suspicious = _write(writer, _read_rows(request, earlier))
    excluded |= unpaired
    if not writer.tile_ids:
        raise _nothing_usable(excluded, request.root)
    writer.finish({**manifest, "excluded": excluded, "suspicious": suspicious}, events)


def _nothing_usable(excluded: dict[str, str], tiles: Path) -> TileError:
    reason = next(iter(excluded.values()), "The folder has none of the requested tiles.")
    return TileError(
        f"A pack needs at least one usable tile, but got none of {len(excluded)} in {tiles}. "
        f"The first reason: {reason}"
    )


def _publish(temporary: Path, final: Path) -> None:
    """Rename the finished folder; another process may have published the same pack first."""
    try:
        temporary.rename(final)
    except OSError:
        if not (final / MANIFEST).is_file():
            raise
