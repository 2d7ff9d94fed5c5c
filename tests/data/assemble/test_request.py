"""Found acquisitions survive being written down."""

import json
from pathlib import Path

import numpy as np
import shapely

from data.assemble.request import describe_found, from_json, to_json
from tests.support.scene_assets import (
    DAYS,
    SIDE_PX,
    find_area,
    find_one_pass,
    make_found,
    make_frame,
    make_item,
    make_pass,
    make_power,
    write_cog,
)


def test_found_acquisitions_are_read_as_they_were_written(tmp_path: Path) -> None:
    frame = make_frame(tmp_path, "a")
    dem = make_item("dem", {"DEM": write_cog(tmp_path / "dem.tif", make_power(SIDE_PX, SIDE_PX))})
    passes = [make_pass([frame], day, orbit) for day in DAYS for orbit in ("s1asc", "s1dsc")]
    found = make_found(passes, find_area(100, 100), [dem], synthetic=True)
    again = from_json(json.loads(to_json(found)))
    assert shapely.equals_exact(again.area, found.area, 1e-9)
    assert (again.event, again.source, again.synthetic) == (found.event, found.source, True)
    for orbit, series in found.acquisitions.items():
        for one, other in zip(series, again.acquisitions[orbit], strict=True):
            assert one.time == other.time
            assert isinstance(other.time, np.datetime64)
            assert (one.track, one.platform, one.coverage) == (other.track, other.platform, other.coverage)  # fmt: skip
            assert [i.id for i in one.items] == [i.id for i in other.items]
            assert json.dumps(one.items[0].geometry) == json.dumps(other.items[0].geometry)
            assert one.items[0].assets["VH"].href == other.items[0].assets["VH"].href
    assert again.heights[0].assets["DEM"].href == dem.assets["DEM"].href
    assert describe_found(again) == describe_found(found)


def test_other_assets_are_another_request(tmp_path: Path) -> None:
    frames = [make_frame(tmp_path, name) for name in ("a", "b")]
    one, other = (find_one_pass(find_area(100, 100), frame) for frame in frames)
    assert describe_found(one) != describe_found(other)
