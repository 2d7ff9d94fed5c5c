"""The definition of a baseline: what it reads, what is searched, and how it predicts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from data.splits import Split
from tuning.baselines.inputs import Inputs
from tuning.replay.measure import PredictTiles
from tuning.trial.folder import Config
from tuning.trial.search_space import Domain

NO_LEARNING, PER_PIXEL = "no learning", "per-pixel learning"
WINDOWS, LEAK_PROBE = "window learning", "leak probe"
PRETRAINED = "pretrained"  # on data from elsewhere; nothing is learnt here
RANGE_DB = 10.0  # a change of -10 dB counts as 0, of +10 dB as 1, no change as 0.5

Params = Mapping[str, Any]
BindInputs = Callable[[Inputs], PredictTiles]


@dataclass(frozen=True)
class Task:
    """A baseline's config with the data that it may read.

    Attributes:
        config: Result of :func:`tuning.baselines.baselines.make_baseline_config`.
        inputs: Its channels at its acquisitions.
        split: Its train tiles are used for fitting.
    """

    config: Config
    inputs: Inputs
    split: Split

    @property
    def params(self) -> Params:
        """The searched values."""
        params: Params = self.config["params"]
        return params


@dataclass(frozen=True)
class Baseline:
    """Definition of a baseline.

    Attributes:
        title: Name for tables and files.
        kind: ``no learning``, ``pretrained``, ``per-pixel learning``, ``window learning`` or ``leak probe``.
        description: One sentence for the report.
        channels: Channels that it reads where the campaign has them.
        make: Fits on train, if the baseline learns, and returns what makes the prediction function of any inputs.
        first: The searched values before any search: those of sample 0.
        space: Domain of each searched value; holds *first*.
        look: Width in px of the square around a pixel that its value depends on, by the searched values.
        constants: Further values that define it; copied into the config.
        always: Terrain channels that are part of the method, whatever the campaign's channels.
        describe: Returns further values of the config that are known only when it is made, such as a file's hash.
        dual: Whether it needs both polarisations of an orbit.
    """

    title: str
    kind: str
    description: str
    channels: tuple[str, ...]
    make: Callable[[Task], BindInputs] = field(hash=False)
    first: Params = field(hash=False)
    space: Mapping[str, Domain] = field(hash=False)
    look: Callable[[Params], int] = field(hash=False)
    constants: Params = field(hash=False, default_factory=dict)
    always: tuple[str, ...] = ()
    describe: Callable[[], Params] = field(hash=False, default=dict)
    dual: bool = False


def scale_change(change_db: np.ndarray) -> np.ndarray:
    """Scale a change in dB linearly to [0, 1], float32, so that it is scored like a probability; NaN is no change."""
    scaled: np.ndarray = np.clip(0.5 + np.nan_to_num(change_db, nan=0.0) / (2 * RANGE_DB), 0.0, 1.0)
    return scaled.astype(np.float32)
