"""What a report leaves on a campaign's pages in MLflow: the ranking as its description, and views of its runs."""

from collections.abc import Mapping

import pandas as pd
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from tuning.tracking.campaign.views import publish_views
from tuning.tracking.descriptions import NOTE, describe_ranking
from tuning.tracking.ui_links import list_pages, ui_address
from tuning.trial.losses import BCE_DICE, LOSSES


def list_campaign_pages(
    client: MlflowClient, campaign: Run, table: pd.DataFrame, searches: pd.DataFrame
) -> dict[str, str]:
    """Return URLs of MLflow pages by label, with the models' chosen runs and the search trials."""
    ranked = [] if searches.empty else searches.sort_values("val_pr_auc", ascending=False)["run_id"]
    return list_pages(
        ui_address(client.tracking_uri),
        campaign.info.experiment_id,
        campaign.data.tags["campaign"],
        [str(run_id) for run_id in table["run_id"]],
        list(map(str, ranked)),
    )


def publish_ranking(
    client: MlflowClient, campaign: Run, table: pd.DataFrame, pages: Mapping[str, str]
) -> None:
    """Describe the ranking in MLflow, and store the views that *pages* open: an earlier version had fewer."""
    note = describe_ranking(campaign.data.tags.get(NOTE, ""), table, pages)
    client.set_tag(campaign.info.run_id, NOTE, note)
    loss = campaign.data.params.get("loss", BCE_DICE)
    names = campaign.info.experiment_id, campaign.data.tags["campaign"]
    publish_views(client, *names, loss if loss in LOSSES else BCE_DICE)
