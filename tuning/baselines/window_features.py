"""Features of a pixel and of square windows around it, for boosted trees that see a landslide's surroundings.

To the features of :mod:`tuning.baselines.features` come, for each channel and each width of ``WIDTHS``, the mean and the
spread of the change inside the window; then the chosen terrain channels. Further means (of the pair and of the level
after the event) raised val average precision on the twin by 0.007 (split blocks, 4 dates), and the time by half.
"""

import numpy as np

from tuning.baselines.features import FEATURES, compute_features, stack_maps
from tuning.baselines.inputs import Inputs
from tuning.baselines.windows import average_window, spread_window

WIDTHS = (3, 7, 15, 31)  # px: 30 to 310 m
WINDOW_FEATURES = ("change", "spread")


def name_window_features(inputs: Inputs) -> tuple[str, ...]:
    """Return the names of the features in order, such as ``s1asc:VV change 15 px``."""
    names = [f"{channel} {name}" for channel in inputs.channels for name in FEATURES]
    names += [
        f"{channel} {name} {width} px"
        for channel in inputs.channels
        for width in WIDTHS
        for name in WINDOW_FEATURES
    ]
    return (*names, *inputs.maps)


def make_window_features(inputs: Inputs, tile_id: str) -> np.ndarray:
    """Return the features of all pixels of one tile, shape ``(H, W, F)``, float32; NaN = no data."""
    pixel, around = [], []
    for channel in inputs.channels:
        found = compute_features(inputs.series(tile_id, channel))
        pixel += found
        change = found[FEATURES.index("change")]
        for width in WIDTHS:
            around += [average_window(change, width), spread_window(change, width)]
    terrain = [inputs.terrain(tile_id, name) for name in inputs.maps]
    return stack_maps([*pixel, *around, *terrain])


def width_of(name: str) -> int:
    """Return the width in px of a feature's window by its name, 1 for a feature without a width in its name."""
    words = name.split()
    return int(words[-2]) if words[-1] == "px" else 1
