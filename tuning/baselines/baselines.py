"""Baselines without a network, measured on the same tiles, splits and scores as the networks.

"No learning" scales a change of backscatter in dB to [0, 1]. "Per-pixel learning" fits scikit-learn models on the
features of :mod:`tuning.baselines.features`, so it sees 3 x 3 px and no shapes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from data.io.errors import unknown_name
from data.pack import Pack
from data.pack.channels import SAR_CHANNELS, choose_channels
from data.pack.log_ratio import average_change, measure_means
from data.splits import Split
from data.tiles import ORBITS, TILE_PX
from tuning.baselines.features import (
    FEATURES,
    WINDOW_PX,
    make_features,
    measure_pair,
    pick_channels,
    read_sample,
)
from tuning.train.evaluate import Bind, measure_predictions, measure_val
from tuning.trial.folder import Config, TrialFolder

NO_LEARNING, PER_PIXEL = "no learning", "per-pixel learning"
RANGE_DB = 10.0  # a change of -10 dB counts as 0, of +10 dB as 1, no change as 0.5

# Train pixels of a fit: one in fifteen of 184 tiles. Val average precision of the boosting on the twin (split blocks,
# 3 seeds) is 0.536 with half, 0.540 with these, 0.545 with twice as many, +-0.003; of the logistic regression 0.538
# with any of them. A fit including reading takes 2 to 5 s and less than 200 MB.
SAMPLE_PX = 200_000

# scikit-learn's defaults, untuned, spelled out so that a later release cannot change them (except `max_iter` of the
# regression, which needs about 20). No early stopping: its held-out pixels would be neighbours of train pixels.
LOGISTIC = {"C": 1.0, "max_iter": 1000}
BOOSTING = {"max_iter": 100, "learning_rate": 0.1, "max_leaf_nodes": 31, "min_samples_leaf": 20}


@dataclass(frozen=True)
class Baseline:
    """Definition of a baseline: the channels that it reads, if they are packed, and its constants."""

    title: str  # for tables and file names
    kind: str
    description: str
    channels: tuple[str, ...]
    constants: dict[str, Any] = field(hash=False)  # copied into the config


def _change_baseline(measure: str, polarisation: str, orbit: str = "") -> Baseline:
    """Return a baseline that is a change in dB."""
    orbits = [orbit] if orbit else ORBITS
    prefix, what = {
        "means": ("LogRatio", "mean after the event minus mean before"),
        "pair": ("BiLogRatio", "first acquisition after the event minus last one before"),
    }[measure]
    where = {"": "mean over the orbits", "s1asc": "ascending", "s1dsc": "descending"}[orbit]
    title = f"{prefix}{polarisation}" + orbit.replace("s1", "_")
    description = f"{polarisation} in dB, {what}, {where}"
    channels = tuple(f"{name}:{polarisation}" for name in orbits)
    constants = {"measure": measure, "range_db": RANGE_DB}
    return Baseline(title, NO_LEARNING, description, channels, constants)


def _learning_baseline(title: str, what: str, params: dict[str, Any]) -> Baseline:
    """Return a baseline that is fitted on train pixels."""
    constants = {"features": list(FEATURES), "window_px": WINDOW_PX, "sample_px": SAMPLE_PX}
    description = f"{what} on each pixel's temporal features"
    return Baseline(title, PER_PIXEL, description, SAR_CHANNELS, {**constants, "params": params})


BASELINES: dict[str, Baseline] = {
    "log_ratio_vv": _change_baseline("means", "VV"),
    "log_ratio_vh": _change_baseline("means", "VH"),
    "log_ratio_vv_asc": _change_baseline("means", "VV", "s1asc"),
    "log_ratio_vv_dsc": _change_baseline("means", "VV", "s1dsc"),
    "log_ratio_vh_asc": _change_baseline("means", "VH", "s1asc"),
    "log_ratio_vh_dsc": _change_baseline("means", "VH", "s1dsc"),
    "bi_log_ratio_vv": _change_baseline("pair", "VV"),
    "bi_log_ratio_vh": _change_baseline("pair", "VH"),
    "logistic_regression": _learning_baseline(
        "LogisticRegression", "logistic regression", LOGISTIC
    ),
    "gradient_boosting": _learning_baseline("GradientBoosting", "gradient-boosted trees", BOOSTING),
}
KIND = {key: baseline.kind for key, baseline in BASELINES.items()}
DESCRIPTION = {key: baseline.description for key, baseline in BASELINES.items()}


def get_baseline(key: str) -> Baseline:
    """Return the baseline *key*; raise ValueError if it is unknown."""
    if key not in BASELINES:
        raise ValueError(unknown_name("baseline", key, BASELINES))
    return BASELINES[key]


def baseline_title(key: str) -> str:
    """Return a baseline's name for tables and files, such as ``LogRatioVV``."""
    return get_baseline(key).title


def is_deterministic(key: str) -> bool:
    """Return whether a baseline gives the same result for every seed, so that one run suffices."""
    return get_baseline(key).kind == NO_LEARNING


