import numpy as np
import pytest

from tuning.baselines.windows import average_window, spread_window


def slow_windows(values: np.ndarray, width: int) -> list[list[np.ndarray]]:
    half, (height, breadth) = width // 2, values.shape
    return [
        [
            values[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]
            for x in range(breadth)
        ]
        for y in range(height)
    ]


@pytest.mark.parametrize("width", [1, 3, 7])
@pytest.mark.parametrize("gaps", [False, True])
def test_windows_are_means_and_spreads_of_the_pixels_with_data(
    rng: np.random.Generator, width: int, gaps: bool
) -> None:
    values = rng.normal(-10, 3, (12, 9)).astype(np.float32)
    if gaps:
        values[2:6, 3:8] = np.nan
        values[0, 0] = np.nan
    windows = slow_windows(values.astype(np.float64), width)
    known = [[np.isfinite(one).any() for one in row] for row in windows]
    for measure, slow in ((average_window, np.nanmean), (spread_window, np.nanstd)):
        found = measure(values, width)
        assert found.dtype == np.float32
        expected = np.array(
            [
                [slow(one) if ok else np.nan for one, ok in zip(row, oks, strict=True)]
                for row, oks in zip(windows, known, strict=True)
            ]
        )
        np.testing.assert_allclose(found, expected, atol=3e-3)


def test_each_layer_is_averaged_by_itself(rng: np.random.Generator) -> None:
    layers = rng.normal(0, 1, (3, 8, 8)).astype(np.float32)
    layers[1, 2, 2] = np.nan
    found = average_window(layers, 3)
    for one, layer in zip(found, layers, strict=True):
        np.testing.assert_allclose(one, average_window(layer, 3), atol=1e-5)
    assert average_window(layers[:0], 3).shape == (0, 8, 8)
