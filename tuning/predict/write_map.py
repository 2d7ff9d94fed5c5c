"""Writes a map's folder: rasters, polygons, picture and summary. The folder appears once all files are written."""

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data.pack.placebo import Placebo
from data.scene import open_scene
from data.scene.base import Scene
from data.tiles import TILE_PX
from data.tiles.manifest import describe_origin
from tuning.predict.cog import RasterWriter, choose_layers
from tuning.predict.ensemble import Member, load_members
from tuning.predict.familiarity import UNKNOWN, check_familiar, find_differences
from tuning.predict.polygons import MapTotals, write_polygons
from tuning.predict.predictor import Predictor
from tuning.predict.quicklook import draw_quicklook
from tuning.predict.sliding_window import map_scene
from tuning.predict.summary import (
    build_placebo_summary,
    build_summary,
    check_mapped,
    format_origins,
    format_totals,
    write_summary,
)
from tuning.serving.pyfunc_model import parse_device, read_threshold
from tuning.train.malloc import keep_freed_memory

WINDOW_PX = 512  # larger windows waste less on overlap, smaller ones need less memory
ORIGINS = ("model", "learnt_on", "made_from")
PICTURE = "quicklook.png"
SUMMARY = "summary.json"
PLACEBO_SUMMARY = "placebo.json"
PLACEBO_FACTS = (*ORIGINS, "networks", "input", "flips", "notes")


@dataclass(frozen=True)
class MapJob:
    """A scene, the networks and the options of a map.

    Attributes:
        scene: The scene to map.
        predictor: The networks.
        threshold: Minimum probability of a landslide pixel.
        window_px: Side of a datacube's windows.
        overlap_px: Pixels shared by neighbouring windows.
        facts: Provenance for the summary and the rasters' tags.
    """

    scene: Scene
    predictor: Predictor
    threshold: float
    window_px: int
    overlap_px: int
    facts: dict[str, Any]


def prepare_map(args: argparse.Namespace) -> MapJob:
    """Load the networks and open the scene; writes nothing.

    Args:
        args: Parsed arguments of ``python -m tuning.predict``.

    Raises:
        FileExistsError: If the output folder is not empty.
        FileNotFoundError: If the registry or the input does not exist.
        ValueError: If the model, an option or the input is invalid.
    """
    keep_freed_memory()
    check_map_folder(args.out)
    members = load_members(args.model, args.root, ensemble=args.ensemble)
    predictor = Predictor(members, parse_device(args.device), flips=args.tta)
    threshold = read_threshold({"threshold": args.threshold}, predictor.threshold)
    placebo = Placebo(args.placebo_event) if args.placebo else None
    spec = replace(predictor.spec, event=args.event, placebo=placebo)
    scene = open_scene(
        *(args.input, spec, args.units),
        resample=args.resample,
        pattern=args.pattern,
        orbit=args.orbit,
    )
    learnt_synthetic = any(member.synthetic for member in members)
    found = find_differences(scene, members[0].profile, learnt_synthetic=learnt_synthetic)
    if args.strict:
        check_familiar(found, describe_input(args.input))
    facts = _collect_facts(args, members, scene, found)
    print(
        f"Model learnt on: {describe_origin(learnt_synthetic)} tiles; scene: {describe_origin(scene.synthetic)}, "
        f"{facts['input']}."
    )
    for note in (*scene.notes, *([UNKNOWN] if found is None else found)):
        print(note)
    return MapJob(
        scene,
        predictor,
        predictor.threshold if threshold is None else threshold,
        args.window or (WINDOW_PX if predictor.local else TILE_PX),
        args.overlap,
        facts,
    )


def _collect_facts(
    args: argparse.Namespace, members: list[Member], scene: Scene, differences: list[str] | None
) -> dict[str, Any]:
    """Collect a map's provenance."""
    learnt_on = any(member.synthetic for member in members)
    return {
        "model": args.model,
        "networks": [member.uri for member in members],
        "input": describe_input(args.input),
        "learnt_on": "synthetic" if learnt_on else "real",
        "made_from": "synthetic" if scene.synthetic else "real",
        "flips": args.tta,
        "event": ", ".join(map(str, scene.events)),
        "notes": scene.notes,
        "differs_from_training": differences,
    }


def describe_input(paths: Sequence[Path]) -> str:
    """Return the input as text: a path, or the first of several files and their number."""
    more = f" and {len(paths) - 1} more files" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


