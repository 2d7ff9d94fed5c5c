"""Check a folder of tiles: each file, then each tile across its modalities.

A file is usable, suspicious (usable, with warnings) or unusable (with the name of the broken rule). Files listed in a
manifest are compared with their SHA-256.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from data.check.leak_folder import audit_files
from data.check.report import UNUSABLE, FileReport, FolderReport
from data.check.tile import CheckJob, TileCheck, check_each, check_tile, is_empty
from data.io.safe_json import is_string_map, read_json
from data.tiles import MODALITIES, ORBITS, TileError, Units, tile_id_of, tile_path
from data.tiles.manifest import MANIFESTS, mixed_error, untrue_error
from data.tiles.paths import region_of
from data.tiles.regions import ALL_REGIONS, choose_regions


def check_folder(
    root: Path,
    units: Units | None = None,
    workers: int | None = None,
    progress: bool = True,
    *,
    regions: Sequence[str] = (ALL_REGIONS,),
) -> FolderReport:
    """Check every tile file in a folder.

    Args:
        root: Folder with at least one of ``s1asc/``, ``s1dsc/`` and ``s2/``, and optionally a manifest.
        units: Unit that all Sentinel-1 files must have; by default the unit of most files.
        workers: Number of processes; by default one per core.
        progress: Whether to show a progress bar on stderr.
        regions: Regions to check, such as ``hokkaido``, or ``all``.

    Returns:
        Reports on all files and tiles, including files that the manifest lists but the folder lacks.

    Raises:
        FileNotFoundError: If *root* is no tile folder.
        TileError: If some of its tiles are synthetic and others real.
        ValueError: If its manifest is invalid or contradicts the files, or a region is unknown.
    """
    root = Path(root)
    names = _list_names(root)
    claim, hashes = _read_manifest(root)
    jobs, misplaced, ignored = _sort_names(root, sorted({*names, *hashes}), hashes)
    counts = Counter(region_of(job.tile_id) for job in jobs)
    chosen = choose_regions(regions, sorted(counts))
    jobs = [job for job in jobs if region_of(job.tile_id) in chosen]
    listed = {modality for job in jobs for modality in job.hashes}
    modalities = tuple(m for m in MODALITIES if m in listed or (root / m).is_dir())
    jobs = [
        replace(job, missing=tuple(m for m in modalities if m not in job.hashes)) for job in jobs
    ]
    results = _check_jobs(root, units, jobs, workers, progress)
    files = [file for result in results for file in result.files]
    units = units or _find_majority(files)
    files = [_check_unit(root, file, units) for file in files] + misplaced
    return FolderReport(
        root=str(root),
        synthetic=_find_origin(root, claim, files),
        manifest=claim is not None,
        units=units if any(name in ORBITS for name in modalities) else "",
        modalities=modalities,
        regions={name: counts[name] for name in chosen},
        files=tuple(sorted(files, key=lambda file: file.path)),
        tiles=tuple(result.tile for result in results),
        ignored=tuple(ignored),
        leaks=audit_files(files),
    )


def _check_jobs(
    root: Path,
    units: Units | None,
    jobs: Sequence[CheckJob],
    workers: int | None,
    progress: bool,
) -> list[TileCheck]:
    """Check tiles in worker processes, but those whose files are all empty at once."""
    work = partial(check_tile, root, units)
    full = [
        job
        for job in jobs
        if not all(is_empty(tile_path(root, job.tile_id, name)) for name in job.hashes)
    ]
    results = check_each(work, full, workers, progress) if full else []
    checked = {result.tile.tile_id: result for result in results}
    return [checked.get(job.tile_id) or work(job) for job in jobs]


def _find_origin(root: Path, claim: bool | None, files: Sequence[FileReport]) -> bool | None:
    """Return whether the tiles are synthetic, from the files' own marks and the manifest's *claim*.

    Files of the twin may lack the mark; their manifest then says that they are synthetic.
    """
    examples = {file.facts.synthetic: file.path for file in reversed(files) if file.facts}
    if len(examples) > 1:
        raise mixed_error(examples[True], examples[False])
    if claim is False and True in examples:
        raise untrue_error(next(root / name for name in MANIFESTS if (root / name).is_file()))
    return claim if claim is not None or not examples else True in examples


def _list_names(root: Path) -> list[str]:
    """Return the paths of all entries in the modalities' subfolders, relative to *root*."""
    folders = [root / modality for modality in MODALITIES if (root / modality).is_dir()]
    names = [path.relative_to(root).as_posix() for folder in folders for path in folder.iterdir()]
    if not any(name.endswith(".nc") for name in names):
        raise FileNotFoundError(
            f"A tile folder must hold NetCDF files in {', '.join(MODALITIES[:-1])} or "
            f"{MODALITIES[-1]}, but got none in {root}. Choose the folder above those subfolders."
        )
    return names


def _read_manifest(root: Path) -> tuple[bool | None, dict[str, str]]:
    """Return whether the tiles are synthetic, and SHA-256 by relative path; None and {} without a manifest."""
    for path in (root / name for name in MANIFESTS):
        if path.is_file():
            try:
                manifest = read_json(path)
                if not is_string_map(manifest["files"]):
                    raise ValueError("files without their SHA-256")
                return bool(manifest["synthetic"]), manifest["files"]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"A manifest must have the keys files and synthetic, but got {error!r} in {path}. "
                    "Make or fetch the tiles again, or delete the manifest."
                ) from error
    return None, {}


def _sort_names(
    root: Path, names: Sequence[str], hashes: dict[str, str]
) -> tuple[list[CheckJob], list[FileReport], list[str]]:
    """Sort names into tiles to check, reports on misplaced or missing files, and files to ignore."""
    tiles: dict[str, dict[str, str]] = {}
    reports, ignored = [], []
    for name in names:
        path, modality = root / name, name.split("/")[0]
        try:
            tile_id = tile_id_of(path)
            if modality not in MODALITIES or tile_path(root, tile_id, modality) != path:
                raise TileError(
                    f"A tile file must be in the folder of its modality, but got {path}. Move it.",
                    "misnamed",
                )
            tiles.setdefault(tile_id, {})[modality] = hashes.get(name, "")
        except TileError as error:
            verdict, reason = error.verdict, str(error)
            if not path.exists():
                verdict = "missing"
                reason = f"A file in the manifest must exist, but got none at {path}. Get it again."
            elif path.suffix != ".nc":
                ignored.append(name)
                continue
            reports.append(FileReport(name, modality, "", UNUSABLE, verdict, reason))
    return [CheckJob(tile_id, tiles[tile_id]) for tile_id in sorted(tiles)], reports, ignored


def _find_majority(files: Sequence[FileReport]) -> Units:
    guesses = [file.facts.units for file in files if file.facts]
    return "linear" if guesses.count("linear") > guesses.count("dB") else "dB"


def _check_unit(root: Path, file: FileReport, units: Units) -> FileReport:
    """Mark a usable file as unusable if its unit is not the folder's."""
    if not file.facts or file.facts.units in ("", units):
        return file
    reason = (
        f"A Sentinel-1 file of this folder must be in {units}, but got {file.facts.units} in "
        f"{root / file.path}. Get it from the same release as the others, or set --units."
    )
    return replace(file, state=UNUSABLE, verdict="wrong-unit", reason=reason, facts=None)
