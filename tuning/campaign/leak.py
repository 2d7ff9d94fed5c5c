"""The leak audit of a campaign: whether the dates that its models read tell annotated tiles from others."""

import logging
from collections.abc import Sequence

import numpy as np

from data.check.leak import LeakAudit, audit_dates
from data.check.leak_features import DateTable
from data.check.leak_text import describe_audits
from data.pack import Pack
from data.pack.channels import list_modalities
from data.splits import PARTS, Split
from data.tiles import ACQUISITIONS

logger = logging.getLogger(__name__)


def audit_campaign(
    pack: Pack, splits: Sequence[Split], channels: Sequence[str], timesteps: int, steps: str
) -> tuple[LeakAudit, ...]:
    """Audit the acquisitions that the models read, and log a warning where they leak the label.

    Args:
        pack: The packed tiles.
        splits: The campaign's splits: their tiles are audited.
        channels: Channels of the input, which name the modalities.
        timesteps: Number of acquisitions.
        steps: How they are chosen, one of ``data.pack.channels.STEPS``.

    Returns:
        One audit per region.
    """
    ids = sorted({tile for split in splits for part in PARTS for tile in split.part(part)})
    rows, modalities = pack.rows(ids), list_modalities(channels)
    chosen = pack.select_steps(steps, timesteps)
    series = [pack.modalities.index(name) for name in modalities]
    times = np.take_along_axis(pack.times, chosen, axis=2)[rows][:, series]
    table = DateTable(
        times=times,
        modalities=modalities,
        events=pack.events[rows],
        annotated=pack.mask[rows].any(axis=(1, 2)),
        corners=pack.corners[rows],
        regions=tuple(pack.regions[row] for row in rows),
    )
    inputs = f"all {ACQUISITIONS}" if timesteps == ACQUISITIONS else f"{timesteps} {steps}"
    audits = audit_dates(table, inputs)
    for audit, sentence in zip(audits, describe_audits(audits), strict=True):
        logger.log(logging.WARNING if audit.above_chance else logging.INFO, "%s", sentence)
    return audits
