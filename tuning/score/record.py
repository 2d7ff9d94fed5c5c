"""Records foreign predictions as repeat runs, in the form of a baseline's: a trial's folder, sent to the tracker."""

import json
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from data.io.durable import building_folder, publish_folder
from tuning.metrics.summary import score_test
from tuning.score.read_predictions import Prediction
from tuning.score.target import Target
from tuning.settings.lock import lock_campaign
from tuning.tracking.campaign.saved import load_sender
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.sender import MLflowSender
from tuning.trial.entry import TrialEntry, write_entry
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.foreign.names import FOREIGN, foreign_title
from tuning.trial.foreign.provenance import LABELS, Provenance
from tuning.trial.search_space import make_key

IDENTITY = ("model", "origin", "seed", "split", "data", "predictions")  # entries that make a key


def describe_threshold(predictions: Sequence[Prediction]) -> str:
    """Return where the threshold of predictions comes from, as a param of their runs: ``val``, or the number given."""
    first = predictions[0]
    return "val" if first.val is not None else f"{first.threshold:g}"


def record_predictions(
    target: Target, key: str, predictions: Sequence[Prediction], stated: Provenance
) -> None:
    """Write a trial per seed and fold, and send them; the campaign's folder keeps them, so that a resume has them too.

    Args:
        target: The campaign.
        key: Key of the foreign predictions.
        predictions: Those that the campaign does not have yet.
        stated: Their provenance.

    Raises:
        ValueError: If another process runs the campaign.
        ConnectionError: If the tracker does not take them; the same command continues then.
    """
    with ExitStack() as stack:
        if (target.folder / "context.json").is_file():
            stack.enter_context(lock_campaign(target.folder))
            sender, trials = load_sender(target.folder), target.folder / "trials"
        else:  # the campaign ran on another machine, or its folder was deleted: the tracker has all that is needed
            sender = make_sender(target)
            trials = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "trials"
        paths = [_write_trial(target, key, one, stated, trials) for one in predictions]
        sent = sender.send_all(paths)
        if sent.unsent:
            raise ConnectionError(
                f"The tracker lacks {sent.unsent} of {len(paths)} runs ({sent.reason}). Give the same command again."
            )
        tracker = sender.tracker
        study = sender.open_study(key)
        tracker.describe(study, describe_row(key, stated))
        tracker.close(study, "FINISHED")


def make_sender(target: Target) -> MLflowSender:
    """Return a sender from what the campaign's runs say, without the campaign's folder."""
    tags = target.own.data.tags
    named = {
        field.name: tags[field.name] for field in fields(CampaignContext) if field.name in tags
    }
    inputs = target.own.inputs.dataset_inputs if target.own.inputs else []
    data = DataRecord(f"tiles of {target.name}", tags["data_hash"], "", {}, {})
    if inputs:
        known = inputs[0].dataset
        source = json.loads(known.source).get("uri", "")
        schema, profile = (json.loads(text or "{}") for text in (known.schema, known.profile))
        data = DataRecord(known.name, known.digest, source, schema, profile)
    return MLflowSender(target.root, CampaignContext(**named), data)


def describe_row(key: str, stated: Provenance) -> str:
    """Describe foreign predictions for MLflow's pages, in Markdown."""
    lines = [f"- {label}: {getattr(stated, name)}" for name, label in LABELS.items()]
    start = f"Probabilities that another program made, scored on the campaign's test tiles: {foreign_title(key)}."
    return "\n".join([start, "", *lines])


def _write_trial(
    target: Target, key: str, one: Prediction, stated: Provenance, trials: Path
) -> Path:
    """Write a trial's folder, whole or not at all; return its path."""
    config: Config = {
        "model": key,
        "origin": FOREIGN,
        "seed": one.seed,
        "split": one.fold,
        "data": target.own.data.tags["data_hash"],
        "predictions": one.digest,
        "threshold": describe_threshold([one]),
        "provenance": asdict(stated),
    }
    path = trials / make_key("repeat", {name: config[name] for name in IDENTITY})
    if path.is_dir():  # an earlier command wrote it, and could not send it
        return path
    with building_folder(trials.with_name(path.name)) as temporary:
        _fill(TrialFolder(temporary), config, one)
        trials.mkdir(parents=True, exist_ok=True)
        publish_folder(temporary, path)
    return path


def _fill(trial: TrialFolder, config: Config, one: Prediction) -> None:
    title = foreign_title(config["model"])
    name = f"{title} · {one.fold} · seed {one.seed}"
    began_ms = int(time.time() * 1000)
    stage = f"{FOREIGN}-{config['model'].partition(':')[2]}"
    entry = TrialEntry(stage, "repeat", one.seed + 1, began_ms, name, config, {}, False)
    write_entry(trial, entry)
    trial.write("config", config)
    if one.val is not None:
        trial.write_counts("val", one.val)
    trial.write_counts("test", one.counts)
    trial.write_arrays("test_probs", tile_ids=np.array(one.tile_ids), bins=one.bins)
    trial.write("test", score_test(one.counts, one.threshold, len(one.tile_ids)))
    trial.end("last epoch", epoch=0)
