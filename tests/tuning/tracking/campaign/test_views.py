"""Views of MLflow's runs page, as tags of the experiment."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.tuning.tracking.test_ui_links import query_of
from tuning.tracking.campaign.views import publish_views
from tuning.tracking.ui_links import LOCAL_UI, campaigns_address, studies_address, table_address

PREFIX = "mlflow.sharedViewState."
MOST_CHARS = 5000  # of an experiment's tag in MLflow


class Experiment:
    """The tags of an experiment, as a client sets them."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        assert len(value) <= MOST_CHARS
        self.tags[key] = value


@pytest.fixture
def experiment() -> Any:
    return Experiment()


def view_of(experiment: Experiment, address: str) -> Mapping[str, Any]:
    """Return the view that an address opens."""
    view: Mapping[str, Any] = json.loads(
        experiment.tags[f"{PREFIX}{query_of(address)['viewStateShareKey']}"]
    )
    return view


def test_campaigns_have_views_of_their_own(experiment: Any) -> None:
    names = ("one", "x" * 50 + "1", "x" * 50 + "2")
    for name in names:
        publish_views(experiment, "1", name)
    for name in names:
        trials = view_of(experiment, table_address(LOCAL_UI, "1", name))
        assert trials["searchFilter"] == f"tags.campaign = '{name}' and tags.kind = 'trial'"
        assert trials["orderByKey"] == "metrics.`best/val_pr_auc`"
        studies = view_of(experiment, studies_address(LOCAL_UI, "1", name))
        assert studies["searchFilter"] == f"tags.campaign = '{name}' and tags.kind = 'study'"
    assert len(experiment.tags) == 2 * len(names) + 1


def test_studies_and_campaigns_are_sorted_by_their_score_on_test(experiment: Any) -> None:
    publish_views(experiment, "1", "one")
    for address in (campaigns_address(LOCAL_UI, "1"), studies_address(LOCAL_UI, "1", "one")):
        view = view_of(experiment, address)
        assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`test/pr_auc_mean`", False)
        assert {"metrics.`test/pr_auc_low`", "metrics.`n_seeds`"} < set(view["selectedColumns"])
    campaigns = view_of(experiment, campaigns_address(LOCAL_UI, "1"))
    assert campaigns["searchFilter"] == "tags.kind = 'campaign'"
    assert "tags.`best_model`" in campaigns["selectedColumns"]


@pytest.mark.parametrize(
    ("loss", "weights"), [("bce_dice", ["bce_weight", "pos_weight"]), ("tversky", [])]
)
def test_a_campaign_s_chart_has_the_hyperparameters_that_its_loss_reads(
    experiment: Any, loss: str, weights: list[str]
) -> None:
    publish_views(experiment, "1", "one", loss)
    charts = view_of(experiment, table_address(LOCAL_UI, "1", "one"))["compareRunCharts"]
    (params,) = (chart["selectedParams"] for chart in charts if "selectedParams" in chart)
    assert params == ["lr", "weight_decay", *weights]
