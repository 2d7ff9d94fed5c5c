"""A page's tiles stay within a number of bytes: the finest zooms of a large scene are left out, and the page says so."""

import json
import re
import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image
from shapely.affinity import translate

from tests.support.map_files import make_grid
from tests.support.map_pages import (
    FACTS,
    THRESHOLD,
    make_heights,
    make_scene,
    write_folder,
    write_relief,
)
from tests.support.own_process import run_apart
from tuning.predict.landslides.polygons import MapTotals
from tuning.predict.page.layers import MapLayer
from tuning.predict.page.pyramid import Painter, count_levels, reduce_max, reduce_mean
from tuning.predict.page.tiles import TileSet, cut_tiles
from tuning.predict.page.write_page import write_page
from tuning.predict.summary import build_summary, write_summary

SHAPE = (1000, 1200)
WIDE = (2048, 12_000)
GREYS = np.stack([np.arange(256)] * 3 + [255 * (np.arange(256) > 0)], axis=-1).astype(np.uint8)


def read_codes(codes: np.ndarray) -> Iterator[np.ndarray]:
    yield from (codes[first : first + 256] for first in range(0, len(codes), 256))


def make_layers() -> list[MapLayer]:
    """Make a layer with a few bytes and one with many."""
    sparse = np.zeros(SHAPE, np.uint8)
    sparse[500:520, 600:630] = 9
    dense = np.random.default_rng(0).integers(1, 256, SHAPE).astype(np.uint8)
    return [
        MapLayer("sparse", "A", partial(read_codes, sparse), Painter(GREYS, reduce_max)),
        MapLayer("dense", "B", partial(read_codes, dense), Painter(GREYS, reduce_mean)),
    ]


def measure(tiles: TileSet) -> int:
    return sum(map(len, tiles.images))


@pytest.mark.parametrize("most", [10_000, 150_000, 600_000, 10_000_000])
def test_tiles_stay_within_their_bytes_and_the_dense_layer_ends_first(most: int) -> None:
    levels = count_levels(*SHAPE)
    tiles = cut_tiles(make_layers(), levels, most)
    sparse, dense = tiles.layers
    coarsest = measure(cut_tiles(make_layers(), levels, 0))
    assert measure(tiles) <= max(most, coarsest)
    assert (sparse["finest"] == 0) == (most > coarsest)
    assert dense["finest"] == (0 if most == 10_000_000 else dense["finest"]) <= levels - 1
    for layer in (sparse, dense):
        found = {int(place.split("/")[0]) for place in layer["tiles"]}
        assert found == set(range(layer["finest"], levels))


def test_equal_images_are_stored_once() -> None:
    same = np.full((512, 512), 5, np.uint8)
    layer = MapLayer("a", "A", partial(read_codes, same), Painter(GREYS, reduce_max))
    tiles = cut_tiles([layer], 2, 10**7)
    assert len(tiles.layers[0]["tiles"]) == 5
    assert len(tiles.images) == 1


def read_layers(page: Path) -> dict[str, Any]:
    found = re.search(r'id="map-data">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found
    return {layer["key"]: layer for layer in json.loads(found[1])["layers"]}


def test_a_page_over_its_limit_leaves_out_the_finest_zooms_and_says_so(tmp_path: Path) -> None:
    height, width = 900, 1100
    summary, _ = write_folder(tmp_path / "map", make_scene(height, width, 200))
    heights = make_heights(height, width) + np.random.default_rng(0).normal(0, 9, (height, width))
    relief = write_relief(tmp_path / "relief", heights.astype(np.float32))
    page = write_page(tmp_path / "map", summary, relief)
    whole, text = page.stat().st_size, page.read_text()
    assert "to keep this page" not in text
    assert {layer["finest"] for layer in read_layers(page).values()} == {0}
    page.unlink()
    limit = whole - 100_000
    page = write_page(tmp_path / "map", summary, relief, limit=limit)
    assert page.stat().st_size <= limit
    assert read_layers(page)["relief"]["finest"] > 0
    assert read_layers(page)["probability"]["finest"] == 0
    note = rf"Relief is drawn with pixels of \d+ m, not of 10 m, to keep this page under {limit / 1e6:g} MB"
    assert re.search(note, page.read_text())
    page.unlink()
    text = write_page(tmp_path / "map", summary, relief, limit=20_000).read_text()
    assert re.search(r"The outlines of the [\d,]+ smallest landslides are left out", text)


def write_plain(path: Path, bands: np.ndarray) -> None:
    """Write a raster without compression, which takes a tenth of the time of a cloud-optimised one, shape ``(bands, H, W)``."""
    count, height, width = bands.shape
    transform = rasterio.Affine(*make_grid(height, width).transform)
    about = {"count": count, "height": height, "width": width, "dtype": bands.dtype.name}
    with rasterio.open(
        path, "w", "GTiff", tiled=True, crs="EPSG:32654", transform=transform, **about
    ) as raster:
        raster.write(bands)


def write_wide(folder: Path) -> None:
    """Write the rasters of a scene 12,000 px wide, and what else its page reads."""
    height, width = WIDE
    folder.mkdir()
    probability = np.full((1, *WIDE), 0.1, np.float32)
    probability[:, ::97, ::310] = 0.8
    probability[:, :300] = np.nan
    write_plain(folder / "probability.tif", probability)
    write_plain(folder / "coverage.tif", np.full((2, *WIDE), 2, np.uint8))
    ground = np.tile(make_heights(height, 400), (1, width // 400))[None]
    write_plain(folder / "relief.tif", ground)
    write_plain(folder / "change.tif", np.concatenate([ground, -ground]) / 100)
    corner = make_grid(1, 1)
    boxes = [shapely.box(0, -10 * number, 10, 10 - 10 * number) for number in range(9)]
    shapes = [translate(box, corner.west_m, corner.north_m) for box in boxes]
    columns = {"id": range(1, 10), "area_m2": 100.0, "lon": 142.0, "lat": 42.0}
    table = gpd.GeoDataFrame(columns, geometry=shapes, crs="EPSG:32654")
    table.to_file(folder / "landslides.gpkg", layer="landslides")
    totals = MapTotals(9, 900.0, {}, 2e9, 3e8)
    Image.new("RGB", (800, 600)).save(folder / "quicklook.png")
    write_summary(folder / "summary.json", build_summary(totals, THRESHOLD, FACTS))


def measure_page(folder: Path, limit: int) -> None:
    """Write the page in a process of its own, and compare its memory with that of the rasters."""
    summary = json.loads((folder / "summary.json").read_text())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write_page(folder, summary, folder / "relief.tif", limit=limit)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 320, grown_mb  # probability, heights and two bands of change alone have 375


@pytest.mark.slow
def test_the_page_of_a_huge_scene_is_bounded_in_bytes_and_memory(tmp_path: Path) -> None:
    folder, limit = tmp_path / "map", 3_000_000
    run_apart(write_wide, folder)
    run_apart(measure_page, folder, limit)
    page = folder / "map.html"
    assert page.stat().st_size <= limit
    layers = read_layers(page)
    assert layers["relief"]["finest"] > 0
    assert set(layers) == {"probability", "nodata", "relief", "change1", "change2"}
    assert f"to keep this page under {limit / 1e6:g} MB" in page.read_text()
