"""The arguments of ``python -m tuning.predict``."""

import argparse
from pathlib import Path

from data.command.choices import ORBITS, UNITS
from data.command.parser import CommandParser, make_parser
from data.scene.from_event import add_scene_arguments, read_event

OVERLAP_PX = 32
SCENE_OPTIONS = ("before", "after", "source", "workers", "scene")  # without --input


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.predict",
        "Map landslides with a registered model: from tiles or a datacube to GeoTIFFs, polygons and a picture.",
        example="--model unet --input tiles --out map\n"
        "--model unet --bbox 141.9 42.6 142.1 42.8 \\\n      --event 2018-09-05T18:08 --out map",
        notes="Exit code: 0 if the map is whole, 1 if a tile is missing in it, 2 for a bad argument.",
    )
    _add_model(parser.add_argument_group("model and map"))
    _add_input(parser.add_argument_group("input"))
    _add_trust(parser.add_argument_group("trust and false alarms"))
    _add_speed(parser.add_argument_group("windows and device"))
    scene = add_scene_arguments(parser, event=False)
    scene.add_argument(
        "--scene",
        type=Path,
        metavar="SCENE.zarr",
        help="with --bbox or --aoi: where the scene is kept (default: beside --out, its name with .scene.zarr)",
    )
    return parser


def _add_model(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--model",
        required=True,
        help="a registered model's name (its champion, or soon after an event its version that is best then), "
        "models:/NAME@ALIAS, models:/NAME/VERSION, or a downloaded model's folder",
    )
    add("--out", required=True, type=Path, metavar="FOLDER", help="new or empty folder for the map")
    add(
        "--root",
        type=Path,
        default=Path("mlruns"),
        metavar="FOLDER",
        help="output folder of the campaign (default: %(default)s)",
    )
    add(
        "--threshold",
        type=float,
        metavar="P",
        help="minimum probability of a landslide pixel (default: the model's threshold)",
    )
    add(
        "--tta",
        action="store_true",
        help="average over four flips of the input; takes four times as long",
    )
    add("--ensemble", action="store_true", help="average over all seeds of the model's study")


def _add_input(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--input",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="folder of tiles, a tile's file, a datacube, or a folder or list of GeoTIFFs; or give --bbox or --aoi",
    )
    add(
        "--event",
        type=read_event,
        metavar="TIME",
        help="time of the event, UTC (default: the scene's event_date, else the model's event)",
    )
    add(
        "--resample",
        action="store_true",
        help="resample a scene on another grid than one of 10 m, such as 30 m or degrees",
    )
    add(
        "--pattern",
        help="names of GeoTIFFs, such as '{modality}/{date:%%Y%%m%%d}_{band}.tif' (default: found)",
    )
    add("--units", choices=UNITS, help="unit of the backscatter (default: detected)")
    add(
        "--orbit",
        choices=ORBITS,
        help="orbit of a datacube that does not name it: s1asc ascending, s1dsc descending (default: found)",
    )


def _add_trust(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
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
        metavar="TIME",
        help="with --placebo: when to pretend the event, UTC (default: in the middle of these images)",
    )


def _add_speed(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--device", default="auto", help="auto, cpu, cuda, … (default: %(default)s)")
    add(
        "--window",
        type=_read_window,
        metavar="PX",
        help="side of a datacube's windows in px (default: 512, or 128 for a network with GroupNorm)",
    )
    add(
        "--overlap",
        type=int,
        default=OVERLAP_PX,
        metavar="PX",
        help="px shared by neighbouring windows (default: %(default)s)",
    )


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Parse and check the arguments."""
    parser = command_parser()
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
    from data.scene.windows import ALIGN_PX

    side = int(text)
    if side < ALIGN_PX or side % ALIGN_PX:
        raise argparse.ArgumentTypeError(f"must be a multiple of {ALIGN_PX}, but got {side}")
    return side
