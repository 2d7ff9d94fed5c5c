"""A campaign in MLflow, logged by the platform's own code, with predictions that need no training.

Every repeat trial and search trial of a network is complete: config, history, checkpoint of untrained weights, exported
model, histograms, and for repeats each test tile's probabilities: the change over the event, sharpened, plus noise by
seed. Baselines use the same kind of probabilities instead of their own.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _turns import NETWORKS
from mlflow.entities import Metric
from scipy.ndimage import gaussian_filter

from data.pack import Pack
from data.pack.channels import SAR_CHANNELS
from data.pack.log_ratio import log_ratio
from data.pack.normalisation import make_normalisation
from data.splits import Split, list_folds, make_split
from tuning.baselines.baselines import is_deterministic, make_baseline_config
from tuning.metrics.curve import choose_threshold
from tuning.metrics.scores import score_at
from tuning.registry.gate_file import write_gate_tiles
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import write_reference_layers, write_split_audit
from tuning.report.write_report import EXCLUDED_FILE, SUSPICIOUS_FILE
from tuning.settings.presets import SEEDS, get_preset
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.tracker import Tracker
from tuning.train.checkpoints import make_model
from tuning.train.environment import describe_environment
from tuning.train.evaluate import PredictTiles, measure_predictions, measure_val
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.search_space import compose, first_sample, make_key, make_space

EPOCHS = 5  # of a search trial, as in the preset quick
METRICS = 40  # of a search trial; the platform's own are filled up to it
SHARPNESS, SPREAD = 12.0, 1.0  # of the logits: per unit of scaled change, and of their noise


@dataclass(frozen=True)
class Logged:
    """A campaign's runs.

    Attributes:
        name: The campaign.
        skeleton: Ids of campaign, studies and repeat trials.
        searches: Id of a search trial by network.
    """

    name: str
    skeleton: tuple[str, ...]
    searches: Mapping[str, str]


def log_campaign(
    root: Path, name: str, pack: Pack, split: str, seeds: int, baselines: Sequence[str] = ()
) -> Logged:
    """Log a campaign of all networks: *seeds* repeats on every fold, and one search trial of each."""
    splits = [make_split(fold, pack.surveys()) for fold in list_folds(split, pack.regions)]
    tracker = Tracker(root, _make_context(name, pack, split, splits))
    files = root / "trials" / name
    models = [*NETWORKS, *baselines]
    plan = {
        model: list(product(splits, (0,) if _runs_once(model) else SEEDS[:seeds]))
        for model in models
    }
    campaign = _open_campaign(tracker, pack, splits, split, files, plan)
    ids, searches = [campaign], {}
    for model in models:
        study = tracker.open_run("study", f"study/{model}", model, campaign, {"study": model})
        ids.append(study)
        for fold, seed in plan[model]:
            ids.append(_log_trial(tracker, study, "repeat", model, seed, pack, fold, files))
        if model in NETWORKS:
            run_id = _log_trial(tracker, study, "search", model, 42, pack, splits[0], files)
            searches[model] = run_id
            _fill_up(tracker, run_id)
        tracker.close(study, "FINISHED")
    tracker.close(campaign, "FINISHED")
    return Logged(name, tuple(ids), searches)


def _runs_once(model: str) -> bool:
    return model not in NETWORKS and is_deterministic(model)


def _make_context(name: str, pack: Pack, split: str, splits: Sequence[Split]) -> CampaignContext:
    channels = " ".join(SAR_CHANNELS)
    text = (splits[0].hash, pack.hash, "synthetic", channels, "4 even", "unknown")
    return CampaignContext(name, "quick", split, *text)


def _open_campaign(
    tracker: Tracker,
    pack: Pack,
    splits: Sequence[Split],
    split: str,
    files: Path,
    plan: Mapping[str, Sequence[Any]],
) -> str:
    expected = json.dumps({model: len(trials) for model, trials in plan.items()})
    run_id = tracker.open_run(
        "campaign", "campaign", tracker.context.campaign, tags={EXPECTED_RUNS_TAG: expected}
    )
    for name in (EXCLUDED_FILE, SUSPICIOUS_FILE):
        tracker.client.log_dict(run_id, {}, name)
    files.mkdir(parents=True)
    test = sorted({tile for one in splits for tile in one.test})
    preset = get_preset("quick")
    for file in (
        write_reference_layers(pack, test, files),
        *write_gate_tiles(pack, splits[0].val, SAR_CHANNELS, preset.timesteps, "even", files),
        *write_split_audit(pack, splits, split, files),
    ):
        tracker.client.log_artifact(run_id, str(file))
    return run_id


def _make_config(model: str, seed: int, pack: Pack, split: Split) -> Config:
    preset = get_preset("quick")
    if model not in NETWORKS:
        reads = {"steps": "even", "timesteps": preset.timesteps}
        return make_baseline_config(model, split.name, pack.hash, seed, **reads)
    fixed = {
        "model": model,
        "channels": list(SAR_CHANNELS),
        "timesteps": preset.timesteps,
        "steps": "even",
        "norm": "train",
        "batch_size": preset.batch_size,
        "clip": 1.0,
        "augment": {"turn": 1},
        "epochs": EPOCHS,
        "patience": preset.patience,
        "seed": seed,
        "split": split.name,
        "data": pack.hash,
    }
    return compose(first_sample(model, make_space(model, preset.narrow)), fixed)


def _log_trial(
    tracker: Tracker,
    study: str,
    stage: str,
    model: str,
    seed: int,
    pack: Pack,
    split: Split,
    files: Path,
) -> str:
    """Log a trial like a finished one; return its run."""
    config = _make_config(model, seed, pack, split)
    key = make_key(stage, config)
    tags = {"study": model, "stage": stage, "seed": str(seed), "fold": split.name, "number": "1"}
    name = f"{model} · {stage} · {split.name} · seed {seed} · {key[:6]}"
    run_id = tracker.open_run("trial", key, name, study, tags, config)
    trial_folder = TrialFolder(files / key)
    trial_folder.write("config", config)
    bind = partial(_make_predict, place=sorted([*NETWORKS, model]).index(model), seed=seed)
    measure_val(trial_folder, pack, split, bind(pack))
    if stage == "repeat":
        measure_predictions(trial_folder, pack, split, bind)
    if model in NETWORKS:
        _write_training(trial_folder, config, pack, split)
        if "/" in split.name and not split.name.endswith("/1"):
            trial_folder.best.unlink()  # only a model of the first fold is registered
    trial_folder.write("environment", describe_environment(torch.device("cpu")))
    trial_folder.write("end", {"reason": "last epoch", "epoch": EPOCHS})
    tracker.finish(run_id, trial_folder, "last epoch")
    return run_id


def _make_predict(pack: Pack, place: int, seed: int) -> PredictTiles:
    """Return a function of tile ids; the networks' noise differs a little by their *place*."""

    def predict(tile_ids: Sequence[str]) -> np.ndarray:
        rng = np.random.default_rng([seed, *map(int, pack.rows(tile_ids))])
        change = log_ratio(pack, tile_ids)
        noise = gaussian_filter(rng.standard_normal(change.shape), (0, 1.5, 1.5)) * 5.0  # std 1
        smooth = gaussian_filter(change, (0, 1.0, 1.0)) / 10.0
        logits = SHARPNESS * (smooth - 0.3) + SPREAD * (1 + 0.1 * place) * noise
        return (1 / (1 + np.exp(-logits))).astype(np.float32)

    return predict


