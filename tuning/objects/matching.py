"""One-to-one matching of found and reference objects.

Of all ways to give each found object at most one reference object and the reverse, the one with the largest sum of
IoU is taken: the maximum weight matching over the pairs whose IoU exceeds 0.3. So two fragments of a landslide
are one hit and one false alarm, and two landslides in one blob are one hit and one miss. With a limit of 0.5 or more no object could have two such
pairs; 0.3 is kept because landslides of a few pixels rarely reach 0.5 (a shift by one pixel leaves a square of 3 x 3 px with
an IoU of 0.5, and of 2 x 2 px with 0.33).

Reference:
    Kuhn (1955), The Hungarian method for the assignment problem, Naval Research Logistics Quarterly 2; solved by
    ``scipy.optimize.linear_sum_assignment`` (Crouse 2016, doi 10.1109/TAES.2016.140952). Kirillov et al. (2019), Panoptic
    Segmentation, arXiv:1801.00868, show that a limit of 0.5 makes matches unique.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MIN_IOU = (3, 10)  # 0.3 as a fraction: an overlap counts when it is larger, in integers


def exceed_limit(shared: np.ndarray, area_a: np.ndarray, area_b: np.ndarray) -> np.ndarray:
    """Return which pairs have an IoU above 0.3, from their shared pixels and their areas in pixels."""
    part, whole = MIN_IOU
    return np.asarray(shared * whole > (area_a + area_b - shared) * part)


def match_one_to_one(
    pairs: np.ndarray, shared: np.ndarray, area_a: np.ndarray, area_b: np.ndarray
) -> np.ndarray:
    """Match objects *a* and *b*, each at most once, with the largest sum of IoU.

    Args:
        pairs: Each two objects that overlap, once, shape ``(P, 2)``: indices into *area_a* and *area_b*.
        shared: Pixels that they share, shape ``(P,)``.
        area_a: Areas of the objects *a* in pixels.
        area_b: Areas of the objects *b* in pixels.

    Returns:
        The matched pairs, shape ``(M, 2)``, each with an IoU above 0.3.
    """
    areas = area_a[pairs[:, 0]], area_b[pairs[:, 1]]
    near = exceed_limit(shared, *areas)
    pairs, iou = pairs[near], (shared / (sum(areas) - shared))[near]
    rivals = np.ones(len(pairs), bool)
    single = [np.bincount(column)[column] == 1 for column in pairs.T]
    rivals[single[0] & single[1]] = False
    chosen = ~rivals
    chosen[rivals] = _solve_groups(pairs[rivals], iou[rivals])
    return np.asarray(pairs[chosen])


def _solve_groups(pairs: np.ndarray, iou: np.ndarray) -> np.ndarray:
    """Return which pairs are matched, by groups of objects that compete with each other."""
    chosen = np.zeros(len(pairs), bool)
    if not len(pairs):
        return chosen
    (_, a), (_, b) = (np.unique(column, return_inverse=True) for column in pairs.T)
    size = a.max() + 1 + b.max() + 1
    graph = coo_array((np.ones(len(a), bool), (a, a.max() + 1 + b)), shape=(size, size))
    group = connected_components(graph, directed=False)[1][a]
    order = np.argsort(group, kind="stable")
    for at in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        (_, rows), (_, columns) = (np.unique(x[at], return_inverse=True) for x in (a, b))
        weights = np.zeros((rows.max() + 1, columns.max() + 1))
        weights[rows, columns] = iou[at]
        taken = np.zeros(weights.shape, bool)
        taken[linear_sum_assignment(weights, maximize=True)] = True
        chosen[at] = taken[rows, columns]
    return chosen
