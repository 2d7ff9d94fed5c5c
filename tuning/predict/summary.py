"""A map in numbers: ``summary.json``, and one line for the picture."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuning.predict.polygons import MapTotals


def build_summary(totals: MapTotals, threshold: float, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a map holds in all.

    Args:
        totals: What :func:`tuning.predict.polygons.write_polygons` counted.
        threshold: Probability from which a pixel counts as landslide.
        facts: What else is known, such as the model and the input.

    Returns:
        ``landslides``, ``area_m2``, ``area_share`` of the mapped area (None where nothing is mapped),
        ``mapped_km2``, ``nodata_share`` of the whole grid, ``threshold``, ``by_size`` with ``landslides`` and
        ``area_m2`` of each class, then *facts*.

    Raises:
        ValueError: If a fact has the name of one of these.
    """
    whole = totals.mapped_m2 + totals.nodata_m2
    counted = {
        "landslides": totals.count,
        "area_m2": totals.area_m2,
        "area_share": totals.area_m2 / totals.mapped_m2 if totals.mapped_m2 else None,
        "mapped_km2": totals.mapped_m2 / 1e6,
        "nodata_share": totals.nodata_m2 / whole,
        "threshold": threshold,
        "by_size": {
            name: {"landslides": size.count, "area_m2": size.area_m2}
            for name, size in totals.by_size.items()
        },
    }
    if taken := sorted(counted.keys() & facts.keys()):
        raise ValueError(f"A fact must have its own name, but got {taken[0]!r}. Rename it.")
    return counted | dict(facts)


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write a summary as strict JSON.

    Raises:
        FileExistsError: If the file is there.
        ValueError: If a number is not finite.
        OSError: If the file cannot be written.
    """
    for name, value in _walk(summary):
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(
                f"A number of a summary must be finite, but got {name} = {value}. Give None where there is none."
            )
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
    with path.open("x", encoding="utf-8") as file:
        file.write(text + "\n")


def _walk(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Return every leaf with its path, such as ``by_size.from 2.88 ha.area_m2``."""
    if isinstance(value, Mapping):
        pairs = [(f"{name}.{key}" if name else str(key), one) for key, one in value.items()]
    elif isinstance(value, list | tuple):
        pairs = [(f"{name}[{place}]", one) for place, one in enumerate(value)]
    else:
        return [(name, value)]
    return [leaf for key, one in pairs for leaf in _walk(one, key)]


def format_totals(totals: MapTotals, threshold: float) -> str:
    """Say in one line what a map holds, for the picture's caption."""
    if not totals.mapped_m2:
        return f"no pixel has data; threshold {threshold:.3g}"
    landslides = "1 landslide" if totals.count == 1 else f"{totals.count:,} landslides"
    share = totals.area_m2 / totals.mapped_m2
    return (
        f"{landslides}, {_area(totals.area_m2)}, {share:.2%} of {_area(totals.mapped_m2)} mapped; "
        f"threshold {threshold:.3g}"
    )


def _area(area_m2: float) -> str:
    return f"{area_m2 / 1e6:,.1f} km²" if area_m2 >= 1e7 else f"{area_m2 / 1e4:,.2f} ha"
