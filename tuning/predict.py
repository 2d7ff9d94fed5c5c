"""From a registered model to a map: tiles or a datacube in, GeoTIFFs, landslide polygons and a picture out.

    python -m tuning.predict --model models:/hokkaido-unet@champion --input TILES --out DIR

Input is a folder of tiles, one tile's file, or a datacube of any size (NetCDF or Zarr). docs/maps.md tells more.
"""

import argparse
import logging
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import numpy as np
from mlflow.exceptions import MlflowException

from data.names import name_error
from data.scene import Scene
from data.scenes import open_scene
from data.source import describe
from data.tiles import EVENT, TILE_PX, Units
from tuning import summary
from tuning.heap import keep_freed_memory
from tuning.maps import Job, check_out, make_map
from tuning.members import Member, load_members
from tuning.predictor import Predictor
from tuning.served_model import pick_device, read_threshold
from tuning.served_program import STEP_PX

WINDOW_PX = 512  # larger ones waste less on overlap, smaller ones need less memory
OVERLAP_PX = 32


def _find_facts(args: argparse.Namespace, members: list[Member], scene: Scene) -> dict[str, Any]:
    """Collect where a map comes from."""
    synthetic = scene.synthetic or any(member.synthetic for member in members)
    return {
        "model": args.model,
        "networks": [member.uri for member in members],
        "input": str(args.input),
        "data": "synthetic" if synthetic else "real",
        "flips": args.tta,
        "event": str(scene.need.event),
        "notes": scene.notes,
    }


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tuning.predict", description=__doc__.split("\n")[0])
    add = parser.add_argument
    add(
        "--model",
        required=True,
        help="models:/NAME@ALIAS, models:/NAME/VERSION, or a model's folder",
    )
    add("--input", required=True, type=Path, help="folder of tiles, a tile's file, or a datacube")
    add("--out", required=True, type=Path, help="new folder for the map")
    add("--root", type=Path, default=Path("mlruns"), help="output folder of the campaign")
    add("--threshold", type=float, help="landslide from this probability (default: the model's)")
    add("--tta", action="store_true", help="average over flips of the input: four times the work")
    add("--ensemble", action="store_true", help="average over all seeds of the model's study")
    add("--units", choices=get_args(Units), help="of the backscatter (default: told from the data)")
    add("--event", type=_read_event, default=EVENT, help="UTC (default: %(default)s)")
    add("--device", default="auto", help="auto, cpu, cuda, …")
    add("--window", type=_read_window, help=f"px, of a datacube (default: {WINDOW_PX})")
    add("--overlap", type=int, default=OVERLAP_PX, help="px (default: %(default)s)")
    return parser.parse_args(argv)


def _read_event(text: str) -> np.datetime64:
    try:
        return np.datetime64(datetime.fromisoformat(text), "s")
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"must be a time such as 2018-09-05T18:08, but got {text!r}"
        ) from error


def _read_window(text: str) -> int:
    side = int(text)
    if side < STEP_PX or side % STEP_PX:
        raise argparse.ArgumentTypeError(f"must be a multiple of {STEP_PX}, but got {side}")
    return side


def _prepare(args: argparse.Namespace) -> Job:
    """Load the networks and open the scene, before anything is written."""
    keep_freed_memory()
    check_out(args.out)
    members = load_members(args.model, args.root, ensemble=args.ensemble)
    predictor = Predictor(members, pick_device(args.device), flips=args.tta)
    limit = read_threshold({"threshold": args.threshold}, predictor.threshold)
    need = replace(predictor.need, event=args.event)
    scene = open_scene(args.input, need, args.units)
    facts = _find_facts(args, members, scene)
    print(f"Data: {describe(facts['data'] == 'synthetic')}, {args.input}.")
    for note in scene.notes:
        print(note)
    return Job(
        scene,
        predictor,
        predictor.threshold if limit is None else limit,
        args.window or (WINDOW_PX if predictor.local else TILE_PX),
        args.overlap,
        facts,
    )


def main(argv: list[str] | None = None) -> int:
    """Make a map; return the exit code, 1 where a tile is missing in it."""
    args = _parse(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("pyogrio").setLevel(logging.WARNING)
    try:
        job = _prepare(args)
        totals = make_map(job, args.out)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except MlflowException as error:
        print(f"error: MLflow refused: {name_error(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing was written.", file=sys.stderr)
        return 130
    print(f"{summary.describe(totals, job.threshold)}.\nMap: {args.out}/")
    return _say_missing(job.scene)


def _say_missing(scene: Scene) -> int:
    if not scene.excluded:
        return 0
    names = ", ".join(sorted(scene.excluded))
    print(
        f"error: {len(scene.excluded)} tiles are missing in the map, with reasons in summary.json: {names}.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
