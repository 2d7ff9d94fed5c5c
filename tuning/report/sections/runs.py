"""Sections about runs: split, search, cost, MLflow pages, provenance."""

from math import nan
from typing import Any

import numpy as np
import pandas as pd

from data.io.safe_json import read_json, refused_error, show_value
from models import paper_name
from tuning.page.formats import format_setting
from tuning.page.html import Gallery, Image, Section, Table, Text, Tracker
from tuning.report.context import BY_ITSELF, ReportContext, mean_ms_per_tile
from tuning.report.headline.names import capitalise
from tuning.store.provenance import PROVENANCE
from tuning.tracking.load_trials import SEARCH_TRIALS

BEST_TRIALS = 10  # search trials per network on the page
COSTS = ("parameters", "gmac_per_tile", "cpu_hours", "gpu_hours", "peak_memory_mb")
HYPERPARAMETERS = ("lr", "weight_decay", "pos_weight")  # in the table of these trials


def build_splits_section(context: ReportContext) -> Section:
    """Build the section on the split: size of train, val and test, tiles that touch train, and the map."""
    file = context.folder / "splits.json"
    try:
        document = read_json(file)
        rows, absent = _make_part_rows(document), _describe_absent(document)
    except (KeyError, TypeError, AttributeError) as error:
        raise refused_error(
            "The audit of splits must have the format of `data.splits.audit`",
            show_value(error),
            file,
        ) from error
    columns = ["part", "tiles", "with landslides", "landslide px", "share", "shares an edge"]
    return Section(
        "Split",
        [
            Table(
                [*columns, "edge or corner"],
                rows,
                "Size of train, val and test, and how many of their tiles touch a train tile",
            ),
            *map(Text, absent),
            Image(context.folder / "splits.png", "Map of the train, val and test tiles"),
        ],
    )


def _describe_absent(document: dict[str, Any]) -> list[str]:
    """Name the tiles of each split that the data lack, one sentence per split."""
    return [
        f"Split {split['name']} lists {len(names)} tiles that the data lack: {', '.join(sorted(map(str, names)))}."
        for split in document["splits"]
        if (names := split.get("missing", ()))
    ]


def _make_part_rows(document: dict[str, Any]) -> list[list[Any]]:
    """Make one row per split and part from the JSON of ``splits.json``."""
    rows = []
    for split in document["splits"]:
        for part, sizes in split["parts"].items():
            by_edge = len(split["touching_train_by_edge"].get(part, ()))
            by_any = len(split["touching_train_by_edge_or_corner"].get(part, ()))
            share = sizes["share"]
            rows.append(
                [
                    f"{split['name']} {part}",
                    sizes["tiles"],
                    sizes["with_landslides"],
                    sizes["positive_px"],
                    nan if share is None else f"{100 * share:.2f} %",
                    nan if part == "train" else by_edge,
                    nan if part == "train" else by_any,
                ]
            )
    return rows


