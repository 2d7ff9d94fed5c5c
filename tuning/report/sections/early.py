"""How networks do soon after the event: columns of the table, and a section of the page.

A trial measures val and test once more with few acquisitions after the event (`tuning.train.early`).
"""

from typing import Any

import pandas as pd

from tuning.page.html import Section, Table, Text
from tuning.report.sums.early import SCORES, VAL

ABOUT = (
    "A map is wanted days after an event, when a place has one acquisition after it. Here the same networks read the test tiles "
    "with the first acquisition after the event of each orbit alone, which takes the places of later ones. The threshold is that "
    "of the highest F1 on val among those with no more false pixels and false alarms on val than the whole series has. False "
    "alarms are found objects that touch no landslide."
)
NOT_MEASURED = (
    "Not measured: the networks read fewer than two acquisitions after the event, or are of an earlier version. Baselines are not "
    "registered for maps."
)


def build_early_section(table: pd.DataFrame) -> Section:
    """Build the section that sets each network's map from one acquisition after the event beside that from all."""
    title = "Soon after the event: one acquisition instead of all"
    measured = table[table[VAL].notna()]
    if measured.empty:
        return Section(title, [Text(NOT_MEASURED)])
    records = measured.sort_values("early_pr_auc", ascending=False).to_dict("records")
    columns = ["model", "average precision", "of all", "recall", "of all"]
    return Section(
        title,
        [
            Text(ABOUT),
            Table(
                [*columns, "false alarms per km²", "of all", "recall kept"],
                [[record["model"], *_list_cells(record)] for record in records],
                "With one acquisition after the event, and with all that the network reads",
                "Means over seeds, on test.",
            ),
        ],
    )


def _list_cells(record: dict[Any, Any]) -> list[Any]:
    pairs = [(record[f"early_{score}"], record[f"late_{score}"]) for score in SCORES]
    (pr_auc, pr_auc_all), _, (recall, recall_all), (alarms, alarms_all) = pairs
    kept = f"{recall / recall_all:.0%}" if recall_all else ""
    shown = (f"{alarms:.2f}", f"{alarms_all:.2f}")
    return [pr_auc, pr_auc_all, recall, recall_all, *shown, kept]
