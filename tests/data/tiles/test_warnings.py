"""Warnings name what is suspicious about a usable tile; a published tile has none."""

from pathlib import Path

import numpy as np
import pytest

from data.tiles import TileWarning, open_tile
from tests.support.tile_files import cast, fill, make_dataset, put, shift, write

SUSPICIOUS = {
    "no data": (
        put("VV", (2, slice(64), slice(64)), -9999),
        TileWarning("nodata", "No data in 1.7 % of VV."),  # 64 * 64 / (15 * 128 * 128)
    ),
    "NaN": (put("VH", (2, 0, 0), np.nan), TileWarning("nodata", "No data in 0.00041 % of VH.")),
    "no height": (
        put("DEM", (slice(None), slice(64), 0), -9999),
        TileWarning("nodata", "No data in 0.39 % of DEM."),
    ),
    "empty step": (
        put("VV", 2, np.nan),
        TileWarning("empty-step", "A band has no data at all on 2018-05-16."),
    ),
    "no landslide": (
        fill(0, "MASK"),
        TileWarning("mask-empty", "MASK has no landslide pixel, but the catalogue has 8415."),
    ),
    "another mask": (
        fill(1, "MASK"),
        TileWarning(
            "mask-differs-from-catalogue",
            "MASK has 16384 landslide pixels, but the catalogue has 8415.",
        ),
    ),
    "flat": (
        fill(-10.0, "VH"),
        TileWarning("constant-band", "VH has a standard deviation of only 0 dB."),
    ),
    "double": (
        cast("VV", "float64"),
        TileWarning("storage-dtype", "VV is stored as float64, published as float32."),
    ),
    "wide mask": (
        cast("MASK", "int64"),
        TileWarning("storage-dtype", "MASK is stored as int64, published as uint8."),
    ),
    "bright": (
        put("VV", (0, slice(64), slice(64)), 7.0),
        TileWarning(
            "above-upper-bound",
            "1.7 % of VV is above 0 dB, where published files end, and is taken as 0 dB.",
        ),
    ),
    "another track": (
        lambda d: d.assign_coords(time=d["time"] + np.arange(15) % 2 * np.timedelta64(5, "D")),
        TileWarning(
            "several-tracks",
            "Dates span 2 tracks of 8 and 7 acquisitions; the nearest to the event are of two tracks, so "
            "2018-08-20 and 2018-10-07 of one track are compared.",
        ),
    ),
    "another event": (
        lambda d: d.assign_attrs(event_date="2018-09-20"),
        TileWarning(
            "event-differs-from-catalogue",
            "Its event_date is 2018-09-20; the catalogue has 2018-09-05 for hokkaido. The file's is used.",
        ),
    ),
    "no day": (
        lambda d: d.assign_attrs(event_date="September"),
        TileWarning("event-date-unreadable", "event_date is 'September', not a day."),
    ),
    "early": (
        shift(-365),
        TileWarning(
            "no-date-after-event",
            "All acquisitions (2017-03-29 to 2018-02-28) are before the event.",
        ),
    ),
    "late": (
        shift(365),
        TileWarning(
            "no-date-before-event",
            "All acquisitions (2019-03-29 to 2020-02-28) are after the event.",
        ),
    ),
    "half a pixel": (
        lambda d: d.assign_coords(x=d["x"] + 5),
        TileWarning("shifted", "It is 5 m off its position in the catalogue."),
    ),
}


@pytest.mark.parametrize("case", SUSPICIOUS)
def test_suspicious_tile_gets_its_warning_alone(case: str, tmp_path: Path) -> None:
    change, expected = SUSPICIOUS[case]
    warnings = open_tile(write(change(make_dataset()), tmp_path)).warnings
    assert expected in warnings
    assert {warning.name for warning in warnings} <= {expected.name, "nodata"}


def test_a_published_tile_has_no_warning(tmp_path: Path) -> None:
    for modality in ("s1asc", "s1dsc", "s2"):
        assert open_tile(write(make_dataset(modality), tmp_path, modality)).warnings == ()


def test_a_tile_outside_the_catalogue_may_be_anywhere(tmp_path: Path) -> None:
    dataset = make_dataset().assign_coords(x=10.0 * np.arange(128))
    warnings = open_tile(write(dataset, tmp_path, number=99_999)).warnings
    text = "hokkaido_99999 is not in the catalogue of Hokkaido's tiles."
    assert warnings == (TileWarning("not-in-catalogue", text),)
    path = write(fill(0, "MASK")(dataset), tmp_path, number=99_999)
    text = "MASK has no landslide pixel, but the tile's attribute says that it is annotated."
    assert TileWarning("mask-empty", text) in open_tile(path).warnings
