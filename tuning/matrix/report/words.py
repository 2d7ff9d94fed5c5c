"""Effects in sentences: what a level changes, by how much, and how sure that is."""

import re
from collections.abc import Iterable, Sequence

from data.pack.channels import choose_channels
from models import is_network
from tuning.matrix.plan import Axis, Level
from tuning.matrix.report.effects import UNCHANGED, Effect
from tuning.report.headline.names import join_names

MOST_SENTENCES = 3  # levels of an axis with a sentence each; more are summarised
_PHRASES = {
    "loss": "With the loss {level} instead of {reference}",
    "train": "With {level} of the train tiles instead of {reference}",
    "window": "With the window {level} instead of {reference}",
    "timesteps": "With {level} acquisitions instead of {reference}",
    "label_noise": "With {level} of errors in train labels instead of {reference}",
    "test": "Tested on {level} instead of {reference}",
    "transfer": "With {level} instead of {reference} as regions trained on and tested on",
    "split": "With the split {level} instead of {reference}",
    "norm": "With the normalisation {level} instead of {reference}",
    "augment": "With the augmentation {level} instead of {reference}",
    "recipe": "With {level} instead of {reference} hyperparameters",
    "steps": "With the acquisitions {level} instead of {reference}",
    "shots": "With {level} labelled tiles of the tested region instead of {reference}",
}
_ORBITS = {"s1asc": "the ascending orbit", "s1dsc": "the descending orbit"}


def describe_level(axis: Axis, level: str) -> str:
    """Describe a level against the reference as the start of a sentence, such as ``Without VH``."""
    if axis.name == "channels" and (text := _compare_channels(axis, level)):
        return text
    phrase = _PHRASES.get(axis.name, f"With {axis.name}={{level}} instead of {{reference}}")
    text = phrase.format(level=_show(axis, level), reference=_show(axis, axis.reference))
    return re.sub(r"\b1 (labelled tile|acquisition)s\b", r"1 \1", text)


def _show(axis: Axis, level: str) -> str:
    """Write a share as a percentage, and the whole as all."""
    found = next((one for one in axis.levels if one.text == level), None)
    if axis.name not in ("train", "label_noise") or found is None or found.value is None:
        return level
    shape = level.partition(":")[0] if ":" in level else ""
    share = "all" if axis.name == "train" and found.value == 1 else f"{100 * found.value:g} %"
    if axis.name == "label_noise" and found.value == 0:
        return "none"
    return f"{share} ({shape})" if shape else share


def _compare_channels(axis: Axis, level: str) -> str:
    """Say which channels are left out or added; empty if some are left out and others added."""
    own, before = (_list_channels(axis, text) for text in (level, axis.reference))
    if not own or not before:
        return ""
    lost, gained = before - own, own - before
    if lost and gained:
        return ""
    if lost:
        return f"Without {_name_channels(lost, before)}"
    return f"With {_name_channels(gained, own)} added" if gained else ""


def _list_channels(axis: Axis, text: str) -> frozenset[str]:
    options = next((one.options for one in axis.levels if one.text == text), {})
    words = options.get("channels")
    if not isinstance(words, list | tuple):
        return frozenset()
    try:
        return frozenset(choose_channels([str(word) for word in words]))
    except ValueError:  # of another version
        return frozenset()


def _name_channels(some: frozenset[str], all_of: frozenset[str]) -> str:
    """Name channels by what they have in common: a polarisation, an orbit, or one by one."""
    for part, names in ((1, {}), (0, _ORBITS)):
        groups = {channel.split(":")[part] for channel in some if ":" in channel}
        whole = {c for c in all_of if ":" in c and c.split(":")[part] in groups}
        if whole == {channel for channel in some if ":" in channel}:
            rest = sorted(channel for channel in some if ":" not in channel)
            return join_names([names.get(group, group) for group in sorted(groups)] + rest)
    return join_names(sorted(some))


def describe_effect(effect: Effect, margin: float) -> str:
    """Describe an effect in a clause with its numbers and the verdict, without the level."""
    whose = "mean AP of the networks" if effect.kind == "mean" else f"AP of {effect.model}"
    one = effect.contrast
    if effect.note == UNCHANGED:
        return f"the {whose} is the same"
    if effect.decided:
        lower = one.estimate < 0
        ends = (-one.high, -one.low) if lower else (one.low, one.high)
        word = "lower" if lower else "higher"
        size = f"{abs(one.estimate):.3f} ({ends[0]:z.3f} to {ends[1]:z.3f})"
        return f"the {whose} is {word} by {size}: **{effect.verdict}**"
    size = f"{format_signed(one.estimate)} ({format_signed(one.low)} to {format_signed(one.high)})"
    if effect.verdict == "equivalent":
        return f"the {whose} changes by {size}: **equivalent** within ± {margin:g}"
    return f"the {whose} changes by {size}: undecided{_explain_undecided(effect)}"


