"""One line per model that a paper can quote, and the campaign as a BibTeX entry; both are also files of the report."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tuning.page.html import Block, Code, Folded, Section, Text
from tuning.report.paper.bibtex import Entry, format_entries, make_key
from tuning.report.paper.facts import CampaignFacts
from tuning.report.paper.sources import list_sources

TITLE = "Quote and cite"
RESULTS_FILE, BIBTEX_FILE = "results.txt", "cite.bib"
HASH_CHARS = 8  # of a hash in a citation key
ABOUT = (
    "One line per model, ready to be copied. Scores are of the test tiles that the line names; ± is the standard deviation over "
    "seeds; an interval is of one score by itself, not of a difference between models."
)
COMMENT = "% Add your names as authors of the campaign's entry, and where its files can be had.\n"


def format_line(row: Mapping[Any, Any], facts: CampaignFacts) -> str:
    """Return a model's line.

    Args:
        row: Its row of ``benchmark_master.csv``.
        facts: Facts of the campaign.
    """
    seeds = int(row["seeds"])
    over = f"over {seeds} seeds" if seeds > 1 else "of one run"
    low, high = row["pr_auc_low"], row["pr_auc_high"]
    interval = (
        "no interval: too few tiles"
        if np.isnan([low, high]).any()
        else f"95 % CI {low:.3f} to {high:.3f} over {facts.blocks} spatial blocks"
    )
    scores = ", ".join(
        f"{label} {_format_score(row, name)}" for label, name in (("F1", "f1_dice"), ("IoU", "iou"))
    )
    where = " at the threshold chosen on val"
    return (
        f"{row['model']}: AP {_format_score(row, 'pr_auc')} {over} ({interval}), {scores}{where}, on {facts.tested_on}"
        "."
    )


def _format_score(row: Mapping[Any, Any], name: str) -> str:
    mean, std = row[f"{name}_mean"], row[f"{name}_std"]
    if np.isnan(mean):
        return "undefined"
    return f"{mean:.3f}" if np.isnan(std) else f"{mean:.3f} ± {std:.3f}"


def format_results(
    table: pd.DataFrame, facts: CampaignFacts, verdict: str = "", *, whole: bool = True
) -> str:
    """Return the text of ``results.txt``: where the numbers are from, the verdict, and every model's line.

    Args:
        table: Content of ``benchmark_master.csv``.
        facts: Facts of the campaign.
        verdict: The result of the comparison in a sentence; left out if empty.
        whole: Whether models outside of the primary family have lines too.
    """
    rows = table.to_dict("records")
    compared = [row for row in rows if row["family"] == "primary"]
    others = [row for row in rows if row["family"] != "primary"]
    lines = [describe_provenance(facts), *([verdict] if verdict else [])]
    for heading, group in (("Compared models:", compared), ("Other models (exploratory):", others)):
        if group and (whole or group is compared or not compared):
            lines += ["", heading, *(format_line(row, facts) for row in group)]
    return "\n".join(lines) + "\n"


def describe_provenance(facts: CampaignFacts) -> str:
    """Return in a line what made the numbers: campaign, versions, hashes."""
    code = f", code {facts.code_hash}" if facts.code_hash else ""
    return (
        f"Landslide benchmark {facts.version}, campaign {facts.campaign} ({facts.year}): commit {facts.git_commit}{code}, data "
        f"{facts.data_hash}, split {facts.split} {facts.split_hash}, preset {facts.preset}, MLflow run {facts.run_id}"
    )


def make_campaign_entry(facts: CampaignFacts) -> Entry:
    """Return the campaign's own entry."""
    kind = "synthetic data" if facts.synthetic else "real data"
    title = f"Landslide benchmark: campaign {facts.campaign} on {', '.join(facts.regions)} ({kind})"
    fields = {
        "title": title,
        "year": str(facts.year),
        "version": facts.version,
        "note": f"Commit {facts.git_commit}"
        + (f", code {facts.code_hash}" if facts.code_hash else "")
        + f"; data {facts.data_hash}; split {facts.split}, {facts.split_hash}; MLflow run {facts.run_id}",
    }
    return Entry(
        "misc",
        make_key("landslide-benchmark", facts.campaign, facts.data_hash[:HASH_CHARS]),
        fields,
    )


def format_bibtex(table: pd.DataFrame, facts: CampaignFacts) -> str:
    """Return the text of ``cite.bib``: the campaign, the data set, and the sources of its models."""
    entries = [make_campaign_entry(facts), *list_sources(map(str, table["architecture"]))]
    return COMMENT + format_entries(entries)


def write_quotes(
    table: pd.DataFrame, facts: CampaignFacts, folder: Path, verdict: str = ""
) -> None:
    """Write ``results.txt`` and ``cite.bib`` into the report's folder."""
    results = format_results(table, facts, verdict)
    (folder / RESULTS_FILE).write_text(results, encoding="utf-8", errors="replace")
    (folder / BIBTEX_FILE).write_text(
        format_bibtex(table, facts), encoding="utf-8", errors="replace"
    )


def build_quote_section(table: pd.DataFrame, facts: CampaignFacts, verdict: str = "") -> Section:
    """Build the section with the lines, and the BibTeX entries folded."""
    blocks: list[Block] = [
        Text(ABOUT),
        Code(format_results(table, facts, verdict, whole=False)),
        Folded(
            "Lines of all models",
            [Code(format_results(table, facts, verdict), f"`{RESULTS_FILE}`")],
        ),
        Folded(
            "BibTeX: this campaign, the data set, the models",
            [Code(format_bibtex(table, facts), f"`{BIBTEX_FILE}`")],
        ),
    ]
    return Section(TITLE, blocks)