def list_baselines(channels: Iterable[str]) -> list[str]:
    """Return the baselines that some data allow, in the order of ``BASELINES``.

    With a single orbit, the mean over the orbits equals that orbit's own baseline, which is then omitted.

    Args:
        channels: Names of channels or of modalities, such as ``s1asc:VV`` or ``s1asc``.

    Raises:
        ValueError: If a name is unknown, or none is of Sentinel-1.
    """
    available = set(choose_channels(channels))

    def is_useful(baseline: Baseline) -> bool:
        if len(baseline.channels) > 1:
            return bool(available.intersection(baseline.channels))
        polarisation = baseline.channels[0].split(":")[1]
        return available.issuperset(f"{orbit}:{polarisation}" for orbit in ORBITS)

    return [key for key, baseline in BASELINES.items() if is_useful(baseline)]


def make_baseline_config(
    key: str, split_name: str, data_hash: str, seed: int = 0, channels: Iterable[str] = SAR_CHANNELS
) -> Config:
    """Return the config of a baseline's run, with every constant that defines the baseline.

    Args:
        key: The baseline.
        split_name: Name of the split.
        data_hash: Hash of the pack.
        seed: Seed of the drawn train pixels; 0 for a baseline without learning.
        channels: Channels that may be read, the networks' input; those that are not packed are ignored.

    Raises:
        ValueError: If the baseline is unknown.
    """
    baseline, allowed = get_baseline(key), set(channels)
    return {
        "model": key,
        "channels": [name for name in baseline.channels if name in allowed],
        **baseline.constants,
        "seed": seed,
        "split": split_name,
        "data": data_hash,
    }


def make_predictor(config: Config, pack: Pack, split: Split) -> Bind:
    """Return a baseline, ready for any pack; one that learns is fitted on train, never on val or test.

    A change ranks pixels by the rise of backscatter, in VH as in VV. This assumes that landslides, which strip the
    forest, raise both; if they lower VH, the VH baselines score no better than chance.

    Args:
        config: Result of :func:`make_baseline_config`.
        pack: The packed tiles.
        split: Its train tiles are used for fitting.

    Returns:
        The probabilities of B tiles, shape ``(B, H, W)``, float32. Those of a change are scores: 0.5 is no change.

    Raises:
        ValueError: If the baseline is unknown, the pack has none of its channels, or train lacks
            landslides or background.
    """
    baseline, channels = get_baseline(config["model"]), pick_channels(pack, config["channels"])
    if not channels:
        got = f"{config['model']} with {' '.join(config['channels']) or 'no channel'}"
        raise ValueError(
            f"A baseline needs packed channels, but got {got} for a pack of "
            f"{' '.join(pack.modalities)}. Choose one of {', '.join(list_baselines(pack.modalities))}."
        )
    if baseline.kind == NO_LEARNING:
        measure = {"means": measure_means, "pair": measure_pair}[config["measure"]]
        return lambda p: lambda ids: scale_change(average_change(p, ids, channels, measure))
    model = _fit(config, pack, split, channels)

    def predict(source: Pack, tile_ids: Sequence[str]) -> np.ndarray:
        probs = np.empty((len(tile_ids), TILE_PX**2), np.float32)
        with threadpool_limits(1):
            for tile, out in zip(tile_ids, probs, strict=True):
                features = make_features(source, tile, channels).reshape(TILE_PX**2, -1)
                out[:] = model.predict_proba(features)[:, 1]
        return probs.reshape(-1, TILE_PX, TILE_PX)

    return lambda source: partial(predict, source)


def run_baseline(config: Config, pack: Pack, split: Split, folder: Path) -> TrialFolder:
    """Measure a baseline and write its results into a trial's *folder*, unless they exist already."""
    trial = TrialFolder(folder)
    if trial.read("end"):  # measured before the campaign was resumed
        return trial
    trial.write("config", config)
    bind = make_predictor(config, pack, split)
    measure_val(trial, pack, split, bind(pack))
    measure_predictions(trial, pack, split, bind)
    trial.end("last epoch", epoch=0)
    return trial


def scale_change(change_db: np.ndarray) -> np.ndarray:
    """Scale a change in dB linearly to [0, 1], so that it is scored like a probability."""
    scaled: np.ndarray = np.clip(0.5 + change_db / (2 * RANGE_DB), 0.0, 1.0)
    return scaled.astype(np.float32)


def _fit(config: Config, pack: Pack, split: Split, channels: tuple[str, ...]) -> Any:
    """Fit on a sample of train pixels."""
    features, labels = read_sample(pack, split.train, channels, config["sample_px"], config["seed"])
    if labels.all() or not labels.any():
        raise ValueError(
            "A learning baseline needs landslide and background pixels in train, but got "
            f"{labels.sum()} landslide pixels among {labels.size} of split {split.name!r}. "
            "Choose another split or more tiles."
        )
    with threadpool_limits(1):  # with more threads than free cores a fit takes ten times as long
        return _make_model(config).fit(features, labels)


def _make_model(config: Config) -> Any:
    """Return the unfitted model. It accepts NaN: imputed with the mean, or as a separate branch of the trees."""
    # Imported here because importing scikit-learn takes a second, and names and lists do not need it.
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    params = config["params"]
    if config["model"] == "gradient_boosting":
        params = params | {"early_stopping": False, "random_state": config["seed"]}
        return HistGradientBoostingClassifier(**params)
    fill = SimpleImputer(strategy="constant", fill_value=0.0)
    return make_pipeline(StandardScaler(), fill, LogisticRegression(**params))
