"""Registration of each architecture's best run, and the page's section on the registered versions."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from data.io.safe_json import read_json, refused_error, show_value
from tuning.page.html import Section, Table, Text
from tuning.registry import aliases
from tuning.registry.comparable import explain_incomparable
from tuning.registry.model_card import GATE_TAG, describe_gate, make_tags
from tuning.registry.names import read_learnt_regions, registered_name, split_name
from tuning.registry.register import NotRegisteredError, apply_gate, register_version
from tuning.report.missing import read_reason
from tuning.report.ranking import Ranking
from tuning.report.results import ModelResult
from tuning.report.tables import score_published
from tuning.tracking.tracker import MODEL_ERROR

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Registered:
    """A version that a report registered.

    Attributes:
        title: The model's name in tables.
        name: Registered model.
        version: Number of the version; None if it was not registered.
        regions: The regions that it learnt from.
        split: The split or fold that it learnt from.
        aliases: Its aliases after the report, sorted.
        note: Why it has no alias, or why it was not compared; empty if there is nothing to say.
        gate: Result of its gate, with what was tested.
    """

    title: str
    name: str
    version: int | None
    regions: tuple[str, ...]
    split: str
    aliases: tuple[str, ...]
    note: str
    gate: str = "not run"


def register_models(
    client: MlflowClient, ranking: Ranking, table: pd.DataFrame, campaign_run: Run, folder: Path
) -> list[Registered]:
    """Register each architecture's chosen run, run its gate, and update the aliases.

    A version gets no alias but a warning if it fails its gate, or if its campaign has no ``gate.npz``. One that cannot be
    compared with the champion leaves the alias where it is (:mod:`tuning.registry.comparable`).

    Args:
        client: MLflow client.
        ranking: The campaign's models.
        table: Content of ``benchmark_master.csv``.
        campaign_run: The campaign's run, which holds ``gate.npz``.
        folder: The report's folder with ``splits.json``.

    Returns:
        The versions, one per architecture.

    Raises:
        ValueError: If a loaded model's output differs from its network's, or ``splits.json`` is malformed.
    """
    rows = {row["model"]: row for row in table.to_dict("records")}
    hashes = read_fold_hashes(folder / "splits.json")
    found: list[tuple[str, str, int, str]] = []
    left: list[Registered] = []
    for model in ranking.models:
        if model.is_baseline:
            continue
        row = describe_run(model, rows[model.title], hashes)
        try:
            if reason := read_reason(model.chosen.run, MODEL_ERROR):
                raise NotRegisteredError(f"It could not be exported: {reason} Its scores count.")
            regions = _read_regions(client, row["weights_path"])
            number = register_version(
                client, model.key, row["weights_path"], row["run_id"], make_tags(row, regions)
            )
        except NotRegisteredError as error:
            logger.warning("Not registered: %s. %s", model.title, error)
            left.append(_describe_left(model.title, row, str(error)))
            continue
        name = registered_name(model.key, regions)
        found.append((model.title, name, number, _promote(client, name, number, campaign_run)))
    best = aliases.update_best_alias(client)
    described = [
        _describe_version(client, title, client.get_model_version(name, str(number)), note, best)
        for title, name, number, note in found
    ]
    return [*described, *left]


def _read_regions(client: MlflowClient, uri: str) -> tuple[str, ...]:
    """Return the regions that a logged model learnt from.

    Raises:
        NotRegisteredError: If somebody deleted the model, or its run never had one.
    """
    try:
        if uri:
            return read_learnt_regions(client, uri)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
    raise NotRegisteredError(
        f"Its logged model {uri} is not in MLflow: somebody deleted it. Its scores count."
    )


def _describe_left(title: str, row: Mapping[str, Any], note: str) -> Registered:
    regions = tuple(str(row["regions"]).split())
    return Registered(title, "", None, regions, str(row["split"]), (), note)


def _promote(client: MlflowClient, name: str, number: int, campaign_run: Run) -> str:
    """Run a version's gate and let it compete for the aliases; return why it did not, or nothing."""
    try:
        version = apply_gate(client, name, number, campaign_run)
    except FileNotFoundError as error:
        logger.warning("Not promoted: %s version %s. %s", name, number, error)
        return str(error)
    note = ""
    logger.info("Gate of %s version %s: %s.", name, number, describe_gate(version.tags))
    if not aliases.has_passed_gate(version):
        note = f"Its gate {version.tags[GATE_TAG]}."
        logger.warning(
            "Not promoted: %s version %s: its gate %s.", name, number, version.tags[GATE_TAG]
        )
    aliases.update_aliases(client, version)
    return note


