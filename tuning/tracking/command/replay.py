"""Sends to MLflow what a campaign could not send because the tracker did not answer."""

from pathlib import Path

from data.io.errors import hide_password
from tuning.settings.lock import is_running, lock_campaign
from tuning.settings.saved_campaigns import OUTCOME
from tuning.tracking.campaign.saved import load_sender
from tuning.tracking.client import check_not_deleted, check_writable, tracking_uri
from tuning.tracking.errors import tracker_errors
from tuning.tracking.sender import MLflowSender
from tuning.tracking.tracker import Tracker
from tuning.trial.entry import list_trials
from tuning.trial.folder import read_optional_json


def send_missing(campaign: Path) -> tuple[str, bool]:
    """Send what a campaign's runs lack, in order and without duplicates, and close the runs.

    Args:
        campaign: The campaign's folder.

    Returns:
        A summary, and whether the runs are complete.

    Raises:
        ValueError: If the folder is not a campaign's, or a process runs the campaign.
        ConnectionError: If the tracker does not answer.
    """
    campaign = campaign.resolve()
    sender = load_sender(campaign)
    if is_running(campaign):
        raise ValueError(
            f"A running campaign sends its trials itself, but {campaign.name} is running. "
            "Wait for it, or stop it first."
        )
    uri = tracking_uri(sender.root)
    with lock_campaign(campaign), tracker_errors(uri):
        tracker = sender.tracker
        check_writable(tracker.client, sender.root)
        if tracker.find_run("campaign") is None:  # without tiles, its files cannot be made anew
            _check_run(tracker)
        count = sender.send_campaign(campaign)
        left: list[str] = []
        if not count.unsent:
            tracker.settle_duplicates()
            left = tracker.retry_models(campaign / "trials")
            sender.send_scores(campaign)
            _close_runs(sender, campaign, complete=not left)
    trials = len(list_trials(campaign / "trials"))
    summary = f"Sent {count.epochs} epochs and the end of {count.ended} of {trials} trials to "
    summary += hide_password(uri)
    if count.unsent:
        summary += f"; {count.unsent} trials are not sent: {count.reason}"
    if left:
        summary += f"; {len(left)} runs still without a model, with all their scores: {left[0].rstrip('.')}"
    return summary, not (count.unsent or left)


def _check_run(tracker: Tracker) -> None:
    try:
        check_not_deleted(tracker.client, tracker.experiment_id, tracker.context.campaign)
    except ValueError as error:
        raise ConnectionError(str(error)) from error  # not a wrong argument


def _close_runs(sender: MLflowSender, campaign: Path, *, complete: bool) -> None:
    """Close the runs of studies and campaign with their status; close an interrupted campaign's as KILLED.

    *complete* says whether every run has its model.
    """
    outcome = read_optional_json(campaign / OUTCOME) or {}
    if not {"studies", "missing"} <= outcome.keys():  # there is none, or it is of an early version
        sender.tracker.close_running("KILLED")
        return
    sender.close_studies(outcome["studies"])
    failed = bool(outcome["missing"]) or not complete
    sender.tracker.close(sender.open_campaign(), "FAILED" if failed else "FINISHED")
