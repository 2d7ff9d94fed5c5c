"""Writes a map's folder: rasters, polygons, picture and summary. The folder appears once all files are written."""

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data.io.durable import building_folder
from tuning.predict.cog import RasterWriter, choose_layers
from tuning.predict.landslides.evidence import Evidence
from tuning.predict.landslides.polygons import MapTotals, write_polygons
from tuning.predict.page.acquisitions import list_acquisitions
from tuning.predict.page.write_page import write_page
from tuning.predict.pick import describe_shortage
from tuning.predict.picture.preview import read_preview
from tuning.predict.picture.quicklook import draw_quicklook
from tuning.predict.picture.relief import FILE as RELIEF
from tuning.predict.picture.relief import write_relief
from tuning.predict.prepare import MapJob, check_map_folder, describe_unmeasured
from tuning.predict.qgis.project import COPERNICUS, write_project
from tuning.predict.sliding_window import map_scene
from tuning.predict.summary import (
    build_placebo_summary,
    build_summary,
    check_mapped,
    describe_empty,
    format_origins,
    format_totals,
    write_summary,
)
from tuning.registry.map_facts import MODEL_FACTS, flatten, name_version

ORIGINS = ("model", "learnt_on", "made_from")
PICTURE = "quicklook.png"
SUMMARY = "summary.json"
COUNTED = ("probability", "mask")  # the layers from which a placebo's false alarms are counted
PLACEBO_SUMMARY = "placebo.json"
PLACEBO_FACTS = (*ORIGINS, *MODEL_FACTS[:-1], "networks", "input", "flips", "notes")


def make_map(job: MapJob, out: Path) -> MapTotals:
    """Map a scene into a folder, which appears once all files are written.

    Its files are described in docs/maps.md.

    Args:
        job: The scene, networks and options.
        out: A new or empty folder.

    Returns:
        The map's totals.

    Raises:
        FileExistsError: If *out* is not empty.
        ValueError: If the scene cannot be read, or no pixel can be mapped.
    """
    placebo = _count_beside(job, out)
    with _rasterise(job, out) as (folder, files):
        return _write_products(job, folder, files, placebo)


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
        summary = _count_false_alarms(job, folder)
        write_summary(folder / PLACEBO_SUMMARY, summary)
    return summary


def _count_beside(job: MapJob, out: Path) -> dict[str, Any] | None:
    """Count false alarms for a map's summary, without the facts that the map has itself; None if there is nothing to count on."""
    if job.early is None:
        return None
    try:
        with building_folder(out) as folder:
            found = _count_false_alarms(replace(job, scene=job.early), folder)
    except ValueError as error:  # of tiles, dates are known only when they are read
        job.scene.notes.append(describe_unmeasured(error))
        return None
    return {name: value for name, value in found.items() if name not in job.facts}


def _count_false_alarms(job: MapJob, folder: Path) -> dict[str, Any]:
    """Map a placebo into a folder inside another one, which it deletes; return the content of ``placebo.json``."""
    with _rasterise(job, folder / "map", COUNTED) as (rasters, files):
        totals = write_polygons(rasters, files["mask"], files["probability"])
    check_mapped(totals, job.facts["input"], job.scene.excluded)
    shutil.rmtree(folder / "map")
    facts = {name: job.facts[name] for name in PLACEBO_FACTS}
    facts |= {"missing_tiles": job.scene.excluded, "no_data": job.scene.no_data.list_shares()}
    return build_placebo_summary(totals, job.threshold, job.scene, facts)


@contextmanager
def _rasterise(
    job: MapJob, out: Path, delivered: Collection[str] | None = None
) -> Iterator[tuple[Path, dict[str, Path]]]:
    """Map a scene into rasters; yield their folder, which becomes *out* at the end, and their files by layer.

    Layers that are not among *delivered* are not converted to their final form.
    """
    scene, predictor = job.scene, job.predictor
    layers = choose_layers(predictor.layers, scene.spec.orbits)
    if delivered is not None:
        layers = {name: replace(one, delivered=name in delivered) for name, one in layers.items()}
    tags = flatten(job.facts)
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


def _write_products(
    job: MapJob, folder: Path, files: dict[str, Path], placebo: dict[str, Any] | None
) -> MapTotals:
    """Write polygons, picture and summary, with the numbers of a placebo, from the rasters."""
    scene, threshold = job.scene, job.threshold
    scene.no_data.add_notes(scene.notes)
    origin = format_origins(job.facts["learnt_on"], job.facts["made_from"])
    about = {name: job.facts[name] for name in (*ORIGINS, *MODEL_FACTS)}
    warnings = [job.facts["warning"]] if job.facts["warning"] else []
    totals = write_polygons(
        *(folder, files["mask"], files["probability"], files.get("spread")),
        coverage=files["coverage"],
        about={"description": ". ".join([origin, *warnings])} | flatten(about),
        evidence=Evidence(
            threshold, files["change"], files["relief"] if scene.has_heights else None
        ),
    )
    check_mapped(totals, job.facts["input"], scene.excluded)
    differences = job.facts.get("differs_from_training")
    cautions = ["Unlike the train tiles:", *differences] if differences else []
    remarks = list(filter(None, [describe_shortage(scene), describe_empty(totals, threshold)]))
    preview = read_preview(
        *(files["probability"], files["mask"], files["relief"]), coverage=files["coverage"]
    )
    draw_quicklook(
        *(folder / PICTURE, preview),
        threshold=threshold,
        title=f"Landslide probability, {name_version(job.facts)}",
        caption=format_totals(totals, threshold),
        origin=origin,
        cautions=[*warnings, *cautions, *remarks],
        heights=scene.has_heights,
    )
    tags = flatten(job.facts)
    write_relief(folder / RELIEF, preview, heights=scene.has_heights, tags=tags)
    real = job.facts["made_from"] == "real"
    write_project(
        *(folder, scene.grid),
        threshold=threshold,
        title=f"Landslides, {name_version(job.facts)}. {origin}",
        remarks=[f"{origin}.", *warnings, COPERNICUS if real else ""],
        orbits=scene.spec.orbits,
    )
    facts = job.facts | {"missing_tiles": scene.excluded, "no_data": scene.no_data.list_shares()}
    facts |= {"placebo": placebo, "acquisitions_read": list_acquisitions(scene)}
    summary = build_summary(totals, threshold, facts)
    write_summary(folder / SUMMARY, summary)
    write_page(folder, summary, files["relief"], heights=scene.has_heights, remarks=remarks)
    return totals


@contextmanager
def _temporary_folder(out: Path) -> Iterator[Path]:
    """Make a folder beside *out* that replaces it at the end, or is deleted after an error."""
    check_map_folder(out)
    with building_folder(out) as folder:
        yield folder
        folder.replace(out)
