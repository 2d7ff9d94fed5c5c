"""The baselines: methods without a network, measured on the same tiles, acquisitions, splits and scores as the networks.

Each entry of ``BASELINES`` is defined in a module of its own; a new one needs a definition and an entry here.
"""

from collections.abc import Iterable

from data.io.errors import unknown_name
from data.pack.channels import SAR_CHANNELS, check_steps, choose_channels
from data.tiles import ACQUISITIONS, ORBITS
from tuning.baselines.change import define_change
from tuning.baselines.cusum import CUSUM
from tuning.baselines.definition import NO_LEARNING, PRETRAINED, Baseline, Params
from tuning.baselines.deviation.dist_s1 import DIST_S1
from tuning.baselines.deviation.mahalanobis import MAHALANOBIS
from tuning.baselines.inputs import list_dual_orbits
from tuning.baselines.learning import (
    GRADIENT_BOOSTING,
    GRADIENT_BOOSTING_WINDOWS,
    LOGISTIC_REGRESSION,
)
from tuning.baselines.stacked import STACKED
from tuning.baselines.tile_means import TILE_MEANS
from tuning.trial.folder import Config

BASELINES: dict[str, Baseline] = {
    "log_ratio_vv": define_change("means", "VV"),
    "log_ratio_vh": define_change("means", "VH"),
    "log_ratio_vv_asc": define_change("means", "VV", "s1asc"),
    "log_ratio_vv_dsc": define_change("means", "VV", "s1dsc"),
    "log_ratio_vh_asc": define_change("means", "VH", "s1asc"),
    "log_ratio_vh_dsc": define_change("means", "VH", "s1dsc"),
    "bi_log_ratio_vv": define_change("pair", "VV"),
    "bi_log_ratio_vh": define_change("pair", "VH"),
    "stacked_log_ratio": STACKED,
    "cusum": CUSUM,
    "mahalanobis": MAHALANOBIS,
    "dist_s1": DIST_S1,
    "logistic_regression": LOGISTIC_REGRESSION,
    "gradient_boosting": GRADIENT_BOOSTING,
    "gradient_boosting_windows": GRADIENT_BOOSTING_WINDOWS,
    "tile_means": TILE_MEANS,
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
    return get_baseline(key).kind in (NO_LEARNING, PRETRAINED)


def list_baselines(channels: Iterable[str]) -> list[str]:
    """Return the baselines that some data allow, in the order of ``BASELINES``.

    With a single orbit, the mean over the orbits equals that orbit's own baseline, which is then omitted. So is a baseline
    that needs both polarisations where no orbit has them.

    Args:
        channels: Names of channels or of modalities, such as ``s1asc:VV`` or ``s1asc``.

    Raises:
        ValueError: If a name is unknown, or none is of Sentinel-1.
    """
    available = set(choose_channels(channels))

    def is_useful(baseline: Baseline) -> bool:
        if baseline.dual:
            return bool(list_dual_orbits(available))
        if len(baseline.channels) > 1:
            return bool(available.intersection(baseline.channels).intersection(SAR_CHANNELS))
        polarisation = baseline.channels[0].split(":")[1]
        return available.issuperset(f"{orbit}:{polarisation}" for orbit in ORBITS)

    return [key for key, baseline in BASELINES.items() if is_useful(baseline)]


def make_baseline_config(
    key: str,
    split_name: str,
    data_hash: str,
    seed: int = 0,
    channels: Iterable[str] = SAR_CHANNELS,
    *,
    steps: str = "all",
    timesteps: int = ACQUISITIONS,
    params: Params | None = None,
    search_trials: int = 1,
) -> Config:
    """Return the config of a baseline's run, with every value that defines the baseline and what it reads.

    Args:
        key: The baseline.
        split_name: Name of the split.
        data_hash: Hash of the pack.
        seed: Seed of the drawn train pixels; 0 for a baseline without learning.
        channels: Channels that may be read, the networks' input; those that are not packed are ignored.
        steps: Choice of the acquisitions: ``even``, ``event`` or ``all``.
        timesteps: Number of acquisitions.
        params: The searched values; those of sample 0 if None.
        search_trials: Number of samples that the search has tried.

    Raises:
        ValueError: If the baseline is unknown, or as :func:`data.pack.channels.check_steps`.
    """
    check_steps(steps, timesteps)
    baseline, allowed = get_baseline(key), set(channels)
    allowed.update(baseline.always)
    chosen = dict(baseline.first if params is None else params)
    return {
        "model": key,
        "channels": [name for name in (*baseline.channels, *baseline.always) if name in allowed],
        "steps": steps,
        "timesteps": timesteps,
        **baseline.constants,
        **baseline.describe(),
        "params": chosen,
        "context_px": baseline.look(chosen),
        "search_trials": search_trials,
        "seed": seed,
        "split": split_name,
        "data": data_hash,
    }
