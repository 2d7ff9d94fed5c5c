"""Descriptions of campaigns, studies and trials on MLflow's pages, in Markdown."""

from collections.abc import Mapping, Sequence

import pandas as pd

from data.tiles.manifest import describe_origin
from data.tiles.regions import format_regions
from models import paper_name
from tuning.page.html import format_cell
from tuning.tracking.payloads import CampaignContext, pick_best
from tuning.trial.folder import Row
from tuning.trial.search_space import Domain, LogUniform

_RANKING, _FACTS = "### Ranking on test", "### Campaign"
MOST_CHARS = 8000  # of a tag: MLflow cuts the rest off
NOTE = "mlflow.note.content"  # MLflow's tag for a run's description


def describe_campaign(
    context: CampaignContext,
    parts: Mapping[str, Mapping[str, int]],
    models: str,
    searched: str = "",
) -> str:
    """Describe a campaign at its start.

    Args:
        context: Tags of every run.
        parts: Number of train, val and test tiles, by split name.
        models: The models' names, joined.
        searched: Where hyperparameters were searched, in sentences; empty without a search.
    """
    kind = describe_origin(context.data == "synthetic")
    tiles = [
        f"{name}: {', '.join(f'{count} {part}' for part, count in sizes.items())} tiles"
        for name, sizes in parts.items()
    ]
    return (
        f"{_FACTS}\n\nLandslide segmentation on **{kind}** Sentinel-1 series of "
        f"{format_regions(context.regions.split())}: {models}.\n\n"
        f"- Split {'; '.join(tiles)} (hash `{context.split_hash}`)\n"
        f"- Input {context.channels}, acquisitions {context.acquisitions}\n"
        f"- Training: {context.training}\n"
        f"- Preset `{context.preset}`, data `{context.data_hash}`, code `{context.git_commit}`\n"
        + (f"- {searched}\n" if searched else "")
    )


def describe_ranking(start: str, table: pd.DataFrame, links: Mapping[str, str]) -> str:
    """Put ranking and links before a campaign's description, because MLflow shows only the first lines.

    Args:
        start: Text from :func:`describe_campaign`; an earlier ranking in it is replaced.
        table: Content of ``benchmark_master.csv``.
        links: URLs of MLflow's pages, by label; the last ones are left out where MLflow would cut the text off.
    """
    lines = ["| rank | model | test AP | 95 % interval | test F1 | val AP | seeds |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for row in table.to_dict("records"):
        low, high = row["pr_auc_low"], row["pr_auc_high"]
        lines.append(
            f"| {row['rank']} | {row['model']} | {row['pr_auc_mean']:.3f} | {low:.3f} to {high:.3f} "
            f"| {row['f1_dice_mean']:.3f} | {format_cell(row['val_pr_auc_mean'])} | {row['seeds']} |"
        )
    pages = [f"- [{label}]({address})" for label, address in links.items()]
    _, _, facts = start.rpartition(_FACTS)
    while True:
        text = "\n".join([_RANKING, "", *lines, "", *pages, "", _FACTS + facts])
        if len(text) <= MOST_CHARS or not pages:
            return text
        pages.pop()


def describe_study(model: str, space: Mapping[str, Domain]) -> str:
    """Describe a study: its network and its search space."""
    lines = [f"All trials of {paper_name(model)}.", "", "| searched | values |", "|---|---|"]
    lines += [f"| `{name}` | {_format_domain(domain)} |" for name, domain in space.items()]
    return "\n".join(lines)


def _format_domain(domain: Domain) -> str:
    if isinstance(domain, LogUniform):
        return f"{domain.low:g} to {domain.high:g}, logarithmic"
    return ", ".join(map(str, domain))


def describe_trial(run_id: str, ended_by: str, rows: Sequence[Row], message: str) -> str:
    """Describe an ended trial: reason, best score, command that reproduces it."""
    reason = {
        "scheduler": "The scheduler stopped it because other trials were better at that epoch",
        "patience": "It ended because val average precision did not rise for the set number of epochs",
        "last epoch": "It was trained to its last epoch",
        "error": "It failed",
        "kill": "It was interrupted",
    }[ended_by]
    text = f"{reason}: {message}" if message else f"{reason}."
    if not rows:
        return text
    best = pick_best(rows)
    return (
        f"{text} Best val average precision {best['val_pr_auc']:.3f} in epoch {best['epoch']} "
        f"of {len(rows)}.\n\nRun it again: `python -m tuning.reproduce {run_id}`"
    )
