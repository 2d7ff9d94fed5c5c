"""The section with the networks' learning curves: loss and average precision by epoch, and what they tell."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tuning.page.html import Block, Image, Section, Text
from tuning.plots.epoch_curves import EpochCurves, draw_epoch_curves
from tuning.plots.trial_figures import save
from tuning.report.study.records import TRAIN_LOSS, VAL_AP, VAL_LOSS, History

TITLE = "Learning curves"
FIGURE = "learning_curves.png"
CAPTION = (
    "Loss and average precision on val by epoch, one thin line per seed. The dot is the epoch whose weights were kept. The "
    "axes of loss are not shared: the weights of its parts are hyperparameters."
)
MISSING = "This campaign's runs hold no values per epoch, so there is no learning curve: an earlier version logged it, or its runs lost them."


def has_curves(histories: Mapping[str, Sequence[History]]) -> bool:
    """Return whether any network's run has values of average precision by epoch."""
    return any(one.curves.get(VAL_AP) for seeds in histories.values() for one in seeds)


def draw_learning_curves(
    histories: Mapping[str, Sequence[History]], folder: Path, synthetic: bool
) -> Path | None:
    """Draw the curves of all networks into one figure; return its path, None without values."""
    if not has_curves(histories):
        return None
    models = {name: [_convert(one) for one in seeds] for name, seeds in histories.items()}
    figure = draw_epoch_curves(models, "Learning curves of the repeat runs", synthetic)
    return save(figure, folder / FIGURE)


def _convert(history: History) -> EpochCurves:
    train, val, score = (history.curves.get(name, ()) for name in (TRAIN_LOSS, VAL_LOSS, VAL_AP))
    return EpochCurves(train, val, score, history.best_epoch)


def build_learning_section(
    histories: Mapping[str, Sequence[History]], figure: Path | None, folds: int = 1
) -> Section:
    """Build the section.

    Args:
        histories: Values of each network's seeds.
        figure: The drawn curves; None if no run has values by epoch.
        folds: Number of folds; with several, the curves are those of the first.
    """
    if not histories:
        return Section(TITLE, [Text("This campaign trained no network.")])
    if figure is None:
        return Section(TITLE, [Text(MISSING)])
    fold = " They are those of the first fold." if folds > 1 else ""
    blocks: list[Block] = [Image(figure, CAPTION + fold)]
    if sentence := describe_still_rising(histories):
        blocks.insert(0, Text(sentence))
    blocks.append(
        Text(
            "Every network also has its own figures, with Dice, in `Figures/<model>/` of the page's folder."
        )
    )
    return Section(TITLE, blocks)


def describe_still_rising(histories: Mapping[str, Sequence[History]]) -> str:
    """Say which networks were best at their very last epoch, and so may have gained from more; empty if the runs are not known."""
    rising, known = [], 0
    for name, seeds in histories.items():
        ends = [(one.best_epoch, len(one.curves.get(VAL_AP, ()))) for one in seeds]
        last = sum(best == length for best, length in ends if length)
        known += any(length for _, length in ends)
        if last:
            rising.append(f"{name} in {last} of {len(ends)} seeds")
    if not known:
        return ""
    if not rising:
        return "No network was best on val at its last epoch: more epochs would not have raised these scores."
    return (
        f"Best on val at the last epoch, so perhaps better with more of them: {', '.join(rising)}."
    )
