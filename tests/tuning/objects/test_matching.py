"""The one-to-one matching has the largest sum of IoU that any has."""

from itertools import permutations

import numpy as np
import pytest
from scipy import ndimage

from tests.support.object_maps import draw_map
from tuning.objects.matching import exceed_limit, match_one_to_one
from tuning.objects.object_scores import score_objects
from tuning.objects.objects import count_objects


def find_best(iou: np.ndarray) -> tuple[float, int]:
    """Try every matching; return the best sum of IoU, and its number of pairs."""
    rows, columns = iou.shape
    padded = np.pad(np.where(iou > 0.3, iou, 0.0), ((0, 0), (0, rows)))  # to match with nothing
    tried = permutations(range(columns + rows), rows)
    picks = [[padded[i, j] for i, j in enumerate(one)] for one in tried]
    best = max(picks, key=sum)
    return sum(best), sum(value > 0 for value in best)


def draw_few(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a reference and a found map of at most four objects each, many of them adjacent."""
    while True:
        size = rng.integers(3, 9, 2)
        mask, other = (rng.random(size) < rng.uniform(0.2, 0.7) for _ in range(2))
        found = np.where(rng.random(size) < 0.75, mask, other)
        if max(ndimage.label(one, np.ones((3, 3)))[1] for one in (mask, found)) <= 4:
            return mask, found


@pytest.mark.parametrize("seed", range(40))
def test_matching_of_small_masks_is_the_best_of_all(seed: int) -> None:
    mask, found = draw_few(np.random.default_rng(seed))
    (a, rows), (b, columns) = (ndimage.label(one, np.ones((3, 3))) for one in (mask, found))
    pairs = [[(a == i + 1, b == j + 1) for j in range(columns)] for i in range(rows)]
    iou = [[(one & two).sum() / (one | two).sum() for one, two in row] for row in pairs]
    _, hits = find_best(np.array(iou).reshape(rows, columns))
    counts = count_objects(found[None], mask[None].astype(np.uint8))
    assert (counts.references.sum(), counts.found.sum()) == (rows, columns)
    assert counts.hit.sum() == counts.right.sum() == hits


@pytest.mark.parametrize("seed", range(20))
def test_matching_of_many_rivals_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shared = rng.integers(0, 60, (4, 4)) * (rng.random((4, 4)) < 0.8)
    area_a, area_b = shared.sum(1) + rng.integers(1, 20, 4), shared.sum(0) + rng.integers(1, 20, 4)
    iou = shared / (area_a[:, None] + area_b - shared)
    pairs = np.argwhere(shared)
    matched = match_one_to_one(pairs, shared[*pairs.T], area_a, area_b)
    assert iou[*matched.T].sum() == pytest.approx(find_best(iou)[0])
    assert all(len(set(column)) == len(column) for column in matched.T.tolist())


def test_two_fragments_of_a_landslide_are_one_hit_and_one_false_alarm() -> None:
    mask, found = draw_map("xxxxxxxxx"), draw_map("xxxx.xxxx")  # IoU 4/9 each
    scores = score_objects(count_objects(found, mask))
    assert (scores["object_recall"], scores["object_precision"]) == (1.0, 0.5)
    assert scores["object_f1"] == pytest.approx(2 / 3)


def test_two_landslides_in_a_blob_are_one_hit_and_one_miss() -> None:
    mask, found = draw_map("xxxx.xxxx"), draw_map("xxxxxxxxx")
    scores = score_objects(count_objects(found, mask))
    assert (scores["object_recall"], scores["object_precision"]) == (0.5, 1.0)
    assert scores["object_f1"] == pytest.approx(2 / 3)
    assert (scores["object_recall_any"], scores["object_precision_any"]) == (1.0, 1.0)


def test_the_larger_iou_wins() -> None:
    # reference 0 shares 6 of 10 px with found 0, and 4 with found 1
    pairs, shared = np.array([[0, 0], [0, 1]]), np.array([4, 6])
    matched = match_one_to_one(pairs, shared, np.array([10]), np.array([4, 6]))
    assert matched.tolist() == [[0, 1]]


def test_a_chain_is_matched_as_a_whole() -> None:
    # The pair in the middle has the largest IoU, 54/146 = 0.37, yet both ends together have more: 2 x 46/144.
    pairs, shared = np.array([[0, 0], [1, 0], [1, 1]]), np.array([46, 54, 46])
    areas = np.array([90, 100]), np.array([100, 90])
    assert match_one_to_one(pairs, shared, *areas).tolist() == [[0, 0], [1, 1]]


def test_the_limit_itself_is_no_match() -> None:
    shared, one, two = np.array([3, 4]), np.array([10, 10]), np.array([3, 4])
    assert exceed_limit(shared, one, two).tolist() == [False, True]


def test_nothing_matches_nothing() -> None:
    none = np.zeros(0, np.int64)
    assert match_one_to_one(np.zeros((0, 2), np.int64), none, none, none).shape == (0, 2)
