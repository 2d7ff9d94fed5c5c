"""What a search sees of the test tiles: nothing with one search per fold, most of them with one for all."""

import json

import pytest

from data.splits import Split, list_folds, make_split, survey_catalogue
from tuning.search.scope import SCOPE_TAG, SearchScope, make_scope, read_scope


@pytest.fixture(scope="module")
def splits() -> list[Split]:
    tiles = survey_catalogue()
    return [make_split(name, tiles) for name in list_folds("blocks:5", ["hokkaido"])]


def test_one_search_per_fold_sees_no_test_tile_of_its_fold(splits: list[Split]) -> None:
    scope = make_scope(splits, "per-fold")
    assert scope == SearchScope(tuple(split.name for split in splits), 5, 290, 0, 0)
    for split in splits:  # the law that the sentence states
        assert not set(split.test) & {*split.train, *split.val}
    assert not scope.once
    assert (
        "searched on each of the 5 folds, on its own train and val tiles alone" in scope.describe()
    )


def test_one_search_for_all_folds_says_how_many_of_the_tested_tiles_it_saw(
    splits: list[Split],
) -> None:
    scope, first = make_scope(splits, "once"), splits[0]
    assert (scope.searched, scope.once) == (("blocks:5/1",), True)
    assert (scope.val, scope.train) == (
        len(first.val),
        len(first.train),
    )  # every tile is tested once
    assert scope.tested == scope.val + scope.train + len(first.test)
    assert (
        f"of 290 test tiles, {len(first.val)} were its val and {len(first.train)}"
        in scope.describe()
    )
    assert "`--search per-fold` avoids it" in scope.describe()


def test_a_single_split_is_searched_on_itself(splits: list[Split]) -> None:
    for mode in ("once", "per-fold"):
        scope = make_scope(splits[:1], mode)
        assert not scope.once
        assert scope.describe().endswith("on the train and val tiles of the split.")


def test_nothing_is_said_to_be_searched_with_a_recipe_of_fixed_values(splits: list[Split]) -> None:
    for mode in ("once", "per-fold"):
        scope = make_scope(splits, mode, "published", narrowed=True)
        assert (scope.searched, scope.val, scope.train) == (("blocks:5/1",), 0, 0)
        assert scope.describe().startswith("No hyperparameter was searched (`--recipe published`)")
        assert "narrowed by the preset" in scope.describe()
        assert read_scope({SCOPE_TAG: scope.to_tag()}, "run 1") == scope
    content = json.loads(make_scope(splits, "once").to_tag()) | {"recipe": "guessed"}
    with pytest.raises(ValueError, match=r"scope must name a recipe, but got 'guessed'"):
        read_scope({SCOPE_TAG: json.dumps(content)}, "run 1")
    del content["recipe"], content["narrowed"]  # of an earlier release
    assert read_scope({SCOPE_TAG: json.dumps(content)}, "run 1") == make_scope(splits, "once")


def test_scope_travels_as_a_tag(splits: list[Split]) -> None:
    for mode in ("once", "per-fold"):
        scope = make_scope(splits, mode)
        assert read_scope({SCOPE_TAG: scope.to_tag()}, "run 1") == scope
    assert read_scope({}, "run 1") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"searched": []},
            "must name folds and count tiles, but got .* in the tag search_scope of run 1",
        ),
        ({"searched": "blocks"}, "must name folds and count tiles"),
        ({"searched": ["<script>"]}, "Unknown split '<script>'"),
        ({"val": -1}, "must name folds and count tiles"),
        ({"train": "many"}, "must name folds and count tiles"),
    ],
)
def test_a_forged_tag_is_refused(
    splits: list[Split], change: dict[str, object], message: str
) -> None:
    content = json.loads(make_scope(splits, "once").to_tag()) | change
    with pytest.raises(ValueError, match=message):
        read_scope({SCOPE_TAG: json.dumps(content)}, "run 1")
