"""Ready-made addresses of MLflow's own pages: a campaign's runs and charts, overlaid curves, compared trials.

A view of the runs page is a JSON tag of the experiment, as its "Share" button makes one; columns, order, filter and
charts come with it. The names below are those of MLflow 3.17's page; another release that does not know one leaves
it out of the page.
"""

import json
import zlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from mlflow.tracking import MlflowClient

from data.io.errors import hide_password

LOCAL_UI = "http://127.0.0.1:5000"  # where `mlflow ui` listens
VAL_AP, TEST_AP = "best/val_pr_auc", "test/pr_auc"
VAL_CURVE, TEST_CURVE = "pr/val_precision", "pr/test_precision"
VAL_RELIABILITY, TEST_RELIABILITY = "reliability/val_observed", "reliability/test_observed"
MOST_RUNS = 100  # of an address: browsers and servers cut longer ones
_VIEW = "mlflow.sharedViewState."
_SECTION = "comparison"
_WIDTHS = {  # of the columns shown, in pixels
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
_SEARCHED = ("lr", "weight_decay", "bce_weight", "pos_weight")


def ui_address(tracking_uri: str) -> str:
    """Return where a tracker's pages are: its own address, or where ``mlflow ui`` will listen."""
    is_server = tracking_uri.startswith("http")
    return hide_password(tracking_uri).rstrip("/") if is_server else LOCAL_UI


def ui_command(tracking_uri: str) -> str:
    """Return the command that serves a database's pages, or the address of a server, which has them already."""
    if tracking_uri.startswith("http"):
        return ui_address(tracking_uri)
    return f"python -m mlflow ui --backend-store-uri {hide_password(tracking_uri)}"


def _pack(value: Any) -> str:
    return quote(json.dumps(value, separators=(",", ":")))


def overlay_address(base: str, experiment_id: str, run_ids: Sequence[str], metric: str) -> str:
    """Return the page that draws one step metric of several runs, at most ``MOST_RUNS``, into one chart."""
    asked = {
        "runs": list(run_ids)[:MOST_RUNS],
        "metric": metric,
        "experiments": [experiment_id],
        "plot_metric_keys": [metric],
        "plot_layout": {},
    }
    # Without these, too, the page fails while it loads.
    plain = (
        "x_axis=step&y_axis_scale=linear&line_smoothness=1&show_point=false"
        "&deselected_curves=[]&last_linear_y_axis_range=[]"
    )
    return f"{base}/#/metric?{'&'.join(f'{k}={_pack(v)}' for k, v in asked.items())}&{plain}"


def compare_address(base: str, experiment_id: str, run_ids: Sequence[str]) -> str:
    """Return the page that compares runs: parallel coordinates, scatter plot, tables."""
    some = list(run_ids)[:MOST_RUNS]
    return f"{base}/#/compare-runs?runs={_pack(some)}&experiments={_pack([experiment_id])}"


def table_address(base: str, experiment_id: str, campaign: str) -> str:
    """Return the runs page with a campaign's trials, best on val first; see :func:`publish_views`."""
    return f"{base}/#/experiments/{experiment_id}/runs?viewStateShareKey={_key(campaign)}"


def charts_address(base: str, experiment_id: str, campaign: str) -> str:
    """Return the same page as charts: curves overlaid, parallel coordinates, scatter plot."""
    return f"{table_address(base, experiment_id, campaign)}&compareRunsMode=CHART"


def list_pages(
    base: str,
    experiment_id: str,
    campaign: str,
    chosen: Sequence[str],
    searches: Sequence[str] = (),
) -> dict[str, str]:
    """List a campaign's ready-made pages by label.

    Args:
        base: Of :func:`ui_address`.
        experiment_id: Experiment of the runs.
        campaign: Name of the campaign.
        chosen: One repeat run of each model, best model first.
        searches: Search trials' runs, best first.
    """
    place = (base, experiment_id)
    pages = {
        "trials, best on val first": table_address(*place, campaign),
        "trials as charts": charts_address(*place, campaign),
        "precision over recall on test, overlaid": overlay_address(*place, chosen, TEST_CURVE),
        "precision over recall on val, overlaid": overlay_address(*place, chosen, VAL_CURVE),
        "reliability on test, overlaid": overlay_address(*place, chosen, TEST_RELIABILITY),
        "repeat runs compared": compare_address(*place, chosen),
    }
    if searches:
        pages["search trials compared"] = compare_address(*place, searches)
    return pages


def publish_views(client: MlflowClient, experiment_id: str, campaign: str) -> None:
    """Keep a campaign's view of the runs page with the experiment, so that its address works for everyone."""
    state = {
        "searchFilter": f"tags.campaign = '{campaign}' and tags.kind = 'trial'",
        "orderByKey": f"metrics.`{VAL_AP}`",
        "orderByAsc": False,
        "selectedColumns": list(_WIDTHS),
        "columnOrder": list(_WIDTHS),
        "columnWidths": _WIDTHS,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": _make_charts(),
        "compareRunSections": [
            {"uuid": _SECTION, "name": "Comparison", "display": True, "isReordered": True}
        ],
        "isAccordionReordered": True,
    }
    text = json.dumps(state, separators=(",", ":"))
    client.set_experiment_tag(experiment_id, _VIEW + _key(campaign), text)


def _key(campaign: str) -> str:
    """Return a view's name: MLflow keeps them all in one place, so a campaign of any name gets its own."""
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


def _make_charts() -> list[dict[str, Any]]:
    return [
        _line("Precision over recall in percent, val", VAL_CURVE),
        _line("Precision over recall in percent, test", TEST_CURVE),
        _line("Share of landslides over probability in percent, val", VAL_RELIABILITY),
        _line("Share of landslides over probability in percent, test", TEST_RELIABILITY),
        _card(
            "PARALLEL",
            "Hyperparameters and val average precision",
            selectedParams=list(_SEARCHED),
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
