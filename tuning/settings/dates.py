"""Which acquisitions a campaign reads unless the user says so."""

from collections.abc import Sequence

from data.pack.channels import list_modalities
from data.tiles import ACQUISITIONS

MOST_COMMON = (
    8  # of 15 dates; tiles of one region share fewer than all, so a preset of 15 could not be read
)


def default_steps(channels: Sequence[str]) -> str:
    """Return the default of ``--steps``.

    Of Sentinel-1 the dates nearest to the event that all tiles of a region share are read: real tiles with landslides have
    other dates than those without, and days after an event no later ones exist. Of Sentinel-2 each tile has its own cloudless
    dates, of which those nearest to the event are read.

    Args:
        channels: Channels of the input.
    """
    return "event" if "s2" in list_modalities(channels) else "common"


def default_timesteps(steps: str, preset: int) -> int:
    """Return the default of ``--timesteps``: the preset's number, but all for ``all``, and at most 8 for ``common``."""
    if steps == "all":
        return ACQUISITIONS
    return min(preset, MOST_COMMON) if steps == "common" else preset
