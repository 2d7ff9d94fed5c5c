"""What a map's page says, from the map's summary: headline, warnings, facts, and where the map comes from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuning.predict.familiarity import UNKNOWN
from tuning.predict.landslides.confidence import RULE
from tuning.predict.page.words import (
    count,
    find_place,
    format_date,
    format_days,
    format_degrees,
    format_event,
    format_hectares,
    format_share,
    join,
)
from tuning.predict.summary import TOO_FEW
from tuning.registry.map_facts import name_version

NOT_MEASURED = "not measured"
SCORES = "Precision is the share of what is mapped that is landslide, recall the share of landslide that is mapped."
MOST_NAMES = 8  # tiles, networks or notes that are named; the others are in summary.json
ORBITS = {"s1asc": "Sentinel-1 ascending", "s1dsc": "Sentinel-1 descending"}
COPERNICUS_DEM = (
    "Copernicus DEM GLO-30: © DLR e.V. 2010-2014 and © Airbus Defence and Space GmbH 2014-2018, provided under COPERNICUS by the "
    "European Union and ESA; all rights reserved."
)

Summary = Mapping[str, Any]
Facts = list[tuple[str, str]]


def write_headline(summary: Summary, crs: str, middle: tuple[float, float]) -> str:
    """Say in one sentence how many landslides of what area were mapped where and after what.

    Args:
        summary: The map's summary.
        crs: Coordinate system of the map.
        middle: Latitude and longitude of its middle; NaN if they are not known.
    """
    place = find_place(summary, crs)
    near = format_degrees(*middle)
    where = f" in {place}" if place else f" near {near}" if near else ""
    scene = " on a synthetic scene" if summary["made_from"] == "synthetic" else ""
    after = f"{where} after {format_event(str(summary.get('event', '')))}{scene}."
    number = summary["landslides"]
    if not number:
        return f"No landslide was mapped{after} This does not say that there is none."
    area = format_hectares(summary["area_m2"])
    if number == 1:
        return f"1 landslide of {area} was mapped{after}"
    return f"{number:,} landslides with {area} in total were mapped{after}"


def list_origins(summary: Summary) -> str:
    """Say which of model and scene are synthetic; nothing if neither is."""
    learnt, made = (summary[name] == "synthetic" for name in ("learnt_on", "made_from"))
    if learnt and made:
        return "Model and scene are synthetic: this map shows that the software works, and nothing about a real place."
    if made:
        return "The scene is synthetic: this map says nothing about a real place."
    if learnt:
        return (
            "The model learnt on synthetic tiles: nobody knows how well it finds real landslides."
        )
    return ""


def list_cautions(summary: Summary, remarks: Sequence[str]) -> list[str]:
    """List what a reader must know before using the map: the model's warning, differences from training, missing tiles.

    Args:
        summary: The map's summary.
        remarks: Further ones, such as that there are too few acquisitions.
    """
    cautions = [str(summary["warning"])] if summary.get("warning") else []
    differences = summary.get("differs_from_training")
    cautions += [UNKNOWN] if differences is None else []
    cautions += [f"Unlike the train tiles: {text}" for text in differences or ()]
    if missing := summary.get("missing_tiles"):
        verb = "is" if len(missing) == 1 else "are"
        cautions.append(
            f"{count(len(missing), 'tile')} {verb} missing in the map: {shorten(sorted(missing))}."
        )
    return [*cautions, *remarks]


def shorten(names: Sequence[str]) -> str:
    """Join names by commas; of many, the first ones and the number of the others."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def list_facts(summary: Summary) -> Facts:
    """Return the numbers of a map with their names."""
    coverage = summary["coverage"]
    return [
        ("Landslide area", format_hectares(summary["area_m2"])),
        ("Landslides", f"{summary['landslides']:,}"),
        *_list_confidence(summary.get("by_confidence") or {}),
        ("Area mapped", f"{summary['mapped_km2']:,.2f} km²"),
        ("Share of it that is landslide", _share(summary["area_share"])),
        ("Scene without any data", format_share(coverage["no data at all"])),
        ("Scene with too few acquisitions", format_share(coverage[TOO_FEW])),
        *_list_terrain(summary.get("terrain")),
        ("False alarms to expect", format_alarms(summary.get("placebo"))),
        *_list_expected(summary["expected"]),
        ("Threshold", f"probability {summary['threshold']:.3g}"),
    ]


def _share(share: float | None) -> str:
    return NOT_MEASURED if share is None else format_share(share)


def _list_confidence(classes: Mapping[str, Mapping[str, Any]]) -> Facts:
    """Return the number of landslides of each class of confidence."""
    counts = ", ".join(f"{one['landslides']:,} {name}" for name, one in classes.items())
    return [("Their confidence", counts)] if counts else []


