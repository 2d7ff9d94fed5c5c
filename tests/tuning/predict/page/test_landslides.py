"""The landslides of a page: outlines in pixels, facts as texts, and only the columns that a table has."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from rasterio.features import rasterize

from tests.support.map_files import make_grid
from tests.support.map_pages import THRESHOLD, make_scene, write_folder
from tuning.predict.page.landslides import (
    Landslides,
    format_place,
    format_value,
    list_rows,
    read_landslides,
    trace,
)


def unpack(steps: list[int]) -> np.ndarray:
    """Return the corners of a ring of a page, as its script does."""
    return np.reshape(steps, (-1, 2)).cumsum(axis=0)


def test_outlines_are_the_mask_s_pixels(tmp_path: Path) -> None:
    probability = make_scene(120, 150, 40)
    write_folder(tmp_path / "map", probability)
    landslides = read_landslides(tmp_path / "map", make_grid(120, 150))
    shapes = [
        shapely.Polygon(unpack(shell), [unpack(hole) for hole in holes])
        for polygons in landslides.rings
        for shell, *holes in polygons
    ]
    drawn = rasterize(shapes, out_shape=(120, 150), transform=rasterio.Affine.identity())
    np.testing.assert_array_equal(drawn == 1, probability >= THRESHOLD)


def test_a_hole_and_pieces_that_touch_at_a_corner_are_kept() -> None:
    grid = make_grid(100, 100)
    west, north = grid.west_m, grid.north_m
    outer = shapely.box(west, north - 50, west + 50, north)
    ring = outer.difference(shapely.box(west + 10, north - 30, west + 20, north - 20))
    shape = shapely.MultiPolygon([ring, shapely.box(west + 50, north - 60, west + 60, north - 50)])
    (shell, hole), (touching,) = trace(shape, grid)
    assert set(map(tuple, unpack(shell).tolist())) == {(0, 0), (5, 0), (5, 5), (0, 5)}
    assert set(map(tuple, unpack(hole).tolist())) == {(1, 2), (2, 2), (2, 3), (1, 3)}
    assert unpack(touching).min(axis=0).tolist() == [5, 5]


def test_only_columns_that_the_table_has_are_shown(tmp_path: Path) -> None:
    write_folder(tmp_path / "old", make_scene(60, 60, 4))
    columns = {"confidence": "low", "orbits_agree": "s1dsc only"}
    write_folder(tmp_path / "new", make_scene(60, 60, 1), columns=columns)
    old = read_landslides(tmp_path / "old", make_grid(60, 60))
    new = read_landslides(tmp_path / "new", make_grid(60, 60))
    lacking = {"slope, degrees", "confidence", "change seen by"}
    assert not lacking & set(old.columns)
    assert {"confidence", "change seen by"} < set(new.columns)
    names, rows = list_rows(new)
    assert names == [
        *("number", "hectares", "mean probability", "confidence"),
        *("change seen by", "latitude, longitude"),
    ]
    assert rows[0][3:5] == ["low", "descending only"]


def test_of_very_many_landslides_the_largest_are_drawn() -> None:
    count = 5000
    facts = [[str(number), "0.10"] for number in range(count)]
    many = Landslides(["number", "hectares"], facts, [[[[0, 0, 1, 0, 0, 1]]]] * count)
    few = many.shorten(20_000)
    assert few.facts == many.facts[: len(few.facts)]
    assert len(few.facts) == len(few.rings)
    assert 400 < len(few.facts) < 800
    assert many.shorten(10**9) == many


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (12_345.6, "ha", "1.23"),
        (12_345_678.0, "ha", "1,234.57"),
        (0.456, ".2f", "0.46"),
        (-2.26, "+.1f", "-2.3"),
        ("both", "orbits", "both orbits"),
        ("neither", "orbits", "neither orbit"),
        ("one orbit", "orbits", "data of one orbit"),
        ("high", "text", "high"),
        (None, "orbits", "\N{EN DASH}"),
        (pd.NA, "text", "\N{EN DASH}"),
        (float("nan"), ".0f", "\N{EN DASH}"),
        (np.float32("nan"), ".0f", "\N{EN DASH}"),
    ],
)
def test_facts_are_written_by_their_kind(value: object, kind: str, text: str) -> None:
    assert format_value(value, kind) == text


def test_a_place_is_latitude_and_longitude_to_a_metre() -> None:
    assert format_place(42.7612345, -141.9) == "42.76123, -141.90000"
    assert format_place(float("nan"), 1.0) == "\N{EN DASH}"
