"""The end of a campaign: send the rest to MLflow, close the runs, write the report."""

import logging
import shlex
import time
from dataclasses import dataclass

import pandas as pd

from data.io.disk import format_bytes
from data.io.errors import format_error
from tuning.campaign.start import CampaignSetup
from tuning.campaign.winners import Winners
from tuning.report.missing import describe_model_errors
from tuning.report.write_report import write_report
from tuning.settings.saved_campaigns import OUTCOME
from tuning.tracking.client import tracking_uri
from tuning.tracking.errors import tracker_errors
from tuning.trial.disk import measure_bytes
from tuning.trial.folder import Config, write_json

logger = logging.getLogger(__name__)

WAITS_S = (15, 15, 30)  # between attempts to reach the tracker after the last trial


@dataclass(frozen=True)
class CampaignOutcome:
    """How a campaign ended.

    Attributes:
        table: Content of ``benchmark_master.csv``; None if the tracker lacks trials.
        missing: Requested work that was not done, one sentence each.
    """

    table: pd.DataFrame | None
    missing: tuple[str, ...]


def finish_campaign(
    campaign: CampaignSetup, winners: Winners, repeats: list[Config]
) -> CampaignOutcome:
    """Send the rest to MLflow, close the runs and write the report.

    Args:
        campaign: The campaign.
        winners: The best config of each search, by model and fold; None if every search trial failed.
        repeats: Configs of the repeat trials that ended.

    Raises:
        ValueError: If no repeat run was finished.
        ConnectionError: If the tracker fails while the runs are closed and reported.
    """
    status, missing = _summarise_studies(campaign, winners, repeats)
    content = {"studies": status, "missing": tuple(missing)}
    write_json(campaign.folder / OUTCOME, content | {"reported": False})
    if unsent := _send_rest(campaign):
        return CampaignOutcome(None, (*missing, unsent))
    with tracker_errors(tracking_uri(campaign.root)):
        campaign.open_again()
        campaign.tracker.settle_duplicates()
        campaign.sender.close_studies(status)
        campaign.sender.send_scores(campaign.folder)
        _log_storage(campaign)
        try:
            table = write_report(campaign.root, campaign.settings.campaign, partial=bool(missing))
        except ValueError as error:
            raise ValueError(" ".join([*missing, str(error)])) from error
        missing += describe_model_errors(campaign.tracker.map_trials().values())
        campaign.tracker.close(campaign.run_id, "FAILED" if missing else "FINISHED")
    write_json(campaign.folder / OUTCOME, content | {"reported": True})
    return CampaignOutcome(table, tuple(missing))


def _summarise_studies(
    campaign: CampaignSetup, winners: Winners, repeats: list[Config]
) -> tuple[dict[str, str], list[str]]:
    """Return each study's MLflow status by model, and a sentence for each model with missing trials."""
    status = dict.fromkeys(campaign.settings.baselines, "FINISHED")
    status |= dict.fromkeys(campaign.refused, "FAILED")
    missing = list(campaign.refused.values())
    for model in dict.fromkeys(model for model, _ in winners):
        own = {fold: winner for (name, fold), winner in winners.items() if name == model}
        lost = [fold for fold, winner in own.items() if winner is None]
        expected = campaign.settings.seeds * (len(own) - len(lost))
        ended = sum(config["model"] == model for config in repeats)
        if lost:
            where = "" if len(lost) == len(own) else f" on the fold {', '.join(lost)}"
            missing.append(f"Every search trial of {model}{where} failed.")
        if ended < expected:
            missing.append(f"{expected - ended} of {expected} repeat trials of {model} failed.")
        status[model] = "FAILED" if lost or ended < expected else "FINISHED"
    return status, missing


def _send_rest(campaign: CampaignSetup) -> str:
    """Send unsent trials, with waits for a tracker that does not answer; return what is still unsent in words."""
    for wait in (*WAITS_S, None):
        count = campaign.sender.send_campaign(campaign.folder)
        if not count.unsent:
            return ""
        if wait is not None:
            logger.warning(
                "The tracker lacks %d trials (%s); next try in %d s.",
                count.unsent,
                count.reason,
                wait,
            )
            time.sleep(wait)
    replay = shlex.join(["replay", str(campaign.folder)])
    resume = shlex.join(["--resume", campaign.settings.campaign, "--root", str(campaign.root)])
    return (
        f"The MLflow tracker lacks {count.unsent} trials ({count.reason}), so there is no report. "
        f"All results are in {campaign.folder}. Send them with `python -m tuning.tracking {replay}`, "
        f"or continue with `python -m tuning.run {resume}`."
    )


def close_interrupted(campaign: CampaignSetup, error: BaseException) -> None:
    """Close the runs of an interrupted campaign; log a warning if the tracker does not answer."""
    try:
        killed = isinstance(error, KeyboardInterrupt)
        campaign.tracker.close_running("KILLED" if killed else "FAILED")
    except Exception as failure:  # noqa: BLE001 - the caller raises the first error
        logger.warning(
            "The runs stay open in MLflow (%s) until the campaign is resumed or "
            "`python -m tuning.tracking replay %s` closes them.",
            *(format_error(failure), shlex.quote(str(campaign.folder))),
        )


def _log_storage(campaign: CampaignSetup) -> None:
    """Log how many bytes the campaign uses: models and files in MLflow, and its own folder."""
    totals = campaign.tracker.sum_metrics("bytes/")
    local = measure_bytes(campaign.folder)
    campaign.tracker.log_scores(campaign.run_id, {**totals, "bytes/folder": local})
    models, files = (totals.get(f"bytes/{name}", 0.0) for name in ("model", "files"))
    logger.info(
        "Storage used: %s of models and %s of trials' files in MLflow, %s in %s.",
        *map(format_bytes, (models, files, local)),
        campaign.folder,
    )
