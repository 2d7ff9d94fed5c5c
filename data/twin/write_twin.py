"""The synthetic twin: invented tiles in the real format, at the real places.

`make_twin` writes the 290 Hokkaido tiles of Sen12Landslides as two orbit directions of NetCDF files.
Places, annotated pixels per tile and smooth heights are real; all else follows from a seed. The twin
shows that the whole line runs, and how hard the task is of its kind; its scores say nothing about
real landslides.

    python -m data.twin --to PATH [--seed N] [--version harmonized|raw] [--tiles ID ...] [--workers N]
"""

import difflib
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from tqdm import tqdm

from data.io.errors import unknown_name
from data.io.processes import count_cpus
from data.io.safe_json import read_json
from data.tiles import ORBITS, hash_file, tile_id_of, tile_path
from data.tiles.catalogue import CATALOGUE_FILE
from data.twin.terrain import FIELDS_FILE, Site, read_sites
from data.twin.write_tile import Version, write_site

logger = logging.getLogger(__name__)

MANIFEST = "twin.json"

_VERSIONS: tuple[Version, ...] = get_args(Version)
_SOURCES = sorted(set(Path(__file__).parent.glob("[a-z]*.py")))
_MAX_SEED = 2**32 - 1
_FILE_BYTES = 900_000  # largest file, of the raw version
_LEFTOVER_S = 3600  # a live attempt writes a file every second
_TILES_PER_WORKER = 8  # fewer do not repay a process's start


def make_twin(
    root: Path,
    *,
    seed: int = 2018,
    version: Version = "harmonized",
    tile_ids: Sequence[str] | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the twin below *root*, or reuse the one that lies there whole.

    Args:
        root: Folder for twins; it is made if missing.
        seed: From 0 to 2**32 - 1. The same seed gives the same bytes.
        version: ``harmonized`` writes dB, ``raw`` linear power.
        tile_ids: Tiles to write; all 290 if None.
        workers: Processes; one per CPU if None.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The folder ``twin-<version>-<hash of code, inputs and request>``. It holds ``s1asc/``, ``s1dsc/``
        and ``twin.json`` with each file's SHA-256. It appears whole or not at all.
        Several processes may ask for it at once; threads may not, since NetCDF's library crashes.

    Raises:
        ValueError: If the seed, the version, a tile id or the workers are not as above.
        OSError: If the folder cannot be written.
    """
    sites = check_request(seed, version, tile_ids, workers)
    folder = Path(root) / f"twin-{version}-{_fingerprint(sites, seed, version)}"
    if not (damaged := _find_damaged(folder, sites)):
        logger.info("Reused the twin in %s", folder)
        return folder
    if folder.exists():
        names = ", ".join(path.name for path in damaged)
        logger.warning("Made again, damaged or missing in %s: %s", folder, names)
    orbits: dict[str, tuple[str, ...]] = {}
    for path in damaged:
        orbits[tile_id_of(path)] = (*orbits.get(tile_id_of(path), ()), path.parent.name)
    with _open_aside(folder, len(damaged)) as name:
        aside = Path(name) / folder.name
        jobs = [(aside, read_sites()[i], orbits[i], seed, version) for i in orbits]
        hashes = _write(jobs, workers, progress)
        _publish(aside, folder, hashes, {"synthetic": True, "seed": seed, "version": version})
    logger.info("Wrote %d synthetic files to %s", len(hashes), folder)
    return folder


def is_synthetic(root: Path) -> bool:
    """Tell whether a tile folder is a twin, by its manifest."""
    return (Path(root) / MANIFEST).is_file()


def check_request(
    seed: int, version: str, tile_ids: Sequence[str] | None = None, workers: int | None = None
) -> list[Site]:
    """Return the tiles asked for, sorted by id, or raise ValueError that says what is wrong."""
    if not 0 <= seed <= _MAX_SEED:
        raise ValueError(f"A seed must be from 0 to {_MAX_SEED}, but got {seed}.")
    if version not in _VERSIONS:
        raise ValueError(unknown_name("version", version, _VERSIONS))
    if workers is not None and workers < 1:
        raise ValueError(f"Workers must be 1 or more, but got {workers}.")
    sites = read_sites()
    for tile_id in tile_ids or ():
        if tile_id not in sites:
            near = difflib.get_close_matches(tile_id, sites, n=1, cutoff=0)[0]
            rule = f"A tile id must be one of the {len(sites)} in {CATALOGUE_FILE.name}"
            raise ValueError(f"{rule}, but got {tile_id!r}. Did you mean {near!r}?")
    if tile_ids is not None and not tile_ids:
        raise ValueError(
            "A twin must have a tile, but got an empty list. Leave it out for all 290."
        )
    return [sites[tile_id] for tile_id in sorted(set(sites if tile_ids is None else tile_ids))]


def _fingerprint(sites: Sequence[Site], seed: int, version: str) -> str:
    request = {"seed": seed, "version": version, "tiles": [site.tile_id for site in sites]}
    digest = hashlib.sha256(json.dumps(request).encode())
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
        return {}  # every file then counts as damaged and is made again


def _open_aside(folder: Path, files: int) -> TemporaryDirectory[str]:
    """Open a folder of this process next to *folder*, to be renamed or removed at the end."""
    root = folder.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        if (free := shutil.disk_usage(root).free) < files * _FILE_BYTES:
            raise OSError(f"{free / 1e6:.0f} MB free of {files * _FILE_BYTES / 1e6:.0f} MB needed")
        return TemporaryDirectory(prefix=f"{folder.name}.{os.getpid()}.", dir=root)
    except OSError as error:
        raise OSError(
            f"A twin must have a folder with space to write to, but got {error} for {root}. "
            "Free space there or give another folder (--to)."
        ) from error


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed attempt left, once it is too old to belong to a live one."""
    for aside in folder.parent.glob(f"{folder.name}.*"):
        newest = max(path.stat().st_mtime for path in (aside, *aside.rglob("*")))
        if time.time() - newest > _LEFTOVER_S:
            logger.info("Removed what a killed attempt left: %s", aside)
            shutil.rmtree(aside, ignore_errors=True)


def _write(jobs: Sequence[tuple[Any, ...]], workers: int | None, progress: bool) -> dict[str, str]:
    workers = min(workers or count_cpus(), -(-len(jobs) // _TILES_PER_WORKER))
    with tqdm(total=len(jobs), desc="Twin", unit="tile", disable=not progress) as bar:
        hashes: dict[str, str] = {}
        for some in _run(jobs, workers):
            hashes |= some
            bar.update()
    return dict(sorted(hashes.items()))


def _run(jobs: Sequence[tuple[Any, ...]], workers: int) -> Iterable[dict[str, str]]:
    if workers == 1:
        yield from (write_site(*job) for job in jobs)
        return
    # Forking a process that runs threads (torch, Ray) can deadlock.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            for done in as_completed([pool.submit(write_site, *job) for job in jobs]):
                yield done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _publish(aside: Path, folder: Path, hashes: dict[str, str], about: dict[str, Any]) -> None:
    """Move the files to their place, the manifest last."""
    old = _read_hashes(folder)
    manifest = json.dumps(about | {"files": old | hashes}, indent=1)
    (aside / MANIFEST).write_text(manifest, encoding="utf-8")
    if not folder.exists():
        try:
            aside.rename(folder)
            return
        except OSError:
            if not folder.exists():
                raise
            logger.info("Another process wrote %s meanwhile", folder)
    for name in (*hashes, MANIFEST):
        (folder / name).parent.mkdir(exist_ok=True)
        (aside / name).replace(folder / name)
