"""Scenes made from a loopback catalogue by the command, and what they must hold."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from data.tiles import PIXEL_M
from tests.support.forked_commands import Answer, Call, Server
from tests.support.loopback_catalogue import LoopbackCatalogue
from tests.support.loopback_images import average, cut_part
from tests.support.loopback_places import Place, Seen
from tests.support.loopback_products import BURST_M

MODULES = (
    *("data.scene.from_event", "data.search.find", "data.search.asf", "data.search.folder"),
    *("data.assemble.write_scene", "odc.stac", "pystac_client", "asf_search", "planetary_computer"),
)


def list_words(
    catalogue: LoopbackCatalogue, to: Path, source: str = "", place: str = "twin"
) -> list[str]:
    """Return the words of the command for a place's inner box and its event."""
    known = catalogue.places[place]
    return [
        "data.scene",
        *("--bbox", *map(str, known.inner_box())),
        *("--event", known.event),
        *("--source", source or f"stac:{catalogue.stac}"),
        *("--to", str(to)),
    ]


def run(
    server: Server,
    catalogue: LoopbackCatalogue,
    words: list[str],
    variables: Mapping[str, str | None] | None = None,
) -> Answer:
    """Run the command with the catalogue's environment in a folder of its own."""
    own = {
        key: value for key, value in catalogue.environment.items() if os.environ.get(key) != value
    }
    gone = {key: None for key in os.environ if key.lower().endswith("_proxy")}
    folder = str(catalogue.folder)
    return server.run(Call(words, folder, {**gone, **own, **(variables or {})}))


def open_orbit(scene: Path, orbit: str) -> xr.Dataset:
    """Return an orbit of a scene, in memory."""
    with xr.open_zarr(scene, group=orbit, chunks=None, consolidated=False) as dataset:
        return dataset.load()


def find_pixels(place: Place, dataset: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of a place at which a scene's pixels lie, whose centres must agree."""
    columns = (dataset["x"].values - place.west) / PIXEL_M - 0.5
    rows = (place.north - dataset["y"].values) / PIXEL_M - 0.5
    for pixels in (rows, columns):
        np.testing.assert_allclose(pixels, np.round(pixels), atol=1e-6)
    return rows.round().astype(int), columns.round().astype(int)


def check_values(place: Place, dataset: xr.Dataset, orbit: str, track: int) -> None:
    """Compare a scene of frames of 10 m with the passes of a track: dates, then every pixel, in dB."""
    seen = {one.time: one for one in place.list_passes(orbit, track)}
    rows, columns = find_pixels(place, dataset)
    times = [time.astype("datetime64[s]").item() for time in dataset["time"].values]
    assert set(times) <= set(seen)
    for step, time in enumerate(times):
        expected = seen[time].decibels[:, rows][:, :, columns]
        found = np.stack([dataset[band].values[step] for band in ("VV", "VH")])
        np.testing.assert_allclose(found, expected, atol=2e-4, err_msg=str(time))


def check_bursts(place: Place, dataset: xr.Dataset, orbit: str, track: int) -> None:
    """Compare a scene of bursts of 30 m with the means of a track's passes where the centres of pixels agree."""
    seen = {one.time: one for one in place.list_passes(orbit, track)}
    x, y = dataset["x"].values, dataset["y"].values
    at_columns, at_rows = ((axis - BURST_M / 2) % BURST_M == 0 for axis in (x, y))
    columns = ((x[at_columns] - _first(place.west)) // BURST_M).astype(int)
    rows = ((_last(place.north) - y[at_rows]) // BURST_M).astype(int)
    assert min(len(rows), len(columns)) > 50
    for step, time in enumerate(dataset["time"].values.astype("datetime64[s]")):
        expected = join_bursts(place, seen[time.item()])[:, rows][:, :, columns]
        found = np.stack([dataset[band].values[step] for band in ("VV", "VH")])
        found = found[:, at_rows][:, :, at_columns]
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, 10 * np.log10(expected), atol=2e-4)


def join_bursts(place: Place, seen: Seen) -> np.ndarray:
    """Return a pass as linear power on OPERA's grid of 30 m, shape ``(2, H, W)``."""
    right = int(-place.west / PIXEL_M % 3)
    down = int(place.north / PIXEL_M % 3)
    power = 10 ** (seen.decibels / 10)
    return average(power[:, down:, right:])


def _first(west: float) -> float:
    return -(-west // BURST_M) * BURST_M


def _last(north: float) -> float:
    return north // BURST_M * BURST_M


def split_rows(place: Place, seen: Seen) -> tuple[slice, slice]:
    """Return the rows that only the first frame of a pass sees, and those that only the second one sees."""
    first, second = (cut_part(seen.decibels, part)[0] for part in (0, 1))
    return slice(0, second.start), slice(first.stop, place.heights.shape[0])
