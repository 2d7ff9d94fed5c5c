"""From an event to a scene: search the acquisitions of a place around it, and load them into one datacube.

Shared by ``python -m data.scene`` and ``python -m tuning.predict``.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.assemble.network import WORKERS
from data.command.explain import CommandError
from data.search.extra import INSTALL

if TYPE_CHECKING:
    import numpy as np
    from shapely.geometry.base import BaseGeometry

    from data.assemble.report import SceneReport
    from data.search.acquisitions import Found
    from data.search.sources import Source

logger = logging.getLogger(__name__)

BEFORE, AFTER = 8, 4
SOURCE = "planetary"
_PACKAGES = ("pystac", "pystac_client", "odc.stac")  # whatever the catalogue


@dataclass(frozen=True)
class SceneRequest:
    """A place and a time, of which a scene is wanted.

    Attributes:
        event: Time of the event, UTC.
        bbox: West, south, east and north in degrees; None with *aoi*.
        aoi: File with the area of interest; None with *bbox*.
        before: Acquisitions before the event, of each orbit direction.
        after: Acquisitions after it.
        source: ``planetary``, ``asf``, ``stac:URL`` or ``folder:PATH``.
        workers: Blocks to load at once; has no say in what a scene holds.
    """

    event: np.datetime64
    bbox: tuple[float, float, float, float] | None = None
    aoi: Path | None = None
    before: int = BEFORE
    after: int = AFTER
    source: str = SOURCE
    workers: int = WORKERS


def add_scene_arguments(
    parser: argparse.ArgumentParser, *, required: bool = False, event: bool = True
) -> argparse._ArgumentGroup:
    """Add the arguments of a request to a command; return their group.

    Args:
        parser: The command's parser.
        required: Whether place and time must be given.
        event: Whether to add ``--event``; False where the command has its own.
    """
    group = parser.add_argument_group("scene of an event")
    place = group.add_mutually_exclusive_group(required=required)
    place.add_argument(
        "--bbox",
        type=float,
        nargs=4,
        metavar=("W", "S", "E", "N"),
        help="the area in degrees; west > east is an area across the antimeridian",
    )
    place.add_argument(
        "--aoi", type=Path, metavar="FILE", help="a file with the area, such as GeoJSON"
    )
    add = group.add_argument
    if event:
        add(
            "--event",
            type=read_event,
            required=required,
            metavar="TIME",
            help="time of the event, UTC, such as 2018-09-05T18:08; a day alone means its end",
        )
    counts = {"type": _read_count, "metavar": "N"}
    help_text = "acquisitions {} the event, of each orbit direction (default: %(default)s)"
    add("--before", default=BEFORE, help=help_text.format("before"), **counts)  # type: ignore[arg-type]
    add("--after", default=AFTER, help=help_text.format("after"), **counts)  # type: ignore[arg-type]
    add(
        "--source",
        default=SOURCE,
        metavar="NAME",
        help="catalogue: planetary, asf, stac:URL or folder:PATH (default: %(default)s)",
    )
    add(
        "--workers",
        type=_read_count,
        default=WORKERS,
        metavar="N",
        help="blocks to load at once (default: %(default)s)",
    )
    return group


def read_event(text: str) -> np.datetime64:
    """Return a time of the command line, UTC."""
    from data.tiles.regions import parse_time

    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"must be a day or a time (UTC) such as 2018-09-05T18:08, but got {text!r}"
        ) from error


def _read_count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, but got {text!r}")
    return count


def read_request(args: argparse.Namespace) -> SceneRequest:
    """Return the request of parsed arguments, of which place and time are given."""
    return SceneRequest(
        event=args.event,
        bbox=None if args.bbox is None else tuple(args.bbox),
        aoi=args.aoi,
        before=args.before,
        after=args.after,
        source=args.source,
        workers=args.workers,
    )


def check_packages() -> None:
    """Check that the packages of the extra are installed, without importing them.

    Raises:
        CommandError: If one is missing.
    """
    missing = [name for name in _PACKAGES if not _is_installed(name)]
    if missing:
        raise CommandError(
            f"A scene of an event needs packages that are not installed: {', '.join(missing)}. Install them: {INSTALL}."
        )


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the parent of odc.stac
        return False


def make_scene(
    request: SceneRequest, to: Path, *, check: Callable[[Found], object] | None = None
) -> SceneReport:
    """Search the acquisitions around an event, and load them into a datacube.

    The same call continues an interrupted one, with the acquisitions that it had found; a complete scene of the same
    request is used as it is, without a search.

    Args:
        request: Place, time and catalogue.
        to: The Zarr folder, which appears when it is complete.
        check: Takes what was found before anything is loaded, and raises if it is of no use.

    Returns:
        What was found, and what it took.

    Raises:
        CommandError: If packages are missing.
        ValueError: If the request cannot be met, or *to* is something else; the message has the remedy.
        AssetError: If an asset cannot be read.
    """
    check_packages()
    from data.assemble.finished import read_finished
    from data.assemble.partial import Partial
    from data.assemble.write_scene import write_scene
    from data.search.area import read_area
    from data.search.sources import open_source

    area = read_area(request.bbox, request.aoi)
    wanted = describe_request(request, area)
    if (finished := read_finished(to, wanted)) is not None:
        return _tell(finished)
    found, seconds = Partial(to).read_found(wanted), 0.0
    source = open_source(request.source)
    if found is None:
        found, seconds = _search(request, area, source)
    else:
        logger.info("%s is continued with the acquisitions that were found before.", to)
    for note in found.notes:
        logger.info("%s", note)
    if check is not None:
        check(found)
    report = write_scene(found, source, to, workers=request.workers, request=wanted)
    told = len(found.notes)
    return _tell(replace(report, seconds_search=seconds), told)


def _search(request: SceneRequest, area: BaseGeometry, source: Source) -> tuple[Found, float]:
    """Search; return what was found and the seconds that it took."""
    from data.assemble.grid import make_grid
    from data.search.find import find_acquisitions

    make_grid(area)  # an area that fits no grid is refused before the search
    start = time.monotonic()
    logger.info("Searching %s …", source.address)
    found = find_acquisitions(
        source, area, request.event, before=request.before, after=request.after
    )
    return found, time.monotonic() - start


def _tell(report: SceneReport, told: int = 0) -> SceneReport:
    """Log the notes of a report that have not been told."""
    for note in report.notes[told:]:
        logger.info("%s", note)
    return report


def describe_request(request: SceneRequest, area: BaseGeometry) -> dict[str, Any]:
    """Return a request as the scene stores it: two of them are the same if these are."""
    import shapely

    return {
        "area": shapely.to_wkt(area, rounding_precision=7),
        "event": str(request.event.astype("datetime64[s]")),
        "before": request.before,
        "after": request.after,
        "source": request.source,
    }


def describe_dates(times: Sequence[np.datetime64], event: np.datetime64) -> str:
    """Return the days of acquisitions before and after an event, such as ``2018-08-24 | 2018-09-17``."""
    sides = ([t for t in times if t <= event], [t for t in times if t > event])
    days = (", ".join(str(t.astype("datetime64[D]")) for t in side) or "none" for side in sides)
    return " | ".join(days)
