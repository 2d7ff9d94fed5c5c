"""Write the synthetic twin: simulated tiles in the real format, with a mark inside each file.

`make_twin` writes the tiles of one or more regions (see `data.twin.regions`) as NetCDF files in two orbit directions. The 290
tiles of Hokkaido have real positions, annotated pixels per tile and smooth heights; everything else follows from a seed. The
twin shows that the pipeline runs from end to end, and how difficult a task of this kind is; its scores mean nothing for real
landslides.
"""

import difflib
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from tqdm import tqdm

from data.io.errors import unknown_name
from data.io.processes import ITEMS_PER_WORKER, WorkerDied, count_cpus, map_processes
from data.io.safe_json import read_json
from data.tiles import ORBITS, hash_file, tile_id_of, tile_path
from data.tiles.catalogue import CATALOGUE_FILE
from data.tiles.regions import DEFAULT_REGION, choose_regions
from data.twin.regions import FIELDS_FILE, REGIONS, Site, read_sites
from data.twin.write_tile import Version, write_site

logger = logging.getLogger(__name__)

MANIFEST = "twin.json"
VERSIONS: tuple[Version, ...] = get_args(Version)

Job = tuple[Site, tuple[str, ...]]  # a tile and the orbits to write
_SOURCES = sorted(set(Path(__file__).parent.glob("[a-z]*.py")))
_MAX_SEED = 2**32 - 1
_FILE_BYTES = 900_000  # the largest file, in the raw version
_LEFTOVER_S = 3600  # a running process writes a file every second


