"""Scores of each run by slope, orbit geometry, land cover and landslide size, and their means over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np

from tuning.objects.stratified import Group, GroupRow, make_groups, score_groups

if TYPE_CHECKING:
    from tuning.report.reference_layers import ReferenceLayers

COUNTS = ("pixels", "landslide_px")  # of the tiles: equal for all runs
SCORES = tuple(
    field.name for field in fields(GroupRow) if field.name not in ("group", "name", *COUNTS)
)


class ConditionScorer:
    """Scores runs by class; the classes of some tiles are made once, since slopes take longer than scores."""

    def __init__(self, layers: ReferenceLayers) -> None:
        self._layers = layers
        self._groups: dict[tuple[str, ...], dict[str, Group]] = {}

    def score(
        self, bins: np.ndarray, tile_ids: Sequence[str], threshold: float
    ) -> tuple[GroupRow, ...]:
        """Return the scores of one run in each class.

        Args:
            bins: Probability bins of its test tiles, shape ``(N, H, W)``, uint16.
            tile_ids: The N test tiles.
            threshold: Chosen on val.
        """
        ids = tuple(tile_ids)
        if ids not in self._groups:
            self._groups[ids] = self._make_groups(ids)
        mask = self._layers.mask[self._layers.rows(ids)]
        return tuple(score_groups(bins, mask, self._groups[ids], threshold))

    def _make_groups(self, ids: Sequence[str]) -> dict[str, Group]:
        layers, rows = self._layers, self._layers.rows(ids)
        maps = {"mask": layers.mask[rows], "dem": layers.dem[rows]}
        maps |= {"neighbours": layers.find_neighbours(ids)}
        if len(layers.cover):
            maps |= {"cover": layers.cover[rows], "cover_names": np.array(layers.cover_names)}
        return make_groups(maps)


def average_conditions(seeds: Sequence[Sequence[GroupRow]]) -> list[GroupRow]:
    """Return the mean over seeds of the scores of each class; NaN where a seed's is not defined.

    Args:
        seeds: The scores of each seed's run on the same tiles.
    """
    return [
        replace(
            rows[0],
            **{name: float(np.mean([getattr(row, name) for row in rows])) for name in SCORES},
        )
        for rows in zip(*seeds, strict=True)
    ]
