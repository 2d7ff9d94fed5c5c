"""Links to MLflow's own pages: campaigns, a campaign's runs and charts, overlaid curves, compared trials.

The addresses are those of MLflow 3.17's pages. Each says which kind of work its pages are for, else they are those for
language models; other releases ignore what they do not know.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from data.io.errors import hide_password

LOCAL_UI = "http://127.0.0.1:5000"  # default of `mlflow ui`
TEST_AP = "test/pr_auc"
VAL_CURVE, TEST_CURVE = "pr/val_precision", "pr/test_precision"
VAL_RELIABILITY, TEST_RELIABILITY = "reliability/val_observed", "reliability/test_observed"
WORKFLOW = "workflowType=machine_learning"  # in the query of every address
CAMPAIGNS = "campaigns"  # key of the view of all campaigns; those of one campaign have a checksum
STUDIES = "studies"
MAX_RUNS = 100  # in a URL: browsers and servers truncate longer ones


def ui_address(tracking_uri: str) -> str:
    """Return the URL of a tracker's pages: the server's, or the one of a local ``mlflow ui``."""
    is_server = tracking_uri.startswith("http")
    return hide_password(tracking_uri).rstrip("/") if is_server else LOCAL_UI


def ui_command(tracking_uri: str) -> str:
    """Return the command that serves a database's pages, or a server's URL."""
    if tracking_uri.startswith("http"):
        return ui_address(tracking_uri)
    return f"python -m mlflow ui --backend-store-uri {hide_password(tracking_uri)}"


def _pack(value: Any) -> str:
    return quote(json.dumps(value, separators=(",", ":")))


def overlay_address(base: str, experiment_id: str, run_ids: Sequence[str], metric: str) -> str:
    """Return the URL of one chart of a step metric of several runs, at most ``MAX_RUNS``."""
    query = {
        "runs": list(run_ids)[:MAX_RUNS],
        "metric": metric,
        "experiments": [experiment_id],
        "plot_metric_keys": [metric],
        "plot_layout": {},
    }
    # The page also fails to load without these.
    defaults = (
        "x_axis=step&y_axis_scale=linear&line_smoothness=1&show_point=false"
        "&deselected_curves=[]&last_linear_y_axis_range=[]"
    )
    values = "&".join(f"{name}={_pack(value)}" for name, value in query.items())
    return f"{base}/#/metric?{values}&{defaults}&{WORKFLOW}"


def compare_address(base: str, experiment_id: str, run_ids: Sequence[str]) -> str:
    """Return the URL of the comparison of runs: parallel coordinates, scatter plot, tables."""
    shown = list(run_ids)[:MAX_RUNS]
    query = f"runs={_pack(shown)}&experiments={_pack([experiment_id])}"
    return f"{base}/#/compare-runs?{query}&{WORKFLOW}"


def run_address(base: str, experiment_id: str, run_id: str) -> str:
    """Return the URL of a run."""
    return f"{base}/#/experiments/{experiment_id}/runs/{run_id}?{WORKFLOW}"


def _view_address(base: str, experiment_id: str, key: str) -> str:
    return f"{base}/#/experiments/{experiment_id}/runs?{WORKFLOW}&viewStateShareKey={key}"


def campaigns_address(base: str, experiment_id: str) -> str:
    """Return the URL of all campaigns, best on test first; needs :func:`tuning.tracking.campaign.views.publish_views`."""
    return _view_address(base, experiment_id, CAMPAIGNS)


def studies_address(base: str, experiment_id: str, campaign: str) -> str:
    """Return the URL of a campaign's studies, best on test first; needs :func:`tuning.tracking.campaign.views.publish_views`."""
    return _view_address(base, experiment_id, view_key(campaign, STUDIES))


def table_address(base: str, experiment_id: str, campaign: str) -> str:
    """Return the URL of a campaign's trials, best on val first; needs :func:`tuning.tracking.campaign.views.publish_views`."""
    return _view_address(base, experiment_id, view_key(campaign))


def charts_address(base: str, experiment_id: str, campaign: str) -> str:
    """Return the URL of a campaign's charts: overlaid curves, parallel coordinates, scatter plot."""
    return f"{table_address(base, experiment_id, campaign)}&compareRunsMode=CHART"


def list_pages(
    base: str,
    experiment_id: str,
    campaign: str,
    chosen: Sequence[str],
    searches: Sequence[str] = (),
) -> dict[str, str]:
    """Return the URLs of a campaign's pages, by label.

    Args:
        base: URL from :func:`ui_address`.
        experiment_id: Experiment of the runs.
        campaign: Name of the campaign.
        chosen: Id of one repeat run of each model, best model first.
        searches: Ids of the search trials' runs, best first.
    """
    experiment = (base, experiment_id)
    pages = {
        "models, best on test first": studies_address(*experiment, campaign),
        "campaigns, best on test first": campaigns_address(*experiment),
        "trials, best on val first": table_address(*experiment, campaign),
        "trials as charts": charts_address(*experiment, campaign),
        "precision over recall on test, overlaid": overlay_address(*experiment, chosen, TEST_CURVE),
        "precision over recall on val, overlaid": overlay_address(*experiment, chosen, VAL_CURVE),
        "reliability on test, overlaid": overlay_address(*experiment, chosen, TEST_RELIABILITY),
        "repeat runs compared": compare_address(*experiment, chosen),
    }
    if searches:
        pages["search trials compared"] = compare_address(*experiment, searches)
    return pages


def view_key(campaign: str, kind: str = "") -> str:
    """Return the key of a campaign's view, shortened and unique: all views share the experiment's tags."""
    end = f"-{kind}" if kind else ""
    return f"{campaign[:40]}-{zlib.crc32(campaign.encode()):08x}{end}"
