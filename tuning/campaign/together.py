"""Several campaigns as one: each has its own folder, runs and report, and they may share a search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.io.errors import format_error
from tuning.campaign.campaign import run_campaign
from tuning.campaign.finish import CampaignOutcome
from tuning.settings.settings import Settings


@dataclass(frozen=True)
class Member:
    """A campaign among several.

    Attributes:
        settings: Its settings, already saved.
        searched_in: Name of the campaign whose searches choose its hyperparameters; its own if None.
    """

    settings: Settings
    searched_in: str | None = None


def run_together(root: Path, members: Sequence[Member]) -> Mapping[str, CampaignOutcome | str]:
    """Run campaigns, or resume them; an error of one does not end the others.

    Args:
        root: Output folder.
        members: The campaigns.

    Returns:
        The outcome of each campaign by name, or the error that ended it.

    Raises:
        KeyboardInterrupt: If the user interrupts; all can be resumed.
    """
    outcomes: dict[str, CampaignOutcome | str] = {}
    for member in members:
        try:
            outcomes[member.settings.campaign] = run_campaign(root, member.settings)
        except (ValueError, OSError) as error:
            outcomes[member.settings.campaign] = format_error(error)
    return outcomes
