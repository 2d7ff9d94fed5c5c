"""Find what is suspicious about a usable tile: one short generator of warnings per kind."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from data.tiles.catalogue import CATALOGUE_REGION, read_catalogue
from data.tiles.events import find_days, read_event_date
from data.tiles.paths import region_of
from data.tiles.regions import read_regions
from data.tiles.rules import (
    BANDS,
    DB_CEILING,
    DIMS,
    NODATA,
    ORBITS,
    TileWarning,
    list_variables,
    measure_shift,
)
from data.tiles.tracks import describe_tracks, find_repeats
from data.values.tally import Tally

NOT_IN_CATALOGUE = "not-in-catalogue"
SHIFT_M = 0.01  # tolerance for the rounding of coordinates
MIN_STD = 0.05  # dB or reflectance numbers; speckle alone gives about 2 dB


def find_storage_warnings(variables: Mapping[str, Any], modality: str) -> Iterator[TileWarning]:
    """Find variables stored with another dtype, or with their dims in another order, than published."""
    for name, published in list_variables(modality).items():
        if (dims := tuple(variables[name].dimensions)) != DIMS:
            text = f"{name} is stored over ({', '.join(dims)}), published over ({', '.join(DIMS)})."
            yield TileWarning("storage-order", text)
        if (stored := np.dtype(variables[name].dtype).name) != published:
            yield TileWarning(
                "storage-dtype", f"{name} is stored as {stored}, published as {published}."
            )


def find_catalogue_warnings(tile_id: str) -> Iterator[TileWarning]:
    """Find a tile of Hokkaido that is not in the catalogue, such as ten of the raw release."""
    if region_of(tile_id) == CATALOGUE_REGION and tile_id not in read_catalogue():
        text = f"{tile_id} is not in the catalogue of Hokkaido's tiles."
        yield TileWarning(NOT_IN_CATALOGUE, text)


def find_position_warnings(tile_id: str, x: np.ndarray, y: np.ndarray) -> Iterator[TileWarning]:
    """Find a tile of Hokkaido that is not in the catalogue, or is slightly shifted from its position there.

    Args:
        tile_id: Such as ``hokkaido_579``.
        x: Eastings in m, shape ``(W,)``.
        y: Northings in m, shape ``(H,)``.

    Yields:
        At most one warning.
    """
    yield from find_catalogue_warnings(tile_id)
    if tile_id in read_catalogue() and (shift_m := measure_shift(tile_id, x, y)) > SHIFT_M:
        yield TileWarning("shifted", f"It is {shift_m:g} m off its position in the catalogue.")


def find_gap_warnings(
    bands: np.ndarray, dem: np.ndarray, times: np.ndarray, modality: str
) -> Iterator[TileWarning]:
    """Find pixels without data, and acquisitions in which a whole band has no data.

    Args:
        bands: Shape ``(T, C, H, W)``, NaN = no data.
        dem: Heights in m, shape ``(H, W)``, -9999 = no data.
        times: Acquisition times, shape ``(T,)``.
        modality: Determines the names of the bands.

    Yields:
        At most three warnings: on the bands, on the heights and on empty acquisitions.
    """
    gaps = np.isnan(bands).sum(axis=(2, 3))
    shares = gaps.sum(axis=0) / bands[:, 0].size
    if text := _format_shares(BANDS[modality], shares):
        yield TileWarning("nodata", f"No data in {text}.")
    if text := _format_shares(["DEM"], [float(np.mean(dem == NODATA))]):
        yield TileWarning("nodata", f"No data in {text}.")
    if (empty := (gaps == dem.size).any(axis=1)).any():
        days = ", ".join(np.datetime_as_string(times[empty], "D"))
        yield TileWarning("empty-step", f"A band has no data at all on {days}.")


def find_fill_warnings(tallies: Sequence[Tally], times: np.ndarray) -> Iterator[TileWarning]:
    """Find numbers that no attribute declares as no data, and that were taken as such, by band and date, times of shape ``(T,)``."""
    days = list(map(str, np.datetime_as_string(times, "D")))
    for tally in tallies:
        if text := tally.describe(days, ignored=(NODATA,)):
            yield TileWarning("undeclared-nodata", text)


def _format_shares(names: Sequence[str], shares: Sequence[float] | np.ndarray) -> str:
    pairs = zip(names, shares, strict=True)
    return ", ".join(f"{100 * share:.2g} % of {name}" for name, share in pairs if share > 0)


def find_flat_bands(bands: np.ndarray, modality: str) -> Iterator[TileWarning]:
    """Find bands, shape ``(T, C, H, W)``, that hardly vary, such as linear power clipped as if it were dB."""
    measure_std = np.nanstd if np.isnan(bands).any() else np.std
    for i, name in enumerate(BANDS[modality]):
        if (std := float(measure_std(bands[:, i]))) < MIN_STD:
            unit = " dB" if modality in ORBITS else ""
            text = f"{name} has a standard deviation of only {std:.2g}{unit}."
            yield TileWarning("constant-band", text)


def find_mask_warnings(tile_id: str, mask: np.ndarray, annotated: str) -> Iterator[TileWarning]:
    """Find a mask that contradicts the file's own attribute or the catalogue.

    Args:
        tile_id: Such as ``hokkaido_579``.
        mask: 1 = landslide, shape ``(H, W)``.
        annotated: The file's attribute of that name, such as ``True``.

    Yields:
        At most one warning.
    """
    tile, count = read_catalogue().get(tile_id), int(mask.sum())
    if tile and count != tile.annotated_px:
        got = f"{count} landslide pixels" if count else "no landslide pixel"
        name = "mask-differs-from-catalogue" if count else "mask-empty"
        yield TileWarning(name, f"MASK has {got}, but the catalogue has {tile.annotated_px}.")
    elif count == 0 and annotated == "True":
        text = "MASK has no landslide pixel, but the tile's attribute says that it is annotated."
        yield TileWarning("mask-empty", text)


def known_event(tile_id: str) -> np.datetime64 | None:
    """Return the catalogue's event of a tile's region; None if it has none."""
    region = read_regions().get(region_of(tile_id))
    return region.event if region else None


def find_region_warnings(tile_id: str, crs: str, event_date: str) -> Iterator[TileWarning]:
    """Find attributes that contradict the catalogue's entry of the tile's region, or each other.

    Args:
        tile_id: Such as ``hokkaido_579``.
        crs: The file's attribute.
        event_date: The file's attribute, such as ``2018-09-05``; empty without landslides.
    """
    name = region_of(tile_id)
    known, own = read_regions().get(name), read_event_date(event_date, name)
    if event_date and own is None:
        yield TileWarning("event-date-unreadable", f"event_date is {event_date[:40]!r}, not a day.")
    if len(days := set(find_days(event_date))) > 1:
        text = (
            f"event_date names {len(days)} days, {min(days)} to {max(days)}; the last one is used."
        )
        yield TileWarning("several-events", text)
    if known is None:
        return
    if known.crs and crs not in known.crs:
        text = f"Its crs is {crs}; the catalogue has {' or '.join(known.crs)} for {name}."
        yield TileWarning("crs-differs-from-catalogue", text)
    if known.event is not None and own is not None and own != known.event:
        days_of = [str(time.astype("datetime64[D]")) for time in (own, known.event)]
        text = f"Its event_date is {days_of[0]}; the catalogue has {days_of[1]} for {name}. The file's is used."
        yield TileWarning("event-differs-from-catalogue", text)


def find_date_warnings(times: np.ndarray, event: np.datetime64 | None) -> Iterator[TileWarning]:
    """Find a series, shape ``(T,)``, without an acquisition before or after the event, if that is known."""
    if event is None:
        return
    span = " to ".join(np.datetime_as_string(times[[0, -1]], "D"))
    if times[0] > event:
        yield TileWarning("no-date-before-event", f"All acquisitions ({span}) are after the event.")
    if times[-1] <= event:
        yield TileWarning("no-date-after-event", f"All acquisitions ({span}) are before the event.")


def find_repeat_warnings(times: np.ndarray) -> Iterator[TileWarning]:
    """Find acquisitions, times of shape ``(T,)``, that repeat the one before, as published where images are missing."""
    days, counts = np.unique(times[find_repeats(times)].astype("datetime64[D]"), return_counts=True)
    if days.size:
        list_of = " and ".join(
            f"{d} is there {n + 1} times" for d, n in zip(days, counts, strict=True)
        )
        text = f"The image of {list_of}; repeats have no weight in features."
        yield TileWarning("repeated-acquisition", text)


def find_track_warnings(
    times: np.ndarray, modality: str, event: np.datetime64 | None
) -> Iterator[TileWarning]:
    """Find a series of Sentinel-1, times of shape ``(T,)``, from several tracks, which see a slope differently."""
    if modality in ORBITS and (text := describe_tracks(times, event)):
        yield TileWarning("several-tracks", text)


def find_bright_warnings(shares: Mapping[str, float]) -> Iterator[TileWarning]:
    """Find bands with values above the published upper bound; *shares* are those of their values."""
    if text := _format_shares(list(shares), list(shares.values())):
        text = f"{text} is above {DB_CEILING:g} dB, where published files end, and is taken as {DB_CEILING:g} dB."
        yield TileWarning("above-upper-bound", text)
