"""The arguments of ``python -m tuning.predict``."""

import argparse
from pathlib import Path

from data.scene.from_event import add_scene_arguments, read_event
from data.scene.windows import ALIGN_PX
from data.tiles.rules import ORBITS

OVERLAP_PX = 32
SCENE_OPTIONS = ("before", "after", "source", "workers", "scene")  # without --input


def parse_arguments(argv: list[str] | None, description: str) -> argparse.Namespace:
    """Parse and check the arguments.

    Args:
        argv: Words; those of the process if None.
        description: What the command does, in a sentence.
    """
    parser = argparse.ArgumentParser("python -m tuning.predict", description=description)
    add = parser.add_argument
    add(
        "--model",
        required=True,
        help="a registered model's name (its champion, or soon after an event its version that is best then), "
        "models:/NAME@ALIAS, models:/NAME/VERSION, or a downloaded model's folder",
    )
    add(
        "--input",
        type=Path,
        nargs="+",
        help="folder of tiles, a tile's file, a datacube, or a folder or list of GeoTIFFs; or give --bbox or --aoi",
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
        type=read_event,
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
        action=argparse.BooleanOptionalAction,
        help="with the map, also count false alarms on the images before the event, as --placebo does; takes as long again "
        "(default: with --bbox or --aoi)",
    )
    add(
        "--placebo-event",
        type=read_event,
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
    add_scene_arguments(parser, event=False)
    add(
        "--scene",
        type=Path,
        metavar="SCENE.zarr",
        help="with --bbox or --aoi: where the scene is kept (default: beside --out, its name with .scene.zarr)",
    )
    args = parser.parse_args(argv, argparse.Namespace(loaded=None))
    _check(parser, args)
    return args


def _check(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """End the command if arguments do not go together; settle defaults that depend on others."""
    from_event = args.bbox is not None or args.aoi is not None
    if from_event == (args.input is not None):
        parser.error(
            "a map needs either a scene (--input) or a place and a time (--bbox or --aoi, with --event)"
        )
    if from_event and args.event is None:
        parser.error("--bbox and --aoi need the time of the event: add --event")
    if from_event and (args.resample or args.pattern or args.orbit or args.units):
        parser.error("--resample, --pattern, --orbit and --units are for --input: leave them out")
    given = [
        f"--{name}" for name in SCENE_OPTIONS if getattr(args, name) != parser.get_default(name)
    ]
    if given and not from_event:
        parser.error(f"{given[0]} is for a scene of an event: add --bbox or --aoi, or leave it out")
    if args.placebo_event is not None and not args.placebo:
        parser.error("--placebo-event is for --placebo: add it, or leave out --placebo-event")
    if args.false_alarms and args.placebo:
        parser.error(
            "--placebo counts false alarms without a map: leave out --placebo or --false-alarms"
        )
    if args.false_alarms is None:
        args.false_alarms = from_event and not args.placebo


def _read_window(text: str) -> int:
    side = int(text)
    if side < ALIGN_PX or side % ALIGN_PX:
        raise argparse.ArgumentTypeError(f"must be a multiple of {ALIGN_PX}, but got {side}")
    return side
