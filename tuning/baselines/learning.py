"""Baselines that learn from train pixels: logistic regression and gradient-boosted trees of scikit-learn."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from data.pack.channels import MAPS, SAR_CHANNELS
from data.tiles import TILE_PX
from tuning.baselines.change import predict_maps
from tuning.baselines.definition import PER_PIXEL, WINDOWS, Baseline, BindInputs, Params, Task
from tuning.baselines.features import FEATURES, WINDOW_PX, make_features, name_features
from tuning.baselines.inputs import Inputs
from tuning.baselines.train_pixels import FeatureSet, Sample, check_labels, read_sample
from tuning.baselines.window_features import (
    WIDTHS,
    make_window_features,
    name_window_features,
    width_of,
)
from tuning.trial.search_space import Domain, LogUniform

# Most train pixels of a fit: one in fifteen of 184 tiles. Twice as many raised val average precision of boosting on the
# twin by 0.005, that of the logistic regression by nothing.
SAMPLE_PX = 200_000
# No early stopping: its held-out pixels would be neighbours of train pixels.
FIXED = {
    "logistic": {"max_iter": 1000},  # needs about 20
    "boosting": {"early_stopping": False},
}
PIXELS = FeatureSet("pixels", make_features, lambda inputs: name_features(inputs.channels))
AROUND = FeatureSet("windows", make_window_features, name_window_features)
FEATURE_SETS = {features.key: features for features in (PIXELS, AROUND)}


def make_learned(task: Task) -> BindInputs:
    """Fit on a sample of train pixels; return the model, ready for any inputs. Its values are probabilities.

    Raises:
        ValueError: If train lacks landslides or background.
    """
    features = FEATURE_SETS[task.config["features"]]
    used = _choose_columns(features.name(task.inputs), task.params)
    sample = read_sample(
        task.inputs, features, task.split.train, task.config["drawn_px"], task.config["seed"]
    )
    model = _fit(task, sample, used)

    def predict(inputs: Inputs, tile: str) -> np.ndarray:
        make = partial(features.make, inputs, tile)
        values = inputs.remember_tile(features.key, tile, make).reshape(TILE_PX**2, -1)
        # One feature after the other in memory, as the trees read them: this takes half of the time.
        ordered = values[:, used].astype(np.float64, order="F")
        probs: np.ndarray = model.predict_proba(ordered)[:, 1]
        return probs.reshape(TILE_PX, TILE_PX)

    return predict_maps(predict, threads=1)


def _choose_columns(names: Sequence[str], params: Params) -> np.ndarray:
    """Return which features are used: those of the widest window and of narrower ones."""
    widest = params.get("widest_px", max(WIDTHS))
    return np.flatnonzero([width_of(name) <= widest for name in names])


def _fit(task: Task, sample: Sample, used: np.ndarray) -> Any:
    count = task.params["sample_px"]
    features, labels = sample.features[:count, used], sample.labels[:count]
    check_labels(labels, task.split)
    with threadpool_limits(1):  # with more threads than free cores a fit takes ten times as long
        return _make_model(task.config).fit(features, labels)


def _make_model(config: Mapping[str, Any]) -> Any:
    """Return the unfitted model. It accepts NaN: imputed with the mean, or as a separate branch of the trees."""
    # Imported here because importing scikit-learn takes a second, and names and lists do not need it.
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    own = {k: v for k, v in config["params"].items() if k not in ("sample_px", "widest_px")}
    params = own | config["fixed"]
    if config["learner"] == "boosting":
        return HistGradientBoostingClassifier(**params, random_state=config["seed"])
    fill = SimpleImputer(strategy="constant", fill_value=0.0)
    return make_pipeline(StandardScaler(), fill, LogisticRegression(**params))


def _constants(learner: str, features: FeatureSet, drawn_px: int) -> dict[str, Any]:
    return {
        "learner": learner,
        "features": features.key,
        "drawn_px": drawn_px,
        "names": list(FEATURES),
        "fixed": FIXED[learner],
    }


def _boosting_space(sizes: Sequence[int]) -> dict[str, Domain]:
    return {
        "learning_rate": LogUniform(0.03, 0.3),
        # More trees of a lower rate gain little, and take their time on each tile.
        "max_iter": [50, 100, 150],
        "max_leaf_nodes": [7, 15, 31],
        "min_samples_leaf": [20, 50, 100, 200, 500],
        "sample_px": list(sizes),
    }


# scikit-learn's defaults, spelled out so that a later release cannot change them.
BOOSTING = {
    "learning_rate": 0.1,
    "max_iter": 100,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 20,
    "sample_px": SAMPLE_PX,
}

LOGISTIC_REGRESSION = Baseline(
    title="LogisticRegression",
    kind=PER_PIXEL,
    description="logistic regression on each pixel's temporal features",
    channels=SAR_CHANNELS,
    make=make_learned,
    first={"C": 1.0, "sample_px": SAMPLE_PX},
    space={"C": LogUniform(1e-4, 1e2), "sample_px": [50_000, 100_000, 200_000]},
    look=lambda params: WINDOW_PX,
    constants=_constants("logistic", PIXELS, SAMPLE_PX),
)
GRADIENT_BOOSTING = Baseline(
    title="GradientBoosting",
    kind=PER_PIXEL,
    description="gradient-boosted trees on each pixel's temporal features",
    channels=SAR_CHANNELS,
    make=make_learned,
    first=BOOSTING,
    space=_boosting_space([50_000, 100_000, 200_000]),
    look=lambda params: WINDOW_PX,
    constants=_constants("boosting", PIXELS, SAMPLE_PX),
)
GRADIENT_BOOSTING_WINDOWS = Baseline(
    title="GradientBoostingWindows",
    kind=WINDOWS,
    description="gradient-boosted trees on each pixel's temporal features and their means and spreads in windows of "
    f"{WIDTHS[0]} to {WIDTHS[-1]} px; height and slope where the campaign reads them",
    channels=(*SAR_CHANNELS, *MAPS),
    make=make_learned,
    first=BOOSTING | {"min_samples_leaf": 100, "sample_px": 100_000, "widest_px": 31},
    space=_boosting_space([50_000, 100_000]) | {"widest_px": list(WIDTHS[1:])},
    look=lambda params: int(params["widest_px"]),
    constants=_constants("boosting", AROUND, SAMPLE_PX // 2),  # with twice the features of a pixel
)
