"""The leak audit of a folder, from the reports on its files."""

from collections.abc import Sequence

import numpy as np

from data.check.leak import LeakAudit, audit_dates
from data.check.leak_features import DateTable
from data.check.report import Facts, FileReport
from data.tiles import ACQUISITIONS, MODALITIES
from data.tiles.events import NO_EVENT, fill_events, read_event_date
from data.tiles.paths import region_of

ALL_DATES = f"all {ACQUISITIONS}"


def audit_files(files: Sequence[FileReport]) -> tuple[LeakAudit, ...]:
    """Audit the usable files of a folder, at all acquisitions.

    Args:
        files: Reports on the files. A tile counts if it has a usable file of each modality that its region has.

    Returns:
        One audit per region.
    """
    regions: dict[str, dict[str, dict[str, Facts]]] = {}
    for file in files:
        if file.facts:
            tiles = regions.setdefault(region_of(file.tile_id), {})
            tiles.setdefault(file.tile_id, {})[file.modality] = file.facts
    return tuple(
        audit
        for region in sorted(regions)
        for audit in audit_dates(_make_table(region, regions[region]), ALL_DATES)
    )


def _make_table(region: str, tiles: dict[str, dict[str, Facts]]) -> DateTable:
    found = {name for series in tiles.values() for name in series}
    modalities = tuple(name for name in MODALITIES if name in found)
    whole = [series for series in tiles.values() if len(series) == len(modalities)]
    first = [series[modalities[0]] for series in whole]
    days = [[series[name].days for name in modalities] for series in whole]
    return DateTable(
        times=np.array(days, "datetime64[s]").reshape(len(whole), len(modalities), ACQUISITIONS),
        modalities=modalities,
        events=_find_events(region, whole),
        annotated=np.array([facts.mask_share > 0 for facts in first], bool),
        corners=np.array([facts.corner for facts in first], np.float64).reshape(len(whole), 2),
        regions=(region,) * len(whole),
    )


def _find_events(region: str, tiles: Sequence[dict[str, Facts]]) -> np.ndarray:
    """Return each tile's event, shape ``(N,)``; NaT where nothing names the region's."""
    texts = [next((f.event for f in series.values() if f.event), "") for series in tiles]
    days = [read_event_date(text, region) for text in texts]
    own = np.array([NO_EVENT if day is None else day for day in days], "datetime64[s]")
    try:
        return fill_events(own, [region] * len(tiles))
    except (
        ValueError
    ):  # the audit does not need it: days are then counted from the first acquisition
        return own
