"""Baselines without a network: the change of backscatter itself, and learning on each pixel's series.

They answer on the same tiles, split and scores as the networks. "No learning" scales a change in dB to [0, 1];
"per-pixel learning" fits scikit-learn on the features of :mod:`tuning.baselines.features`, so it sees 3 x 3 px and no shape.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from data.io.errors import unknown_name
from data.pack import Pack
from data.pack.channels import SAR_CHANNELS, choose_channels
from data.splits import Split
from data.tiles import ORBITS, TILE_PX
from tuning.baselines.features import (
    FEATURES,
    WINDOW_PX,
    average_change,
    make_features,
    measure_means,
    measure_pair,
    pick_channels,
    read_sample,
)
from tuning.train.evaluate import Predict, measure_predictions, measure_val
from tuning.trial.folder import Config, TrialFolder

NO_LEARNING, PER_PIXEL = "no learning", "per-pixel learning"
RANGE_DB = 10.0  # a change of -10 dB counts as 0, of +10 dB as 1, no change as 0.5

# Train pixels of a fit, one in fifteen of 184 tiles. Val average precision of the boosting on the twin (split blocks,
# 3 seeds) is 0.536 with half, 0.540 with these, 0.545 with twice as many, +-0.003; of the logistic regression 0.538
# with any of them. A fit, reading included, takes 2 to 5 s and less than 200 MB.
SAMPLE_PX = 200_000

# scikit-learn's defaults, untuned, written out so that a later release cannot change them (but `max_iter` of the
# regression, which needs about 20). No early stopping: it would set aside pixels whose neighbours are among the rest.
LOGISTIC = {"C": 1.0, "max_iter": 1000}
BOOSTING = {"max_iter": 100, "learning_rate": 0.1, "max_leaf_nodes": 31, "min_samples_leaf": 20}


@dataclass(frozen=True)
class Baseline:
    """What defines a baseline: the channels that it reads where they are packed, and constants."""

    title: str  # for tables and file names
    kind: str
    description: str
    channels: tuple[str, ...]
    constants: dict[str, Any] = field(hash=False)  # go into the config as they are


def _compare(measure: str, polarisation: str, orbit: str = "") -> Baseline:
    """Define a baseline that is a change in dB."""
    orbits = [orbit] if orbit else ORBITS
    name, what = {
        "means": ("LogRatio", "mean after the event minus mean before"),
        "pair": ("BiLogRatio", "first acquisition after the event minus last one before"),
    }[measure]
    where = {"": "mean over the orbits", "s1asc": "ascending", "s1dsc": "descending"}[orbit]
    title = f"{name}{polarisation}" + orbit.replace("s1", "_")
    description = f"{polarisation} in dB, {what}, {where}"
    channels = tuple(f"{one}:{polarisation}" for one in orbits)
    constants = {"measure": measure, "range_db": RANGE_DB}
    return Baseline(title, NO_LEARNING, description, channels, constants)


def _learn(title: str, what: str, params: dict[str, Any]) -> Baseline:
    """Define a baseline that is fitted on train pixels."""
    constants = {"features": list(FEATURES), "window_px": WINDOW_PX, "sample_px": SAMPLE_PX}
    description = f"{what} on each pixel's temporal features"
    return Baseline(title, PER_PIXEL, description, SAR_CHANNELS, {**constants, "params": params})


BASELINES: dict[str, Baseline] = {
    "log_ratio_vv": _compare("means", "VV"),
    "log_ratio_vh": _compare("means", "VH"),
    "log_ratio_vv_asc": _compare("means", "VV", "s1asc"),
    "log_ratio_vv_dsc": _compare("means", "VV", "s1dsc"),
    "log_ratio_vh_asc": _compare("means", "VH", "s1asc"),
    "log_ratio_vh_dsc": _compare("means", "VH", "s1dsc"),
    "bi_log_ratio_vv": _compare("pair", "VV"),
    "bi_log_ratio_vh": _compare("pair", "VH"),
    "logistic_regression": _learn("LogisticRegression", "logistic regression", LOGISTIC),
    "gradient_boosting": _learn("GradientBoosting", "gradient-boosted trees", BOOSTING),
}
KIND = {key: baseline.kind for key, baseline in BASELINES.items()}
DESCRIPTION = {key: baseline.description for key, baseline in BASELINES.items()}


def get_baseline(key: str) -> Baseline:
    """Return the baseline *key*; raise ValueError if there is none of that name."""
    if key not in BASELINES:
        raise ValueError(unknown_name("baseline", key, BASELINES))
    return BASELINES[key]


def baseline_title(key: str) -> str:
    """Return a baseline's name for tables and files, such as ``LogRatioVV``."""
    return get_baseline(key).title


def is_deterministic(key: str) -> bool:
    """Say whether a baseline gives the same numbers for every seed, so that one run is all there is."""
    return get_baseline(key).kind == NO_LEARNING


