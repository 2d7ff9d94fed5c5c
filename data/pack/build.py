"""Builds a pack: all tiles of a data set as arrays on disk, made once and memory-mapped by every trial.

A pack is a folder ``pack-<hash>`` with the files of :mod:`data.pack.file_format`. The hash covers the content of every
tile file and the tiles that are left out, so a changed, added or removed tile gives a new pack. Unchanged tiles are
copied from earlier packs; only the others are read. A tile is left out for what its files are, never for an error of
the moment: that ends the build, and the next one starts afresh.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.io.durable import building_folder, publish_folder
from data.io.processes import WorkerDied, count_cpus, map_processes
from data.io.read_file import killed_error
from data.io.safe_json import read_json
from data.pack.file_format import FORMAT, MANIFEST, PackWriter, count_bytes, load_pack
from data.pack.integrity import find_damage
from data.pack.pack import Pack
from data.pack.tile_row import TileRequest, TileRow
from data.tiles import ORBITS, TileError, Units, list_tiles, list_unpaired
from data.tiles.manifest import TileManifest, read_manifest
from data.tiles.paths import region_of
from data.tiles.regions import read_regions

logger = logging.getLogger(__name__)

READER_CRASHED = "The NetCDF library crashed while reading it: the file is damaged."


def _list_earlier(packs: Path, modalities: Sequence[str]) -> list[Pack]:
    """Return the packs of the same format and modalities, newest first; their values are not checked yet."""
    earlier = []
    for file in sorted(packs.glob(f"pack-*/{MANIFEST}"), key=lambda file: -file.stat().st_mtime):
        try:
            pack = load_pack(file.parent, check=False)
        except (ValueError, KeyError, OSError) as error:
            logger.info("Not reusing the pack %s: %s", file.parent, error)
            continue
        if pack.modalities == tuple(modalities):
            earlier.append(pack)
    return earlier


def _find_rows(earlier: Sequence[Pack], digests: dict[str, str]) -> dict[str, Pack]:
    """Return, by tile id, the newest earlier pack that has the tile's undamaged values, read from identical files."""
    packs: dict[str, Pack] = {}
    for pack in earlier:
        rows = [t for t in pack.tile_ids if t not in packs and pack.digests[t] == digests.get(t)]
        damage = find_damage(pack, rows)
        for tile, names in damage.items():
            logger.warning(
                "%s is read again: its %s are damaged in %s. Check the disk.",
                *(tile, ", ".join(names), pack.path),
            )
        packs |= {tile: pack for tile in rows if tile not in damage}
    return packs


def _read_rows(
    request: TileRequest, earlier: dict[str, Pack], digests: dict[str, str], workers: int | None
) -> Iterator[tuple[str, TileRow | str]]:
    """Yield each tile's row, or the reason why the tile is unusable.

    Raises:
        TransientError: If an error of the moment prevents that a tile is read.
        TileError: If a tile's files change meanwhile.
    """
    unread = [tile for tile in request.tile_ids if tile not in earlier]
    answers = map_processes(request.read, unread, "packing tiles", workers=workers)
    for tile in request.tile_ids:
        if tile in earlier:
            yield tile, earlier[tile].tile_row(tile)
            continue
        answer = next(answers)
        if isinstance(answer, WorkerDied):
            if answer.killed:
                raise killed_error(f"The tile {tile} of {request.root}")
            yield tile, READER_CRASHED
            continue
        digest, row = answer
        if digest != digests[tile]:
            raise TileError(
                f"Tiles must stay as they are while they are packed, but {tile} of {request.root} was changed. "
                "Give the same command again once nothing writes there."
            )
        yield tile, row


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


