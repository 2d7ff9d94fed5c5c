"""Windows cover a raster, and their weights blend without seams."""

import numpy as np
import pytest

from data.scene.windows import ALIGN_PX, Span, combine_spans, make_spans, make_tile_spans


def add_up(spans: list[Span], length: int) -> np.ndarray:
    total = np.zeros(length)
    for span in spans:
        total[span.slice] += span.weights
    return total


@pytest.mark.parametrize(
    ("length", "side", "overlap"), [(1000, 512, 32), (513, 512, 0), (97, 32, 16), (10_000, 512, 32)]
)
def test_spans_cover_an_axis_from_its_start_to_its_end(
    length: int, side: int, overlap: int
) -> None:
    spans = make_spans(length, side, overlap)
    assert (spans[0].start, spans[-1].stop) == (0, length)
    starts = [span.start for span in spans]
    assert not any(start % 16 for start in starts)
    assert 0 < np.diff(starts).min() <= np.diff(starts).max() <= side - overlap
    assert {len(span.weights) for span in spans[:-1]} == {side}
    assert side - 16 < len(spans[-1].weights) <= side
    assert len(spans) <= 1 + -(-(length - side + 15) // ((side - overlap) // 16 * 16))
    assert add_up(spans, length).min() > 0.99


def test_a_window_fades_only_towards_its_neighbours() -> None:
    first, last = make_spans(192, 112, 32)
    assert (first.start, last.start) == (0, 80)
    assert first.weights[0] == 1
    assert last.weights[-1] == 1
    assert first.weights[-1] == pytest.approx(0.5 / 32)
    np.testing.assert_allclose(first.weights[-32:], last.weights[31::-1])
    np.testing.assert_allclose(add_up([first, last], 192), 1)


def test_an_axis_shorter_than_a_window_is_one_span() -> None:
    (span,) = make_spans(48, 512, 32)
    assert (span.start, span.stop, span.weights.min()) == (0, 48, 1)


@pytest.mark.parametrize("overlap", [-1, 257])
def test_an_overlap_is_at_most_half_of_a_window(overlap: int) -> None:
    with pytest.raises(ValueError, match=f"0 to half of their side, but got {overlap} px of 512"):
        make_spans(1000, 512, overlap)


def test_a_tile_has_weight_one_away_from_its_seams() -> None:
    spans = make_tile_spans(3, 128, 16)
    total = add_up(spans, 384)
    np.testing.assert_allclose(total[16:-16], 1, rtol=1e-6)
    assert [span.start for span in spans] == [0, 64, 128, 192, 256]
    for over_seam in spans[1::2]:
        assert np.flatnonzero(over_seam.weights).tolist() == list(range(48, 80))
    for tile in spans[::2]:
        assert (tile.weights[16:112] == 1).all()


def test_windows_are_ordered_by_their_first_rows() -> None:
    windows = combine_spans(make_tile_spans(2, 128, 16), make_tile_spans(2, 128, 16))
    assert [window.rows.start for window in windows] == [0, 0, 0, 64, 64, 64, 128, 128, 128]
    assert str(windows[1]) == "rows 0 to 127, columns 64 to 191"
    assert windows[1].weights.shape == windows[1].shape == (128, 128)


def test_windows_are_aligned_as_a_logged_network_expects() -> None:
    assert ALIGN_PX % 16 == 0  # four poolings