def make_map(job: MapJob, out: Path) -> MapTotals:
    """Map a scene into a folder, which appears once all files are written.

    The files are ``probability.tif``, ``mask.tif``, ``coverage.tif``, for an ensemble ``spread.tif``, ``landslides.gpkg`` and
    ``.geojson``, ``quicklook.png`` and ``summary.json``.

    Args:
        job: The scene, networks and options.
        out: A new or empty folder.

    Returns:
        The map's totals.

    Raises:
        FileExistsError: If *out* is not empty.
        ValueError: If the scene cannot be read, or no pixel can be mapped.
    """
    with _rasterise(job, out) as (folder, files):
        return _write_products(job, folder, files)


def measure_placebo(job: MapJob, out: Path) -> dict[str, Any]:
    """Count what the networks call landslide on a scene opened as a placebo; write the numbers alone, and no map.

    Args:
        job: The scene, whose ``spec`` has a placebo, networks and options.
        out: A new or empty folder; receives ``placebo.json``.

    Returns:
        The content of that file, of :func:`tuning.predict.summary.build_placebo_summary`.

    Raises:
        FileExistsError: If *out* is not empty.
        ValueError: If the scene cannot be read, or no pixel has data.
    """
    with _temporary_folder(out) as folder:
        with _rasterise(job, folder / "map") as (rasters, files):
            totals = write_polygons(rasters, files["mask"], files["probability"])
        check_mapped(totals, job.facts["input"], job.scene.excluded)
        shutil.rmtree(folder / "map")
        facts = {name: job.facts[name] for name in PLACEBO_FACTS}
        facts |= {"missing_tiles": job.scene.excluded, "no_data": job.scene.no_data.list_shares()}
        summary = build_placebo_summary(totals, job.threshold, job.scene, facts)
        write_summary(folder / PLACEBO_SUMMARY, summary)
    return summary


@contextmanager
def _rasterise(job: MapJob, out: Path) -> Iterator[tuple[Path, dict[str, Path]]]:
    """Map a scene into rasters; yield their folder, which becomes *out* at the end, and their files by layer."""
    scene, predictor = job.scene, job.predictor
    layers = choose_layers(predictor.layers)
    tags = {name: str(value) for name, value in job.facts.items()}
    with (
        _temporary_folder(out) as folder,
        RasterWriter(folder, scene.grid, layers, tags) as rasters,
    ):
        windows = scene.list_windows(job.window_px, job.overlap_px)
        with tqdm(total=len(windows), desc="Mapping", unit="window") as bar:
            map_scene(
                *(scene, windows, predictor, rasters.write),
                threshold=job.threshold,
                progress=bar.update,
            )
        for note in scene.filled.list_notes():
            scene.notes.append(note)
            print(note)
        yield folder, rasters.finish()


def _write_products(job: MapJob, folder: Path, files: dict[str, Path]) -> MapTotals:
    """Write polygons, picture and summary from the rasters."""
    scene, threshold = job.scene, job.threshold
    origin = format_origins(job.facts["learnt_on"], job.facts["made_from"])
    totals = write_polygons(
        *(folder, files["mask"], files["probability"], files.get("spread")),
        coverage=files["coverage"],
        about={"description": origin} | {name: str(job.facts[name]) for name in ORIGINS},
    )
    check_mapped(totals, job.facts["input"], scene.excluded)
    differences = job.facts.get("differs_from_training")
    draw_quicklook(
        *(folder / PICTURE, files["probability"], files["mask"], files["relief"]),
        threshold=threshold,
        title=f"Landslide probability, {job.facts['model']}",
        caption=format_totals(totals, threshold),
        origin=origin,
        cautions=["Unlike the train tiles:", *differences] if differences else [],
        heights=scene.has_heights,
        coverage=files["coverage"],
    )
    facts = job.facts | {"missing_tiles": scene.excluded, "no_data": scene.no_data.list_shares()}
    write_summary(folder / SUMMARY, build_summary(totals, threshold, facts))
    return totals


def check_map_folder(out: Path) -> None:
    """Raise if the output folder is not new or empty."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"A map needs a new or empty folder, but {out} is not empty. Choose another with --out."
        )


@contextmanager
def _temporary_folder(out: Path) -> Iterator[Path]:
    """Make a folder beside *out* that replaces it at the end, or is deleted after an error."""
    check_map_folder(out)
    folder = out.with_name(f".{out.name}.{os.getpid()}")
    folder.mkdir(parents=True)
    try:
        yield folder
        folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
