"""Checking one tile's files, each in a process that it may take down without harm to the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data.check.report import Facts, FileReport, TileReport, classify
from data.io.processes import WorkerDied, map_processes
from data.tiles import (
    DIMS,
    ORBITS,
    Tile,
    TileError,
    TileWarning,
    Units,
    compare_tiles,
    guess_units,
    hash_file,
    open_tile,
    tile_path,
)


@dataclass(frozen=True)
class CheckJob:
    """The files of one tile that are to be checked.

    Attributes:
        tile_id: Such as ``hokkaido_579``.
        hashes: Expected SHA-256 by modality, empty where no manifest has one.
        lacks: Modalities that the folder has, but not of this tile.
    """

    tile_id: str
    hashes: dict[str, str]
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What came of a job."""

    tile: TileReport
    files: tuple[FileReport, ...]


def check_each(
    work: Callable[[CheckJob], Checked],
    jobs: Sequence[CheckJob],
    workers: int | None = None,
    progress: bool = True,
) -> list[Checked]:
    """Do every job, and blame a process's end on the very file that caused it.

    Args:
        work: Such as a partial of :func:`check_tile`.
        jobs: One for each tile.
        workers: Processes; the cores at hand when left out.
        progress: Whether to show a bar on stderr.

    Returns:
        One result per job; a file that ends its process has the verdict ``ends-its-process``.
    """
    results = list(map_processes(work, jobs, "checking tiles", workers=workers, progress=progress))
    return [
        _blame(work, job) if isinstance(result, WorkerDied) else result
        for job, result in zip(jobs, results, strict=True)
    ]


def _blame(work: Callable[[CheckJob], Checked], job: CheckJob) -> Checked:
    """Do a job again file by file, then once more without the files that end their process."""
    alone = [replace(job, hashes={name: digest}) for name, digest in job.hashes.items()]
    results = list(map_processes(work, alone, "file by file", progress=False))
    fatal = [
        name for name, one in zip(job.hashes, results, strict=True) if isinstance(one, WorkerDied)
    ]
    alive = {name: digest for name, digest in job.hashes.items() if name not in fatal}
    rest = replace(job, hashes=alive)
    again = next(map_processes(work, [rest], "the others", progress=False))
    if isinstance(again, WorkerDied):  # only together
        fatal, again = list(job.hashes), Checked(TileReport(job.tile_id, (), "usable"), ())
    dead = tuple(_report_death(job.tile_id, name) for name in fatal)
    tile = replace(again.tile, modalities=tuple(job.hashes))
    return Checked(tile, (*again.files, *dead))


def _report_death(tile_id: str, modality: str) -> FileReport:
    path = tile_path(Path(), tile_id, modality).as_posix()
    reason = (
        f"A tile must be readable NetCDF, but got the end of the process that read it in {path}. "
        "Get the file again, or remove the tile from all folders."
    )
    return FileReport(path, modality, tile_id, "unusable", "ends-its-process", reason)


def check_tile(root: Path, units: Units | None, job: CheckJob) -> Checked:
    """Check the files of one tile, and what can be read of them against each other.

    Args:
        root: The folder.
        units: Unit that Sentinel-1's files must have; what each seems to have when left out.
        job: The tile.
    """
    files, tiles, found = [], [], []
    for modality, digest in job.hashes.items():
        report, tile = _check_file(root, job.tile_id, modality, units, digest)
        files.append(report)
        tiles += [tile] if tile else []
    if job.lacks:
        found.append(TileWarning("unpaired", f"It has no file of {' and '.join(job.lacks)}."))
    verdict = reason = ""
    try:
        found += compare_tiles(tiles)
    except TileError as error:
        verdict, reason = error.verdict, str(error)
    state = classify(verdict, found)
    names = tuple(job.hashes)
    return Checked(
        TileReport(job.tile_id, names, state, verdict, reason, tuple(found)), tuple(files)
    )


def _check_file(
    root: Path, tile_id: str, modality: str, units: Units | None, digest: str
) -> tuple[FileReport, Tile | None]:
    path = tile_path(root, tile_id, modality)
    name = path.relative_to(root).as_posix()
    found = _find_change(path, digest)
    try:
        guess = guess_units(path) if modality in ORBITS else None
        tile = open_tile(path, units or guess or "dB")
    except FileNotFoundError as error:
        return FileReport(name, modality, tile_id, "unusable", "missing", str(error)), None
    except TileError as error:
        verdict, reason = error.verdict, str(error)
        return FileReport(name, modality, tile_id, "unusable", verdict, reason, found), None
    found += tile.findings
    facts = _list_facts(tile, guess or "")
    state = classify("", found)
    return FileReport(name, modality, tile_id, state, findings=found, facts=facts), tile


def _find_change(path: Path, digest: str) -> tuple[TileWarning, ...]:
    try:
        if digest and hash_file(path) != digest:
            return (TileWarning("changed", "Its content is not what the manifest lists."),)
    except OSError:
        pass  # reading it as a tile says more
    return ()


def _list_facts(tile: Tile, units: str) -> Facts:
    return Facts(
        dims=DIMS,
        shape=(len(tile.times), len(tile.x), len(tile.y)),
        dates=len(tile.times),
        first=str(np.datetime_as_string(tile.times[0], "D")),
        last=str(np.datetime_as_string(tile.times[-1], "D")),
        units=units,
        nodata_share=float(np.isnan(tile.bands).mean()),
        mask_share=float(tile.mask.mean()),
        crs=tile.crs,
    )
