"""Figures of a trial and of a campaign; the title of each marks synthetic data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tuning.metrics.curve import Curve
from tuning.metrics.scores import Confusion

# Okabe and Ito's colours (2008) stay apart for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
HIT, FALSE_ALARM, MISS = "#FFFFFF", "#D55E00", "#56B4E9"
DPI = 110


def _axes(
    title: str, synthetic: bool, size: tuple[float, float] = (5.6, 4.2)
) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title_of(title, synthetic), fontsize=11)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def title_of(title: str, synthetic: bool) -> str:
    """Add the mark of synthetic data to a title."""
    return f"{title}\n(synthetic data)" if synthetic else title


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
    return path


def draw_pr(curves: Mapping[str, tuple[Curve, float]], title: str, synthetic: bool) -> Figure:
    """Draw precision over recall, one line per label with its average precision."""
    figure, axes = _axes(title, synthetic)
    for (label, (curve, area)), colour in zip(curves.items(), _cycle(len(curves)), strict=True):
        axes.plot(curve.recall, curve.precision, color=colour, label=f"{label} (AP {area:.3f})")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=9)
    return figure


def draw_history(
    histories: Mapping[str, Sequence[float]], ylabel: str, title: str, synthetic: bool
) -> Figure:
    """Draw one value over epochs, train dashed and val solid, a colour per seed.

    Args:
        histories: Values of epochs 1, 2, … by label; a label is ``train …`` or ``val …``.
        ylabel: Name of the value.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.
    """
    figure, axes = _axes(title, synthetic)
    seeds = sorted({label.split(" ", 1)[1] for label in histories})
    colour = dict(zip(seeds, _cycle(len(seeds)), strict=True))
    for label, values in histories.items():
        part, seed = label.split(" ", 1)
        style = "--" if part == "train" else "-"
        epochs = range(1, len(values) + 1)
        axes.plot(epochs, values, style, color=colour[seed], label=label, marker=".", ms=3)
    axes.set(xlabel="epoch", ylabel=ylabel)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=8, ncols=2)
    return figure


def draw_confusion(confusion: Confusion, title: str, synthetic: bool) -> Figure:
    """Draw pixels by label and decision, each with its share of the label's pixels."""
    figure, axes = _axes(title, synthetic, (4.6, 4.2))
    table = np.array([[confusion.tn, confusion.fp], [confusion.fn, confusion.tp]], dtype=float)
    share = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(2, 2):
        ink = "white" if share[row, column] > 0.5 else "black"
        text = f"{int(table[row, column]):,}\n{share[row, column]:.1%}"
        axes.text(column, row, text, ha="center", va="center", color=ink)
    names = ["background", "landslide"]
    axes.set(xticks=[0, 1], yticks=[0, 1], xticklabels=names, yticklabels=names)
    axes.set(xlabel="predicted", ylabel="label")
    axes.grid(visible=False)
    return figure


def draw_examples(
    tile_ids: Sequence[str],
    change_db: np.ndarray,
    mask: np.ndarray,
    probs: np.ndarray,
    threshold: float,
    synthetic: bool,
) -> dict[str, Figure]:
    """Draw test tiles: change in VV, label, probability, and hits, false alarms and misses.

    Args:
        tile_ids: B ids.
        change_db: Mean after minus mean before the event in VV, shape ``(B, H, W)``.
        mask: Label, shape ``(B, H, W)``.
        probs: Landslide probability, shape ``(B, H, W)``.
        threshold: Probability from which a pixel counts as landslide.
        synthetic: Whether the tiles are the twin's.

    Returns:
        One figure per tile id.
    """
    figures = {}
    for number, tile in enumerate(tile_ids):
        figure = Figure(figsize=(11, 3.3), layout="constrained")
        figure.suptitle(title_of(f"{tile}, threshold {threshold:.3f}", synthetic), fontsize=11)
        change, label, chance = (
            layers[number].astype(np.float32) for layers in (change_db, mask, probs)
        )
        panels = figure.subplots(1, 4)
        shown = panels[0].imshow(change, cmap="RdBu_r", vmin=-4, vmax=4)
        figure.colorbar(shown, ax=panels[0], shrink=0.8, label="dB")
        panels[1].imshow(label, cmap="gray", vmin=0, vmax=1)
        shown = panels[2].imshow(chance, cmap="viridis", vmin=0, vmax=1)
        figure.colorbar(shown, ax=panels[2], shrink=0.8)
        panels[3].imshow(_colour_errors(label > 0, chance >= threshold, change))
        names = ("VV after - before", "label", "probability", "hit white, false orange, miss blue")
        for axes, name in zip(panels, names, strict=True):
            axes.set_title(name, fontsize=9)
            axes.set(xticks=[], yticks=[])
        figures[tile] = figure
    return figures


def _colour_errors(label: np.ndarray, found: np.ndarray, change_db: np.ndarray) -> np.ndarray:
    """Colour hits white, false alarms orange, misses blue over the dimmed radar image, ``(H, W, 3)``."""
    grey = 0.45 * np.clip(0.5 + change_db / 8, 0, 1)
    image = np.repeat(grey[..., None], 3, axis=-1)
    for where, colour in (
        (label & found, HIT),
        (found & ~label, FALSE_ALARM),
        (label & ~found, MISS),
    ):
        image[where] = matplotlib.colors.to_rgb(colour)
    return image


def _cycle(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]
