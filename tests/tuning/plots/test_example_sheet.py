"""The picture of example tiles for MLflow's artifact viewer."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tuning.plots.example_sheet import MOST_BYTES, describe_tile, draw_example_sheet

LABEL = np.zeros((8, 8), bool)
LABEL[2:6, 2:6] = True


@pytest.mark.parametrize(
    ("label", "found", "text"),
    [
        (LABEL, LABEL, "F1 1.000, 16 px labelled, 16 px found"),
        (LABEL, LABEL & (np.arange(8) < 4), "F1 0.667, 16 px labelled, 8 px found"),
        (LABEL, ~LABEL, "F1 0.000, 16 px labelled, 48 px found"),
        (LABEL & False, LABEL, "no landslide labelled, 16 px found"),
    ],
)
def test_each_tile_has_its_score_in_words(label: np.ndarray, found: np.ndarray, text: str) -> None:
    assert describe_tile(label, found) == text


def test_picture_shows_label_and_errors_of_each_tile(rng: np.random.Generator) -> None:
    probs = np.where(LABEL, 0.9, 0.1).astype(np.float32)
    probs[2, 2], probs[0, 0] = 0.1, 0.9
    change = rng.normal(0, 1, (1, 8, 8)).astype(np.float16)
    change[0, 7, 7] = np.nan  # no data
    content = draw_example_sheet("t", ["a_1"], change, LABEL[None], probs[None], 0.5, True)
    image = np.asarray(Image.open(BytesIO(content)).convert("RGB")).astype(int)
    panel, last = 256, image.shape[1] - 8
    errors = image[-8 - panel : -8, last - panel : last]
    step = panel // 8
    middle = errors[step // 2 :: step, step // 2 :: step]  # one value per pixel of the tile
    for place, colour in (
        ((3, 3), (255, 255, 255)),
        ((0, 0), (240, 160, 48)),
        ((2, 2), (11, 44, 107)),
    ):
        assert np.abs(middle[place] - colour).max() < 12
    label = image[-8 - panel : -8, 8 + panel + 8 :][step // 2 :: step, step // 2 :: step][:8, :8]
    assert ((label.mean(axis=-1) > 128) == LABEL).all()


def test_picture_of_pure_noise_is_small(rng: np.random.Generator) -> None:
    shape = (4, 128, 128)
    noise = rng.normal(0, 3, shape).astype(np.float16)
    mask, probs = rng.random(shape) < 0.5, rng.random(shape).astype(np.float32)
    content = draw_example_sheet("t", list("abcd"), noise, mask, probs, 0.5, False)
    assert 20_000 < len(content) <= MOST_BYTES
    assert Image.open(BytesIO(content)).format == "PNG"
