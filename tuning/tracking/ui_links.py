"""Links to MLflow's own pages: a campaign's runs and charts, overlaid curves, compared trials.

A view of the runs page is a JSON tag of the experiment, as written by the page's "Share" button; it holds columns,
order, filter and charts. The names below are those of MLflow 3.17's page; other releases ignore names that they do not
know.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from mlflow.tracking import MlflowClient

from data.io.errors import hide_password
from tuning.trial.losses import BCE_DICE, LOSSES

LOCAL_UI = "http://127.0.0.1:5000"  # default of `mlflow ui`
VAL_AP, TEST_AP = "best/val_pr_auc", "test/pr_auc"
VAL_CURVE, TEST_CURVE = "pr/val_precision", "pr/test_precision"
VAL_RELIABILITY, TEST_RELIABILITY = "reliability/val_observed", "reliability/test_observed"
MAX_RUNS = 100  # in a URL: browsers and servers truncate longer ones
_VIEW = "mlflow.sharedViewState."
_SECTION = "comparison"
_WIDTHS = {  # of the columns, in pixels
    "attributes.`Run Name`": 320,
    f"metrics.`{VAL_AP}`": 130,
    f"metrics.`{TEST_AP}`": 110,
    "tags.`ended_by`": 100,
    "params.`lr`": 90,
    "params.`weight_decay`": 110,
    "params.`seed`": 70,
    "attributes.`Models`": 120,
    "attributes.`Dataset`": 170,
}
_SEARCHED = ("lr", "weight_decay")  # with every loss


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
    return f"{base}/#/metric?{'&'.join(f'{k}={_pack(v)}' for k, v in query.items())}&{defaults}"


def compare_address(base: str, experiment_id: str, run_ids: Sequence[str]) -> str:
    """Return the URL of the comparison of runs: parallel coordinates, scatter plot, tables."""
    shown = list(run_ids)[:MAX_RUNS]
    return f"{base}/#/compare-runs?runs={_pack(shown)}&experiments={_pack([experiment_id])}"


def run_address(base: str, experiment_id: str, run_id: str) -> str:
    """Return the URL of one run."""
    return f"{base}/#/experiments/{experiment_id}/runs/{run_id}"


def table_address(base: str, experiment_id: str, campaign: str) -> str:
    """Return the URL of a campaign's trials, best on val first; needs :func:`publish_views`."""
    return f"{base}/#/experiments/{experiment_id}/runs?viewStateShareKey={_key(campaign)}"


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


def publish_views(
    client: MlflowClient, experiment_id: str, campaign: str, loss: str = BCE_DICE
) -> None:
    """Store a campaign's view of the runs page in the experiment, so that its URL works for everyone.

    A chart shows no run that lacks one of its params, so it has those that the campaign's loss reads.
    """
    state = {
        "searchFilter": f"tags.campaign = '{campaign}' and tags.kind = 'trial'",
        "orderByKey": f"metrics.`{VAL_AP}`",
        "orderByAsc": False,
        "selectedColumns": list(_WIDTHS),
        "columnOrder": list(_WIDTHS),
        "columnWidths": _WIDTHS,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": _make_charts((*_SEARCHED, *LOSSES[loss])),
        "compareRunSections": [
            {"uuid": _SECTION, "name": "Comparison", "display": True, "isReordered": True}
        ],
        "isAccordionReordered": True,
    }
    text = json.dumps(state, separators=(",", ":"))
    client.set_experiment_tag(experiment_id, _VIEW + _key(campaign), text)


def _key(campaign: str) -> str:
    """Return the key of a campaign's view, shortened and unique: all views share the experiment's tags."""
    return f"{campaign[:40]}-{zlib.crc32(campaign.encode()):08x}"


def _card(kind: str, name: str, **more: Any) -> dict[str, Any]:
    shared = {"metricSectionId": _SECTION, "deleted": False, "isGenerated": False}
    return {"type": kind, "uuid": name, "displayName": name, **shared, **more}


def _line(name: str, metric: str) -> dict[str, Any]:
    own = {"useGlobalXaxisKey": False, "useGlobalLineSmoothing": False, "lineSmoothness": 0}
    keys = {"metricKey": metric, "selectedMetricKeys": [metric], "xAxisKey": "step"}
    scale = {"scaleType": "linear", "xAxisScaleType": "linear", "yAxisKey": "metric"}
    unused = {"selectedYAxisMetricKey": "", "selectedXAxisMetricKey": "", "yAxisExpressions": []}
    return _card("LINE", name, **own, **keys, **scale, **unused)


def _make_charts(searched: Sequence[str]) -> list[dict[str, Any]]:
    return [
        _line("Precision over recall in percent, val", VAL_CURVE),
        _line("Precision over recall in percent, test", TEST_CURVE),
        _line("Share of landslides over probability in percent, val", VAL_RELIABILITY),
        _line("Share of landslides over probability in percent, test", TEST_RELIABILITY),
        _card(
            "PARALLEL",
            "Hyperparameters and val average precision",
            selectedParams=list(searched),
            selectedMetrics=[VAL_AP],
            showAllRuns=False,
            runsCountToCompare=100,
        ),
        _card(
            "SCATTER",
            "Val average precision over learning rate",
            xaxis={"key": "lr", "type": "PARAM"},
            yaxis={"key": VAL_AP, "type": "METRIC"},
            runsCountToCompare=100,
        ),
        _line("Val average precision over epochs", "val_pr_auc"),
    ]
