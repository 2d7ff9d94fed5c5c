"""Which acquisitions a campaign reads unless the user says so."""

from collections.abc import Sequence
from pathlib import Path

from data.pack.channels import list_modalities
from data.tiles import ACQUISITIONS
from data.tiles.manifest import read_manifest
from tuning.settings.settings import TWIN

MOST_COMMON = (
    8  # of 15 dates; tiles of one region share fewer than all, so a preset of 15 could not be read
)


def default_steps(data: str, channels: Sequence[str]) -> str:
    """Return the default of ``--steps``: acquisitions around the event, since days after it no later ones exist.

    Real tiles with landslides have other dates than those without, so of Sentinel-1 the dates that all tiles share are read. Of
    Sentinel-2 each tile has its own cloudless dates, and no dates of the synthetic twin depend on landslides: there each tile's
    own dates nearest to the event are read.

    Args:
        data: ``twin``, or the folder of the tiles.
        channels: Channels of the input.
    """
    own = "s2" in list_modalities(channels) or data == TWIN or _are_synthetic(Path(data))
    return "event" if own else "common"


def default_timesteps(steps: str, preset: int) -> int:
    """Return the default of ``--timesteps``: the preset's number, but all for ``all``, and at most 8 for ``common``."""
    if steps == "all":
        return ACQUISITIONS
    return min(preset, MOST_COMMON) if steps == "common" else preset


def _are_synthetic(folder: Path) -> bool:
    try:
        return read_manifest(folder).synthetic
    except (OSError, ValueError):
        return False  # the check of the settings says what is wrong with the folder