def list_baselines(channels: Iterable[str]) -> list[str]:
    """List the baselines that some data allow, in the order of the table.

    With one orbit, the mean over the orbits is that orbit's own: no second baseline says so again.

    Args:
        channels: Names of channels or of modalities, such as ``s1asc:VV`` or ``s1asc``.

    Raises:
        ValueError: If a name is unknown, or none is of Sentinel-1.
    """
    there = set(choose_channels(channels))

    def is_worth_it(baseline: Baseline) -> bool:
        if len(baseline.channels) > 1:
            return bool(there.intersection(baseline.channels))
        polarisation = baseline.channels[0].split(":")[1]
        return there.issuperset(f"{orbit}:{polarisation}" for orbit in ORBITS)

    return [key for key, baseline in BASELINES.items() if is_worth_it(baseline)]


def make_baseline_config(
    key: str, split_name: str, data_hash: str, seed: int = 0, channels: Iterable[str] = SAR_CHANNELS
) -> Config:
    """Return what identifies a baseline's run, with every constant that defines it.

    Args:
        key: The baseline.
        split_name: Name of the split.
        data_hash: Hash of the pack.
        seed: Draws the train pixels; 0 for a baseline that is the same for every seed.
        channels: What may be read, the networks' input; what the pack lacks is left out later.

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


def make_predictor(config: Config, pack: Pack, split: Split) -> Predict:
    """Make a baseline ready, which fits it on train if it learns; val and test are never read for it.

    A change ranks by its rise, in VH as in VV. That assumes that landslides, which strip the forest,
    raise both; where they lower VH, its baselines score no better than chance.

    Args:
        config: Of :func:`make_baseline_config`.
        pack: The packed tiles.
        split: Whose train part is learnt from.

    Returns:
        A function of B tile ids that returns probabilities, shape ``(B, H, W)``, float32, in [0, 1].
        Those of a change are no probabilities but ranks: 0.5 is no change, 1 a rise by ``RANGE_DB``.

    Raises:
        ValueError: If the baseline is unknown, the pack has none of its channels, or train lacks
            landslides or background.
    """
    baseline, channels = get_baseline(config["model"]), pick_channels(pack, config["channels"])
    if not channels:
        got = f"{config['model']} with {' '.join(config['channels']) or 'no channel'}"
        raise ValueError(
            f"A baseline reads channels that are packed, but got {got} for a pack of "
            f"{' '.join(pack.modalities)}. Choose one of {', '.join(list_baselines(pack.modalities))}."
        )
    if baseline.kind == NO_LEARNING:
        measure = {"means": measure_means, "pair": measure_pair}[config["measure"]]
        return lambda ids: scale_change(average_change(pack, ids, channels, measure))
    model = _fit(config, pack, split, channels)

    def predict(tile_ids: Sequence[str]) -> np.ndarray:
        probs = np.empty((len(tile_ids), TILE_PX**2), np.float32)
        with threadpool_limits(1):
            for tile, out in zip(tile_ids, probs, strict=True):
                features = make_features(pack, tile, channels).reshape(TILE_PX**2, -1)
                out[:] = model.predict_proba(features)[:, 1]
        return probs.reshape(-1, TILE_PX, TILE_PX)

    return predict


def run_baseline(config: Config, pack: Pack, split: Split, folder: Path) -> TrialFolder:
    """Measure a baseline into a trial's *folder* as the networks are, unless it is there already."""
    journal = TrialFolder(folder)
    if journal.read("end"):  # of a campaign that is continued
        return journal
    journal.write("config", config)
    predict = make_predictor(config, pack, split)
    measure_val(journal, pack, split, predict)
    measure_predictions(journal, pack, split, predict)
    journal.end("last epoch", epoch=0)
    return journal


def scale_change(change_db: np.ndarray) -> np.ndarray:
    """Map a change in dB linearly to [0, 1], so that it is counted like a probability."""
    scaled: np.ndarray = np.clip(0.5 + change_db / (2 * RANGE_DB), 0.0, 1.0)
    return scaled.astype(np.float32)


def _fit(config: Config, pack: Pack, split: Split, channels: tuple[str, ...]) -> Any:
    """Fit on a sample of train pixels."""
    seed, size = config["seed"], config["sample_px"]
    features, labels = read_sample(pack, split.train, channels, size, seed)
    if labels.all() or not labels.any():
        raise ValueError(
            "A baseline that learns needs pixels of landslides and of background in train, but got "
            f"{labels.sum()} of landslides among {labels.size} of split {split.name!r}. "
            "Choose another split or more tiles."
        )
    with threadpool_limits(1):  # with more threads than free cores a fit takes ten times as long
        return _make_model(config).fit(features, labels)


def _make_model(config: Config) -> Any:
    """Make the unfitted model; each takes NaN, as the mean or as a branch of its own."""
    # Imported here: titles and lists need no scikit-learn, which takes a second.
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    params = config["params"]
    if config["model"] == "gradient_boosting":
        seed = config["seed"]
        return HistGradientBoostingClassifier(**params, early_stopping=False, random_state=seed)
    fill = SimpleImputer(strategy="constant", fill_value=0.0)
    return make_pipeline(StandardScaler(), fill, LogisticRegression(**params))
