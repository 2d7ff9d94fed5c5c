"""All tiles of a data set as arrays on disk, made once and mapped into memory by every trial.

A pack is a folder ``pack-<hash>``; its files are those of :mod:`data.pack.file_format`. The hash covers the content of
every tile file, so a changed, added or removed tile makes another pack; what an earlier pack already holds is
copied from there, and only the other tiles are read.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from data.io.processes import WorkerDied, count_cpus, map_processes
from data.pack.file_format import FORMAT, MANIFEST, Pack, PackWriter, count_bytes, load_pack
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

__all__ = ["Pack", "load_pack", "make_pack"]

logger = logging.getLogger(__name__)

READER_CRASHED = (
    "Reading it ended the process: the file is damaged in a way that its library does not survive."
)


@dataclass(frozen=True)
class _Request:
    """Which tiles to pack, and from what."""

    root: Path
    modalities: tuple[str, ...]
    units: Units
    tile_ids: tuple[str, ...]
    workers: int | None

    def hash_tile(self, tile_id: str) -> str:
        """Hash what a tile's row is made from: format, unit and the content of its files."""
        paths = (tile_path(self.root, tile_id, modality) for modality in self.modalities)
        text = json.dumps(
            [FORMAT, self.units, self.modalities, [hash_file(path) for path in paths]]
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def hash_tiles(self) -> dict[str, str]:
        """Hash every tile."""
        threads = self.workers or count_cpus()
        with ThreadPoolExecutor(threads) as pool:  # hashing releases the interpreter's lock
            return dict(zip(self.tile_ids, pool.map(self.hash_tile, self.tile_ids), strict=True))


def _list_earlier(packs: Path, modalities: Sequence[str]) -> list[Pack]:
    """List the packs of the same format and modalities, the newest first."""
    found = []
    for file in sorted(packs.glob(f"pack-*/{MANIFEST}"), key=lambda file: -file.stat().st_mtime):
        try:
            pack = load_pack(file.parent)
        except (ValueError, KeyError, OSError) as error:
            logger.info("Not reused: %s: %s", file.parent, error)
            continue
        if pack.modalities == tuple(modalities):
            found.append(pack)
    return found


def _find_rows(earlier: Sequence[Pack], digests: dict[str, str]) -> dict[str, Pack]:
    """Find the tiles that some earlier pack has read from the very same files."""
    found: dict[str, Pack] = {}
    for pack in reversed(earlier):  # the newest wins
        known = {*pack.tile_ids, *pack.excluded}
        same = (tile for tile, digest in digests.items() if pack.digests.get(tile) == digest)
        found |= {tile: pack for tile in same if tile in known}
    return found


def _read_rows(
    request: _Request, earlier: dict[str, Pack]
) -> Iterator[tuple[str, TileRow | Pack | str]]:
    """Yield each tile's row, the pack that has it, or the reason why it cannot be used."""
    fresh = [tile for tile in request.tile_ids if tile not in earlier]
    work = partial(read_tile_row, request.root, request.modalities, request.units)
    read = map_processes(work, fresh, "packing tiles", workers=request.workers)
    for tile in request.tile_ids:
        if tile in earlier:
            yield tile, earlier[tile].excluded.get(tile, earlier[tile])
        else:
            row = next(read)
            yield tile, READER_CRASHED if isinstance(row, WorkerDied) else row


def _write(
    writer: PackWriter, rows: Iterator[tuple[str, TileRow | Pack | str]]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Write every usable row; return the reasons of the others, and what is suspicious."""
    excluded: dict[str, str] = {}
    suspicious: dict[str, list[str]] = {}
    for tile_id, row in rows:
        if isinstance(row, str):
            excluded[tile_id] = row
        elif isinstance(row, Pack):
            writer.copy(tile_id, row)
            if tile_id in row.suspicious:
                suspicious[tile_id] = row.suspicious[tile_id]
        else:
            writer.add(tile_id, row)
            if row.findings:
                suspicious[tile_id] = list(row.findings)
    return excluded, suspicious


def _check_space(packs: Path, request: _Request) -> None:
    needed = count_bytes(request.modalities, len(request.tile_ids))
    if (free := shutil.disk_usage(packs).free) < needed:
        raise OSError(
            f"A pack of {len(request.tile_ids)} tiles needs {needed / 1e6:.0f} MB, but got "
            f"{free / 1e6:.0f} MB free in {packs}. Free space there or give another folder (--root)."
        )


def make_pack(
    tiles: Path,
    packs: Path,
    *,
    units: Units | None = None,
    modalities: Sequence[str] = ORBITS,
    tile_ids: Sequence[str] | None = None,
    workers: int | None = None,
) -> Pack:
    """Pack the tiles of a data folder, or reuse the pack made of the very same files.

    Args:
        tiles: Data folder with a folder per modality.
        packs: Folder that holds the packs.
        units: Unit of the files' backscatter; linear power becomes dB. What the folder's manifest
            says when left out.
        modalities: Which of ``data.tiles.MODALITIES`` to pack; a tile must have them all.
        tile_ids: Tiles to pack; all that have the modalities when left out.
        workers: Processes that read tiles; as many as :func:`data.io.processes.map_processes` finds right when left out.

    Returns:
        The pack. Tiles that could not be used are in ``excluded`` with their reasons, tiles that are
        used but look odd in ``suspicious``.

    Raises:
        FileNotFoundError: If *tiles* is no data folder.
        TileError: If no tile can be used.
        OSError: If there is no space for the pack.
    """
    source, found = read_manifest(tiles, units), set(list_tiles(tiles, modalities))
    chosen = sorted(found) if tile_ids is None else [tile for tile in tile_ids if tile in found]
    request = _Request(tiles, tuple(modalities), source.units, tuple(chosen), workers)
    digests = request.hash_tiles()
    lack = f"It lacks a file of {' or '.join(modalities)}."
    unpaired = dict.fromkeys(list_unpaired(tiles, modalities), lack)
    content = json.dumps([digests, unpaired, source.synthetic], sort_keys=True)
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
    with _open_aside(final) as aside:
        _fill(aside, request, manifest, unpaired)
        _publish(aside, final)
    return load_pack(final)


@contextmanager
def _open_aside(final: Path) -> Iterator[Path]:
    """Make a folder of this process next to *final*, to be renamed or removed at the end."""
    aside = final.with_name(f".{final.name}.{os.getpid()}")
    aside.mkdir(parents=True)
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _fill(
    folder: Path, request: _Request, manifest: dict[str, Any], unpaired: dict[str, str]
) -> None:
    """Write a pack's files, the manifest last."""
    _check_space(folder.parent, request)
    earlier = _find_rows(_list_earlier(folder.parent, request.modalities), manifest["digests"])
    if earlier:
        logger.info("Of %d tiles, %d are packed already.", len(request.tile_ids), len(earlier))
    with PackWriter(folder, request.modalities) as writer:
        excluded, suspicious = _write(writer, _read_rows(request, earlier))
    excluded |= unpaired
    if not writer.tile_ids:
        raise _nothing_usable(excluded, request.root)
    writer.finish({**manifest, "excluded": excluded, "suspicious": suspicious})


def _nothing_usable(excluded: dict[str, str], tiles: Path) -> TileError:
    reason = next(iter(excluded.values()), "The folder has none of the tiles asked for.")
    return TileError(
        f"A pack needs at least one usable tile, but got none of {len(excluded)} in {tiles}. "
        f"The first reason: {reason}"
    )


def _publish(aside: Path, final: Path) -> None:
    """Rename the finished folder into place; another process may have been first with the same."""
    try:
        aside.rename(final)
    except OSError:
        if not (final / MANIFEST).is_file():
            raise
