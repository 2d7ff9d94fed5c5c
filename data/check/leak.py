"""The leak audit: do dates tell annotated tiles from others? A region's tiles are audited together, by groups of features."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.check.leak_auc import GroupAuc, find_refusal, measure_groups
from data.check.leak_features import (
    GROUPS,
    DateShare,
    DateTable,
    compare_dates,
    find_blocks,
    make_features,
)
from data.io.safe_json import is_number
from data.tiles import PIXEL_M, TILE_PX

BLOCK_TILES = 3  # edge of a block of neighbouring tiles


@dataclass(frozen=True)
class LeakAudit:
    """The audit of one region's tiles at one choice of acquisitions.

    Attributes:
        region: Such as ``hokkaido``.
        inputs: The acquisitions, such as ``15 all`` or ``4 even``.
        tiles: Number of tiles.
        annotated: How many of them have landslide pixels.
        blocks: Number of blocks of 3 x 3 tiles.
        groups: One entry for each of ``GROUPS``.
        differing: Dates that annotated and other tiles have unequally often.
    """

    region: str
    inputs: str
    tiles: int
    annotated: int
    blocks: int
    groups: tuple[GroupAuc, ...]
    differing: tuple[DateShare, ...] = ()

    @property
    def above_chance(self) -> tuple[GroupAuc, ...]:
        """The groups that tell annotated tiles from others, highest AUC first."""
        found = [group for group in self.groups if group.above_chance]
        return tuple(sorted(found, key=lambda group: -(group.auc or 0)))


def audit_dates(table: DateTable, inputs: str) -> tuple[LeakAudit, ...]:
    """Audit the dates of each region.

    Args:
        table: The tiles, with the acquisitions to audit.
        inputs: Name of these acquisitions, such as ``4 even``.

    Returns:
        One audit per region, by name.
    """
    regions = np.array(table.regions)
    return tuple(
        _audit_region(table.select(np.flatnonzero(regions == name)), str(name), inputs)
        for name in np.unique(regions)
    )


def _audit_region(table: DateTable, region: str, inputs: str) -> LeakAudit:
    blocks = find_blocks(table, BLOCK_TILES * TILE_PX * PIXEL_M)
    annotated, features = table.annotated.astype(bool), make_features(table)
    refusal = find_refusal(annotated, blocks)
    if refusal:
        groups = tuple(GroupAuc(name, None, None, None, refusal) for name in GROUPS)
    else:
        groups = measure_groups(features, annotated, blocks)
    return LeakAudit(
        region=region,
        inputs=inputs,
        tiles=len(annotated),
        annotated=int(annotated.sum()),
        blocks=len(np.unique(blocks)),
        groups=groups,
        differing=() if annotated.all() or not annotated.any() else compare_dates(table),
    )


def parse_audit(entry: Any) -> LeakAudit:
    """Return an audit from its JSON, written by :func:`dataclasses.asdict`.

    Raises:
        ValueError: If a field is missing, unknown or of another kind.
    """
    try:
        groups = tuple(GroupAuc(**group) for group in entry["groups"])
        differing = tuple(DateShare(**share) for share in entry["differing"])
        audit = LeakAudit(**{**entry, "groups": groups, "differing": differing})
        shares = [value for one in differing for value in (one.annotated, one.others)]
        aucs = [value for one in groups for value in (one.auc, one.low, one.high)]
        numbers = shares + [value for value in aucs if value is not None]
        counts = (audit.tiles, audit.annotated, audit.blocks)
        texts = [audit.region, audit.inputs, *(one.note for one in groups)]
        texts += [text for one in differing for text in (one.modality, one.day)]
        kinds = (
            all(isinstance(text, str) for text in texts),
            tuple(g.name for g in groups) == GROUPS,
        )
        sizes = (
            (is_number(n, 0, 1) for n in numbers),
            (is_number(n, 0, 1e9, whole=True) for n in counts),
        )
        if not all((*kinds, *map(all, sizes))):
            raise ValueError("a value of another kind")
        return audit
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(repr(error)) from error
