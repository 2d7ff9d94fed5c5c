"""Confusion matrices of several models as small panels, each share in per cent of the label's pixels."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tuning.plots import style
from tuning.plots.trial_figures import set_title

PER_ROW = 5
_PANEL_IN, _FRAME_IN = 1.75, 0.75  # height of a row of panels; of title and labels
_NAMES = ("none", "landslide")  # background and landslide, where there is little space


def draw_confusions(models: Mapping[str, np.ndarray], title: str, synthetic: bool) -> Figure:
    """Draw one matrix per model: rows are labels, columns are decisions, and each row adds to 100 %.

    Args:
        models: Shares of each label's pixels by model, shape ``(2, 2)``, rows background and landslide, columns the same as
            predicted; NaN where a label has no pixel.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.

    Raises:
        ValueError: If there is no model, or two have one name.
    """
    style.check_names(models, title)
    columns = min(PER_ROW, len(models))
    rows = -(-len(models) // columns)
    figure = Figure(figsize=(style.WIDTH_IN, rows * _PANEL_IN + _FRAME_IN), layout="constrained")
    set_title(figure, title, synthetic)
    panels = figure.subplots(rows, columns, squeeze=False)
    for place, (name, shares) in enumerate(models.items()):
        axes = panels[divmod(place, columns)]
        axes.set_title(name.replace("_", "_\n", 1) if len(name) > 14 else name, fontsize=8)
        _draw(axes, shares)
        if not place % columns:
            axes.set_yticks([0, 1], _NAMES, fontsize=7.5, rotation=90, va="center")
            axes.set_ylabel("label", fontsize=8)
        axes.set_xlabel("predicted", fontsize=8)
    for place in range(len(models), rows * columns):
        panels[divmod(place, columns)].set_axis_off()
    return figure


def _draw(axes: Axes, shares: np.ndarray) -> None:
    axes.imshow(np.nan_to_num(shares), cmap="Greys", vmin=0, vmax=1)
    for row, column in np.ndindex(2, 2):
        share = float(shares[row, column])
        ink = "white" if share > 0.5 else "black"
        text = style.format_score(share) if np.isnan(share) else f"{100 * share:.1f} %"
        axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks([0, 1], _NAMES, fontsize=7)
    axes.set_yticks([])
    axes.tick_params(length=0)
