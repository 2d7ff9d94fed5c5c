"""Check of the tiles: a few of a folder's are opened as packing opens them."""

from collections.abc import Sequence
from pathlib import Path

from data.io.processes import WorkerDied, map_processes
from data.tiles import ORBITS, Units, list_tiles, list_unpaired, open_tile, tile_path
from data.tiles.manifest import describe_origin, read_manifest
from tuning.doctor.finding import CheckResult, fail, first_line, ok, warn

OPENED = 3  # tiles that are opened, both orbits of each


def check_data(data: str, root: Path) -> CheckResult:
    """Check the tiles: those of a folder, or where the twin's will be.

    Args:
        data: ``twin`` or a folder.
        root: Output folder, below which the twin is made.
    """
    if data == "twin":
        return _look_for_twin(root / "data")
    folder, look = Path(data), f"python -m data.check {data}"
    try:
        there = list_tiles(folder)
        source = read_manifest(folder)
    except (OSError, ValueError) as error:
        return fail(
            first_line(error), "--data PATH of the folder above s1asc/ and s1dsc/, or --data twin"
        )
    some = sorted({there[at * (len(there) - 1) // (OPENED - 1)] for at in range(OPENED)})
    paths = [tile_path(folder, tile_id, orbit) for tile_id in some for orbit in ORBITS]
    faults = _open_tiles(paths, source.units)
    found = f"{len(there)} {describe_origin(source.synthetic)} tiles in {folder}, {source.units}"
    if len(faults) == len(paths):
        return fail(f"{found}; none of {len(paths)} files opened can be used: {faults[0]}", look)
    if faults:
        return warn(
            f"{found}; of {len(paths)} files opened {len(faults)} cannot be used: {faults[0]}", look
        )
    if unpaired := list_unpaired(folder):
        return warn(f"{found}; {len(unpaired)} more lack an orbit, such as {unpaired[0]}", look)
    return ok(f"{found}; {len(paths)} files opened")


def _look_for_twin(folder: Path) -> CheckResult:
    made = [path.parent.name for path in sorted(folder.glob("twin-*/twin.json"))]
    if made:
        return ok(
            f"the synthetic twin; {', '.join(made)} in {folder} is used again if it still fits"
        )
    return ok(f"the synthetic twin, which will be made in {folder}")


def _open_tiles(paths: Sequence[Path], units: Units) -> list[str]:
    """Open tiles as packing does, in a process that a damaged file may end; return what is wrong."""
    jobs = [(path, units) for path in paths]
    faults = []
    for path, answer in zip(
        paths, map_processes(_try_tile, jobs, "", workers=1, progress=False), strict=True
    ):
        if isinstance(answer, WorkerDied):
            faults.append(f"Reading {path} ended the process. Get the file again.")
        elif answer:
            faults.append(answer)
    return faults


def _try_tile(job: tuple[Path, Units]) -> str:
    try:
        open_tile(*job)
    except (OSError, ValueError) as error:
        return first_line(error)
    return ""
