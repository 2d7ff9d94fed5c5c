import pytest

from data.io.errors import unknown_name
from data.splits import SPLITS, make_split, survey_catalogue
from data.splits.grid import find_touching
from data.tiles.catalogue import read_catalogue
from tests.support.surveys import make_survey, place_tiles
from tests.support.tile_files import count_annotated_px


def test_catalogue_has_the_published_tiles() -> None:
    tiles = read_catalogue().values()
    assert len(tiles) == 290
    assert sum(tile.annotated_px > 0 for tile in tiles) == 150
    share = sum(tile.annotated_px for tile in tiles) / (290 * 128 * 128)
    assert share == pytest.approx(0.0710, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("seed42", (232, 29, 29)), ("s12ls-ld", (92, 22, 30)), ("blocks", (184, 27, 79))],
)
def test_split_has_the_published_sizes(name: str, sizes: tuple[int, int, int]) -> None:
    split = make_split(name, survey_catalogue())
    assert (len(split.train), len(split.val), len(split.test)) == sizes


@pytest.mark.parametrize("name", SPLITS)
def test_split_uses_every_tile_at_most_once(name: str) -> None:
    split = make_split(name, survey_catalogue())
    used = [*split.train, *split.val, *split.test, *split.unused]
    assert len(used) == len(set(used)) == 290


def test_seed42_is_the_published_study_s_split() -> None:
    split = make_split("seed42", survey_catalogue())
    assert count_annotated_px(split.test) == 34_647
    assert sum(read_catalogue()[tile].annotated_px > 0 for tile in split.test) == 15
    assert "hokkaido_962" in split.train
    assert "hokkaido_903" in split.val
    assert "hokkaido_538" in split.test


def test_seed42_leaks_as_the_published_study_does() -> None:
    split = make_split("seed42", survey_catalogue())
    assert len(find_touching(split.test, split.train, survey_catalogue(), corner=False)) == 20


def test_s12ls_ld_leaks_in_every_test_tile() -> None:
    split = make_split("s12ls-ld", survey_catalogue())
    assert (
        len(find_touching(split.test, split.train, survey_catalogue(), corner=False))
        == len(split.test)
        == 30
    )


def test_blocks_keep_train_and_test_apart() -> None:
    split = make_split("blocks", survey_catalogue())
    assert find_touching(split.test, split.train, survey_catalogue()) == []
    assert split.buffer == ()


def test_blocks_balance_the_positives() -> None:
    split = make_split("blocks", survey_catalogue())
    whole = count_annotated_px(read_catalogue()) / 290
    parts = (split.train, split.val, split.test)
    ratios = [count_annotated_px(ids) / len(ids) / whole for ids in parts]
    assert ratios == pytest.approx([1.03, 0.98, 0.94], abs=0.005)


@pytest.mark.parametrize(
    ("name", "digest"),
    [("blocks", "b1cfcd444f6a"), ("seed42", "baf752475ddc"), ("s12ls-ld", "a8a613ce99ec")],
)
def test_split_hash_never_changes(name: str, digest: str) -> None:
    assert make_split(name, survey_catalogue()).hash == digest


def test_split_hash_depends_on_the_tiles_only() -> None:
    tiles = survey_catalogue()
    shuffled = {tile: tiles[tile] for tile in sorted(tiles, reverse=True)}
    assert make_split("blocks", tiles).hash == make_split("blocks", shuffled).hash
    assert make_split("blocks", tiles).hash != make_split("seed42", tiles).hash


def test_split_lists_missing_and_unused_tiles() -> None:
    split = make_split("s12ls-ld", survey_catalogue())
    some = [split.train[0], split.val[0], split.test[0], "hokkaido_1006", "chile_1"]
    small = make_split("s12ls-ld", place_tiles(*some))
    assert small.train == (split.train[0],)
    assert small.unused == ("chile_1", "hokkaido_1006")
    assert len(small.missing) == 144 - 3


def test_split_refuses_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"Unknown split 'block'\. Did you mean 'blocks'\?"):
        make_split("block", survey_catalogue())


def test_split_refuses_an_empty_part() -> None:
    with pytest.raises(ValueError, match="needs a tile, but none of the 27 val tiles"):
        make_split("blocks", place_tiles(*make_split("blocks", survey_catalogue()).train))


def test_split_refuses_an_unknown_part() -> None:
    with pytest.raises(ValueError, match=r"Unknown part 'tset'\. Did you mean 'test'\?"):
        make_split("blocks", survey_catalogue()).part("tset")


@pytest.mark.parametrize("name", ["seed42", "s12ls-ld"])
def test_published_split_needs_hokkaido(name: str) -> None:
    rule = rf"Split '{name}' is a published list of Hokkaido's tiles, but the data hold china\. Choose --split blocks"
    with pytest.raises(ValueError, match=rule):
        make_split(name, make_survey("china", 20))


def test_published_split_leaves_other_regions_unused() -> None:
    others = make_survey("china", 20)
    split = make_split("seed42", {**survey_catalogue(), **others})
    assert split.unused == tuple(sorted(others))
    assert split.hash == make_split("seed42", survey_catalogue()).hash


def test_unknown_name_lists_all_names_if_none_is_similar() -> None:
    assert unknown_name("preset", "zzz", ["quick", "paper"]) == (
        "Unknown preset 'zzz'. Available: quick, paper."
    )