def build_search_section(context: ReportContext) -> Section:
    """Build the section on the hyperparameter search: one row per network, and the best trials."""
    text = Text(
        "The hyperparameter search compares trials by val AP, and never reads test tiles of its fold. "
        f"{_describe_seed(context)}{context.searched}".strip()
    )
    searches = context.searches
    if not len(searches):
        return Section("Search", [text])
    ranked = searches.sort_values("val_pr_auc", ascending=False, kind="stable")
    by_search = [trials for _, trials in ranked.groupby(["model", "split"], dropna=False)]
    shown = max(1, BEST_TRIALS // ranked["split"].nunique(dropna=False))
    best = pd.concat([trials.head(shown) for trials in by_search])
    columns = ["network", "fold", "trials", "ended by", "epochs", "best val AP", "median val AP"]
    names = ["trial", "fold", "ended by", "epochs", "best val AP", "hyperparameters"]
    return Section(
        "Search",
        [
            text,
            Table(
                columns,
                [_make_search_row(trials) for trials in by_search],
                "Hyperparameter search by network and searched fold",
            ),
            Table(
                names,
                [_make_trial_row(trial) for trial in best.to_dict("records")],
                f"The best search trials, at most {shown} per network and searched fold",
                f"`{SEARCH_TRIALS}` in the page's folder lists all {len(searches):,} trials with all hyperparameters.",
            ),
        ],
    )


def _describe_seed(context: ReportContext) -> str:
    """Return the seed of the search trials in a sentence; campaigns of earlier releases repeat it."""
    if not len(context.searches):
        return ""
    seeds = sorted(set(context.searches["seed"].dropna().astype(str)))
    networks = [model for model in context.ranking.models if not model.is_baseline]
    repeated = {str(seed) for model in networks for seed in model.seeds}.intersection(seeds)
    also = "which is also a repeat's" if repeated else "which no repeat uses"
    return f"Its trials have the seed {', '.join(seeds)}, {also}. "


def _make_search_row(trials: pd.DataFrame) -> list[Any]:
    """Summarise a network's trials, which are sorted by val AP, in one row."""
    ends = trials["ended_by"].fillna("unfinished").value_counts()
    return [
        paper_name(trials["model"].iloc[0]),
        trials["split"].iloc[0],
        len(trials),
        ", ".join(f"{reason} {count:,}" for reason, count in ends.items()),
        int(trials["epochs"].sum()),
        float(trials["val_pr_auc"].max()),
        float(trials["val_pr_auc"].median()),
    ]


def _make_trial_row(trial: dict[str, Any]) -> list[Any]:
    epochs, params = trial["epochs"], {name: trial.get(f"param/{name}") for name in HYPERPARAMETERS}
    return [
        f"{paper_name(trial['model'])} #{int(trial['number'] or 0):02d}",
        trial["split"],
        trial["ended_by"],
        0 if np.isnan(epochs) else int(epochs),
        trial["val_pr_auc"],
        ", ".join(
            f"{name} {format_setting(value)}"
            for name, value in params.items()
            if isinstance(value, str)
        ),
    ]


def build_cost_section(context: ReportContext) -> Section:
    """Build the section on the size, training time, memory and inference time of each model."""
    times = {model.title: mean_ms_per_tile(model) for model in context.ranking.models}
    rows = [
        [row["model"], *(row[name] for name in COSTS), times[row["model"]]]
        for _, row in context.table.iterrows()
    ]
    columns = ["model", "parameters", "GMAC per tile", "CPU hours per run", "GPU hours per run"]
    return Section(
        "Cost",
        [
            Table(
                [*columns, "peak memory, MB", "ms per tile"],
                rows,
                "Cost of training and inference, mean over runs",
                "GMAC are billions of multiply-accumulates in the convolutions and matrix products of one tile's forward pass. "
                "Inference time per test tile in batches of 16, including reading from the pack, after a warm-up "
                "call. Peak memory is that of the worker process.",
            ),
            context.image(
                "cost",
                "Test average precision against inference time per tile, both means over runs. "
                f"{capitalise(BY_ITSELF)}.",
            ),
        ],
    )


def build_pages_section(context: ReportContext) -> Section:
    """Build the section with links to prepared MLflow pages."""
    text = "MLflow shows the same runs: trials side by side, curves overlaid."
    command = "" if context.ui_command == context.ui else context.ui_command
    links = [Text(f"[{label}]({address})") for label, address in context.pages.items()]
    return Section("MLflow", [Text(text), Tracker(context.ui, command), *links])


def build_provenance_section(context: ReportContext) -> Section:
    """Build the section on provenance, excluded tiles and suspicious tiles."""
    first = context.table.iloc[0]
    rows = [[name, str(first[name])] for name in PROVENANCE]
    rows.append(["MLflow run", context.campaign.info.run_id])
    blocks: list[Text | Table | Image | Gallery] = [
        Table(["property", "value"], rows, "Provenance")
    ]
    for name, title in (
        ("excluded_tiles.json", "Excluded tiles"),
        ("suspicious_tiles.json", "Suspicious tiles (used)"),
    ):
        file = context.folder / name
        tiles = read_json(file) if file.is_file() else {}
        if tiles:
            lines = [[tile, _join_reasons(reasons)] for tile, reasons in tiles.items()]
            blocks.append(Table(["tile", "reason"], lines, title))
        else:
            blocks.append(Text(f"{title}: none."))
    return Section("Provenance and excluded tiles", blocks)


def _join_reasons(value: Any) -> str:
    """Join a tile's reasons; anything that is not text is shown as its ``repr``."""
    reasons = value if isinstance(value, list) else [value]
    return " ".join(one if isinstance(one, str) else show_value(one) for one in reasons)
