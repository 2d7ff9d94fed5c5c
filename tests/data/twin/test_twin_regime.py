"""The twin is as hard and as bright as documented: measured on the whole of it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data import splits
from data.pack import make_pack
from data.splits import make_split, survey_catalogue
from data.tiles import ORBITS, TILE_PX, list_tiles, open_tile, tile_path
from data.tiles.catalogue import CATALOGUE_FILE
from data.twin import make_twin
from tests.support.baseline_scores import LEARNED_BASELINES, score_on_val
from tuning.settings.presets import pick_tiles

pytestmark = pytest.mark.slow

SPLIT = Path(splits.__file__).with_name("split_blocks.json")
from tests.support.tile_files import EVENT


def measure(folder: Path, tile_id: str) -> np.ndarray:
    """Change and mean level per pixel and orbit, shape (H * W, 2 orbits x 8)."""
    features = []
    for orbit in ORBITS:
        tile = open_tile(tile_path(folder, tile_id, orbit))
        post = tile.times > EVENT
        values = tile.bands
        first = int(post.argmax())
        features += [
            *(values[post].mean(0) - values[~post].mean(0)),
            *(values[first] - values[first - 1]),
            *values.mean(0),
            *values.std(0),
        ]
    return np.stack(features, axis=-1).reshape(TILE_PX * TILE_PX, -1)


def read_masks(folder: Path, tile_ids: list[str]) -> np.ndarray:
    return np.concatenate(
        [open_tile(tile_path(folder, tile_id, "s1asc")).mask.ravel() for tile_id in tile_ids]
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_twin(tmp_path_factory.mktemp("whole"), progress=False)


def test_whole_twin_is_as_hard_as_documented(whole: Path) -> None:
    split = json.loads(SPLIT.read_text())
    assert len(list_tiles(whole)) == 290

    x = np.concatenate([measure(whole, tile_id) for tile_id in split["test"]])
    mask = read_masks(whole, split["test"])
    assert average_precision_score(mask, x[:, 0] + x[:, 8]) == pytest.approx(0.38, abs=0.05)
    assert average_precision_score(mask, x[:, 2] + x[:, 10]) == pytest.approx(0.19, abs=0.05)

    some = split["train"][::2]
    train = np.concatenate([measure(whole, tile_id)[::5] for tile_id in some])
    labels = np.concatenate([read_masks(whole, [tile_id])[::5] for tile_id in some])
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train, labels)
    scores = model.predict_proba(x)[:, 1]
    assert average_precision_score(mask, scores) == pytest.approx(0.43, abs=0.05)


def test_whole_twin_is_as_bright_as_documented(whole: Path) -> None:
    with CATALOGUE_FILE.open() as file:
        chosen = [
            row["tile_id"] for row in csv.DictReader(file) if row["split_s12ls_ld"] == "train"
        ]
    means = np.mean(
        [
            open_tile(tile_path(whole, tile_id, orbit)).bands.mean(axis=(0, 2, 3))
            for tile_id in chosen
            for orbit in ORBITS
        ],
        axis=0,
    )
    # S12LS-LD over all regions: VV -9.3, VH -15.9 dB; these tiles are a little brighter.
    assert means[0] == pytest.approx(-8.4, abs=0.5)
    assert means[1] == pytest.approx(-14.3, abs=0.5)


def test_learning_beats_the_change_alone(whole: Path, tmp_path: Path) -> None:
    pack = make_pack(whole, tmp_path, tile_ids=pick_tiles("blocks", 16, survey_catalogue()))
    split = make_split("blocks", pack.surveys())
    alone = score_on_val("log_ratio_vv", pack, split)
    assert alone > score_on_val("bi_log_ratio_vv", pack, split) + 0.05  # many dates beat two
    for key in LEARNED_BASELINES:
        assert score_on_val(key, pack, split) > alone + 0.05
