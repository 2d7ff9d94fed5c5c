"""Collect a campaign's bundle from its MLflow runs, its report's tables and its folder."""

from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numpy as np
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.safe_json import read_text
from data.splits import Split
from tuning.bundle.tables import KEYS, SEARCHES
from tuning.bundle.write import CampaignFacts, make_files
from tuning.campaign.identity import CampaignInputs, read_inputs
from tuning.report.ranking import read_comparison
from tuning.report.results import Results, read_results
from tuning.settings.roots import resume_command
from tuning.settings.saved_campaigns import campaign_folder
from tuning.store.provenance import read_provenance
from tuning.tracking.client import connect_existing, open_artifact
from tuning.tracking.load_trials import read_trials
from tuning.tracking.validate_runs import find_campaign, read_counts
from tuning.trial.folder import VAL_AP

PACKAGE = "landslide-benchmark"
UNKNOWN = "unknown"
_ENV = "env.packages."  # tags of a run: versions of packages


def collect_bundle(root: Path, campaign: str | None = None) -> tuple[str, dict[str, bytes]]:
    """Return the name of a campaign and the files of its bundle.

    Args:
        root: Output folder.
        campaign: The campaign; the latest if None.

    Raises:
        ValueError: If there is no such campaign, it has no finished repeat run, no report or no list of its tiles, or a run's tags,
            metrics or files are not what a campaign logs.
        NoStoreError: If the output folder has no MLflow store.
    """
    client, experiment_id = connect_existing(root)
    run = find_campaign(client, experiment_id, campaign)
    name = run.data.tags["campaign"]
    results = read_results(client, run, read_trials(client, experiment_id, name).repeats)
    if results is None:
        raise ValueError(
            f"A bundle needs a finished repeat run, but campaign {name!r} has none. "
            f"Continue it with `{resume_command(root, name)}`."
        )
    tables = _read_tables(client, run)
    facts = _describe(run, results, _read_inputs(root, name))
    return name, make_files(
        facts, results.models, _read_vals(client, results), results.layers, tables
    )


def _read_tables(client: MlflowClient, campaign: Run) -> dict[str, str]:
    """Return the report's tables as the campaign's run has them."""
    name = campaign.data.tags["campaign"]
    logged = {
        Path(file.path).name for file in client.list_artifacts(campaign.info.run_id, "report")
    }
    if missing := [table for table in KEYS if table not in logged]:
        raise ValueError(
            f"A bundle holds the report's tables, but campaign {name!r} has no {missing[0]} in MLflow. Write its report with "
            f"`python -m tuning.report --campaign {name}`."
        )
    tables = {}
    for table in (*KEYS, SEARCHES):
        if table in logged:
            with open_artifact(client, campaign, f"report/{table}") as file:
                tables[table] = read_text(file)
    return tables


def _read_inputs(root: Path, campaign: str) -> CampaignInputs:
    folder = campaign_folder(root, campaign)
    inputs = read_inputs(folder) if folder.is_dir() else None
    if inputs is None:
        raise ValueError(
            f"A bundle holds the tiles of each split, which a campaign keeps in its folder, but got none in {folder}. Give the "
            "output folder that the campaign ran in with --root."
        )
    return inputs


def _describe(campaign: Run, results: Results, inputs: CampaignInputs) -> CampaignFacts:
    margin, block_tiles = read_comparison(campaign)
    tags = results.models[0].runs[0].run.data.tags
    known = {name: str(value) for name, value in read_provenance(tags).items() if value}
    known["commit"] = known.pop("git_commit", UNKNOWN)
    known["version"] = _read_version()
    known["packages"] = ", ".join(
        f"{name.removeprefix(_ENV)} {tags[name]}" for name in sorted(tags) if name.startswith(_ENV)
    )
    known["mmu_m2"] = f"{results.layers.mmu_m2:g}"
    begun = datetime.fromtimestamp(campaign.info.start_time / 1000, UTC)
    splits = [
        Split(name, **{part: tuple(ids) for part, ids in parts.items()})
        for name, parts in inputs.splits.items()
    ]
    created = begun.strftime("%Y-%m-%dT%H:%M:%SZ")
    return CampaignFacts(known["campaign"], created, known, margin, block_tiles, splits)


def _read_version() -> str:
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:  # run from a copy of the code that is not installed
        return UNKNOWN


def _read_vals(client: MlflowClient, results: Results) -> dict[str, np.ndarray]:
    """Return the histogram of val of each run by its id; foreign runs without val have none."""
    vals = {}
    for model in results.models:
        for one in model.runs:
            if VAL_AP in one.run.data.metrics:
                with open_artifact(client, one.run, "trial/val_counts.npy") as file:
                    vals[one.run.info.run_id] = read_counts(file)
    return vals
