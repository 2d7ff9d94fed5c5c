import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection

from tuning.plots.error_map import ErrorPanel, draw_error_map, find_borders

TILE_M = 1280.0


def make_panel(title: str = "", **others: np.ndarray) -> ErrorPanel:
    """Return two tiles side by side in one block, and a third in another."""
    corners = np.array([[0, 0], [TILE_M, 0], [2 * TILE_M, 0]])
    errors = np.array([[0.0, 0.1], [0.4, 0.0], [0.2, 0.2]])
    return ErrorPanel(title, corners, errors, np.array([0, 0, 1]), TILE_M, others)


def test_every_region_has_a_map_of_each_error_in_one_scale() -> None:
    figure = draw_error_map([make_panel("a"), make_panel("b")], "Errors", synthetic=True)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:4] == [
        f"{region}: {what}"
        for region in ("a", "b")
        for what in ("missed landslide area", "area found wrongly")
    ]
    assert figure.axes[4].get_xlim() == (0, 0.4)  # the colour bar


def test_a_larger_error_is_darker_so_that_grey_keeps_the_order() -> None:
    figure = draw_error_map([make_panel()], "Errors", synthetic=False)
    tiles = next(one for one in figure.axes[0].collections if isinstance(one, PolyCollection))
    lightness = tiles.get_facecolor()[:, :3] @ [0.299, 0.587, 0.114]
    assert lightness[0] > lightness[2] > lightness[1]


def test_tiles_that_were_not_tested_are_grey() -> None:
    panel = make_panel(train=np.array([[0.0, 5 * TILE_M]]), val=np.zeros((0, 2)))
    figure = draw_error_map([panel], "Errors", synthetic=False)
    polygons = [one for one in figure.axes[0].collections if isinstance(one, PolyCollection)]
    red, green, blue, _ = polygons[0].get_facecolor()[0]
    assert max(red, green, blue) - min(red, green, blue) < 0.05
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["train tiles", "spatial block of test tiles"]


def test_a_block_s_outline_leaves_out_the_sides_inside_of_it() -> None:
    figure = draw_error_map([make_panel()], "Errors", synthetic=False)
    lines = next(one for one in figure.axes[0].collections if isinstance(one, LineCollection))
    assert len(lines.get_segments()) == 6 + 4  # around two tiles, and around one
    square = np.array([[[0, 0], [1, 0], [1, -1], [0, -1]]])
    assert len(find_borders(square, np.array([0]))) == 4


def test_no_region_is_refused() -> None:
    with pytest.raises(ValueError, match="must have a region, but 'Errors' got none"):
        draw_error_map([], "Errors", synthetic=False)
