"""Searches and loads the scene of a place and an event, where the model can map what is found."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from data.assemble.report import SceneReport
from data.scene.from_event import make_scene, read_request
from data.search.acquisitions import Found
from data.tiles.map_dates import DatesError
from tuning.predict.event.check_found import check_found
from tuning.predict.prepare import check_map_folder
from tuning.registry.resolve import open_registry


def load_scene(args: argparse.Namespace) -> tuple[list[Path], dict[str, Any]]:
    """Search and load the scene that the arguments ask for; one that was loaded before is used as it is.

    Args:
        args: Parsed arguments of ``python -m tuning.predict`` with ``bbox`` or ``aoi``.

    Returns:
        The scene's folder, and what the map's summary says of it.

    Raises:
        FileExistsError: If the map's folder is not empty.
        FileNotFoundError: If there is no registry.
        ValueError: If the request cannot be met, or the model cannot map what was found.
    """
    check_map_folder(args.out)
    if not Path(args.model).is_dir():
        open_registry(args.root)  # whose absence should not come to light after the search
    to = args.scene or args.out.with_name(f"{args.out.name}.scene.zarr")
    check = partial(_check, args)
    report = make_scene(read_request(args), to, check=check)
    print(report)
    return [to], describe_loaded(report)


def _check(args: argparse.Namespace, found: Found) -> None:
    """Refuse what the model cannot map; other dates than it learnt from are mapped, and marked, where the user wants it."""
    try:
        check_found(found, args.model, args.root, ensemble=args.ensemble)
    except DatesError:
        if not args.untrusted:
            raise


def describe_loaded(report: SceneReport) -> dict[str, Any]:
    """Return the entry ``scene`` of a map's summary: source, tracks and dates, and what loading took."""
    return {
        "path": str(report.path),
        "source": report.source,
        "address": report.address,
        "tracks": {orbit: list(tracks) for orbit, tracks in report.tracks.items()},
        "acquisitions": {
            orbit: [str(time.astype("datetime64[s]")) for time in times]
            for orbit, times in report.dates.items()
        },
        "seconds": {
            "search": round(report.seconds_search, 1),
            "load": round(report.seconds_load, 1),
        },
        "bytes_read": report.bytes_read,
        "notes": list(report.notes),
    }
