"""Map landslides with a registered model: from tiles or a datacube to GeoTIFFs, polygons and a picture.

    python -m tuning.predict --model models:/hokkaido-unet@champion --input TILES --out DIR
    python -m tuning.predict --model hokkaido-unet --event 2018-09-05T18:08 --bbox 141.9 42.6 142.1 42.8 --out DIR

The input is a folder of tiles, one tile's file, a datacube of any size (NetCDF or Zarr), or a folder or list of GeoTIFFs;
or a place and the time of an event, of which a scene is searched and loaded first. See docs/maps.md.
"""

import argparse
import logging
import sys
from collections.abc import Collection

import tuning.own_packages  # noqa: F401 - first
from data.command.command import INTERRUPTED, command, leave
from data.command.explain import writes_to
from tuning.predict.arguments import command_parser, parse_arguments

__all__ = ["command_parser", "main"]


@command
def main(argv: list[str] | None = None) -> int:
    """Make a map; return the exit code: 1 if a tile is missing in it."""
    args = parse_arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("pyogrio").setLevel(logging.WARNING)
    writes_to(args.out, option="--out")
    try:
        return _make_map(args)
    except KeyboardInterrupt:
        loads = args.bbox is not None or args.aoi is not None
        kept = " What was loaded is kept; the same command continues." if loads else ""
        print(f"Interrupted; no map was written.{kept}", file=sys.stderr)
        return INTERRUPTED


def _make_map(args: argparse.Namespace) -> int:
    from tuning.predict import prepare, summary, write_map

    if args.input is None:
        from tuning.predict.event.load_scene import load_scene

        args.input, args.loaded = load_scene(args)
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
    leave(main())
