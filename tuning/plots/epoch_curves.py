"""Learning curves of all networks as small panels: loss and average precision by epoch, one thin line per seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from tuning.plots import style
from tuning.plots.trial_figures import set_title

PER_BAND = 4  # networks side by side
_BAND_IN, _FRAME_IN = 3.1, 0.75  # heights of two rows of panels; of title and legend
_TRAIN, _VAL = "#8a939c", "#0a4f7d"  # apart in a greyscale print too; train is dashed besides


@dataclass(frozen=True)
class EpochCurves:
    """One seed's values of epochs 1, 2, …; a value that was not logged has none.

    Attributes:
        train_loss, val_loss, val_pr_auc: Values by epoch.
        chosen: Epoch whose weights were kept; 0 if unknown.
    """

    train_loss: Sequence[float]
    val_loss: Sequence[float]
    val_pr_auc: Sequence[float]
    chosen: int


def draw_epoch_curves(
    models: Mapping[str, Sequence[EpochCurves]], title: str, synthetic: bool
) -> Figure:
    """Draw loss (train dashed, val solid) above average precision on val, a column per network.

    The axis of average precision is the same for all networks. That of loss is each network's own, since the weights of
    its parts are hyperparameters. A dot marks the epoch whose weights were kept.

    Args:
        models: The seeds of each network, by its name in order.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.

    Raises:
        ValueError: If there is no network, or two have one name.
    """
    style.check_names(models, title)
    columns = min(PER_BAND, len(models))
    bands = -(-len(models) // columns)
    figure = Figure(figsize=(style.WIDTH_IN, bands * _BAND_IN + _FRAME_IN), layout="constrained")
    set_title(figure, title, synthetic)
    panels = figure.subplots(2 * bands, columns, squeeze=False)
    low, high = _find_limits(models)
    for place, (name, seeds) in enumerate(models.items()):
        band, column = divmod(place, columns)
        losses, scores = panels[2 * band, column], panels[2 * band + 1, column]
        losses.set_title(_break_name(name), fontsize=8.5)
        _draw_losses(losses, seeds)
        _draw_scores(scores, seeds)
        scores.set_ylim(low, high)
        if not column:
            losses.set_ylabel("loss", fontsize=8.5)
            scores.set_ylabel("val AP", fontsize=8.5)
    for place in range(len(models), bands * columns):
        band, column = divmod(place, columns)
        panels[2 * band, column].set_axis_off()
        panels[2 * band + 1, column].set_axis_off()
    _add_legend(figure)
    return figure


def _find_limits(models: Mapping[str, Sequence[EpochCurves]]) -> tuple[float, float]:
    """Return the shared limits of average precision."""
    values = [value for seeds in models.values() for one in seeds for value in one.val_pr_auc]
    finite = np.array([value for value in values if np.isfinite(value)])
    if not len(finite):
        return 0.0, 1.0
    margin = 0.05 * max(float(np.ptp(finite)), 0.02)
    return max(float(finite.min()) - margin, 0.0), min(float(finite.max()) + margin, 1.0)


def _break_name(name: str) -> str:
    """Break a long name before its last part."""
    head, mark, tail = name.rpartition("_")
    return f"{head}{mark}\n{tail}" if head and len(name) > 14 else name


def _draw_losses(axes: Axes, seeds: Sequence[EpochCurves]) -> None:
    for one in seeds:
        _plot(axes, one.train_loss, color=_TRAIN, ls=(0, (4, 2)))
        _plot(axes, one.val_loss, color=_VAL)
        _mark(axes, one.val_loss, one.chosen)
    _finish(axes)


def _draw_scores(axes: Axes, seeds: Sequence[EpochCurves]) -> None:
    for one in seeds:
        _plot(axes, one.val_pr_auc, color=_VAL)
        _mark(axes, one.val_pr_auc, one.chosen)
    axes.set_xlabel("epoch", fontsize=8.5)
    _finish(axes)


def _plot(axes: Axes, values: Sequence[float], **pen: object) -> None:
    axes.plot(range(1, len(values) + 1), values, lw=0.9, **pen)  # type: ignore[arg-type]


def _mark(axes: Axes, values: Sequence[float], epoch: int) -> None:
    if 0 < epoch <= len(values):
        axes.plot([epoch], [values[epoch - 1]], "o", ms=4, mfc="white", mec=_VAL, mew=1.2)


def _finish(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize=7.5)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _add_legend(figure: Figure) -> None:
    dot = Line2D([], [], ls="", marker="o", ms=4, mfc="white", mec=_VAL, mew=1.2)
    lines = {
        "train": Line2D([], [], color=_TRAIN, lw=0.9, ls=(0, (4, 2))),
        "val": Line2D([], [], color=_VAL, lw=0.9),
        "epoch whose weights were kept": dot,
    }
    figure.legend(
        list(lines.values()),
        list(lines),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=8.5,
    )
