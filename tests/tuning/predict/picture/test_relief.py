"""The relief of a map is the picture's background with the map's coordinates."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.support.map_files import make_coverage, make_grid, make_mask, make_probability, write_map
from tuning.predict.picture.legend import TOO_FEW
from tuning.predict.picture.preview import MapPreview, read_preview
from tuning.predict.picture.relief import write_relief


def make_preview(folder: Path, longest_px: int) -> MapPreview:
    probability = make_probability(0, 60, 42)
    probability[:10] = np.nan
    mask = make_mask(probability, 0.5)
    paths = write_map(folder, mask, probability=probability, coverage=make_coverage(mask))
    return read_preview(
        *(paths["probability"], paths["mask"]), longest_px=longest_px, coverage=paths["coverage"]
    )


@pytest.mark.parametrize("longest_px", [1600, 16])
def test_a_relief_covers_the_map(tmp_path: Path, longest_px: int) -> None:
    preview = make_preview(tmp_path, longest_px)
    tags = {"made_from": "synthetic"}
    path = write_relief(tmp_path / "relief.tif", preview, heights=False, tags=tags)
    grid = make_grid(60, 42)
    with rasterio.open(path) as raster:
        assert raster.crs == "EPSG:32654"
        assert raster.transform @ (0, 0) == (grid.west_m, grid.north_m)
        assert raster.transform.a == 10 * preview.factor
        assert raster.shape == preview.landslide.shape
        assert raster.tags()["made_from"] == "synthetic"
        assert [one.name for one in raster.colorinterp] == ["red", "green", "blue", "alpha"]
        image = raster.read()
    assert (image[3] == 0).tolist() == (preview.nodata & ~preview.too_few).tolist()
    assert preview.too_few.any()
    blue = [int(TOO_FEW[at : at + 2], 16) for at in (1, 3, 5)]
    assert (blue == image[:3, preview.too_few].T).all()


def test_a_relief_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "relief.tif").write_text("mine")
    with pytest.raises(FileExistsError, match=r"must not hold a relief yet, but .*relief\.tif"):
        write_relief(
            *(tmp_path / "relief.tif", make_preview(tmp_path / "map", 16)), heights=True, tags={}
        )
    assert (tmp_path / "relief.tif").read_text() == "mine"


def test_a_relief_that_does_not_read_back_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = make_preview(tmp_path, 16)
    monkeypatch.setattr(np, "array_equal", lambda *_: False)
    with pytest.raises(OSError, match=r"must read back as written, but .*relief\.tif does not"):
        write_relief(tmp_path / "relief.tif", preview, heights=False, tags={})
