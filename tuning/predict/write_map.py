"""A map's folder: rasters, landslides, picture and summary, which appear together when all are written."""

import argparse
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from data.scene import open_scene
from data.scene.base import Scene
from data.tiles import TILE_PX
from data.tiles.manifest import describe_origin
from tuning.predict.cog import MASK, PROBABILITY, RELIEF, SPREAD, RasterWriter
from tuning.predict.ensemble import Member, load_members
from tuning.predict.polygons import MapTotals, write_polygons
from tuning.predict.predictor import Predictor
from tuning.predict.quicklook import draw_quicklook
from tuning.predict.sliding_window import map_scene
from tuning.predict.summary import build_summary, format_totals, write_summary
from tuning.serving.pyfunc_model import parse_device, read_threshold
from tuning.train.malloc import keep_freed_memory

LAYERS = {"probability": PROBABILITY, "spread": SPREAD, "mask": MASK, "relief": RELIEF}
WINDOW_PX = 512  # larger ones waste less on overlap, smaller ones need less memory
PICTURE = "quicklook.png"
SUMMARY = "summary.json"


@dataclass(frozen=True)
class MapJob:
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


def prepare_map(args: argparse.Namespace) -> MapJob:
    """Load the networks and open the scene, before anything is written.

    Args:
        args: The words of ``python -m tuning.predict``.

    Raises:
        FileExistsError: If the map's folder holds something.
        FileNotFoundError: If there is no registry or no input.
        ValueError: If model, option or input is not what it must be.
    """
    keep_freed_memory()
    check_output_folder(args.out)
    members = load_members(args.model, args.root, ensemble=args.ensemble)
    predictor = Predictor(members, parse_device(args.device), flips=args.tta)
    limit = read_threshold({"threshold": args.threshold}, predictor.threshold)
    spec = replace(predictor.spec, event=np.datetime64(args.event, "s"))
    scene = open_scene(args.input, spec, args.units)
    facts = _find_facts(args, members, scene)
    print(f"Data: {describe_origin(facts['data'] == 'synthetic')}, {args.input}.")
    for note in scene.notes:
        print(note)
    return MapJob(
        scene,
        predictor,
        predictor.threshold if limit is None else limit,
        args.window or (WINDOW_PX if predictor.local else TILE_PX),
        args.overlap,
        facts,
    )


def _find_facts(args: argparse.Namespace, members: list[Member], scene: Scene) -> dict[str, Any]:
    """Collect where a map comes from."""
    synthetic = scene.synthetic or any(member.synthetic for member in members)
    return {
        "model": args.model,
        "networks": [member.uri for member in members],
        "input": str(args.input),
        "data": "synthetic" if synthetic else "real",
        "flips": args.tta,
        "event": str(scene.spec.event),
        "notes": scene.notes,
    }


def make_map(job: MapJob, out: Path) -> MapTotals:
    """Map a scene into a folder, which appears when all is written.

    The folder gets ``probability.tif``, ``mask.tif``, of an ensemble ``spread.tif``, ``landslides.gpkg`` and
    ``.geojson``, ``quicklook.png`` and ``summary.json``.

    Args:
        job: What is mapped, and how.
        out: A new or empty folder.

    Returns:
        What the map holds in all.

    Raises:
        FileExistsError: If *out* holds something.
        ValueError: If the scene cannot be read, or none of it can be mapped.
    """
    scene, predictor = job.scene, job.predictor
    layers = {name: LAYERS[name] for name in (*predictor.layers, "mask", "relief")}
    tags = {name: str(value) for name, value in job.facts.items()}
    with _aside(out) as folder, RasterWriter(folder, scene.grid, layers, tags) as rasters:
        windows = scene.list_windows(job.window_px, job.overlap_px)
        with tqdm(total=len(windows), desc="Mapping", unit="window") as bar:
            map_scene(
                *(scene, windows, predictor, rasters.write),
                threshold=job.threshold,
                progress=bar.update,
            )
        return _finish(job, folder, rasters.finish())


def _finish(job: MapJob, folder: Path, files: dict[str, Path]) -> MapTotals:
    """Write what is made of the rasters."""
    scene, threshold = job.scene, job.threshold
    totals = write_polygons(folder, files["mask"], files["probability"], files.get("spread"))
    if not totals.mapped_m2:
        reason = next(iter(scene.excluded.values()), "No pixel has backscatter.")
        raise ValueError(f"A map needs data, but got none of {job.facts['input']}. {reason}")
    draw_quicklook(
        *(folder / PICTURE, files["probability"], files["mask"], files["relief"]),
        threshold=threshold,
        title=f"Landslide probability, {job.facts['model']}",
        caption=format_totals(totals, threshold),
        synthetic=job.facts["data"] == "synthetic",
        heights=scene.has_heights,
    )
    facts = job.facts | {"missing_tiles": scene.excluded}
    write_summary(folder / SUMMARY, build_summary(totals, threshold, facts))
    return totals


def check_output_folder(out: Path) -> None:
    """Refuse a place that holds something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"A map goes to a new or empty folder, but {out} is there. Give another with --out."
        )


@contextmanager
def _aside(out: Path) -> Iterator[Path]:
    """Make a folder beside *out*, which takes its place at the end, or is removed after an error."""
    check_output_folder(out)
    folder = out.with_name(f".{out.name}.{os.getpid()}")
    folder.mkdir(parents=True)
    try:
        yield folder
        folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
