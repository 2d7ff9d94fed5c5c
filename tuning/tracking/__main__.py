"""Sends to MLflow what a campaign could not send, since the tracker was away.

``python -m tuning.tracking replay mlruns/campaigns/NAME``
"""

import argparse
import logging
import sys
from pathlib import Path

from data.io.errors import hide_password
from tuning.settings.lock import is_running
from tuning.settings.settings import OUTCOME
from tuning.tracking.client import tracking_uri
from tuning.tracking.errors import tracker_errors
from tuning.tracking.sender import MLflowSender, load_sender
from tuning.trial.folder import read_optional_json
from tuning.trial.stage import list_trials


def replay(campaign: Path) -> tuple[str, bool]:
    """Send all that a campaign's runs lack, in order and nothing twice, and close them.

    Args:
        campaign: The campaign's folder.

    Returns:
        What was sent in words, and whether nothing is lacking any more.

    Raises:
        ValueError: If the folder is no campaign's, or a process runs the campaign.
        ConnectionError: If the tracker does not answer.
    """
    campaign = campaign.resolve()
    delivery = load_sender(campaign)
    if is_running(campaign):
        raise ValueError(
            f"A campaign that runs sends its trials itself, but {campaign.name} is running. "
            "Wait for it, or stop it first."
        )
    with tracker_errors(tracking_uri(delivery.root)):
        tally = delivery.settle_all(campaign)
        if not tally.lacking:
            _close(delivery, campaign)
    trials = len(list_trials(campaign / "trials"))
    words = f"Sent {tally.epochs} epochs and the end of {tally.ended} of {trials} trials to "
    words += hide_password(tracking_uri(delivery.root))
    if tally.lacking:
        words += f"; {tally.lacking} are lacking: {tally.reason}"
    return words, not tally.lacking


def _close(delivery: MLflowSender, campaign: Path) -> None:
    """Close the runs of studies and campaign as they ended; of one that was cut off, all that are open."""
    outcome = read_optional_json(campaign / OUTCOME)
    if outcome is None:
        delivery.tracker.close_running("KILLED")
        return
    delivery.close_studies(outcome["studies"])
    failed = bool(outcome["missing"])
    delivery.tracker.close(delivery.open_campaign(), "FAILED" if failed else "FINISHED")


def main(argv: list[str] | None = None) -> int:
    """Replay a campaign; return 0 when its runs lack nothing, 1 when they do, 2 for a bad argument."""
    parser = argparse.ArgumentParser("python -m tuning.tracking", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="replay")
    one = commands.add_parser("replay", help="send what a campaign's trials lack in MLflow")
    one.add_argument("folder", type=Path, help="the campaign's folder, mlruns/campaigns/NAME")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.WARNING)
    try:
        words, complete = replay(args.folder)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{words}.", file=sys.stdout if complete else sys.stderr)
    if complete:
        campaign = args.folder.resolve()
        root = campaign.parents[1]
        print(f"Report: python -m tuning.report --campaign {campaign.name} --root {root}")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
