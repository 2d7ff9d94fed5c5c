import pytest

from data.catalogue import count_positives, find_touching, read_catalogue
from data.names import unknown
from data.splits import SPLITS, make_split


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
    assert count_positives(split.test) == 34_647
    assert sum(read_catalogue()[tile].annotated_px > 0 for tile in split.test) == 15
    assert "hokkaido_962" in split.train
    assert "hokkaido_903" in split.val
    assert "hokkaido_538" in split.test


def test_seed42_leaks_as_the_published_study_does() -> None:
    split = make_split("seed42")
    assert len(find_touching(split.test, split.train, corner=False)) == 20


def test_blocks_keep_train_and_test_apart() -> None:
    split = make_split("blocks")
    assert find_touching(split.test, split.train) == []


def test_blocks_balance_the_positives() -> None:
    split = make_split("blocks")
    whole = count_positives(read_catalogue()) / 290
    for ids in (split.train, split.val, split.test):
        assert whole / 1.5 < count_positives(ids) / len(ids) < whole * 1.5


def test_corner_neighbours_touch_and_do_not_share_an_edge() -> None:
    tiles = {(tile.column, tile.row): tile.tile_id for tile in read_catalogue().values()}
    here = next(at for at in sorted(tiles) if (at[0] + 1, at[1] + 1) in tiles)
    first, second = tiles[here], tiles[(here[0] + 1, here[1] + 1)]
    assert find_touching([first], [second]) == [first]
    assert find_touching([first], [second], corner=False) == []


def test_split_hash_depends_on_the_tiles_alone() -> None:
    assert make_split("blocks").hash == make_split("blocks", read_catalogue()).hash
    assert make_split("blocks").hash != make_split("seed42").hash


def test_split_names_what_is_missing_and_unused() -> None:
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


def test_unknown_name_lists_all_when_nothing_is_near() -> None:
    assert unknown("preset", "zzz", ["quick", "paper"]) == (
        "Unknown preset 'zzz'. Available: quick, paper."
    )
