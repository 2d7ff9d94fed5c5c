"""GeoTIFFs written row by row: complete and georeferenced, or not delivered at all."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.support.map_files import LAYERS, make_coverage, make_grid, make_mask, make_probability
from tuning.predict.cog import COVERAGE, MASK, PROBABILITY, RELIEF, RasterWriter
from tuning.predict.raster_io import checksum_raster, read_strips

TAGS = {"model": "models:/hokkaido-unet/3", "threshold": "0.42", "synthetic": "true"}


def write_bands(rasters: RasterWriter, name: str, values: np.ndarray, rows: int = 100) -> None:
    for first in range(0, values.shape[-2], rows):
        rasters.write(name, first, values[..., first : first + rows, :])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, np.ndarray]]:
    folder = tmp_path_factory.mktemp("maps") / "map"
    probability = make_probability(0, 700, 530)
    values = {"probability": probability, "mask": make_mask(probability, 0.5)}
    values |= {"spread": probability / 4, "relief": probability * 900}
    values["coverage"] = make_coverage(values["mask"])
    values["change"] = np.stack([probability, -probability])
    with RasterWriter(folder, make_grid(700, 530), LAYERS, TAGS) as rasters:
        for name, layer in values.items():
            write_bands(rasters, name, layer)
    return folder, values


def test_values_read_back_as_written(written: tuple[Path, dict[str, np.ndarray]]) -> None:
    folder, values = written
    for name in ("probability", "spread", "mask"):
        with rasterio.open(folder / f"{name}.tif") as raster:
            np.testing.assert_array_equal(raster.read(1), values[name])
            assert raster.dtypes == (LAYERS[name].dtype,)


@pytest.mark.parametrize("name", ["probability", "spread", "mask"])
def test_files_are_cloud_optimised(written: tuple[Path, dict[str, np.ndarray]], name: str) -> None:
    with rasterio.open(written[0] / f"{name}.tif") as raster:
        structure = raster.tags(ns="IMAGE_STRUCTURE")
        assert structure["LAYOUT"] == "COG"
        assert structure["COMPRESSION"] == "DEFLATE"
        assert structure["PREDICTOR"] == ("2" if name == "mask" else "3")
        assert raster.block_shapes == [(512, 512)]
        assert raster.overviews(1) == [2]


def test_files_have_the_grids_coordinates(written: tuple[Path, dict[str, np.ndarray]]) -> None:
    with rasterio.open(written[0] / "mask.tif") as raster:
        assert raster.crs == rasterio.CRS.from_epsg(32654)
        assert raster.transform[:6] == make_grid(700, 530).transform
        assert raster.transform @ (0, 0) == (570_880.0, 4_738_560.0)
        assert raster.tags()["AREA_OR_POINT"] == "Area"


def test_files_carry_tags_description_and_nodata(
    written: tuple[Path, dict[str, np.ndarray]],
) -> None:
    with rasterio.open(written[0] / "mask.tif") as raster:
        assert TAGS.items() <= raster.tags().items()
        assert raster.descriptions == MASK.bands
        assert raster.nodata == 255
    for name in ("probability", "change"):
        with rasterio.open(written[0] / f"{name}.tif") as raster:
            assert np.isnan(raster.nodata)
    with rasterio.open(written[0] / "change.tif") as raster:
        kept = "change of backscatter after the event in dB"
        assert raster.descriptions == (f"s1asc: {kept}", f"s1dsc: {kept}")
        np.testing.assert_array_equal(raster.read(), written[1]["change"])


def test_a_layer_of_several_bands_reads_back_with_its_descriptions(
    written: tuple[Path, dict[str, np.ndarray]],
) -> None:
    folder, values = written
    with rasterio.open(folder / "coverage.tif") as raster:
        np.testing.assert_array_equal(raster.read(), values["coverage"])
        before, after = raster.descriptions
        assert "before the event" in before
        assert "after the event" in after
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert TAGS.items() <= raster.tags().items()
        assert raster.nodatavals == (255, 255)
        assert raster.overviews(2) == [2]


@pytest.mark.parametrize("band", [0, 1])
def test_each_bands_values_are_compared_when_read_back(
    tmp_path: Path, band: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.zeros((2, 5, 4), np.uint8)
    rasters = RasterWriter(tmp_path, make_grid(5, 4), {"coverage": COVERAGE}, {}).__enter__()
    rasters.write("coverage", 0, values[:, :2])
    rasters.write("coverage", 2, values[:, 2:])
    values[band, 4, 3] = 1
    read = checksum_raster

    def spoil(path: Path) -> list[int]:
        with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as raster:
            raster.write(values)
        return read(path)

    monkeypatch.setattr("tuning.predict.cog.checksum_raster", spoil)
    with pytest.raises(OSError, match=r"but got other rows for coverage\.tif"):
        rasters.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_overviews_average_probabilities_and_keep_mask_values(
    written: tuple[Path, dict[str, np.ndarray]],
) -> None:
    folder, values = written
    with rasterio.open(folder / "probability.tif", overview_level=0) as raster:
        cells = values["probability"].reshape(350, 2, 265, 2)
        with np.errstate(invalid="ignore"):
            mean = np.nansum(cells, axis=(1, 3)) / np.isfinite(cells).sum(axis=(1, 3))
        np.testing.assert_allclose(raster.read(1), mean, rtol=1e-5)
    with rasterio.open(folder / "mask.tif", overview_level=0) as raster:
        assert set(np.unique(raster.read(1))) == {0, 1, 255}


def test_only_delivered_layers_are_kept(written: tuple[Path, dict[str, np.ndarray]]) -> None:
    names = sorted(path.name for path in written[0].iterdir())
    assert names == ["change.tif", "coverage.tif", "mask.tif", "probability.tif", "spread.tif"]


def test_a_small_raster_has_no_overview_and_relief_exists_until_closing(
    tmp_path: Path,
) -> None:
    layers = {"mask": MASK, "relief": RELIEF}
    with RasterWriter(tmp_path, make_grid(3, 4), layers, {}) as rasters:
        rasters.write("mask", 0, np.ones((3, 4), np.uint8))
        rasters.write("relief", 0, np.full((3, 4), 7, np.float32))
        paths = rasters.finish()
        assert rasters.finish() == paths
        with rasterio.open(paths["relief"]) as raster:
            assert (raster.read(1) == 7).all()
        with pytest.raises(
            ValueError, match=r"in order, each once, but got row 0 of 'mask'; the next is 3"
        ):
            rasters.write("mask", 0, np.ones((3, 4), np.uint8))
    assert not paths["relief"].exists()
    with rasterio.open(paths["mask"]) as raster:
        assert raster.overviews(1) == []


WRONG = [
    ("masks", 0, np.zeros((2, 4), np.uint8), r"Unknown layer 'masks'\. Did you mean 'mask'\?"),
    (
        "mask",
        2,
        np.zeros((2, 4), np.uint8),
        r"in order, each once, but got row 2 of 'mask'; the next is 0",
    ),
    (
        "mask",
        0,
        np.zeros((2, 3), np.uint8),
        r"grid of 5 x 4 px, but got uint8 of shape \(2, 3\) from row 0",
    ),
    ("mask", 0, np.zeros((6, 4), np.uint8), r"but got uint8 of shape \(6, 4\)"),
    ("mask", 0, np.zeros((0, 4), np.uint8), r"but got uint8 of shape \(0, 4\)"),
    ("mask", 0, np.zeros((2, 4), bool), r"'mask' must be uint8 on .*, but got bool of shape"),
    (
        "mask",
        0,
        np.full((2, 4), 2, np.uint8),
        r"hold 0 to 1, or 255 for no data, but got 2 at .*\(0, 0\)",
    ),
    (
        "probability",
        0,
        np.full((2, 4), 1.5, np.float32),
        r"hold 0 to 1, or nan for no data, but got 1\.5",
    ),
    ("probability", 0, np.full((2, 4), -np.inf, np.float32), r"but got -inf"),
    ("coverage", 0, np.zeros((2, 4), np.uint8), r"'coverage' must be uint8 .*of shape \(2, 4\)"),
    ("coverage", 0, np.zeros((3, 2, 4), np.uint8), r"of shape \(3, 2, 4\) from row 0"),
    ("coverage", 0, np.zeros((2, 6, 4), np.uint8), r"of shape \(2, 6, 4\) from row 0"),
]


@pytest.mark.parametrize(("name", "row", "values", "message"), WRONG)
def test_wrong_rows_are_refused_and_leave_nothing(
    tmp_path: Path, name: str, row: int, values: np.ndarray, message: str
) -> None:
    layers = {"mask": MASK, "probability": PROBABILITY, "coverage": COVERAGE}
    with (
        pytest.raises(ValueError, match=message),
        RasterWriter(tmp_path, make_grid(5, 4), layers, {}) as rasters,
    ):
        rasters.write(name, row, values)
    assert list(tmp_path.iterdir()) == []


def test_a_map_with_unwritten_rows_is_never_delivered(tmp_path: Path) -> None:
    layers = {"mask": MASK, "probability": PROBABILITY}
    rasters = RasterWriter(tmp_path, make_grid(5, 4), layers, {}).__enter__()
    rasters.write("mask", 0, np.zeros((5, 4), np.uint8))
    rasters.write("probability", 0, np.zeros((3, 4), np.float32))
    with pytest.raises(ValueError, match=r"'probability' has 3 of 5 rows"):
        rasters.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_map_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mask.tif").write_text("mine")
    with pytest.raises(FileExistsError, match=r"must not hold a map yet, but .*mask\.tif exists"):
        RasterWriter(tmp_path, make_grid(5, 4), {"mask": MASK}, {}).__enter__()
    assert (tmp_path / "mask.tif").read_text() == "mine"


@contextmanager
def limit_files(limit_bytes: int) -> Iterator[None]:
    """Limit the size of files, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("short", [4000, 500_000])
