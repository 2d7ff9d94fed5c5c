"""The end of a campaign: what is lacking in MLflow sent, its runs closed, the report written."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from data.io.errors import format_error
from tuning.campaign.start import OpenedCampaign
from tuning.report.write_report import write_report
from tuning.settings.settings import OUTCOME
from tuning.tracking.client import tracking_uri
from tuning.tracking.errors import tracker_errors
from tuning.trial.disk import format_bytes, measure_bytes
from tuning.trial.folder import Config, write_json

logger = logging.getLogger(__name__)

WAITS_S = (15, 15, 30)  # for a tracker that is away when all trials have ended


@dataclass(frozen=True)
class CampaignOutcome:
    """The end of a campaign.

    Attributes:
        table: Content of ``benchmark_master.csv``, None where the tracker lacks trials.
        missing: What was asked for and not done, one sentence each.
    """

    table: pd.DataFrame | None
    missing: tuple[str, ...]


def judge(
    campaign: OpenedCampaign, winners: Mapping[str, Config | None], done: list[Config]
) -> tuple[dict[str, str], list[str]]:
    """Say how each study ended, by model, and what was asked for and not done."""
    status, missing = dict.fromkeys(campaign.settings.baselines, "FINISHED"), []
    wanted = campaign.settings.seeds * len(campaign.splits)
    for model, winner in winners.items():
        ended = sum(config["model"] == model for config in done)
        if winner is None:
            missing.append(f"Every search trial of {model} failed.")
        elif ended < wanted:
            missing.append(f"{wanted - ended} of {wanted} repeat trials of {model} failed.")
        complete = winner is not None and ended == wanted
        status[model] = "FINISHED" if complete else "FAILED"
    return status, missing


def conclude(
    campaign: OpenedCampaign, winners: Mapping[str, Config | None], done: list[Config]
) -> CampaignOutcome:
    """Send what is lacking, close the runs, write the report.

    Raises:
        ValueError: If nothing at all was finished.
        ConnectionError: If the tracker fails meanwhile.
    """
    status, missing = judge(campaign, winners, done)
    ended = {"studies": status, "missing": missing}
    write_json(campaign.folder / OUTCOME, ended | {"reported": False})
    lacking = _deliver(campaign)
    if lacking:
        return CampaignOutcome(None, (*missing, lacking))
    with tracker_errors(tracking_uri(campaign.root)):
        campaign.delivery.close_studies(status)
        _say_storage(campaign)
        try:
            table = write_report(campaign.root, campaign.settings.campaign, partial=bool(missing))
        except ValueError as error:
            raise ValueError(" ".join([*missing, str(error)])) from error
        campaign.tracker.close(campaign.run_id, "FAILED" if missing else "FINISHED")
    write_json(campaign.folder / OUTCOME, ended | {"reported": True})
    return CampaignOutcome(table, tuple(missing))


def _deliver(campaign: OpenedCampaign) -> str:
    """Send all that is lacking, waiting a while for a tracker that is away; say what it still lacks."""
    for wait in (*WAITS_S, None):
        tally = campaign.delivery.settle_all(campaign.folder)
        if not tally.lacking:
            return ""
        if wait is not None:
            logger.warning(
                "The tracker lacks %d trials (%s); next try in %d s.",
                *(tally.lacking, tally.reason, wait),
            )
            time.sleep(wait)
    return (
        f"The MLflow tracker lacks {tally.lacking} trials ({tally.reason}), so there is no report; "
        f"all is kept in {campaign.folder}. Send it with `python -m tuning.tracking replay "
        f"{campaign.folder}`, or continue with `python -m tuning.run --resume {campaign.settings.campaign} "
        f"--root {campaign.root}`."
    )


def cut_off(campaign: OpenedCampaign, error: BaseException) -> None:
    """Close the runs of a campaign that ends before its end, as far as the tracker is there."""
    try:
        killed = isinstance(error, KeyboardInterrupt)
        campaign.tracker.close_running("KILLED" if killed else "FAILED")
    except Exception as failed:  # noqa: BLE001 - the first error is the one to raise
        logger.warning(
            "The runs stay open in MLflow (%s), until the campaign goes on or "
            "`python -m tuning.tracking replay %s` closes them.",
            *(format_error(failed), campaign.folder),
        )


def _say_storage(campaign: OpenedCampaign) -> None:
    """Say what the campaign keeps: models and files in MLflow, and what lies in its own folder."""
    totals = campaign.tracker.add_up("bytes/")
    here = measure_bytes(campaign.folder)
    campaign.tracker.log_scores(campaign.run_id, {**totals, "bytes/folder": here})
    models, files = (totals.get(f"bytes/{name}", 0.0) for name in ("model", "files"))
    logger.info(
        "The campaign keeps %s of models and %s of trials' files in MLflow, and %s in %s.",
        *map(format_bytes, (models, files, here)),
        campaign.folder,
    )
