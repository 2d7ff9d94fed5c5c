"""Checks of the output folder, the temporary folder and the tiles."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from tuning.doctor.check_result import (
    GB,
    CheckResult,
    failure,
    first_line,
    nearest_folder,
    passed,
    warning,
)

# Measured on the whole twin: its files 0.36 GB, the pack 0.6 GB. A campaign of the preset smoke on two networks wrote
# 0.13 GB; one of quick writes a few times as much.
TWIN_GB, PACK_GB, CAMPAIGN_GB = 0.5, 0.7, 1.8
FULL = 0.95  # above this fraction Ray warns of a full disk, and stores nothing on it
OPENED_TILES = 3  # both orbits of each


def check_output(root: Path, data: str = "twin") -> CheckResult:
    """Check that the output folder is writable and has space for a campaign."""
    from tuning.trial.disk import check_output_folder

    folder, remedy = nearest_folder(root), "Choose a folder on another disk with --root FOLDER."
    try:
        check_output_folder(folder)  # the campaign's first step; here the folder exists
    except OSError as error:
        return failure(first_line(error), remedy)
    has_twin, has_pack = (any((root / name).glob("*-*")) for name in ("data", "packs"))
    twin = 0.0 if data != "twin" or has_twin else TWIN_GB
    needed = CAMPAIGN_GB + twin + (0.0 if has_pack else PACK_GB)
    free = shutil.disk_usage(folder).free / GB
    new = "" if root.is_dir() else " (not created yet)"
    found = (
        f"{root.absolute()}{new}: {free:.1f} GB free, about {needed:.1f} GB needed (preset quick)"
    )
    if free < 2 * needed:
        return (failure if free < needed else warning)(found, f"Delete files there. {remedy}")
    return passed(found)


def temporary_folder() -> Path:
    """Return the folder that holds Ray's sessions, chosen as Ray does."""
    return Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - as Ray does


def check_temporary() -> CheckResult:
    """Check the folder of Ray's sessions and of temporary files."""
    folder, remedy = temporary_folder(), "Choose another with RAY_TMPDIR=FOLDER and TMPDIR=FOLDER."
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * 4096)
    except OSError as error:
        found = f"the temporary folder must be writable, but {folder} is not: {error.strerror}"
        return failure(found, remedy)
    usage = shutil.disk_usage(folder)
    full = 1 - usage.free / max(usage.total, 1)
    found = f"{folder}: {usage.free / GB:.1f} GB free, {full:.0%} full"
    if full > FULL:
        found += f"; Ray stores nothing on a disk that is more than {FULL:.0%} full"
        return warning(found, f"Delete files there. {remedy}")
    return passed(found)


def check_tiles(data: str, root: Path) -> CheckResult:
    """Check a tile folder; open a few tiles as packing does.

    Args:
        data: ``twin`` or a tile folder.
        root: Output folder, which holds the twin.
    """
    from data.io.processes import WorkerDied, map_processes
    from data.tiles import ORBITS, list_tiles, list_unpaired, tile_path
    from data.tiles.manifest import describe_origin, read_manifest
    from data.tiles.paths import list_regions

    if data == "twin":
        return passed(f"the synthetic twin in {root / 'data'}, created by the first campaign")
    folder = Path(data)
    try:
        tiles, manifest = list_tiles(folder), read_manifest(folder)
    except (OSError, ValueError) as error:
        remedy = "--data PATH of the folder that holds s1asc/ and s1dsc/, or --data twin"
        return failure(first_line(error), remedy)
    chosen = sorted(
        {tiles[i * (len(tiles) - 1) // (OPENED_TILES - 1)] for i in range(OPENED_TILES)}
    )
    jobs = [(tile_path(folder, tile, orbit), manifest.units) for tile in chosen for orbit in ORBITS]
    # In another process, because a damaged file can end the process that opens it.
    answers = map_processes(_try_tile, jobs, "", workers=1, progress=False)
    faults = [
        f"reading {job[0]} ended the process" if isinstance(answer, WorkerDied) else answer
        for job, answer in zip(jobs, answers, strict=True)
        if answer
    ]
    found = (
        f"{len(tiles)} {describe_origin(manifest.synthetic)} tiles of {', '.join(list_regions(folder))} in {folder}, "
        f"{manifest.units}; "
    )
    remedy = f"python -m data.check {data}"
    if faults:
        found += f"{len(faults)} of {len(jobs)} opened files are unusable: {faults[0]}"
        return (failure if len(faults) == len(jobs) else warning)(found, remedy)
    if unpaired := list_unpaired(folder):
        return warning(f"{found}{len(unpaired)} lack an orbit, such as {unpaired[0]}", remedy)
    return passed(f"{found}{len(jobs)} files opened")


def list_region_words(data: str) -> list[str]:
    """Return the words that `tuning.run` needs to choose the regions of some data, none where its default has tiles."""
    from data.tiles.paths import list_regions
    from data.tiles.regions import DEFAULT_REGION

    regions = {} if data == "twin" else list_regions(Path(data))
    return ["--region", "all"] if regions and DEFAULT_REGION not in regions else []


def _try_tile(job: tuple[Path, Any]) -> str:
    from data.tiles import open_tile

    try:
        open_tile(*job)
    except (OSError, ValueError) as error:
        return first_line(error)
    return ""
