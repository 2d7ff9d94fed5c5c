import hashlib

import numpy as np
import pytest
from scipy.spatial import Delaunay

from data.splits import PARTS, list_folds, make_split, survey_catalogue
from data.splits.folds import FOLDS, MIN_VAL, make_fold
from data.splits.grid import find_touching
from data.tiles.catalogue import read_catalogue
from tests.support.tile_files import count_annotated_px

Fold = dict[str, tuple[str, ...]]


@pytest.fixture(params=FOLDS, scope="module")
def folds(request: pytest.FixtureRequest) -> list[Fold]:
    """All folds of each K."""
    return [
        make_fold(survey_catalogue().values(), request.param, fold)
        for fold in range(1, request.param + 1)
    ]


def test_folds_test_every_tile_once(folds: list[Fold]) -> None:
    tested = [tile for fold in folds for tile in fold["test"]]
    assert sorted(tested) == sorted(read_catalogue())


def test_fold_puts_every_tile_in_one_part(folds: list[Fold]) -> None:
    for fold in folds:
        assert sorted(tile for part in PARTS for tile in fold[part]) == sorted(read_catalogue())


def test_fold_separates_train_and_test(folds: list[Fold]) -> None:
    for fold in folds:
        assert find_touching(fold["test"], fold["train"], survey_catalogue()) == []


def test_fold_balances_the_positives(folds: list[Fold]) -> None:
    whole = count_annotated_px(read_catalogue()) / 290
    for fold in folds:
        for ids in fold.values():
            assert whole / 1.5 < count_annotated_px(ids) / len(ids) < whole * 1.5


def test_fold_tests_its_share_of_tiles(folds: list[Fold]) -> None:
    for fold in folds:
        assert len(fold["test"]) == pytest.approx(290 / len(folds), rel=0.1)


def test_fold_validates_on_the_belt_and_enough_tiles(folds: list[Fold]) -> None:
    for fold in folds:
        rest = [*fold["train"], *fold["val"]]
        assert set(find_touching(rest, fold["test"], survey_catalogue())) <= set(fold["val"])
        assert MIN_VAL * 290 <= len(fold["val"]) < len(fold["train"])


def test_folds_are_convex_blocks(folds: list[Fold]) -> None:
    places = {tile.tile_id: (tile.column, tile.row) for tile in read_catalogue().values()}
    for fold in folds:
        inside = Delaunay(np.array([places[tile] for tile in fold["test"]]))
        others = [places[tile] for part in ("train", "val") for tile in fold[part]]
        assert (inside.find_simplex(np.array(others)) == -1).all()


def test_folds_never_change() -> None:
    names = [name for folds in FOLDS for name in list_folds(f"blocks:{folds}", ())]
    hashes = " ".join(make_split(name, survey_catalogue()).hash for name in names)
    assert hashlib.sha256(hashes.encode()).hexdigest()[:12] == "b9082e92da72"
    assert make_split("blocks:5/1", survey_catalogue()).hash == "5cef0918dac1"


@pytest.mark.parametrize("folds", [1, 11])
def test_fold_refuses_an_invalid_number_of_folds(folds: int) -> None:
    with pytest.raises(ValueError, match=rf"Folds must be from 2 to 10, but got {folds}\."):
        make_fold(survey_catalogue().values(), folds, 1)


@pytest.mark.parametrize("fold", [0, 6])
def test_fold_refuses_an_invalid_index(fold: int) -> None:
    with pytest.raises(ValueError, match=rf"A fold of 5 must be from 1 to 5, but got {fold}\."):
        make_fold(survey_catalogue().values(), 5, fold)
