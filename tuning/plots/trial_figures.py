"""Figures of a trial and of a campaign; the title of each marks synthetic data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib.colors
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from tuning.metrics.curve import Curve
from tuning.metrics.scores import Confusion

# Okabe and Ito's colours (2008) stay apart for colour-blind readers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
# Of hits, false alarms and misses; in grey from white over light to nearly black, and the image behind lies between.
HIT, FALSE_ALARM, MISS = "#FFFFFF", "#F0A030", "#0B2C6B"
BEHIND = (0.35, 0.5)  # darkest and brightest grey of the image behind them
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*", "d")
LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (1, 1.2)))
DPI = 110
TITLE_PT = 11
TITLE_CHARS_PER_IN = 11.0  # a character takes at most 0.09 inches on average
EXAMPLE_IN = (6.0, 6.1)


def _axes(
    title: str, synthetic: bool, size: tuple[float, float] = (5.6, 4.2)
) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    set_title(figure, title, synthetic)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def set_title(figure: Figure, title: str, synthetic: bool) -> None:
    """Write a title over a figure, in as many lines as its width needs; mark synthetic data below it."""
    characters = int(TITLE_CHARS_PER_IN * figure.get_figwidth())
    text = "\n".join(fill(line, characters) for line in title.splitlines())
    figure.suptitle(f"{text}\n(synthetic data)" if synthetic else text, fontsize=TITLE_PT)


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI)
    return path


def draw_pr(curves: Mapping[str, tuple[Curve, float]], title: str, synthetic: bool) -> Figure:
    """Draw precision over recall, one line per label with its average precision."""
    figure, axes = _axes(title, synthetic)
    for number, (label, (curve, area)) in enumerate(curves.items()):
        look: dict[str, Any] = {
            "color": COLOURS[number % len(COLOURS)],
            "ls": LINES[number % len(LINES)],
        }
        axes.plot(curve.recall, curve.precision, label=f"{label} (AP {area:.3f})", **look)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=9)
    return figure


def draw_history(
    histories: Mapping[str, Sequence[float]], ylabel: str, title: str, synthetic: bool
) -> Figure:
    """Draw one value over epochs, train dashed and val solid, a colour and a marker per seed.

    Args:
        histories: Values of epochs 1, 2, … by label; a label is ``train …`` or ``val …``.
        ylabel: Name of the value.
        title: Title of the figure.
        synthetic: Whether the numbers come from the twin.
    """
    figure, axes = _axes(title, synthetic)
    seeds = sorted({label.split(" ", 1)[1] for label in histories})
    colour = dict(zip(seeds, _cycle(len(seeds)), strict=True))
    marker = {seed: MARKERS[number % len(MARKERS)] for number, seed in enumerate(seeds)}
    for label, values in histories.items():
        part, seed = label.split(" ", 1)
        style = "--" if part == "train" else "-"
        epochs = range(1, len(values) + 1)
        look: dict[str, Any] = {"color": colour[seed], "marker": marker[seed], "ms": 4}
        axes.plot(epochs, values, style, label=label, **look)
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


def draw_example(
    title: str,
    change_db: np.ndarray,
    mask: np.ndarray,
    probs: np.ndarray,
    threshold: float,
    synthetic: bool,
) -> Figure:
    """Draw a test tile: change in VV, label, probability, and hits, false alarms and misses with a legend.

    Args:
        title: Id and scores of the tile.
        change_db: Mean after minus mean before the event in VV, shape ``(H, W)``.
        mask: Label, shape ``(H, W)``.
        probs: Landslide probability, shape ``(H, W)``.
        threshold: Probability from which a pixel counts as landslide.
        synthetic: Whether the tile is the twin's.
    """
    figure = Figure(figsize=EXAMPLE_IN, layout="constrained")
    set_title(figure, title, synthetic)
    change, chance = (layer.astype(np.float32) for layer in (change_db, probs))
    panels = figure.subplots(2, 2).ravel()
    shown = panels[0].imshow(change, cmap="gray", vmin=-4, vmax=4)
    figure.colorbar(shown, ax=panels[0], shrink=0.85, label="dB")
    panels[1].imshow(mask, cmap="gray", vmin=0, vmax=1)
    shown = panels[2].imshow(chance, cmap="viridis", vmin=0, vmax=1)
    figure.colorbar(shown, ax=panels[2], shrink=0.85)
    panels[3].imshow(colour_errors(mask > 0, chance >= threshold, change))
    names = (
        "change of VV over the event",
        "label",
        "probability",
        f"found from {threshold:.3f} on",
    )
    for axes, name in zip(panels, names, strict=True):
        axes.set_title(name, fontsize=10)
        axes.set(xticks=[], yticks=[])
    kinds = {"hit": HIT, "false alarm": FALSE_ALARM, "miss": MISS}
    handles = [Patch(fc=colour, ec="#30363d", label=name) for name, colour in kinds.items()]
    figure.legend(handles=handles, loc="outside lower right", ncols=3, frameon=False, fontsize=10)
    return figure


def colour_errors(label: np.ndarray, found: np.ndarray, change_db: np.ndarray) -> np.ndarray:
    """Colour hits, false alarms and misses over the radar image in a narrow range of grey, ``(H, W, 3)``."""
    dark, bright = BEHIND
    grey = dark + (bright - dark) * np.clip(0.5 + change_db / 8, 0, 1)
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
