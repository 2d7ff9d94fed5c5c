"""Checks of the places that the benchmark writes to: output, temporary files, shared memory."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tuning.doctor.finding import GB, CheckResult, fail, nearest_folder, ok, try_write, warn

# Measured on the whole twin: its files 0.36 GB, the pack 0.6 GB. A campaign of the preset smoke on two networks kept
# 0.13 GB; one of quick keeps a few times as much, and something is left for the next one.
TWIN_GB, PACK_GB, CAMPAIGN_GB = 0.5, 0.7, 1.8
STORE_MB = (
    210  # Ray's object store (tuning.cluster.ray_session.OBJECT_STORE_BYTES), which is 200 MiB
)
FULL = 0.95  # from here on Ray warns of a full disk, and stores nothing there


def _count_needed(root: Path, data: str) -> float:
    """Count the GB that a campaign will add below *root*."""
    there = {name: any((root / name).glob("*-*")) for name in ("data", "packs")}
    twin = 0.0 if data != "twin" or there["data"] else TWIN_GB
    return CAMPAIGN_GB + twin + (0.0 if there["packs"] else PACK_GB)


def check_root(root: Path, data: str = "twin") -> CheckResult:
    """Check that the output folder can be made or written to, and has room for a campaign."""
    place = nearest_folder(root)
    if not place.is_dir():
        return fail(
            f"{root} must be a folder, but {place} is a file", "--root FOLDER of another name"
        )
    if why := try_write(place):
        return fail(
            f"nothing can be written to {place}: {why}",
            "--root FOLDER that is yours, or mend that one",
        )
    free, needed = shutil.disk_usage(place).free / GB, _count_needed(root, data)
    new = "" if root.is_dir() else ", will be made"
    found = (
        f"{root.absolute()}{new}: {free:.1f} GB free, about {needed:.1f} GB needed (preset quick)"
    )
    room = "Make room there, or give --root FOLDER on another disk."
    if free < needed:
        return fail(found, room)
    return warn(f"{found}, which leaves little", room) if free < 2 * needed else ok(found)


def temporary_folder() -> Path:
    """Return the folder below which Ray keeps its sessions, as Ray finds it."""
    return Path(os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - as Ray does


def check_temporary(folder: Path | None = None) -> CheckResult:
    """Check the folder of Ray's sessions and of temporary files."""
    folder = temporary_folder() if folder is None else folder
    elsewhere = "RAY_TMPDIR=FOLDER and TMPDIR=FOLDER name others"
    if not folder.is_dir():
        return fail(f"{folder} is no folder", f"mkdir -p {folder}; {elsewhere}.")
    if why := try_write(folder):
        return fail(f"nothing can be written to {folder}: {why}", f"{elsewhere}.")
    usage = shutil.disk_usage(folder)
    full = 1 - usage.free / max(usage.total, 1)
    found = f"{folder}: {usage.free / GB:.1f} GB free, {full:.0%} full"
    if full > FULL:
        return warn(
            f"{found}; Ray calls over {FULL:.0%} a full disk", f"Make room there; {elsewhere}."
        )
    return ok(found)


def check_shared(folder: Path = Path("/dev/shm")) -> CheckResult:  # noqa: S108 - looked at only
    """Check that Ray's object store fits into shared memory."""
    if not folder.is_dir():
        return warn(
            f"{folder} is not there; Ray puts its objects into {temporary_folder()}, which is slower",
            f"mkdir {folder} && mount -t tmpfs tmpfs {folder}, where the system is Linux",
        )
    free = shutil.disk_usage(folder).free / 1e6
    found = f"{folder}: {free:.0f} MB free, Ray's object store takes {STORE_MB}"
    if free < STORE_MB:
        return warn(
            f"{found}; it will lie in {temporary_folder()}, which is slower",
            f"docker run --shm-size=1g …, or mount -o remount,size=1G {folder}, or remove files there",
        )
    return ok(found)