def test_a_full_disk_is_an_error_and_leaves_no_map(tmp_path: Path, short: int) -> None:
    """GDAL silently truncates the delivered file by 4000 bytes; with much less space it fails earlier with an error."""
    noise, grid, layers = make_probability(1, 600, 512), make_grid(600, 512), {"probability": PROBABILITY}  # fmt: skip
    with RasterWriter(tmp_path / "whole", grid, layers, {}) as rasters:
        rasters.write("probability", 0, noise)
    size = (tmp_path / "whole" / "probability.tif").stat().st_size
    with (
        limit_files(size - short),
        pytest.raises(OSError, match=r"must read back as written, but got .* MB free"),
        RasterWriter(tmp_path / "cut", grid, layers, {}) as rasters,
    ):
        rasters.write("probability", 0, noise)
    assert list((tmp_path / "cut").iterdir()) == []


def test_a_file_whose_rows_differ_is_not_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.predict.cog.checksum_raster", lambda path: -1)
    rasters = RasterWriter(tmp_path, make_grid(5, 4), {"mask": MASK}, {}).__enter__()
    rasters.write("mask", 0, np.zeros((5, 4), np.uint8))
    with pytest.raises(OSError, match=r"but got other rows for mask\.tif"):
        rasters.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_strips_cover_a_raster_once(
    written: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, values = written
    monkeypatch.setattr("tuning.predict.raster_io.STRIP_PX", 530 * 100)
    with rasterio.open(folder / "mask.tif") as raster:
        strips = list(read_strips(raster, 7))
    assert {len(rows) % 7 for _, rows in strips[:-1]} == {0}
    assert [first for first, _ in strips] == list(range(0, 700, 98))
    np.testing.assert_array_equal(np.concatenate([rows for _, rows in strips]), values["mask"])