def _list_terrain(terrain: Mapping[str, Any] | None) -> Facts:
    """Return the shares of the ground in layover and shadow of each orbit, and those that no orbit sees."""
    if not terrain:
        return [("Layover and shadow", NOT_MEASURED)]
    shares = [
        (
            f"Layover and shadow, {ORBITS.get(orbit, orbit).removeprefix('Sentinel-1 ')}",
            f"{format_share(one['layover'])} and {format_share(one['shadow'])}",
        )
        for orbit, one in terrain["orbits"].items()
    ]
    hidden = format_share(terrain["seen_by_neither"])
    return [*shares, ("Seen by no orbit", hidden)] if len(shares) > 1 else shares


def format_alarms(placebo: Mapping[str, Any] | None) -> str:
    """Format the false alarms that were counted on the images before the event."""
    return NOT_MEASURED if not placebo else f"{placebo['alarms_per_km2']:.3g} per km²"


def explain_alarms(placebo: Mapping[str, Any] | None) -> str:
    """Say where the number of false alarms comes from, or how to get one."""
    if not placebo:
        return "False alarms were not measured; the option `--false-alarms` counts them on the images before the event."
    return (
        f"False alarms: on the images before the event alone, {count(placebo['false_alarms'], 'object')} on "
        f"{placebo['mapped_km2']:,.2f} km² were called landslide, {format_share(placebo['area_share'])} of the area. "
        "An older landslide between these images counts as a false alarm."
    )


def _list_expected(expected: Mapping[str, Any]) -> Facts:
    """Return precision and recall to expect, with their intervals."""
    return [
        (f"{name.capitalize()} to expect", _format_score(expected[name]))
        for name in ("precision", "recall")
    ]


def _format_score(one: Mapping[str, float | None]) -> str:
    if one["value"] is None:
        return NOT_MEASURED
    return f"{one['value']:.2f}" + (
        "" if one["low"] is None else f" ({one['low']:.2f} to {one['high']:.2f})"
    )


def list_trust(summary: Summary) -> list[str]:
    """Return sentences on how far the map can be trusted; a name or a path is in none of them."""
    sentences = [
        f"A landslide is a group of pixels of 10 m with a probability of at least {summary['threshold']:.3g}.",
        f"{SCORES} {summary['expected']['note']}",
        explain_alarms(summary.get("placebo")),
    ]
    if summary.get("by_confidence"):
        sentences.insert(1, RULE)
    if terrain := summary.get("terrain"):
        sentences.append(
            "Layover and shadow hide landslides from an orbit. Their shares are estimated from the slopes alone, for an incidence "
            f"angle of {terrain['incidence_deg']:g}°."
        )
    return sentences


def list_provenance(summary: Summary) -> Facts:
    """Return where a map comes from: model, scene, acquisitions per orbit, conversions."""
    networks = [str(name) for name in summary.get("networks", ())]
    loaded = summary.get("scene") or {}
    facts = [
        ("Model", name_version(summary)),
        ("Gate", summary.get("gate")),
        ("Model learnt on", f"{summary['learnt_on']} tiles"),
        ("Map made from", f"{summary['made_from']} scene"),
        ("Scene", summary.get("input")),
        ("Catalogue", ", ".join(filter(None, [loaded.get("source"), loaded.get("address")]))),
        ("Event", ", ".join(map(format_date, str(summary.get("event", "")).split(", ")))),
        *_list_acquisitions(summary.get("acquisitions_read") or {}, loaded.get("tracks") or {}),
        ("Networks averaged", shorten(networks) if len(networks) > 1 else None),
        ("Averaged over flips", "four" if summary.get("flips") else None),
    ]
    return [(name, str(value)) for name, value in facts if value]


def _list_acquisitions(
    read: Mapping[str, Sequence[Mapping[str, Any]]], tracks: Mapping[str, Sequence[int]]
) -> Iterator[tuple[str, str]]:
    """Yield the acquisitions of each orbit, such as ``30 August 2018 (−6 days)``, and its tracks if they are known."""
    for orbit, series in read.items():
        dates = [
            f"{format_date(str(one['time'])).partition(',')[0]} ({format_days(one['days'])} days)"
            for one in series
        ]
        track = f", track {join(list(map(str, tracks[orbit])))}" if tracks.get(orbit) else ""
        yield f"{ORBITS.get(orbit, orbit)}{track}, acquisitions read", "; ".join(dates)


def list_credits(summary: Summary) -> list[str]:
    """Return whose data a map contains."""
    if summary["made_from"] == "synthetic":
        return ["The scene is synthetic: the map contains no satellite data."]
    years = {
        str(one["time"])[:4]
        for series in (summary.get("acquisitions_read") or {}).values()
        for one in series
    }
    when = f" {', '.join(sorted(years))}" if years else ""
    own = "Heights" if summary.get("scene") else "Heights, where the scene's are those of the"
    return [
        f"Contains modified Copernicus Sentinel data{when}.",
        f"{own}{': ' if summary.get('scene') else ' '}{COPERNICUS_DEM}",
    ]