def _describe_version(
    client: MlflowClient,
    title: str,
    version: ModelVersion,
    note: str,
    best: Mapping[str, ModelVersion],
) -> Registered:
    """Describe a version after all aliases are set."""
    number, of = int(version.version), client.get_registered_model(version.name).aliases
    own = tuple(sorted(alias for alias, other in of.items() if int(other) == number))
    if aliases.CHAMPION not in own:
        note = note or version.tags.get(aliases.REFUSED, "")
    elif reason := _explain_not_best(version, best.get(split_name(version.name)[0])):
        logger.warning("Not compared for best: %s", reason)
        note = reason
    regions = tuple(version.tags["regions"].split())
    gate = describe_gate(version.tags)
    return Registered(title, version.name, number, regions, version.tags["split"], own, note, gate)


def _explain_not_best(version: ModelVersion, best: ModelVersion | None) -> str:
    """Return why a champion was not compared with the version that has the alias ``best``; nothing if it was."""
    reason = explain_incomparable(version, best) if best is not None else ""
    if best is None or best.name == version.name or not reason:
        return ""
    return f"{reason} The alias best stays with {best.name}, and moves with its champion."


def read_fold_hashes(file: Path) -> dict[str, str]:
    """Return the hash of each fold's tiles by the fold's name, from ``splits.json``; nothing without the file.

    Raises:
        ValueError: If the file does not have the format of :mod:`data.splits.audit`.
    """
    if not file.is_file():
        return {}
    document = read_json(file)
    try:
        return {str(split["name"]): str(split["hash"]) for split in document["splits"]}
    except (KeyError, TypeError) as error:
        rule = "The audit of splits must have the format of `data.splits.audit`"
        raise refused_error(rule, show_value(error), file) from error


def describe_run(
    model: ModelResult, row: Mapping[str, Any], hashes: Mapping[str, str]
) -> dict[str, Any]:
    """Return the row from which a version's tags are made: with several folds, that of the run's own fold.

    Val average precision and the scores of one run are then of the fold that the run learnt from; the test average
    precision over seeds and its interval stay those of the campaign, over all folds.

    Args:
        model: The model.
        row: Its row of ``benchmark_master.csv``.
        hashes: Hash of each fold, by name.
    """
    run, first = model.chosen, [runs[0] for runs in model.by_seed]
    if len(model.by_seed[0]) == 1:
        return dict(row)
    return {
        **row,
        **score_published(model, [run]),
        "split": run.fold,
        "split_hash": hashes.get(run.fold, row["split_hash"]),
        "val_pr_auc_mean": float(np.mean([one.val_pr_auc for one in first])),
    }


def build_models_section(registered: Sequence[Registered]) -> Section:
    """Build the section on the registered versions: what they learnt from, their aliases, and why one has none."""
    if not registered:
        return Section("Registered models", [Text("This campaign has no network to register.")])
    rows = [
        [
            one.title,
            f"{one.name} version {one.version}" if one.version else "not registered",
            one.split,
            ", ".join(one.regions),
            ", ".join(one.aliases) or "none",
            one.gate,
            one.note,
        ]
        for one in registered
    ]
    columns = ["model", "version", "split", "regions", "aliases", "gate", "note"]
    return Section(
        "Registered models",
        [
            Table(
                columns,
                rows,
                "Registered version of each network",
                "Split and regions are those that a version learnt from. A version competes for the alias `champion` only with versions of the same data, split, channels, "
                "acquisitions and regions.",
            )
        ],
    )
