"""A map's totals as ``summary.json`` and as the picture's caption; a placebo's as ``placebo.json``."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.scene.base import Scene
from tuning.predict.landslides.polygons import MapTotals

TOO_FEW = "too few acquisitions"


def build_summary(totals: MapTotals, threshold: float, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``summary.json``.

    Args:
        totals: The totals of :func:`tuning.predict.landslides.polygons.write_polygons`.
        threshold: Minimum probability of a landslide pixel.
        facts: Further entries, such as the model and the input.

    Returns:
        ``landslides``, ``area_m2``, ``area_share`` of the mapped area (None if nothing is mapped),
        ``mapped_km2``, ``coverage`` with the shares of the whole grid that are mapped, have too few acquisitions and have no
        data at all, ``nodata_share``, the sum of the last two, ``threshold``, ``by_size`` with ``landslides`` and ``area_m2``
        per size class, ``by_confidence`` with the same per class of confidence, ``change``, what the orbits' background does, and
        ``terrain``, the shares in layover and shadow (None without heights), then *facts*.

    Raises:
        ValueError: If *facts* has one of these keys.
    """
    grid_m2 = totals.mapped_m2 + totals.nodata_m2
    summary = {
        "landslides": totals.count,
        "area_m2": totals.area_m2,
        "area_share": totals.area_m2 / totals.mapped_m2 if totals.mapped_m2 else None,
        "mapped_km2": totals.mapped_m2 / 1e6,
        "coverage": {
            "mapped": totals.mapped_m2 / grid_m2,
            TOO_FEW: totals.too_few_m2 / grid_m2,
            "no data at all": (totals.nodata_m2 - totals.too_few_m2) / grid_m2,
        },
        "nodata_share": totals.nodata_m2 / grid_m2,
        "threshold": threshold,
        "by_size": {
            name: {"landslides": size.count, "area_m2": size.area_m2}
            for name, size in totals.by_size.items()
        },
        "by_confidence": {
            name: {"landslides": one.count, "area_m2": one.area_m2}
            for name, one in totals.by_confidence.items()
        },
        "change": dict(totals.background),
        "terrain": totals.terrain,
    }
    if taken := sorted(summary.keys() & facts.keys()):
        raise ValueError(f"A fact must have a key of its own, but got {taken[0]!r}. Rename it.")
    return summary | dict(facts)


def build_placebo_summary(
    totals: MapTotals, threshold: float, scene: Scene, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of ``placebo.json``: what is called landslide on images before the event alone.

    Args:
        totals: The totals of the map of those images.
        threshold: Minimum probability of a landslide pixel.
        scene: The scene, mapped as a placebo.
        facts: Further entries, such as the model and the input.

    Returns:
        ``placebo`` (true), ``false_alarms``, ``alarms_per_km2``, ``area_share``, ``mapped_km2``, ``threshold``,
        ``event``, ``pretended_events``, and ``images`` by modality: numbers of images before the event (several if the
        tiles differ), and the dates of those that the networks read; then *facts*.
    """
    km2 = totals.mapped_m2 / 1e6
    return {
        "placebo": True,
        "false_alarms": totals.count,
        "alarms_per_km2": totals.count / km2,
        "area_share": totals.area_m2 / totals.mapped_m2,
        "mapped_km2": km2,
        "threshold": threshold,
        "event": list(map(str, scene.events)),
        "pretended_events": sorted(map(str, scene.pretended)),
        "images": {
            name: {
                "before_event": sorted({len(np.unique(one.available)) for one in series}),
                "read": sorted({str(time) for one in series for time in one.chosen}),
            }
            for name, series in scene.dates.items()
        },
    } | dict(facts)


def format_placebo(summary: Mapping[str, Any]) -> str:
    """Format the content of ``placebo.json`` for the terminal."""
    images = ", ".join(
        f"{len(one['read'])} of {' or '.join(map(str, one['before_event']))} images of {name}"
        for name, one in summary["images"].items()
    )
    return (
        f"Placebo: {summary['false_alarms']:,} false alarms on {summary['mapped_km2']:,.2f} km², "
        f"{summary['alarms_per_km2']:.3g} per km²; {summary['area_share']:.2%} of the area is called landslide "
        f"(threshold {summary['threshold']:.3g}).\n"
        f"Read were {images} before the event ({', '.join(summary['event'])}), which was pretended at "
        f"{', '.join(summary['pretended_events'])}. An older landslide between these images counts as a false alarm."
    )


def check_mapped(totals: MapTotals, source: str, excluded: Mapping[str, str]) -> None:
    """Raise ValueError if no pixel was mapped, with the reason of the first excluded tile if there is one."""
    if not totals.mapped_m2:
        lack = "No pixel has backscatter before and after the event of each orbit that the model reads."
        reason = next(iter(excluded.values()), lack)
        raise ValueError(f"A map needs data, but {source} has none. {reason}")


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write a summary as strict JSON.

    Raises:
        FileExistsError: If the file exists.
        ValueError: If a number is not finite.
        OSError: If the file cannot be written.
    """
    for name, value in _list_leaves(summary):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(
                f"A number in a summary must be finite, but got {name} = {value}. Use None for a missing number."
            )
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
    with path.open("x", encoding="utf-8") as file:
        file.write(text + "\n")


def _list_leaves(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Return each leaf with its path, such as ``by_size.from 2.88 ha.area_m2``."""
    if isinstance(value, Mapping):
        items = [(f"{name}.{key}" if name else str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [(f"{name}[{index}]", item) for index, item in enumerate(value)]
    else:
        return [(name, value)]
    return [leaf for key, item in items for leaf in _list_leaves(item, key)]


def format_totals(totals: MapTotals, threshold: float) -> str:
    """Format a map's totals in one line, for the picture's caption."""
    few = totals.too_few_m2 / (totals.mapped_m2 + totals.nodata_m2)
    end = f"threshold {threshold:.3g}" + (f"; {few:.1%} of the scene has {TOO_FEW}" if few else "")
    if not totals.mapped_m2:
        return f"no pixel has data; {end}"
    landslides = "1 landslide" if totals.count == 1 else f"{totals.count:,} landslides"
    share = totals.area_m2 / totals.mapped_m2
    return f"{landslides}, {_format_area(totals.area_m2)}, {share:.2%} of {_format_area(totals.mapped_m2)} mapped; {end}"


def describe_empty(totals: MapTotals, threshold: float) -> str:
    """Warn of a map without any landslide: it does not say that there is none. Empty for other maps."""
    if totals.count or not totals.mapped_m2:
        return ""
    return (
        f"No pixel reaches the threshold {threshold:.3g}. This does not say that there is no landslide: look at probability.tif, "
        "and compare with optical images."
    )


def format_origins(learnt_on: str, made_from: str) -> str:
    """Say what the model learnt on and what the map was made from, each ``synthetic`` or ``real``: two facts."""
    return f"Model learnt on {learnt_on} tiles; map made from a {made_from} scene"


def _format_area(area_m2: float) -> str:
    return f"{area_m2 / 1e6:,.1f} km²" if area_m2 >= 1e7 else f"{area_m2 / 1e4:,.2f} ha"
