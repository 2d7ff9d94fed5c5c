"""Groups of comparable rows, the verdicts within each, and why rows of two groups are not compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from data.tiles.paths import region_of
from tuning.leaderboard.entries import Entry
from tuning.metrics.tile_sums import pooled_ap
from tuning.statistics.blocks import make_units
from tuning.statistics.compare import compare_all
from tuning.statistics.family import Comparison
from tuning.trial.foreign.names import NOT_STATED

SEED = 2018  # of the bootstrap: the same bundles always yield the same verdicts
SAME_RUNS = "the same runs, from two bundles"


@dataclass(frozen=True)
class Group:
    """Rows that may be compared with each other.

    Attributes:
        number: From 1, in the order of the page.
        entries: The rows, best first.
        pairs: Verdict of every pair, one family; empty with *problem* or for a single row.
        margin: Difference in average precision below which two rows count as equivalent.
        block_tiles: Edge of a spatial block in tiles.
        problem: Why the rows are not compared although they might be; empty otherwise.
    """

    number: int
    entries: tuple[Entry, ...]
    pairs: tuple[Comparison, ...]
    margin: float
    block_tiles: int
    problem: str = ""

    @property
    def first(self) -> Entry:
        """Its best row."""
        return self.entries[0]


def make_groups(entries: Sequence[Entry]) -> list[Group]:
    """Group rows that are comparable, and compare every two rows of a group as one family.

    Real data come first, then the groups with more rows. A row whose input is not stated is a group of its own.
    """
    groups: list[list[Entry]] = []
    for entry in entries:
        own = next((group for group in groups if not explain_incomparable(group[0], entry)), None)
        if own is None:
            groups.append([entry])
        else:
            own.append(entry)
    ordered = sorted(
        groups, key=lambda group: (group[0].data != "real", -len(group), group[0].split)
    )
    return [_compare(number, group) for number, group in enumerate(ordered, 1)]


def explain_incomparable(a: Entry, b: Entry) -> str:
    """Return why two rows must not be compared; empty if they may be."""
    if a.data != b.data:
        return f"{a.data} against {b.data} tiles"
    if a.bundle.provenance["split_hash"] != b.bundle.provenance["split_hash"]:
        return f"another split: {a.split} against {b.split}"
    if a.bundle.tile_ids != b.bundle.tile_ids or a.bundle.folds != b.bundle.folds:
        return f"other test tiles: {len(a.bundle.tile_ids)} against {len(b.bundle.tile_ids)}"
    if a.labels != b.labels:
        return "other labels or positions of the same test tiles"
    if NOT_STATED in (a.input, b.input):
        return f"the input of {(a if a.input == NOT_STATED else b).model.title} is {NOT_STATED}"
    if a.input != b.input:
        return f"different input: {a.input} against {b.input}"
    return ""


def _compare(number: int, group: Sequence[Entry]) -> Group:
    """Compare the rows of a group, with the strictest margin and the largest blocks of their campaigns."""
    ordered = tuple(sorted(group, key=lambda entry: (-entry.estimate.mean, entry.name)))
    margin = min(entry.bundle.margin for entry in group)
    edge = max(entry.bundle.block_tiles for entry in group)
    compared = _drop_doubles(ordered)
    if len(compared) < 2:
        return Group(number, ordered, (), margin, edge, SAME_RUNS if len(ordered) > 1 else "")
    bundle = ordered[0].bundle
    regions = [region_of(tile) for tile in bundle.tile_ids]
    units = make_units(bundle.corners, bundle.folds, regions, bundle.positives, edge)
    sums = {entry.name: entry.model.stack("tiles") for entry in compared}
    kinds = {entry.name: entry.kind for entry in compared}
    rng = np.random.default_rng(SEED)
    with threadpool_limits(1):  # the matrices are small: more threads only wait
        family = compare_all(sums, pooled_ap, units, rng, kinds, margin, edge)
    return Group(number, ordered, family.pairs, margin, edge)


def _drop_doubles(entries: Sequence[Entry]) -> list[Entry]:
    """Leave out rows whose runs another row has already: a bundle of an earlier and of a later report of one campaign."""
    seen: set[str] = set()
    kept = []
    for entry in entries:
        if not seen.intersection(entry.run_ids):
            kept.append(entry)
        seen |= entry.run_ids
    return kept
