"""Check the files of one tile in a worker process, which a damaged file may crash."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data.check.report import UNUSABLE, USABLE, Facts, FileReport, TileReport, classify
from data.io.processes import WorkerDied, map_processes
from data.io.read_file import TransientError, killed_error
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
from data.tiles.rules import tile_error
from data.tiles.warnings import NOT_IN_CATALOGUE, find_catalogue_warnings


@dataclass(frozen=True)
class CheckJob:
    """The files of one tile to check.

    Attributes:
        tile_id: Such as ``hokkaido_579``.
        hashes: Expected SHA-256 by modality; empty if no manifest lists the file.
        missing: Modalities that the folder has, but not for this tile.
    """

    tile_id: str
    hashes: dict[str, str]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class TileCheck:
    """The reports on a job's tile and files."""

    tile: TileReport
    files: tuple[FileReport, ...]


def check_each(
    work: Callable[[CheckJob], TileCheck],
    jobs: Sequence[CheckJob],
    workers: int | None = None,
    progress: bool = True,
) -> list[TileCheck]:
    """Run all jobs; where a process dies, find the file that crashed it.

    Args:
        work: Such as a partial of :func:`check_tile`.
        jobs: One per tile.
        workers: Number of processes; by default one per core.
        progress: Whether to show a progress bar on stderr.

    Returns:
        One result per job; a file that crashes its process has the verdict ``crash``, one whose process was killed each
        time, as for want of memory, ``unread``: it may be usable.
    """
    results = list(map_processes(work, jobs, "checking tiles", workers=workers, progress=progress))
    return [
        _check_file_by_file(work, job) if isinstance(result, WorkerDied) else result
        for job, result in zip(jobs, results, strict=True)
    ]


def _check_file_by_file(work: Callable[[CheckJob], TileCheck], job: CheckJob) -> TileCheck:
    """Run a job for each of its files alone, then once more without the files that crash their process."""
    single = [replace(job, hashes={name: digest}) for name, digest in job.hashes.items()]
    results = list(map_processes(work, single, "file by file", progress=False))
    crashing = {
        name: result.killed
        for name, result in zip(job.hashes, results, strict=True)
        if isinstance(result, WorkerDied)
    }
    rest = {name: digest for name, digest in job.hashes.items() if name not in crashing}
    final = next(map_processes(work, [replace(job, hashes=rest)], "the others", progress=False))
    if isinstance(final, WorkerDied):  # the files crash only together
        crashing = dict.fromkeys(job.hashes, final.killed)
        final = TileCheck(TileReport(job.tile_id, (), USABLE), ())
    crashed = tuple(_report_crash(job.tile_id, name, killed) for name, killed in crashing.items())
    return TileCheck(replace(final.tile, modalities=tuple(job.hashes)), (*final.files, *crashed))


def _report_crash(tile_id: str, modality: str, killed: bool) -> FileReport:
    path = tile_path(Path(), tile_id, modality).as_posix()
    if killed:
        return FileReport(path, modality, tile_id, UNUSABLE, "unread", str(killed_error(path)))
    reason = (
        f"A tile must be readable NetCDF, but got a crash of the process that read {path}. "
        "Get the file again, or remove the tile from all folders."
    )
    return FileReport(path, modality, tile_id, UNUSABLE, "crash", reason)


def check_tile(root: Path, units: Units | None, job: CheckJob) -> TileCheck:
    """Check the files of one tile, and compare those that are readable.

    Args:
        root: The folder.
        units: Unit that Sentinel-1 files must have; by default guessed for each file.
        job: The tile.
    """
    files: list[FileReport] = []
    tiles: list[Tile] = []
    for modality, digest in job.hashes.items():
        report, tile = _check_file(root, job.tile_id, modality, units, digest)
        files.append(report)
        tiles += [tile] if tile else []
    warnings: list[TileWarning] = []
    if job.missing:
        text = f"It has no file of {' and '.join(job.missing)}."
        warnings.append(TileWarning("unpaired", text))
    warnings += find_catalogue_warnings(job.tile_id)
    verdict = reason = ""
    try:
        warnings += compare_tiles(tiles)
    except TileError as error:
        verdict, reason = error.verdict, str(error)
    return TileCheck(
        TileReport(
            tile_id=job.tile_id,
            modalities=tuple(job.hashes),
            state=classify(verdict, warnings),
            verdict=verdict,
            reason=reason,
            warnings=tuple(warnings),
        ),
        tuple(files),
    )


def _check_file(
    root: Path, tile_id: str, modality: str, units: Units | None, digest: str
) -> tuple[FileReport, Tile | None]:
    path = tile_path(root, tile_id, modality)
    name = path.relative_to(root).as_posix()
    if is_empty(path):
        reason = str(tile_error("empty", "A tile must be readable NetCDF", "an empty file", path))
        return FileReport(name, modality, tile_id, UNUSABLE, "empty", reason), None
    warnings = _compare_hash(path, digest)
    try:
        guess = guess_units(path) if modality in ORBITS else None
        tile = open_tile(path, units or guess or "dB")
    except FileNotFoundError as error:
        return FileReport(name, modality, tile_id, UNUSABLE, "missing", str(error)), None
    except TransientError as error:
        return FileReport(name, modality, tile_id, UNUSABLE, "unread", str(error), warnings), None
    except TileError as error:
        verdict, reason = error.verdict, str(error)
        return FileReport(name, modality, tile_id, UNUSABLE, verdict, reason, warnings), None
    warnings += tuple(one for one in tile.warnings if one.name != NOT_IN_CATALOGUE)  # the tile's
    facts = _list_facts(tile, guess or "")
    state = classify("", warnings)
    return FileReport(name, modality, tile_id, state, warnings=warnings, facts=facts), tile


def is_empty(path: Path) -> bool:
    """Return whether a file is there and has no content."""
    try:
        return path.stat().st_size == 0 and path.is_file()
    except OSError:
        return False


def _compare_hash(path: Path, digest: str) -> tuple[TileWarning, ...]:
    try:
        if digest and hash_file(path) != digest:
            return (TileWarning("changed", "Its SHA-256 differs from the manifest's."),)
    except OSError:
        pass  # open_tile reports it
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
        event="" if tile.event is None else str(np.datetime_as_string(tile.event, "D")),
        synthetic=tile.synthetic,
        days=tuple(map(str, np.datetime_as_string(tile.times, "D"))),
        corner=(float(tile.x[0]), float(tile.y[0])),
    )
