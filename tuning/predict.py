"""From a registered model to a map: tiles or a datacube in, GeoTIFFs, landslide polygons and a picture out.

    python -m tuning.predict --model models:/hokkaido-unet@champion --input TILES --out DIR

Input is a folder of tiles, one tile's file, or a datacube of any size (NetCDF or Zarr). docs/maps.md tells more.
"""

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from mlflow.exceptions import MlflowException
from tqdm import tqdm

from data._cube_file import is_zarr
from data.cube import open_cube
from data.mosaic import open_mosaic
from data.names import name_error
from data.scene import Need, Scene
from data.source import describe
from data.tiles import EVENT, TILE_PX, TileError, Units, tile_id_of
from tuning.mapping import map_scene
from tuning.members import Member, load_members
from tuning.outlines import write_outlines
from tuning.predictor import Predictor
from tuning.quicklook import draw_quicklook
from tuning.rasters import MASK, PROBABILITY, RELIEF, SPREAD, Rasters
from tuning.served_model import pick_device, read_threshold
from tuning.served_program import STEP_PX
from tuning.summary import write_summary

WINDOW_PX = 512  # larger ones waste less on overlap, smaller ones need less memory
OVERLAP_PX = 32
LAYERS = {"probability": PROBABILITY, "spread": SPREAD, "mask": MASK, "relief": RELIEF}


def open_scene(path: Path, need: Need, units: Units | None = None) -> Scene:
    """Open what is to be mapped.

    Args:
        path: A folder of tiles, one tile's file, or a datacube: a NetCDF file or a Zarr folder.
        need: What the network reads.
        units: Unit of the backscatter; told from manifest or pixels when left out.

    Raises:
        FileNotFoundError: If there is nothing.
        ValueError: If it is not what the network was made for.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"A map needs tiles or a datacube, but there is no {path}. Give a folder of tiles, a tile's file, "
            "or a datacube."
        )
    if path.is_dir():
        return open_cube(path, need, units) if is_zarr(path) else open_mosaic(path, need, units)
    try:
        tile_id_of(path)
    except TileError:
        return open_cube(path, need, units)
    return open_mosaic(path, need, units)


@dataclass(frozen=True)
class Job:
    """What is mapped, and how.

    Attributes:
        scene: What is mapped.
        predictor: The networks.
        threshold: Probability from which a pixel is landslide.
        window_px: Side of the windows of a datacube.
        overlap_px: Pixels that windows share.
        facts: What summary and rasters say of the map besides.
    """

    scene: Scene
    predictor: Predictor
    threshold: float
    window_px: int
    overlap_px: int
    facts: dict[str, Any]


def make_map(job: Job, out: Path) -> dict[str, Any]:
    """Map a scene into a folder, which appears when all is written.

    Args:
        job: What is mapped, and how.
        out: A new or empty folder.

    Returns:
        The content of ``summary.json``.

    Raises:
        FileExistsError: If *out* holds something.
        ValueError: If the scene cannot be read.
    """
    scene, predictor = job.scene, job.predictor
    windows = scene.lay_windows(job.window_px, job.overlap_px)
    layers = {name: LAYERS[name] for name in (*predictor.layers, "mask", "relief")}
    tags = {name: str(value) for name, value in job.facts.items()}
    with _aside(out) as folder, Rasters(folder, scene.grid, layers, tags) as rasters:
        with tqdm(total=len(windows), desc="Mapping", unit="window") as bar:
            map_scene(
                scene,
                windows,
                predictor,
                rasters.write,
                threshold=job.threshold,
                progress=bar.update,
            )
        files = rasters.finish()
        totals = write_outlines(folder, files["mask"], files["probability"], files.get("spread"))
        return {}


def check_out(out: Path) -> None:
    """Refuse a place that holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"A map goes to a new or empty folder, but {out} is there. Give another with --out."
        )


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """Make a folder beside *out*, which takes its place at the end, or is removed after an error."""
    check_out(out)
    folder = out.with_name(f".{out.name}.{os.getpid()}")
    folder.mkdir(parents=True)
    try:
        yield folder
        folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
        event = np.datetime64(text, "s")
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"must be a time such as 2018-09-05T18:08, but got {text!r}"
        ) from error
    if np.isnat(event):
        raise argparse.ArgumentTypeError(
            f"must be a time such as 2018-09-05T18:08, but got {text!r}"
        )
    return event


def _read_window(text: str) -> int:
    side = int(text)
    if side < STEP_PX or side % STEP_PX:
        raise argparse.ArgumentTypeError(f"must be a multiple of {STEP_PX}, but got {side}")
    return side


def _prepare(args: argparse.Namespace) -> Job:
    """Load the networks and open the scene, before anything is written."""
    check_out(args.out)
    members = load_members(args.model, args.root, ensemble=args.ensemble)
    predictor = Predictor(members, pick_device(args.device), flips=args.tta)
    limit = read_threshold({"threshold": args.threshold}, predictor.threshold)
    need = replace(predictor.need, event=args.event)
    scene = open_scene(args.input, need, args.units)
    facts = _find_facts(args, members, scene)
    print(f"Data: {describe(facts['data'] == 'synthetic')}.")
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
    try:
        job = _prepare(args)
        summary = make_map(job, args.out)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except MlflowException as error:
        print(f"error: MLflow refused: {name_error(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; nothing was written.", file=sys.stderr)
        return 130
    print(format_summary(summary, args.out))
    if missing := job.scene.excluded:
        print(
            f"error: {len(missing)} tiles are missing in the map: {', '.join(missing)}. See summary.json.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
