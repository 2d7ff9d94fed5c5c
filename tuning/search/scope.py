"""What the search of a campaign saw: the folds on which it ran, and how many test tiles of other folds it read.

With one search per fold, no test tile of a fold is train or val of the search that chose its hyperparameters (nested
cross-validation; Varma and Simon 2006, doi 10.1186/1471-2105-7-91). One search for all folds is cheaper, but it
sees labels of most test tiles.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from data.io.safe_json import is_number, parse_object, refused_error, show_value
from data.splits import Split, check_split
from tuning.trial.recipe import RECIPES, SEARCHED, describe_recipe

SCOPE_TAG = "search_scope"  # tag of a campaign's run: a SearchScope as JSON
_MAX_FOLDS, _MAX_TILES = 100, 10_000_000


@dataclass(frozen=True)
class SearchScope:
    """The folds of a campaign that were searched, and what the search saw of the others.

    Attributes:
        searched: Names of the folds whose train and val tiles a search used: all, or the first.
        folds: Number of folds; 1 without cross-validation.
        tested: Number of test tiles of all folds.
        val: Those of them that are val of a search that chose hyperparameters for another fold.
        train: The same for train.
        recipe: One of ``tuning.trial.recipe.RECIPES``: only with the first was anything searched.
        narrowed: Whether the preset makes the networks of another recipe narrower than published.
    """

    searched: tuple[str, ...]
    folds: int
    tested: int
    val: int
    train: int
    recipe: str = SEARCHED
    narrowed: bool = False

    @property
    def once(self) -> bool:
        """Whether one search chose the hyperparameters of several folds."""
        return self.folds > len(self.searched)

    def describe(self) -> str:
        """Return the scope in sentences."""
        if self.recipe != SEARCHED:
            return describe_recipe(self.recipe, narrowed=self.narrowed)
        if self.folds == 1:
            return "Hyperparameters of the networks were searched on the train and val tiles of the split."
        if not self.once:
            return (
                f"Hyperparameters of the networks were searched on each of the {self.folds} folds, on its own train and val "
                "tiles alone: no test tile of a fold was seen by the search that chose its hyperparameters."
            )
        return (
            f"Hyperparameters of the networks were searched once, on the fold {self.searched[0]}, and used on all "
            f"{self.folds} folds. That search has seen test tiles of the other folds: of {self.tested} test tiles, {self.val} were its val and "
            f"{self.train} its train. So the scores on these folds may be too good; `--search per-fold` avoids it."
        )

    def to_tag(self) -> str:
        """Return the text of the tag ``search_scope``."""
        return json.dumps(asdict(self))


def make_scope(
    splits: Sequence[Split], mode: str, recipe: str = SEARCHED, narrowed: bool = False
) -> SearchScope:
    """Return the scope of a campaign's search.

    Args:
        splits: The split of every fold.
        mode: ``once`` or ``per-fold``.
        recipe: One of ``tuning.trial.recipe.RECIPES``; without a search nothing is learnt from a test tile.
        narrowed: Whether the preset makes the networks narrower than published.
    """
    names, tested = tuple(split.name for split in splits), {t for s in splits for t in s.test}
    if recipe != SEARCHED:
        return SearchScope(names[:1], len(splits), len(tested), 0, 0, recipe, narrowed)
    if mode == "per-fold" or len(splits) == 1:
        return SearchScope(names, len(splits), len(tested), 0, 0)
    val, train = (len(tested.intersection(part)) for part in (splits[0].val, splits[0].train))
    return SearchScope(names[:1], len(splits), len(tested), val, train)


def read_scope(tags: Mapping[str, str], place: str) -> SearchScope | None:
    """Return the scope of a campaign from the tags of its run; None for a campaign of an earlier release.

    Raises:
        ValueError: If the tag is malformed.
    """
    if SCOPE_TAG not in tags:
        return None
    content, where = parse_object(tags[SCOPE_TAG], place), f"the tag {SCOPE_TAG} of {place}"
    limits = {"folds": _MAX_FOLDS, "tested": _MAX_TILES, "val": _MAX_TILES, "train": _MAX_TILES}
    names = content.get("searched")
    valid = isinstance(names, list) and 0 < len(names) <= _MAX_FOLDS
    valid &= all(is_number(content.get(name), 0, most, whole=True) for name, most in limits.items())
    if not valid or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        rule = "A search's scope must name folds and count tiles"
        raise refused_error(rule, show_value(content), where)
    for name in names:
        check_split(name)
    recipe = content.get("recipe", SEARCHED)  # absent in campaigns of an earlier release
    if recipe not in RECIPES:
        raise refused_error("A search's scope must name a recipe", show_value(recipe), where)
    folds, tested, val, train = (int(content[name]) for name in limits)
    narrowed = content.get("narrowed") is True
    return SearchScope(tuple(names), folds, tested, val, train, recipe, narrowed)
