"""How well features of tiles tell annotated ones from others: a cross-validated AUC with its interval.

A decision tree predicts from a tile's features whether it is annotated. It learns on some blocks of neighbouring tiles and
predicts the others, so that a place with its own dates does not look like a leak. The area under the ROC curve (AUC) is
the chance that an annotated tile scores above another one: 0.5 for features that tell nothing.

References:
    Hanley and McNeil (1982), doi 10.1148/radiology.143.1.7063747: the AUC as the Mann-Whitney statistic.
    Field and Welsh (2007), doi 10.1111/j.1467-9868.2007.00593.x: the bootstrap over whole blocks, whose 2.5th and 97.5th
    percentile are the interval here.
    Breiman et al. (1984), Classification and Regression Trees, ISBN 978-0-412-04841-8.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

MIN_TILES = 10  # of each class
FOLDS = 5
SEED = 0
SAME = "the same for all tiles"
BY_CHANCE = "no difference beyond chance"
_DRAWS = 1000
_CHI2 = 15.1  # a tree splits only where chance rarely would: p < 0.0001 for one split


@dataclass(frozen=True)
class GroupAuc:
    """How well one group of features tells annotated tiles from others.

    Attributes:
        name: One of ``data.check.leak_features.GROUPS``.
        auc: Cross-validated area under the ROC curve; None if it cannot be computed.
        low: Lower end of its 95 % interval.
        high: Upper end.
        note: Why there is no AUC, or why it is 0.5; empty otherwise.
    """

    name: str
    auc: float | None
    low: float | None
    high: float | None
    note: str = ""

    @property
    def above_chance(self) -> bool:
        """Whether the whole interval is above 0.5."""
        return self.low is not None and self.low > 0.5


def find_refusal(annotated: np.ndarray, blocks: np.ndarray) -> str:
    """Return why no AUC can be computed of tiles with these labels and blocks, both ``(N,)``; empty if it can."""
    have, lack = int(annotated.sum()), int((~annotated).sum())
    if not have or not lack:
        kind = "annotated" if have else "without landslides"
        return f"all {len(annotated)} tiles are {kind}, and an AUC needs both kinds"
    if min(have, lack) < MIN_TILES:
        return (
            f"an AUC needs {MIN_TILES} tiles of each kind, but {have} are annotated and {lack} not"
        )
    if min(len(np.unique(blocks[annotated])), len(np.unique(blocks[~annotated]))) < 2:
        return "an AUC needs both kinds of tiles in two blocks of neighbouring tiles, but one kind is in one block"
    return ""


def measure_groups(
    features: Mapping[str, np.ndarray], annotated: np.ndarray, blocks: np.ndarray
) -> tuple[GroupAuc, ...]:
    """Measure each group of features.

    Args:
        features: Shape ``(N, features)`` by group, float64; ``all`` holds the others together.
        annotated: Shape ``(N,)``, bool.
        blocks: Block of neighbouring tiles that each tile is in, shape ``(N,)``, int64.

    Returns:
        One entry per group, in the order of *features*.
    """
    varied = {
        name: values[:, (values != values[0]).any(axis=0)] for name, values in features.items()
    }
    found = {
        name: _measure_group(name, values, annotated, blocks)
        for name, values in varied.items()
        if name != "all"
    }
    differing = [group for name, group in found.items() if varied[name].size]
    if len(differing) == 1:
        found["all"] = replace(differing[0], name="all")
    else:
        found["all"] = _measure_group("all", varied["all"], annotated, blocks)
    return tuple(found[name] for name in features)


def _measure_group(
    name: str, features: np.ndarray, annotated: np.ndarray, blocks: np.ndarray
) -> GroupAuc:
    if not features.size:
        return GroupAuc(name, 0.5, 0.5, 0.5, SAME)
    scores = _predict_held_out(features, annotated, blocks)
    if (scores == scores[0]).all():
        return GroupAuc(name, 0.5, 0.5, 0.5, BY_CHANCE)
    auc = weighted_auc(scores, annotated, np.ones(len(scores)))
    draws = _resample_blocks(scores, annotated, blocks)
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return GroupAuc(name, float(auc), float(low), float(high))


def _predict_held_out(
    features: np.ndarray, annotated: np.ndarray, blocks: np.ndarray
) -> np.ndarray:
    """Return each tile's score from a tree that learnt on other blocks, shape ``(N,)``, float64.

    A tree that splits at every difference would score held-out tiles against the truth where dates tell nothing: what is
    held out is missing among those learnt from.
    """
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.tree import DecisionTreeClassifier

    most = min(len(np.unique(blocks[annotated])), len(np.unique(blocks[~annotated])))
    folds = StratifiedGroupKFold(min(FOLDS, most), shuffle=True, random_state=SEED)
    scores = np.zeros(len(annotated))
    for train, held_out in folds.split(features, annotated, blocks):
        if annotated[train].all() or not annotated[train].any():
            continue  # the score stays 0: it says nothing
        tree = DecisionTreeClassifier(
            min_samples_leaf=2,
            min_impurity_decrease=_CHI2
            / (2 * len(train)),  # of the Gini impurity, classes balanced
            class_weight="balanced",
            random_state=SEED,
        )
        tree.fit(features[train], annotated[train])
        scores[held_out] = tree.predict_proba(features[held_out])[:, 1] - 0.5
    return np.round(scores, 9)  # equal dates must be ties, whatever the order of summation


def _resample_blocks(scores: np.ndarray, annotated: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Return the AUC of each draw of whole blocks with replacement, shape ``(draws,)``; NaN for a draw of one class."""
    rng = np.random.default_rng(SEED)
    count = int(blocks.max()) + 1
    weights = rng.multinomial(count, np.full(count, 1 / count), size=_DRAWS)[:, blocks]
    return np.array([weighted_auc(scores, annotated, row.astype(np.float64)) for row in weights])


def weighted_auc(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Return the chance that a positive scores above a negative, ties counting half; NaN with one class.

    Args:
        scores: Shape ``(N,)``.
        labels: Shape ``(N,)``, bool.
        weights: How often each is counted, shape ``(N,)``.
    """
    _, level = np.unique(scores, return_inverse=True)
    positive = np.bincount(level, weights * labels)
    negative = np.bincount(level, weights * ~labels)
    pairs = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative / 2
    return float((positive * below).sum() / pairs) if pairs else float("nan")