def make_twin(
    root: Path,
    *,
    seed: int = 2018,
    version: Version = "harmonized",
    regions: Sequence[str] = (DEFAULT_REGION,),
    tile_ids: Sequence[str] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the twin in a subfolder of *root*, or reuse a complete one.

    Args:
        root: Parent folder; it is created if missing.
        seed: From 0 to 2**32 - 1. The same seed gives the same bytes.
        version: ``harmonized`` writes dB, ``raw`` linear power.
        regions: Regions to write, of :data:`data.twin.regions.REGIONS`, or ``all``; one folder holds all of them.
        tile_ids: Tiles to write, of any region; all of *regions* if None.
        workers: Number of processes; one per core if None.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The folder ``twin-<version>-<hash of code, inputs and arguments>``. It holds ``s1asc/``, ``s1dsc/`` and
        ``twin.json`` with each file's SHA-256. It is created atomically. Several processes may call this at once, but
        not several threads, since the NetCDF library is not thread-safe.

    Raises:
        ValueError: If an argument is out of range, or a region or a tile id is unknown.
        OSError: If the folder cannot be written.
    """
    sites = select_sites(seed, version, tile_ids, workers, regions)
    folder = Path(root) / f"twin-{version}-{_fingerprint(sites, seed, version)}"
    if not (damaged := _find_damaged(folder, sites)):
        logger.info("Reused the twin in %s", folder)
        return folder
    if folder.exists():
        names = ", ".join(path.name for path in damaged)
        logger.warning("Rewriting damaged or missing files in %s: %s", folder, names)
    orbits: dict[str, tuple[str, ...]] = {}
    for path in damaged:
        orbits[tile_id_of(path)] = (*orbits.get(tile_id_of(path), ()), path.parent.name)
    with _open_temporary(folder, len(damaged)) as name:
        temporary = Path(name) / folder.name
        jobs = [(read_sites()[tile_id], orbits[tile_id]) for tile_id in orbits]
        hashes = _write(partial(_write_job, temporary, seed, version), jobs, workers, progress)
        header = {"synthetic": True, "seed": seed, "version": version}
        _publish(temporary, folder, hashes, header | {"regions": sorted({s.region for s in sites})})
    logger.info("Wrote %d synthetic files to %s", len(hashes), folder)
    return folder


def select_sites(
    seed: int,
    version: str,
    tile_ids: Sequence[str] | None = None,
    workers: int | None = None,
    regions: Sequence[str] = (DEFAULT_REGION,),
) -> list[Site]:
    """Return the requested tiles, sorted by id; raise ValueError if an argument is invalid."""
    if not 0 <= seed <= _MAX_SEED:
        raise ValueError(f"A seed must be from 0 to {_MAX_SEED}, but got {seed}.")
    if version not in VERSIONS:
        raise ValueError(unknown_name("version", version, VERSIONS))
    if workers is not None and workers < 1:
        raise ValueError(f"Workers must be 1 or more, but got {workers}.")
    chosen = choose_regions(regions, REGIONS)
    sites = read_sites()
    for tile_id in tile_ids or ():
        if tile_id not in sites:
            closest = difflib.get_close_matches(tile_id, sites, n=1, cutoff=0)[0]
            rule = f"A tile id must be one of the {len(sites)} of {', '.join(REGIONS)}"
            raise ValueError(f"{rule}, but got {tile_id!r}. Did you mean {closest!r}?")
    if tile_ids is None:
        tile_ids = [site.tile_id for site in sites.values() if site.region in chosen]
    if not tile_ids:
        raise ValueError(
            "A twin must have at least one tile, but got an empty list. Omit it for all tiles of a region."
        )
    return [sites[tile_id] for tile_id in sorted(set(tile_ids))]


def hash_sources() -> str:
    """Return twelve hexadecimal digits that change with the code and the inputs of the twin."""
    digest = hashlib.sha256()
    for path in (*_SOURCES, CATALOGUE_FILE, FIELDS_FILE):
        digest.update(hash_file(path).encode())
    return digest.hexdigest()[:12]


def _fingerprint(sites: Sequence[Site], seed: int, version: str) -> str:
    arguments = {"seed": seed, "version": version, "tiles": [site.tile_id for site in sites]}
    digest = hashlib.sha256(json.dumps(arguments).encode())
    for path in (*_SOURCES, CATALOGUE_FILE, FIELDS_FILE):
        digest.update(hash_file(path).encode())
    return digest.hexdigest()[:12]


def _find_damaged(folder: Path, sites: Sequence[Site]) -> list[Path]:
    hashes = _read_hashes(folder)
    paths = [tile_path(folder, site.tile_id, orbit) for site in sites for orbit in ORBITS]
    return [path for path in paths if not _is_whole(path, hashes, folder)]


def _is_whole(path: Path, hashes: dict[str, str], folder: Path) -> bool:
    name = path.relative_to(folder).as_posix()
    return name in hashes and path.is_file() and hash_file(path) == hashes[name]


def _read_hashes(folder: Path) -> dict[str, str]:
    try:
        return dict(read_json(folder / MANIFEST)["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # all files then count as damaged and are rewritten


def _open_temporary(folder: Path, files: int) -> TemporaryDirectory[str]:
    """Create this process's temporary folder next to *folder*, after a check of the free space."""
    root = folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        if (free := shutil.disk_usage(root).free) < files * _FILE_BYTES:
            raise OSError(f"{free / 1e6:.0f} MB free of {files * _FILE_BYTES / 1e6:.0f} MB needed")
        return TemporaryDirectory(prefix=f"{folder.name}.{os.getpid()}.", dir=root)
    except OSError as error:
        raise OSError(
            f"The twin's folder must be writable and have space, but got {error} for {root}. "
            "Free disk space or choose another folder with --to."
        ) from error


def _remove_leftovers(folder: Path) -> None:
    """Delete temporary folders of killed processes, recognised by their age."""
    for leftover in folder.parent.glob(f"{folder.name}.*"):
        newest = max(path.stat().st_mtime for path in (leftover, *leftover.rglob("*")))
        if time.time() - newest > _LEFTOVER_S:
            logger.info("Deleting the temporary folder of a killed process: %s", leftover)
            shutil.rmtree(leftover, ignore_errors=True)


def _write_job(root: Path, seed: int, version: Version, job: Job) -> dict[str, str]:
    site, orbits = job
    return write_site(root, site, orbits, seed, version)


def _write(
    write: Callable[[Job], dict[str, str]], jobs: Sequence[Job], workers: int | None, progress: bool
) -> dict[str, str]:
    """Write all tiles, in this process if they are few; return the files' hashes, sorted by path."""
    hashes: dict[str, str] = {}
    count = min(workers or count_cpus(), -(-len(jobs) // ITEMS_PER_WORKER))
    if count == 1:
        for job in tqdm(jobs, desc="Twin", unit="tile", disable=not progress):
            hashes |= write(job)
    else:
        for result in map_processes(write, jobs, "Twin", workers=count, progress=progress):
            if isinstance(result, WorkerDied):
                raise OSError(
                    "A synthetic tile must be written completely, but got the death of its process. "
                    "Free memory or use fewer --workers."
                )
            hashes |= result
    return dict(sorted(hashes.items()))


def _publish(temporary: Path, folder: Path, hashes: dict[str, str], header: dict[str, Any]) -> None:
    """Move the files to *folder*, the manifest last."""
    manifest = header | {"files": _read_hashes(folder) | hashes}
    (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    if not folder.exists():
        try:
            temporary.rename(folder)
            return
        except OSError:
            if not folder.exists():
                raise
            logger.info("Another process has written %s in the meantime", folder)
    for name in (*hashes, MANIFEST):
        (folder / name).parent.mkdir(exist_ok=True)
        (temporary / name).replace(folder / name)