def _explain_undecided(effect: Effect) -> str:
    """Say why an effect is undecided where its interval alone would not tell."""
    if effect.note:
        return f", {effect.note}"
    excludes = effect.contrast.low > 0 or effect.contrast.high < 0
    return f", since p = {effect.p:.3f} beside the other tests" if excludes else ""


def format_signed(value: float) -> str:
    """Format a difference with its sign, such as ``+0.041``."""
    return f"{value:+z.3f}".replace("-", "\N{MINUS SIGN}")


def describe_axis(axis: Axis, effects: Iterable[Effect], margin: float) -> list[str]:
    """Describe an axis in a few sentences, one per level if there are few; the mean over networks where there is one.

    Args:
        axis: The axis.
        effects: Effects of all axes.
        margin: Difference in AP within which two levels are equivalent.
    """
    own = [one for one in effects if one.axis == axis]
    shown = [found for level in axis.levels if (found := _pick(own, level))]
    if not shown:
        return []
    if len(shown) <= MOST_SENTENCES:
        return [
            f"{describe_level(axis, one.level)}, {describe_effect(one, margin)}.{_describe_differing(own, one.level)}"
            for one in shown
        ]
    return _summarise(axis, shown, margin)


def _pick(effects: Sequence[Effect], level: Level) -> Effect | None:
    """Return the effect of a level that stands for it: the mean over networks, else a network's, else a baseline's."""
    own = [one for one in effects if one.level == level.text and one.kind != "interaction"]
    means = [one for one in own if one.kind == "mean"]
    changed = [one for one in own if one.note != UNCHANGED]
    networks = [one for one in changed if is_network(one.key)]
    return next(iter((*means, *networks, *changed, *own)), None)


def _describe_differing(effects: Sequence[Effect], level: str) -> str:
    """Say whether networks differ in the effect of a level; empty if they are not shown to."""
    found = [
        one for one in effects if one.level == level and one.kind == "interaction" and one.decided
    ]
    if not found:
        return ""
    largest = max(found, key=lambda one: abs(one.contrast.estimate))
    first, _, other = largest.model.partition(" minus ")
    size = format_signed(largest.contrast.estimate)
    return f" Networks differ in it: the effect on {first} minus that on {other} is {size}."


def describe_axis_shortly(axis: Axis, effects: Iterable[Effect], margin: float) -> str:
    """Describe an axis in one sentence: its largest shown effect with the interval, then the other levels by verdict."""
    own = [one for one in effects if one.axis == axis]
    shown = [found for level in axis.levels if (found := _pick(own, level))]
    if not shown:
        return ""
    first = max(shown, key=lambda one: (one.decided, abs(one.contrast.estimate)))
    sentence = f"{describe_level(axis, first.level)}, {describe_effect(first, margin)}"
    others = _list_verdicts([one for one in shown if one is not first])
    return (
        f"{sentence}. Of the other levels of {axis.name}, {others}." if others else f"{sentence}."
    )


def _list_verdicts(effects: Sequence[Effect]) -> str:
    """List levels by verdict, each with its estimate, such as ``worse: 0.5 (−0.066)``."""
    clauses = []
    for verdict in ("better", "worse", "equivalent", "undecided"):
        if levels := [one for one in effects if one.verdict == verdict]:
            listed = ", ".join(
                f"{one.level} ({format_signed(one.contrast.estimate)})" for one in levels
            )
            clauses.append(f"{verdict}: {listed}")
    return "; ".join(clauses)


def _summarise(axis: Axis, effects: Sequence[Effect], margin: float) -> list[str]:
    """Describe the largest decided effect in a sentence, and name the levels of each verdict in another."""
    decided = sorted(
        (one for one in effects if one.decided), key=lambda one: -abs(one.contrast.estimate)
    )
    sentences = [
        f"{describe_level(axis, one.level)}, {describe_effect(one, margin)}." for one in decided[:1]
    ]
    whose = "mean AP of the networks" if effects[0].kind == "mean" else f"AP of {effects[0].model}"
    against = f"against {axis.reference}, by the {whose}"
    return [*sentences, f"Levels of {axis.name} {against}: {_list_verdicts(effects)}."]
