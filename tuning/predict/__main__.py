"""Map landslides with a registered model: from tiles or a datacube to GeoTIFFs, polygons and a picture.

    python -m tuning.predict --model models:/hokkaido-unet@champion --input TILES --out DIR

The input is a folder of tiles, one tile's file, a datacube of any size (NetCDF or Zarr), or a folder or list of GeoTIFFs;
see docs/maps.md.
"""

import argparse
import logging
import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np

import tuning.own_packages  # noqa: F401 - first
from data.command.command import INTERRUPTED, command
from data.command.explain import writes_to
from data.scene.windows import ALIGN_PX
from data.tiles.regions import parse_time
from data.tiles.rules import ORBITS

OVERLAP_PX = 32


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tuning.predict", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add(
        "--model",
        required=True,
        help="a registered model's name (its champion, or soon after an event its version that is best then), "
        "models:/NAME@ALIAS, models:/NAME/VERSION, or a downloaded model's folder",
    )
    add(
        "--input",
        required=True,
        type=Path,
        nargs="+",
        help="folder of tiles, a tile's file, a datacube, or a folder or list of GeoTIFFs",
    )
    add("--out", required=True, type=Path, help="new or empty folder for the map")
    add(
        "--root",
        type=Path,
        default=Path("mlruns"),
        help="output folder of the campaign (default: %(default)s)",
    )
    add(
        "--threshold",
        type=float,
        help="minimum probability of a landslide pixel (default: the model's threshold)",
    )
    add(
        "--tta",
        action="store_true",
        help="average over four flips of the input; takes four times as long",
    )
    add("--ensemble", action="store_true", help="average over all seeds of the model's study")
    add(
        "--resample",
        action="store_true",
        help="resample a scene on another grid than one of 10 m, such as 30 m or degrees",
    )
    add(
        "--pattern",
        help="names of GeoTIFFs, such as '{modality}/{date:%%Y%%m%%d}_{band}.tif' (default: found)",
    )
    add("--units", choices=("dB", "linear"), help="unit of the backscatter (default: detected)")
    add(
        "--orbit",
        choices=ORBITS,
        help="orbit of a datacube that does not name it: s1asc ascending, s1dsc descending (default: found)",
    )
    add(
        "--event",
        type=_read_event,
        help="time of the event, UTC (default: the scene's event_date, else the model's event)",
    )
    add(
        "--strict",
        action="store_true",
        help="refuse a scene that differs from what the model learnt from (default: say so)",
    )
    add(
        "--untrusted",
        action="store_true",
        help="map with a registered version that has not passed its gate, or a scene of other dates than it learnt from, and mark the map",
    )
    add(
        "--placebo",
        action="store_true",
        help="make no map, but count false alarms on the images before the event alone, without labels",
    )
    add(
        "--false-alarms",
        action="store_true",
        help="with the map, also count false alarms on the images before the event, as --placebo does; takes as long again",
    )
    add(
        "--placebo-event",
        type=_read_event,
        help="with --placebo: when to pretend the event, UTC (default: in the middle of these images)",
    )
    add("--device", default="auto", help="auto, cpu, cuda, … (default: %(default)s)")
    add(
        "--window",
        type=_read_window,
        help="side of a datacube's windows in px (default: 512, or 128 for a network with GroupNorm)",
    )
    add(
        "--overlap",
        type=int,
        default=OVERLAP_PX,
        help="px shared by neighbouring windows (default: %(default)s)",
    )
    args = parser.parse_args(argv)
    if args.placebo_event is not None and not args.placebo:
        parser.error("--placebo-event is for --placebo: add it, or leave out --placebo-event")
    if args.false_alarms and args.placebo:
        parser.error(
            "--placebo counts false alarms without a map: leave out --placebo or --false-alarms"
        )
    return args


def _read_event(text: str) -> np.datetime64:
    try:
        return parse_time(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"must be a day or a time (UTC) such as 2018-09-05T18:08, but got {text!r}"
        ) from error


def _read_window(text: str) -> int:
    side = int(text)
    if side < ALIGN_PX or side % ALIGN_PX:
        raise argparse.ArgumentTypeError(f"must be a multiple of {ALIGN_PX}, but got {side}")
    return side


@command
def main(argv: list[str] | None = None) -> int:
    """Make a map; return the exit code: 1 if a tile is missing in it."""
    args = _parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("pyogrio").setLevel(logging.WARNING)
    writes_to(args.out)
    try:
        return _make_map(args)
    except KeyboardInterrupt:
        print("Interrupted; no map was written.", file=sys.stderr)
        return INTERRUPTED


def _make_map(args: argparse.Namespace) -> int:
    from tuning.predict import prepare, summary, write_map

    job = prepare.prepare_map(args)
    if args.placebo:
        placebo = write_map.measure_placebo(job, args.out)
        print(f"{summary.format_placebo(placebo)}\nNumbers: {args.out / write_map.PLACEBO_SUMMARY}")
        return _report_missing(job.scene.excluded)
    told = len(job.scene.notes)
    totals = write_map.make_map(job, args.out)
    for note in job.scene.notes[told:]:
        print(note)
    print(f"{summary.format_totals(totals, job.threshold)}.\nMap: {args.out}/")
    if warning := summary.describe_empty(totals, job.threshold):
        print(f"Warning: {warning}", file=sys.stderr)
    return _report_missing(job.scene.excluded)


def _report_missing(excluded: Collection[str]) -> int:
    if not excluded:
        return 0
    names = ", ".join(sorted(excluded))
    print(
        f"error: {len(excluded)} tiles are missing in the map (reasons in its JSON file): {names}.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