def _check_space(packs: Path, request: TileRequest) -> None:
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
        TransientError: If an error of the moment, such as of a disk or too little memory, prevents that a tile is read.
        OSError: If the disk has too little free space.
    """
    regions = None if tile_ids is None else set(map(region_of, tile_ids))
    source, available = read_manifest(tiles, units), set(list_tiles(tiles, modalities, regions))
    chosen = (
        sorted(available) if tile_ids is None else [tile for tile in tile_ids if tile in available]
    )
    request = TileRequest(tiles, tuple(modalities), source.units, tuple(chosen), FORMAT)
    digests = request.hash_tiles(workers or count_cpus())
    reason = f"It lacks a file of {' or '.join(modalities)}."
    unpaired = dict.fromkeys(list_unpaired(tiles, modalities, regions), reason)
    given = {region: str(time) for region, time in (events or {}).items()}
    known = {name: str(read_regions()[name].event) for name in _list_known(chosen)}
    inputs = _hash([digests, unpaired, source.synthetic, given, known])
    if (found := _find_whole(packs, inputs)) is not None:
        logger.info("Reusing the pack %s.", found.path)
        return found
    manifest = _describe(request, source) | {"inputs": inputs, "digests": digests}
    with building_folder(packs / f"pack-{inputs}") as temporary:
        final = packs / f"pack-{_fill(temporary, request, manifest, unpaired, events, workers)}"
        _publish(temporary, final)
    return load_pack(final)


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _find_whole(packs: Path, inputs: str) -> Pack | None:
    """Return the pack of the same request if all its values are as they were written, None if there is none."""
    for file in packs.glob(f"pack-*/{MANIFEST}"):
        try:
            if read_json(file).get("inputs") == inputs:
                return load_pack(file.parent)
        except (ValueError, OSError) as error:  # found again, and named, where its rows are reused
            logger.warning("The pack %s is built anew. %s", file.parent.name, error)
    return None


def _describe(request: TileRequest, source: TileManifest) -> dict[str, Any]:
    return {
        "synthetic": source.synthetic,
        "units": source.units,
        "source": str(request.root.resolve()),
        "origin": source.origin,
        "seed": source.seed,
        "modalities": list(request.modalities),
    }


def _list_known(tile_ids: Sequence[str]) -> set[str]:
    """Return the tiles' regions that the catalogue knows: a new event there changes what is packed."""
    return {region_of(tile) for tile in tile_ids} & read_regions().keys()


def _fill(
    folder: Path,
    request: TileRequest,
    manifest: dict[str, Any],
    unpaired: dict[str, str],
    events: Mapping[str, np.datetime64] | None,
    workers: int | None,
) -> str:
    """Write a pack's files, with the manifest last; return its hash."""
    _check_space(folder.parent, request)
    digests = manifest["digests"]
    earlier = _find_rows(_list_earlier(folder.parent, request.modalities), digests)
    if earlier:
        logger.info(
            "Copying %d of %d tiles from earlier packs.", len(earlier), len(request.tile_ids)
        )
    with PackWriter(folder, request.modalities) as writer:
        excluded, suspicious = _write(writer, _read_rows(request, earlier, digests, workers))
    excluded |= unpaired
    if not writer.tile_ids:
        raise _nothing_usable(excluded, request.root)
    digest = _hash([manifest["inputs"], sorted(excluded)])
    left_out = {"hash": digest, "excluded": excluded, "suspicious": suspicious}
    writer.finish({**manifest, **left_out}, events)
    return digest


def _nothing_usable(excluded: dict[str, str], tiles: Path) -> TileError:
    reason = next(iter(excluded.values()), "The folder has none of the requested tiles.")
    return TileError(
        f"A pack needs at least one usable tile, but got none of {len(excluded)} in {tiles}. "
        f"The first reason: {reason}"
    )


def _publish(temporary: Path, final: Path) -> None:
    """Name the finished folder; another process may have published the same pack first."""
    try:
        publish_folder(temporary, final)
    except OSError:
        try:
            load_pack(final)
        except (ValueError, OSError):
            publish_folder(temporary, final, replace=True)
