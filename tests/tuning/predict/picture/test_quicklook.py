"""The picture of a map shows small landslides, correct positions and labels."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import rasterio
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import imread

from data.scene.georeference import Grid
from tests.support.map_files import make_grid, make_mask, make_probability, write_map
from tuning.predict.cog import RELIEF, Layer, RasterWriter
from tuning.predict.picture.legend import TOO_FEW, measure_width, round_length
from tuning.predict.picture.preview import read_preview
from tuning.predict.picture.quicklook import draw_quicklook, hillshade, trace_edges


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuning.predict.picture.quicklook.DPI", 50)


def write_relief(folder: Path, values: np.ndarray) -> Path:
    kept = Layer("float32", RELIEF.nodata, ("height",))
    with RasterWriter(folder, make_grid(*values.shape), {"relief": kept}, {}) as rasters:
        rasters.write("relief", 0, values)
        return rasters.finish()["relief"]


def draw(
    folder: Path,
    probability: np.ndarray,
    relief: np.ndarray | None,
    monkeypatch: pytest.MonkeyPatch,
    **about: object,
) -> Figure:
    """Draw a picture and return its figure."""
    kept: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (kept.append(self), save(self, *a, **k)))  # fmt: skip
    paths = write_map(folder, make_mask(probability, 0.42), probability=probability)
    heights = None if relief is None else write_relief(folder / "relief", relief)
    words = {"threshold": 0.42, "title": "a model", "caption": "a caption", "origin": "two facts"}
    coverage = about.pop("coverage", None)
    preview = read_preview(paths["probability"], paths["mask"], heights, coverage=coverage)  # type: ignore[arg-type]
    made = draw_quicklook(folder / "quicklook.png", preview, **(words | about))  # type: ignore[arg-type]
    assert made == folder / "quicklook.png"
    return kept[0]


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.findobj(mpl.text.Text)]
    return "\n".join(text for text in found if text)


def test_a_landslide_of_one_pixel_is_visible_in_a_small_picture(tmp_path: Path) -> None:
    probability = np.full((100, 90), 0.1, np.float32)
    probability[57, 33] = 0.9
    paths = write_map(tmp_path, make_mask(probability, 0.5), probability=probability)
    view = read_preview(paths["probability"], paths["mask"], longest_px=16)
    assert view.factor == 7  # 100 / 16, up
    assert view.landslide.shape == (15, 13)
    assert np.argwhere(view.landslide).tolist() == [[57 // 7, 33 // 7]]
    assert view.probability[57 // 7, 33 // 7] == np.float32(0.9)


def test_cells_hold_the_maximum_probability_and_the_mean_height(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.predict.raster_io.STRIP_PX", 300)
    probability = make_probability(0, 62, 41)
    probability[:8, :8] = np.nan
    heights = make_probability(1, 62, 41)
    paths = write_map(tmp_path, make_mask(probability, 0.5), probability=probability)
    relief = write_relief(tmp_path / "relief", heights)
    view = read_preview(paths["probability"], paths["mask"], relief, longest_px=16)
    for row, column in np.ndindex(view.landslide.shape):
        cell = np.s_[4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        seen = probability[cell][np.isfinite(probability[cell])]
        highest = seen.max() if seen.size else np.nan
        np.testing.assert_equal(view.probability[row, column], np.float32(highest))
        assert view.landslide[row, column] == (highest >= 0.5)
        np.testing.assert_allclose(view.relief[row, column], np.nanmean(heights[cell]), rtol=1e-5)  # type: ignore[index]
    assert view.nodata[:2, :2].all()
    assert view.extent_km == pytest.approx((570.88, 571.32, 4737.92, 4738.56))


def test_rasters_on_two_grids_are_refused(tmp_path: Path) -> None:
    one = write_map(tmp_path / "a", np.zeros((4, 4), np.uint8))
    other = write_relief(tmp_path / "b", np.zeros((4, 5), np.float32))
    with pytest.raises(ValueError, match=r"on one grid, but relief\.tif has shape \(4, 5\)"):
        read_preview(other, one["mask"])


def test_slopes_to_the_north_west_are_bright() -> None:
    rows, columns = np.mgrid[:9, :9] * 10.0
    flat, north_west, south_east = (hillshade(z, 10.0)[4, 4] for z in (0 * rows, rows + columns, -rows - columns))  # fmt: skip
    # A slope of 1 to the east and south leans by atan(sqrt 2) = 54.7 degrees: cos(54.7 - 45) and cos(54.7 + 45) < 0.
    assert flat == pytest.approx(np.sqrt(0.5))
    assert north_west == pytest.approx(0.9856, abs=1e-3)
    assert south_east == 0


def test_shading_accepts_gaps_and_single_rows() -> None:
    heights = np.ones((5, 6))
    heights[2, 2] = np.nan
    lit = hillshade(heights, 10.0)
    assert np.isnan(lit).sum() == 5  # the gap and its four neighbours
    assert hillshade(np.ones((1, 1)), 10.0) == pytest.approx(np.sqrt(0.5))


def test_edges_are_drawn_once_and_enclose_the_cells() -> None:
    on = np.zeros((4, 5), bool)
    on[1:3, 1:4] = True
    edges = {tuple(map(tuple, edge)) for edge in trace_edges(on).tolist()}
    assert edges == {((1, 1), (1, 4)), ((3, 1), (3, 4)), ((1, 1), (3, 1)), ((1, 4), (3, 4))}
    noise = np.random.default_rng(0).random((30, 20)) < 0.5
    padded = np.pad(noise, 1)
    length = np.abs(np.diff(trace_edges(noise), axis=1)).sum()
    assert length == sum((padded != np.roll(padded, 1, axis)).sum() for axis in (0, 1))


@pytest.mark.parametrize(
    ("longest_m", "length_m"), [(1.0, 1), (9.9, 5), (2000, 2000), (4999, 2000)]
)
def test_a_scale_is_a_round_length(longest_m: float, length_m: float) -> None:
    assert round_length(longest_m) == length_m


@pytest.mark.parametrize(
    ("crs", "west", "north", "metres"),
    [
        ("EPSG:3857", 15_800_000.0, 5_300_000.0, 7_334.0),  # 10 km of the map at 42.9 degrees
        ("EPSG:3857", 2_200_000.0, 10_737_000.0, 3_602.0),  # at 69 degrees
        ("EPSG:32654", 500_000.0, 4_738_560.0, 10_004.0),
        ("EPSG:32654", 1e12, 1e12, 10_000.0),  # made-up coordinates
    ],
)
def test_a_scale_bar_measures_the_ground(
    crs: str, west: float, north: float, metres: float
) -> None:
    grid = Grid(crs, west, north, 10.0, 200, 1000)
    assert measure_width(grid) == pytest.approx(metres, rel=2e-3)


SHAPES = [(128, 128), (3, 300), (300, 3), (1, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("empty", [False, True])
def test_pictures_of_any_shape_keep_square_pixels(
    tmp_path: Path, shape: tuple[int, int], empty: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    probability = make_probability(0, *shape)
    if empty:
        probability[:] = np.nan
    figure = draw(tmp_path, probability, np.zeros(shape, np.float32), monkeypatch)
    figure.draw_without_rendering()
    box = figure.axes[0].get_window_extent()
    assert box.width / box.height == pytest.approx(shape[1] / shape[0], rel=0.01)
    image = imread(tmp_path / "quicklook.png")
    assert image.shape[:2] == tuple((figure.get_size_inches()[::-1] * 50).astype(int))
    for text in figure.texts:
        assert 0 < text.get_window_extent().x0 < text.get_window_extent().x1 < figure.bbox.x1
    assert ("no data" in texts(figure)) == bool(np.isnan(probability).any())


def test_a_picture_is_labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = draw(tmp_path, make_probability(0, 30, 40), None, monkeypatch, title="a $model$")  # fmt: skip
    said = texts(figure)
    for words in ("a $model$\ntwo facts", "a caption", "EPSG:32654", "threshold 0.42", "N", "50 m"):  # fmt: skip
        assert words in said


def test_a_long_title_is_wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = " ".join(["hokkaido-attention-unet"] * 12)
    figure = draw(tmp_path, make_probability(0, 300, 3), None, monkeypatch, title=words, caption=words)  # fmt: skip
    figure.draw_without_rendering()
    for text in figure.texts:
        assert 0 < text.get_window_extent().x0 < text.get_window_extent().x1 < figure.bbox.x1
    title, caption = (text.get_window_extent() for text in figure.texts)
    assert title.y0 > caption.y1 > caption.y0 > figure.axes[0].get_window_extent().y1


def test_backscatter_is_grey_and_not_shaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probability = np.zeros((20, 30), np.float32)
    ramp = np.broadcast_to(np.linspace(-20, 0, 30, dtype=np.float32), (20, 30)).copy()
    grounds = []
    for number, heights in enumerate((True, False)):
        figure = draw(tmp_path / str(number), probability, ramp, monkeypatch, heights=heights)
        grounds.append(np.asarray(figure.axes[0].get_images()[0].get_array())[..., 0])
    assert np.ptp(grounds[0]) < 1e-6  # an even slope has one tone
    assert (np.diff(grounds[1][0, 2:-2]) > 0).all()


def test_no_data_is_transparent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probability = make_probability(0, 20, 30)
    figure = draw(tmp_path, probability, None, monkeypatch)
    ground, chance = (image.get_array() for image in figure.axes[0].get_images())
    np.testing.assert_array_equal(np.asarray(ground)[..., 3] == 0, np.isnan(probability))
    np.testing.assert_array_equal(np.ma.getmaskarray(chance), ~(probability >= 0.21))


def test_too_few_acquisitions_have_a_colour_and_a_legend_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probability = np.full((20, 30), 0.1, np.float32)
    probability[:, 20:] = np.nan
    coverage = np.full((2, 20, 30), 2, np.uint8)
    coverage[1, :, 20:] = 0
    legends = []
    for number, first in enumerate((30, 25, 20)):  # column from which there is no data at all
        coverage[:, :, first:] = 255
        paths = write_map(tmp_path / f"{number}", make_mask(probability, 0.5), coverage=coverage)
        figure = draw(
            tmp_path / f"p{number}", probability, None, monkeypatch, coverage=paths["coverage"]
        )
        ground = np.asarray(figure.axes[0].get_images()[0].get_array())
        blue = np.round(255 * np.array(to_rgba(TOO_FEW)))
        assert (ground[:, 20:first] == blue).all()
        assert (ground[:, first:, 3] == 0).all()
        assert not (ground[:, :20] == blue).all(axis=-1).any()
        said = texts(figure)
        legends.append(("too few acquisitions" in said, "no data" in said))
    assert legends == [(True, False), (True, True), (False, True)]


def test_a_missing_raster_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(rasterio.errors.RasterioIOError, match=r"mask\.tif"):
        read_preview(tmp_path / "probability.tif", tmp_path / "mask.tif")


def test_an_existing_picture_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "quicklook.png").write_text("mine")
    with pytest.raises(
        FileExistsError, match=r"must not hold a picture yet, but .*quicklook\.png exists"
    ):
        draw(tmp_path, make_probability(0, 4, 4), None, monkeypatch)
    assert (tmp_path / "quicklook.png").read_text() == "mine"
