"""Views of MLflow's runs page: all campaigns, a campaign's studies, and its trials as table and charts.

A view is a JSON tag of the experiment, as written by the page's "Share" button; it holds columns, order, filter and
charts. The names below are those of MLflow 3.17's page; other releases ignore names that they do not know.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.tracking import MlflowClient

from tuning.tracking.campaign.scores import BEST, BEST_MODEL, HIGH, LOW, SEEDS
from tuning.tracking.ui_links import (
    CAMPAIGNS,
    STUDIES,
    TEST_AP,
    TEST_CURVE,
    TEST_RELIABILITY,
    VAL_CURVE,
    VAL_RELIABILITY,
    view_key,
)
from tuning.trial.folder import VAL_AP
from tuning.trial.losses import BCE_DICE, LOSSES

_VIEW = "mlflow.sharedViewState."
_SECTION = "comparison"
# Columns and their widths in pixels.
_NAME = {"attributes.`Run Name`": 320}
_TRIALS = {
    **_NAME,
    f"metrics.`{VAL_AP}`": 130,
    f"metrics.`{TEST_AP}`": 110,
    "tags.`ended_by`": 100,
    "params.`lr`": 90,
    "params.`weight_decay`": 110,
    "params.`seed`": 70,
    "attributes.`Models`": 120,
    "attributes.`Dataset`": 170,
}
_SCORES = {
    f"metrics.`{BEST}`": 150,
    f"metrics.`{TEST_AP}_std`": 140,
    f"metrics.`{LOW}`": 140,
    f"metrics.`{HIGH}`": 140,
    "metrics.`test/f1_dice_mean`": 160,
    f"metrics.`{VAL_AP}_mean`": 170,
    f"metrics.`{SEEDS}`": 80,
}
_STUDIES = {**_NAME, **_SCORES}
_CAMPAIGNS = {
    **_NAME,
    f"tags.`{BEST_MODEL}`": 160,
    **_SCORES,
    "tags.`data`": 90,
    "tags.`split`": 110,
    "tags.`preset`": 80,
}
_SEARCHED = ("lr", "weight_decay")  # with every loss


def publish_views(
    client: MlflowClient, experiment_id: str, campaign: str, loss: str = BCE_DICE
) -> None:
    """Store a campaign's views of the runs page in the experiment, so that their URLs work for everyone.

    A chart shows no run that lacks one of its params, so it has those that the campaign's loss reads.
    """
    own = f"tags.campaign = '{campaign}' and tags.kind"
    charts = {
        "compareRunCharts": _make_charts((*_SEARCHED, *LOSSES[loss])),
        "compareRunSections": [
            {"uuid": _SECTION, "name": "Comparison", "display": True, "isReordered": True}
        ],
        "isAccordionReordered": True,
    }
    views = {
        CAMPAIGNS: _make_view("tags.kind = 'campaign'", BEST, _CAMPAIGNS),
        view_key(campaign, STUDIES): _make_view(f"{own} = 'study'", BEST, _STUDIES),
        view_key(campaign): _make_view(f"{own} = 'trial'", VAL_AP, _TRIALS) | charts,
    }
    for key, view in views.items():
        text = json.dumps(view, separators=(",", ":"))
        client.set_experiment_tag(experiment_id, _VIEW + key, text)


def _make_view(runs: str, metric: str, columns: Mapping[str, int]) -> dict[str, Any]:
    """Return a view of the runs of a filter, highest value of a metric first."""
    return {
        "searchFilter": runs,
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": False,
        "selectedColumns": list(columns),
        "columnOrder": list(columns),
        "columnWidths": columns,
        "runsHiddenMode": "SHOW_ALL",
    }


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
