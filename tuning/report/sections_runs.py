"""The sections on runs: examples, split, search, cost, provenance."""

from math import nan
from typing import Any

import numpy as np
import pandas as pd

from data.io.safe_json import read_json, refused_error, show_value
from models import paper_name
from tuning.report.context import ReportContext
from tuning.report.html import Gallery, Image, Section, Table, Text
from tuning.tracking.load_trials import SEARCH_TRIALS
from tuning.tracking.validate_runs import PROVENANCE

EXAMPLES = 4  # of each network on the page; its folder has more
BEST = 10  # search trials of each network on the page
SHOWN = ("lr", "weight_decay", "pos_weight")  # of their hyperparameters


def build_examples_section(material: ReportContext) -> Section:
    """Examples of each model."""
    galleries = []
    baselines = [model for model in material.ranking.models if model.is_baseline][:1]
    networks = [model for model in material.ranking.models if not model.is_baseline]
    for model in (*networks, *baselines):
        folder = material.folder / "Figures" / model.title
        files = sorted(folder.glob(f"{model.title}_qual_*.png"))[:EXAMPLES]
        images = [Image(file, f"{model.title}, example {at + 1}") for at, file in enumerate(files)]
        galleries.append(Gallery(images, model.title))
    text = Text(
        "From left to right: change of VV over the event, label, probability, and hits in white, false alarms "
        "in orange, misses in blue. The tiles with most landslides, and one without any."
    )
    return Section("Examples", [text, *galleries])


def build_splits_section(material: ReportContext) -> Section:
    """Size of the parts, and who touches whom."""
    file = material.folder / "splits.json"
    try:
        rows = _list_parts(read_json(file))
    except (KeyError, TypeError, AttributeError) as error:
        raise refused_error(
            "An audit of splits must be as it was written", show_value(error), file
        ) from error
    columns = ["part", "tiles", "with landslides", "landslide px", "share", "edge with train"]
    return Section(
        "Split",
        [
            Table(
                [*columns, "edge or corner"], rows, "Size of each part, and tiles that touch train"
            ),
            Image(material.folder / "splits.png", "Which tiles train, validate and test"),
        ],
    )


def _list_parts(document: dict[str, Any]) -> list[list[Any]]:
    """Make a row of each part; what is no number or text is shown as it is written."""
    rows = []
    for split in document["splits"]:
        for part, found in split["parts"].items():
            by_edge = len(split["touching_train_by_edge"].get(part, ()))
            by_any = len(split["touching_train_by_edge_or_corner"].get(part, ()))
            share = found["share"]
            rows.append(
                [
                    f"{split['name']} {part}",
                    found["tiles"],
                    found["with_landslides"],
                    found["positive_px"],
                    nan if share is None else f"{100 * share:.2f} %",
                    nan if part == "train" else by_edge,
                    nan if part == "train" else by_any,
                ]
            )
    return rows


def build_search_section(material: ReportContext) -> Section:
    """How the hyperparameters were found: each network's trials in one line, and the best of them."""
    text = Text(
        "Hyperparameters are searched on one seed and judged on val alone; test is never read."
    )
    searches = material.searches
    if not len(searches):
        return Section("Search", [text])
    ranked = searches.sort_values("val_pr_auc", ascending=False, kind="stable")
    by_model = [trials for _, trials in ranked.groupby("model")]
    best = pd.concat([trials.head(BEST) for trials in by_model])
    columns = ["network", "trials", "ended by", "epochs", "best val AP", "median val AP"]
    names = ["trial", "ended by", "epochs", "best val AP", "hyperparameters"]
    return Section(
        "Search",
        [
            text,
            Table(columns, [_sum_up(trials) for trials in by_model], "Searches"),
            Table(
                names,
                [_list_trial(trial) for trial in best.to_dict("records")],
                f"The best search trials, {BEST} of each network at most",
                f"{len(searches) - len(best):,} more are in `{SEARCH_TRIALS}` beside this page, "
                "which lists every trial with all its hyperparameters.",
            ),
        ],
    )


def _sum_up(trials: pd.DataFrame) -> list[Any]:
    """Return the row of a network's trials, best first."""
    ends = trials["ended_by"].fillna("nothing yet").value_counts()
    return [
        paper_name(trials["model"].iloc[0]),
        len(trials),
        ", ".join(f"{reason} {count:,}" for reason, count in ends.items()),
        int(trials["epochs"].sum()),
        float(trials["val_pr_auc"].max()),
        float(trials["val_pr_auc"].median()),
    ]


def _list_trial(trial: dict[str, Any]) -> list[Any]:
    epochs, params = trial["epochs"], {name: trial.get(f"param/{name}") for name in SHOWN}
    return [
        f"{paper_name(trial['model'])} #{int(trial['number'] or 0):02d}",
        trial["ended_by"],
        0 if np.isnan(epochs) else int(epochs),
        trial["val_pr_auc"],
        ", ".join(f"{name} {value}" for name, value in params.items() if isinstance(value, str)),
    ]


def build_cost_section(material: ReportContext) -> Section:
    """What each model takes."""
    rows = [
        [
            row["model"],
            row["parameters"],
            row["cpu_hours"],
            row["gpu_hours"],
            row["peak_memory_mb"],
            1000 * row["infer_seconds_per_sample"],
        ]
        for _, row in material.table.iterrows()
    ]
    columns = ["model", "parameters", "CPU-hours a run", "GPU-hours a run", "peak memory, MB"]
    return Section(
        "Cost",
        [
            Table(
                [*columns, "ms per test tile"],
                rows,
                "Mean over runs",
                "Time per tile in batches of 16, read from the pack, after a warm-up call; peak memory is that of the "
                "worker process.",
            ),
            material.image("cost", "Score against time per test tile"),
        ],
    )


def build_pages_section(material: ReportContext) -> Section:
    """Ready-made pages of MLflow."""
    text = (
        "The same runs in MLflow's own pages: trials side by side, curves overlaid. They are served by "
        f"`{material.ui_command}`."
    )
    links = [Text(f"[{label}]({address})") for label, address in material.pages.items()]
    return Section("In MLflow", [Text(text), *links])


def build_provenance_section(material: ReportContext) -> Section:
    """Where the numbers come from, and tiles left out."""
    first = material.table.iloc[0]
    rows = [[name, str(first[name])] for name in PROVENANCE]
    rows.append(["MLflow run", material.campaign.info.run_id])
    blocks: list[Text | Table | Image | Gallery] = [Table(["what", "value"], rows, "Provenance")]
    for name, title in (
        ("excluded_tiles.json", "Excluded tiles"),
        ("suspicious_tiles.json", "Suspicious tiles, used"),
    ):
        file = material.folder / name
        found = read_json(file) if file.is_file() else {}
        if found:
            lines = [[tile, _join(why)] for tile, why in found.items()]
            blocks.append(Table(["tile", "reason"], lines, title))
        else:
            blocks.append(Text(f"{title}: none."))
    return Section("Provenance and tiles left out", blocks)


def _join(why: Any) -> str:
    """Join the reasons of a tile; what is no text is shown as it is written."""
    reasons = why if isinstance(why, list) else [why]
    return " ".join(one if isinstance(one, str) else show_value(one) for one in reasons)
