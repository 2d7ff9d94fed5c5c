"""Bytes that a matrix writes, estimated before it starts."""

from collections.abc import Mapping, Sequence

from data.pack.channels import MAPS
from data.tiles import ACQUISITIONS, BANDS, TILE_PX
from tuning.matrix.cost.estimate import MatrixCost
from tuning.matrix.cost.tiles import CellSize
from tuning.settings.settings import PACKS, TWIN, Settings

# Measured on the twin with the preset quick: a repeat trial's model, scores and pictures, and its folder; a search trial's scores.
REPEAT_BYTES, SEARCH_BYTES = 11e6, 1e6
CAMPAIGN_BYTES = 8e6  # report, reference layers of the test tiles, split map
_COMPRESSED = 0.57  # the twin's files, of the bytes of their pack
_HALF = 2  # bytes of a packed value


def estimate_bytes(
    cells: Sequence[Settings], sizes: Mapping[str, CellSize], cost: MatrixCost
) -> dict[str, float]:
    """Estimate the bytes of a matrix by kind.

    Args:
        cells: Settings of its cells.
        sizes: Their tiles by campaign.
        cost: Its trainings. What exists already is counted all the same.
    """
    packs = {
        (one.data, one.regions, one.units, one.packed, sizes[one.campaign].tiles): one
        for one in cells
    }
    packed = {key: sizes[one.campaign].tiles * tile_bytes(one.packed) for key, one in packs.items()}
    trials = sum(
        REPEAT_BYTES * (cell.repeats + cell.baselines) + SEARCH_BYTES * cell.searches
        for cell in cost.cells
    )
    twins = sum(_COMPRESSED * size for key, size in packed.items() if packs[key].data == TWIN)
    return {
        "tiles of the twin": twins,
        f"{PACKS} of tiles": sum(packed.values()),
        "trials, models and pictures": trials,
        "reports": CAMPAIGN_BYTES * (len(cells) + 1),
    }


def tile_bytes(modalities: Sequence[str]) -> float:
    """Return the bytes of one packed tile."""
    values = sum(ACQUISITIONS * len(BANDS[name]) for name in modalities) + len(MAPS)
    return float(TILE_PX**2 * (_HALF * values + 1))  # one byte of the mask
