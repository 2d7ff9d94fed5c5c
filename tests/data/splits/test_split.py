import pytest

from data.io.errors import unknown_name
from data.splits import (
    SPLITS,
    check_split,
    list_fold_names,
    make_split,
)
from data.tiles.catalogue import find_touching, read_catalogue, read_places
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
    split = make_split(name)
    assert (len(split.train), len(split.val), len(split.test)) == sizes


@pytest.mark.parametrize("name", SPLITS)
def test_split_uses_every_tile_at_most_once(name: str) -> None:
    split = make_split(name)
    used = [*split.train, *split.val, *split.test, *split.unused]
    assert len(used) == len(set(used)) == 290


def test_seed42_is_the_published_study_s_split() -> None:
    split = make_split("seed42")
    assert count_annotated_px(split.test) == 34_647
    assert sum(read_catalogue()[tile].annotated_px > 0 for tile in split.test) == 15
    assert "hokkaido_962" in split.train
    assert "hokkaido_903" in split.val
    assert "hokkaido_538" in split.test


def test_seed42_leaks_as_the_published_study_does() -> None:
    split = make_split("seed42")
    assert len(find_touching(split.test, split.train, corner=False)) == 20


def test_s12ls_ld_leaks_in_every_test_tile() -> None:
    split = make_split("s12ls-ld")
    assert len(find_touching(split.test, split.train, corner=False)) == len(split.test) == 30


def test_blocks_keep_train_and_test_apart() -> None:
    split = make_split("blocks")
    assert find_touching(split.test, split.train) == []
    assert split.buffer == ()


def test_blocks_balance_the_positives() -> None:
    split = make_split("blocks")
    whole = count_annotated_px(read_catalogue()) / 290
    parts = (split.train, split.val, split.test)
    ratios = [count_annotated_px(ids) / len(ids) / whole for ids in parts]
    assert ratios == pytest.approx([1.03, 0.98, 0.94], abs=0.005)


def test_corner_neighbours_touch_and_do_not_share_an_edge() -> None:
    tiles = {(tile.column, tile.row): tile.tile_id for tile in read_catalogue().values()}
    here = next(at for at in sorted(tiles) if (at[0] + 1, at[1] + 1) in tiles)
    first, second = tiles[here], tiles[(here[0] + 1, here[1] + 1)]
    assert find_touching([first], [second]) == [first]
    assert find_touching([first], [second], corner=False) == []


def test_touching_uses_the_given_places() -> None:
    places = {"hokkaido_1": (0, 0), "hokkaido_2": (1, 1), "hokkaido_3": (5, 5)}
    assert find_touching(places, ["hokkaido_2"], places=places) == ["hokkaido_1"]
    assert find_touching(places, ["hokkaido_2"], corner=False, places=places) == []


def test_places_are_one_per_tile() -> None:
    assert len(set(read_places().values())) == 290


@pytest.mark.parametrize(
    ("name", "digest"),
    [("blocks", "b1cfcd444f6a"), ("seed42", "baf752475ddc"), ("s12ls-ld", "a8a613ce99ec")],
)
def test_split_hash_never_changes(name: str, digest: str) -> None:
    assert make_split(name).hash == digest


def test_split_hash_depends_on_the_tiles_only() -> None:
    assert make_split("blocks").hash == make_split("blocks", read_catalogue()).hash
    assert make_split("blocks").hash != make_split("seed42").hash


def test_split_lists_missing_and_unused_tiles() -> None:
    split = make_split("s12ls-ld")
    some = [split.train[0], split.val[0], split.test[0], "hokkaido_1006", "chile_1"]
    small = make_split("s12ls-ld", some)
    assert small.train == (split.train[0],)
    assert small.unused == ("chile_1", "hokkaido_1006")
    assert len(small.missing) == 144 - 3


def test_split_refuses_an_unknown_name() -> None:
    with pytest.raises(ValueError, match=r"Unknown split 'block'\. Did you mean 'blocks'\?"):
        make_split("block")


def test_split_refuses_an_empty_part() -> None:
    with pytest.raises(ValueError, match="needs a tile, but none of the 27 val tiles"):
        make_split("blocks", make_split("blocks").train)


def test_split_refuses_an_unknown_part() -> None:
    with pytest.raises(ValueError, match=r"Unknown part 'tset'\. Did you mean 'test'\?"):
        make_split("blocks").part("tset")


@pytest.mark.parametrize("name", [*SPLITS, "blocks:5/1", "blocks:10/10", "file:0123456789ab"])
def test_check_accepts_every_form_of_name(name: str) -> None:
    check_split(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("block", r"Unknown split 'block'\. Did you mean 'blocks'\?.*blocks:K/F, file:HASH"),
        ("blocks:five/1", "Unknown split 'blocks:five/1'"),
        ("blocks:11/1", "K of blocks:K/F must be from 2 to 10, but got 11 in 'blocks:11/1'"),
        ("blocks:1/1", "K of blocks:K/F must be from 2 to 10, but got 1 in"),
        (
            "blocks:3",
            "A fold .* must be one of blocks:3/1, blocks:3/2, blocks:3/3, but got 'blocks:3'",
        ),
        ("blocks:3/4", "A fold .* must be one of blocks:3/1, .*, but got 'blocks:3/4'"),
        ("blocks:3/0", "A fold .* must be one of blocks:3/1, .*, but got 'blocks:3/0'"),
        ("blocks:3/01", "A fold .* must be one of blocks:3/1, .*, but got 'blocks:3/01'"),
        ("file:mine.json", "must be file:<12 hexadecimal digits>, but got 'file:mine.json'"),
    ],
)
def test_check_refuses_a_name(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_split(name)
    with pytest.raises(ValueError, match=message):
        make_split(name)


def test_fold_names_are_splits() -> None:
    names = list_fold_names("blocks:5")
    assert names == ("blocks:5/1", "blocks:5/2", "blocks:5/3", "blocks:5/4", "blocks:5/5")
    assert [make_split(name).name for name in names] == list(names)


@pytest.mark.parametrize("name", ["blocks", "blocks:5/1", "seed42"])
def test_fold_names_refuse_a_split_without_folds(name: str) -> None:
    with pytest.raises(ValueError, match=f"must be named blocks:K, but got '{name}'"):
        list_fold_names(name)


def test_fold_names_refuse_too_many() -> None:
    with pytest.raises(ValueError, match="from 2 to 10, but got 12 in 'blocks:12'"):
        list_fold_names("blocks:12")


def test_unknown_name_lists_all_names_if_none_is_similar() -> None:
    assert unknown_name("preset", "zzz", ["quick", "paper"]) == (
        "Unknown preset 'zzz'. Available: quick, paper."
    )
