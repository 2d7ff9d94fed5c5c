"""A share of the train tiles: nested, fixed, with landslides, scattered or compact."""

from itertools import pairwise

import numpy as np
import pytest

from data.splits import Split, parse_train_share, shrink_train, survey_catalogue
from data.splits.blocks import make_blocks
from data.splits.train_share import COMPACT, SCATTERED, SHAPES, order_train
from data.tiles import TileSurvey
from data.tiles.paths import region_of
from tests.support.surveys import make_survey

SHARES = (0.1, 0.25, 0.5, 1.0)
EACH = pytest.mark.parametrize("shape", SHAPES)


def make_split(tiles: dict[str, TileSurvey]) -> Split:
    parts = make_blocks(tiles)
    return Split("blocks", *(tuple(parts[name]) for name in ("train", "val", "test")))


HOKKAIDO = survey_catalogue()
THREE = HOKKAIDO | make_survey("itogon", 82, zones=2) | make_survey("hiroshima", 322, clusters=3)
DATA = pytest.mark.parametrize("tiles", [HOKKAIDO, THREE], ids=["hokkaido", "three regions"])


def take(tiles: dict[str, TileSurvey], shape: str, share: float) -> set[str]:
    return set(shrink_train(make_split(tiles), tiles, f"{shape}:{share}", 1).train)


def measure_share(tiles: dict[str, TileSurvey], ids: set[str]) -> float:
    return float(np.mean([tiles[tile].annotated_px for tile in ids]))


@EACH
@DATA
def test_tiles_of_a_smaller_share_are_among_those_of_a_larger(
    shape: str, tiles: dict[str, TileSurvey]
) -> None:
    train = set(make_split(tiles).train)
    subsets = [take(tiles, shape, share) for share in SHARES]
    assert [len(subset) for subset in subsets] == [round(share * len(train)) for share in SHARES]
    assert all(small < large for small, large in pairwise(subsets))
    assert subsets[-1] == train


@EACH
def test_only_train_shrinks_and_what_it_loses_is_unused(shape: str) -> None:
    split = make_split(HOKKAIDO)
    less = shrink_train(split, HOKKAIDO, f"{shape}:0.25", 8)
    assert (less.val, less.test, less.name) == (split.val, split.test, split.name)
    assert sorted({*less.train, *less.unused}) == sorted(split.train)
    assert list(less.train) == sorted(less.train)
    assert less.hash != split.hash
    assert shrink_train(split, HOKKAIDO, "1", 8) is split
    assert shrink_train(split, HOKKAIDO, f"{shape}:1", 8) is split


@EACH
@DATA
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_landslides_are_about_as_frequent_as_in_all_train_tiles(
    shape: str, tiles: dict[str, TileSurvey], share: float
) -> None:
    train = set(make_split(tiles).train)
    ratio = measure_share(tiles, take(tiles, shape, share)) / measure_share(tiles, train)
    assert 0.6 < ratio < 1.6


@EACH
def test_each_region_gives_its_share(shape: str) -> None:
    train = make_split(THREE).train
    taken = take(THREE, shape, 0.25)
    for region in {region_of(tile) for tile in train}:
        of_region = [tile for tile in train if region_of(tile) == region]
        count = sum(tile in taken for tile in of_region)
        assert count == pytest.approx(0.25 * len(of_region), abs=2)


def test_compact_tiles_lie_closer_together_than_scattered_ones() -> None:
    def spread(shape: str) -> float:
        at = [(HOKKAIDO[t].west_m, HOKKAIDO[t].north_m) for t in take(HOKKAIDO, shape, 0.1)]
        return float(np.std(at, axis=0).sum())

    assert spread(COMPACT) < 0.5 * spread(SCATTERED)


@EACH
def test_the_order_depends_on_the_tiles_alone(shape: str) -> None:
    tiles = list(HOKKAIDO.values())
    assert order_train(tiles, shape) == order_train(reversed(tiles), shape)


def test_the_first_scattered_tiles_never_change() -> None:
    # results are compared over releases: another order would be other data under the same name
    order = order_train([HOKKAIDO[tile] for tile in make_split(HOKKAIDO).train], SCATTERED)
    assert order[:3] == ["hokkaido_1311", "hokkaido_732", "hokkaido_698"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0.25", "scattered:0.25"),
        ("scattered:0.25", "scattered:0.25"),
        ("compact:.5", "compact:0.5"),
        ("1", "1"),
        ("compact:1.0", "1"),
    ],
)
def test_a_share_is_written_in_one_way(text: str, written: str) -> None:
    assert str(parse_train_share(text)) == written
    assert str(parse_train_share(written)) == written


@pytest.mark.parametrize("text", ["0", "-0.1", "1.5", "nan", "inf", "half", "", "compact:", "25%"])
def test_shares_outside_0_to_1_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"--train-share must be above 0 and at most 1, .* got '"):
        parse_train_share(text)


def test_unknown_shapes_are_refused_with_the_nearest() -> None:
    message = r"Unknown shape of the train share 'compakt'\. Did you mean 'compact'\? Available: s"
    with pytest.raises(ValueError, match=message):
        parse_train_share("compakt:0.25")


def test_a_share_of_too_few_tiles_is_refused_with_the_numbers() -> None:
    split = make_split(HOKKAIDO)
    message = (
        r"must leave a batch of 8 train tiles or more, one of them with a landslide, but scattered:0\.02 leaves 4 of the "
        rf"{len(split.train)} train tiles of split 'blocks', \d with a landslide\. Raise it\."
    )
    with pytest.raises(ValueError, match=message):
        shrink_train(split, HOKKAIDO, "0.02", 8)


def test_a_share_without_a_landslide_is_refused() -> None:
    tiles = make_survey("itogon", 40)
    bare = {
        tile: TileSurvey(tile, survey.west_m, survey.north_m, 0, survey.crs)
        for tile, survey in tiles.items()
    }
    split = Split("mine", tuple(bare), (), ())
    with pytest.raises(ValueError, match=r"leaves 20 of the 40 train tiles .* 0 with a landslide"):
        shrink_train(split, bare, "compact:0.5", 4)