def _write_training(trial_folder: TrialFolder, config: Config, pack: Pack, split: Split) -> None:
    """Write the files of a training: history, cost, and a checkpoint of untrained weights."""
    counts = trial_folder.counts("val")
    if counts is None:
        raise ValueError(f"A trial must have val counts, but {trial_folder.path} has none.")
    torch.manual_seed(config["seed"])
    model, norm = (
        make_model(config),
        make_normalisation("train", pack, split.train, config["channels"]),
    )
    content = {"model": model.state_dict(), "config": config, "norm": asdict(norm)}
    content |= {"epoch": EPOCHS, "threshold": choose_threshold(counts)}
    torch.save(content, trial_folder.best)
    trial_folder.rewrite_history(list(_make_rows(config, score_at(counts, 0.5))))
    cost = {"parameters": sum(weights.numel() for weights in model.parameters())}
    hours = {"cpu_hours": 0.1, "gpu_hours": 0.0, "peak_memory_mb": 700.0}
    trial_folder.write("cost", cost | hours | {"peak_gpu_memory_mb": 0.0})


def _make_rows(config: Config, scores: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    began = int(time.time() * 1000)
    for epoch in range(1, EPOCHS + 1):
        share = epoch / EPOCHS
        row: dict[str, Any] = {"epoch": epoch, "lr": config["lr"], "seconds": 20.0, "stale": 0}
        row |= {"time_ms": began + 20_000 * epoch, "best/val_pr_auc": 0.6 * share}
        for part in ("train", "val"):
            row |= {f"{part}_loss": 1 - 0.5 * share, f"{part}_pr_auc": 0.6 * share}
            row |= {f"{part}_{name}": scores[of] * share for name, of in _OVERLAPS}
        yield row | {"system": {"cpu_utilization_percentage": 50.0}}


_OVERLAPS = (("dice", "f1_dice"), ("iou", "iou"))


def _fill_up(tracker: Tracker, run_id: str) -> None:
    """Log machine metrics until a search trial has ``METRICS`` metrics."""
    lacking = METRICS - len(tracker.client.get_run(run_id).data.metrics)
    now = int(time.time() * 1000)
    metrics = [
        Metric(f"system/metric_{number:02d}", float(number), now + step, step)
        for number, step in product(range(lacking), range(EPOCHS))
    ]
    tracker.client.log_batch(run_id, metrics=metrics)
