"""Where a scene differs from what the model learnt from: place, backscatter, number and spacing of dates, tracks.

A map is made all the same, since whether the model still works there cannot be told from the scene; but everybody who
sees the map should know. The limits are coarse: they separate another situation from chance.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyproj

from data.io.safe_json import refused_error
from data.pack.profile import TrainingProfile, count_tracks, measure_spacing
from data.scene.base import Scene, SeriesDates
from data.tiles.rules import ORBITS
from data.values.window import is_around_event

SAMPLES = 16  # windows of a scene
SAMPLE_PX = 64
EDGE_POINTS = 101
FAR_KM = 20.0  # from the edge of a region's train tiles
MAX_OUTSIDE = 0.1  # share of values outside the range of 98 % of the training values
SPACING_RATIO = 2.0
UNKNOWN = "Nothing is known of what the model learnt from, since it was logged without a training profile."


def find_differences(
    scene: Scene, profile: TrainingProfile | None, *, learnt_synthetic: bool
) -> list[str] | None:
    """Compare a scene with the model's train tiles, from the scene's grid, its dates and a sample of its pixels.

    Args:
        scene: An opened scene.
        profile: What the train tiles are like.
        learnt_synthetic: Whether they are synthetic.

    Returns:
        A sentence for each difference, or None if the profile is unknown.

    Raises:
        ValueError: If the scene cannot be read.
    """
    if profile is None:
        return None
    values = sample_backscatter(scene)
    kinds = ["synthetic" if mark else "real" for mark in (learnt_synthetic, scene.synthetic)]
    found = [] if kinds[0] == kinds[1] else ["Model learnt on {} tiles, scene is {}".format(*kinds)]
    found += _compare_place(scene, profile)
    for name, dates in (
        scene.dates.items() if scene.spec.placebo is None else ()
    ):  # fewer on purpose
        # A network that reads the dates nearest to the event does not see how many there are besides.
        counted = not is_around_event(scene.spec.steps)
        found += _compare_dates(name, dates, profile, counted=counted)
    found += _compare_values(values, profile.ranges)
    return [f"{text}." for text in found]


def check_familiar(differences: list[str] | None, place: str) -> None:
    """Refuse a scene that differs from what the model learnt from.

    Raises:
        ValueError: If there are differences, or nothing is known of the training.
    """
    if differences is None or differences:
        got = " ".join(differences) if differences else UNKNOWN
        remedy = "Map it without --strict, or train on tiles like it."
        raise refused_error(
            "With --strict a scene must be like the train tiles", got, place, remedy
        )


def sample_backscatter(scene: Scene) -> dict[str, np.ndarray]:
    """Read windows that are spread over a scene; return the values of each band without gaps."""
    windows = scene.list_windows(SAMPLE_PX, 2)
    spread = (np.arange(1, SAMPLES + 1) * 0.618034) % 1  # in rows and columns, unlike even steps
    chosen = sorted({int(at * len(windows)) for at in spread})
    read = [data.x for at in chosen if (data := scene.read(windows[at])) is not None]
    sample = {}
    for index, name in enumerate(scene.spec.channels):
        if ":" in name and read:
            values = np.concatenate([x[:, index].ravel() for x in read])
            sample[name] = values[~np.isnan(values)]
    return sample


def _compare_place(scene: Scene, profile: TrainingProfile) -> Iterator[str]:
    """Yield the distance from the train tiles, if the scene's middle is not among them."""
    west, south, east, north = scene.grid.frame.bounds
    to_degrees = pyproj.Transformer.from_crs(scene.grid.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform((west + east) / 2, (south + north) / 2)
    distances = {}
    for region, (left, low, right, high) in profile.areas.items():
        distances[region] = measure_gap_km(longitude, latitude, (left, low, right, high))
    region = min(distances, key=lambda name: distances[name], default="")
    if region and not np.isfinite(distances[region]):
        yield f"Where the scene lies is unknown: its coordinates are outside {scene.grid.crs[:40]}"
    elif region and distances[region] > FAR_KM:
        yield f"The scene is {distances[region]:,.0f} km from the nearest train tiles, of {region}"


def measure_gap_km(longitude: float, latitude: float, area: tuple[float, ...]) -> float:
    """Return the length of the shortest geodesic from a point to an area, 0 inside it.

    Args:
        longitude: Of the point, in degrees.
        latitude: Of the point.
        area: West, south, east and north edge in degrees.
    """
    if not np.isfinite([longitude, latitude]).all():
        return float("nan")
    west, south, east, north = area
    inside = np.clip(longitude, west, east), np.clip(latitude, south, north)
    along = np.linspace(0, 1, EDGE_POINTS)  # the nearest point of a meridian has another latitude
    across, up = west + along * (east - west), south + along * (north - south)
    edge = np.full(EDGE_POINTS, 1.0)
    longitudes = np.concatenate([[inside[0]], across, across, west * edge, east * edge])
    latitudes = np.concatenate([[inside[1]], south * edge, north * edge, up, up])
    here = np.full(len(longitudes), longitude), np.full(len(longitudes), latitude)
    _, _, metres = pyproj.Geod(ellps="WGS84").inv(*here, longitudes, latitudes)
    return float(np.min(metres)) / 1000


def _compare_dates(
    name: str, dates: Sequence[SeriesDates], profile: TrainingProfile, *, counted: bool
) -> Iterator[str]:
    """Yield fewer dates (if *counted*), another spacing and more tracks than in training; of tiles, the median counts."""
    count = int(np.median([len(np.unique(one.available)) for one in dates]))
    if counted and count < (wanted := profile.dates.get(name, 0)):
        yield f"{name} has {count} dates, train tiles have {wanted}"
    spacing = float(np.median([measure_spacing(one.chosen) for one in dates]))
    usual = profile.spacing_days.get(name, 0.0)
    if min(spacing, usual) > 0 and max(spacing / usual, usual / spacing) >= SPACING_RATIO:
        yield f"The dates of {name} that the model reads are {spacing:g} days apart, in training {usual:g}"
    if name in ORBITS and (learnt := profile.tracks.get(name)):
        tracks = int(np.median([count_tracks(one.chosen) for one in dates]))
        if tracks > learnt:
            yield f"The dates of {name} span {tracks} tracks, in training {learnt}, so incidence angles differ"


def _compare_values(
    values: Mapping[str, np.ndarray], ranges: Mapping[str, Sequence[float]]
) -> Iterator[str]:
    """Yield bands with many values beyond those of the train tiles."""
    for name, (low, high) in ranges.items():
        found = values.get(name, np.empty(0))
        outside = float(np.mean((found < low) | (found > high))) if found.size else 0.0
        if outside > MAX_OUTSIDE:
            unit = " dB" if name.startswith(ORBITS) else ""
            span = f"{low:.3g} to {high:.3g}{unit}"
            yield f"{outside:.0%} of {name} is outside {span}, where 98% of training is"
