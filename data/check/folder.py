"""Check a folder of tiles: every file by itself, then each tile across its modalities.

Every file gets one of three states: usable, suspicious (usable, with findings) or unusable (with the
rule it breaks). Files that a manifest lists are compared with their SHA-256.

    python -m data.check PATH [--units dB|linear] [--json] [--workers N]

The exit code is 1 when something is unusable, 2 for a folder that is no tile folder, else 0.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from data.check.report import FileReport, FolderReport
from data.check.tile import CheckJob, check_each, check_tile
from data.io.safe_json import is_string_map, read_json
from data.tiles import MODALITIES, ORBITS, TileError, Units, tile_id_of, tile_path
from data.tiles.manifest import MANIFESTS

__all__ = ["FileReport", "FolderReport", "check_folder", "check_tile"]


def check_folder(
    root: Path, units: Units | None = None, workers: int | None = None, progress: bool = True
) -> FolderReport:
    """Check every tile file of a folder.

    Args:
        root: Folder with at least one of ``s1asc/``, ``s1dsc/``, ``s2/``, and a manifest if it has one.
        units: Unit that Sentinel-1's files must have; the one that most seem to have when left out.
        workers: Processes; the cores at hand when left out.
        progress: Whether to show a bar on stderr.

    Returns:
        Reports on all files and tiles, those included that the manifest lists and the folder lacks.

    Raises:
        FileNotFoundError: If *root* is no tile folder.
        ValueError: If its manifest cannot be read.
    """
    root = Path(root)
    names = _list_names(root)
    synthetic, hashes = _read_manifest(root)
    jobs, strange, ignored = _sort_names(root, sorted({*names, *hashes}), hashes)
    listed = {modality for job in jobs for modality in job.hashes}
    modalities = tuple(m for m in MODALITIES if m in listed or (root / m).is_dir())
    jobs = [replace(job, lacks=tuple(m for m in modalities if m not in job.hashes)) for job in jobs]
    checked = check_each(partial(check_tile, root, units), jobs, workers, progress)
    files = [file for one in checked for file in one.files]
    units = units or _find_majority(files)
    files = [_check_unit(root, file, units) for file in files] + strange
    return FolderReport(
        root=str(root),
        synthetic=synthetic,
        units=units if any(name in ORBITS for name in modalities) else "",
        modalities=modalities,
        files=tuple(sorted(files, key=lambda file: file.path)),
        tiles=tuple(one.tile for one in checked),
        ignored=tuple(ignored),
    )


def _list_names(root: Path) -> list[str]:
    """List the paths below the modalities' folders, relative to *root*."""
    folders = [root / modality for modality in MODALITIES if (root / modality).is_dir()]
    names = [path.relative_to(root).as_posix() for folder in folders for path in folder.iterdir()]
    if not any(name.endswith(".nc") for name in names):
        raise FileNotFoundError(
            f"A tile folder must hold NetCDF files in {', '.join(MODALITIES[:-1])} or "
            f"{MODALITIES[-1]}, but got none in {root}. Give the folder above those."
        )
    return names


def _read_manifest(root: Path) -> tuple[bool | None, dict[str, str]]:
    """Return whether the tiles are synthetic, and SHA-256 by relative path; None and {} without it."""
    for path in (root / name for name in MANIFESTS):
        if path.is_file():
            try:
                manifest = read_json(path)
                if not is_string_map(manifest["files"]):
                    raise ValueError("files without their SHA-256")
                return bool(manifest["synthetic"]), manifest["files"]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"A manifest must name its files and whether it is synthetic, but got {error!r} "
                    f"in {path}. Make or fetch the tiles again, or remove the manifest."
                ) from error
    return None, {}


def _sort_names(
    root: Path, names: Sequence[str], hashes: dict[str, str]
) -> tuple[list[CheckJob], list[FileReport], list[str]]:
    """Sort names into tiles, what is no tile but should be one, and what is no NetCDF at all."""
    tiles: dict[str, dict[str, str]] = {}
    strange, ignored = [], []
    for name in names:
        path, modality = root / name, name.split("/")[0]
        try:
            tile_id = tile_id_of(path)
            if modality not in MODALITIES or tile_path(root, tile_id, modality) != path:
                raise TileError(
                    f"A tile file must lie in the folder of its modality, but got {path}. Move it.",
                    "misnamed",
                )
            tiles.setdefault(tile_id, {})[modality] = hashes.get(name, "")
        except TileError as error:
            verdict, reason = error.verdict, str(error)
            if not path.exists():
                verdict, reason = (
                    "missing",
                    f"A file that is listed must exist, but got none: {path}.",
                )
            elif path.suffix != ".nc":
                ignored.append(name)
                continue
            strange.append(FileReport(name, modality, "", "unusable", verdict, reason))
    return [CheckJob(tile_id, tiles[tile_id]) for tile_id in sorted(tiles)], strange, ignored


def _find_majority(files: Sequence[FileReport]) -> Units:
    guesses = [file.facts.units for file in files if file.facts]
    return "linear" if guesses.count("linear") > guesses.count("dB") else "dB"


def _check_unit(root: Path, file: FileReport, units: Units) -> FileReport:
    """Turn a usable file in another unit than the folder's into an unusable one."""
    if not file.facts or file.facts.units in ("", units):
        return file
    reason = (
        f"A Sentinel-1 file of this folder must be in {units}, but got {file.facts.units} in "
        f"{root / file.path}. Get it from the same release as the others, or give --units."
    )
    return replace(file, state="unusable", verdict="wrong-unit", reason=reason, facts=None)
