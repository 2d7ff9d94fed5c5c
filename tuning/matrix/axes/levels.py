"""Readers of levels: from a text such as ``s1+DEM`` or ``compact:0.25`` to options of `tuning.run`."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.io.errors import unknown_name
from data.pack.augmentation import parse_augment
from data.pack.channels import STEPS, choose_channels
from data.pack.normalisation import KINDS
from data.splits import SHOTS, WHOLE, check_splits, event_split_name, parse_train_share
from data.tiles import ACQUISITIONS
from data.values.window import parse_window
from tuning.objects.label_noise import parse_label_noise
from tuning.trial.losses import LOSSES
from tuning.trial.recipe import RECIPES

_RANGE = re.compile(r"([0-9]{1,4})\.\.([0-9]{1,4})")
_MOST_LEVELS = 100
_REGION = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Reading:
    """A level as it was read.

    Attributes:
        options: Options of `tuning.run` that it sets, by their names there.
        value: Its number, if the levels of the axis may be ordered.
        series: What the number counts; levels are ordered if it is the same for all. Empty fits every series.
    """

    options: Mapping[str, Any]
    value: float | None = None
    series: str = ""


def split_levels(text: str) -> list[str]:
    """Split levels at their commas, and expand ranges: ``1..3`` stands for three levels.

    Raises:
        ValueError: If a level is empty or a range falls.
    """
    found: list[str] = []
    for word in map(str.strip, text.split(",")):
        if not word:
            raise ValueError(
                f"Levels must be separated by single commas, but got {text[:100]!r}. Write them such as s1,VV,VH."
            )
        found += _expand(word)
    if len(found) > _MOST_LEVELS:
        raise ValueError(
            f"An axis has at most {_MOST_LEVELS} levels, but got {len(found)} in {text[:100]!r}. Give fewer."
        )
    return found


def _expand(word: str) -> list[str]:
    match = _RANGE.search(word)
    if match is None:
        return [word]
    low, high = int(match[1]), int(match[2])
    if not low < high < low + _MOST_LEVELS:
        raise ValueError(
            f"A range of levels must rise, by fewer than {_MOST_LEVELS}, such as 1..8, but got {match[0]!r} in {word!r}."
        )
    return [f"{word[: match.start()]}{i}{word[match.end() :]}" for i in range(low, high + 1)]


def read_channels(text: str) -> Reading:
    """Read channels joined by ``+``."""
    words = text.split("+")
    choose_channels(words)
    return Reading({"channels": words})


def read_window(text: str) -> Reading:
    """Read a window of acquisitions; windows are ordered by the side that varies."""
    window = parse_window(text)
    if window.post is None:
        return Reading({"window": text}, window.pre, "pre, with all after the event")
    return Reading(
        {"window": text}, window.post, f"post, with {window.pre or 'all'} before the event"
    )


def read_timesteps(text: str) -> Reading:
    """Read a number of acquisitions."""
    number = _whole(text, "the number of acquisitions", 1, ACQUISITIONS)
    return Reading({"timesteps": number}, number)


def read_steps(text: str) -> Reading:
    """Read a choice of acquisitions."""
    return Reading({"steps": _one_of(text, "choice of acquisitions", STEPS)})


def read_train(text: str) -> Reading:
    """Read a share of the train tiles."""
    share = parse_train_share(text)
    series = "" if str(share) == WHOLE else share.shape
    return Reading({"train_share": str(share)}, share.share, series)


def read_shots(text: str) -> Reading:
    """Read a number of labelled tiles of the tested region."""
    number = int(_one_of(text, "number of shots", tuple(map(str, SHOTS))))
    return Reading({"shots": number}, number)


def read_loss(text: str) -> Reading:
    """Read the name of a training loss."""
    return Reading({"loss": _one_of(text, "loss", LOSSES)})


def read_noise(text: str) -> Reading:
    """Read errors in labels: a share of dropped landslides such as ``0.1``, or ``drop=0.1+shift=1``."""
    try:
        words = [f"drop={float(text):g}"]
    except ValueError:
        words = [] if text == "none" else text.split("+")
    noise = parse_label_noise(words)
    kinds = {name: value for name, value in noise.to_entry().items() if name != "seed"}
    series = "+".join(kinds)
    value = next(iter(kinds.values()), 0.0) if len(kinds) < 2 else None
    return Reading({"label_noise": words}, value, series)


def read_augment(text: str) -> Reading:
    """Read augmentations joined by ``+``."""
    words = text.split("+")
    parse_augment(words)
    return Reading({"augment": words})


def read_norm(text: str) -> Reading:
    """Read the source of the normalisation statistics."""
    return Reading({"norm": _one_of(text, "norm", KINDS)})


def read_recipe(text: str) -> Reading:
    """Read the source of the hyperparameters."""
    return Reading({"recipe": _one_of(text, "recipe", RECIPES)})


def read_init(text: str) -> Reading:
    """Read what trainings start from: ``random``, a file, or a registered model."""
    return Reading({"init": text})


def read_search_seed(text: str) -> Reading:
    """Read a seed of the search trials."""
    return Reading({"search_seed": _whole(text, "a seed", 0, 2**32 - 1)})


def read_split(text: str) -> Reading:
    """Read the name of a split, or of its file."""
    if not Path(text).suffix:  # only files have a suffix
        check_splits(text)
    return Reading({"split": text})


def read_test(text: str) -> Reading:
    """Read a region that is held out and tested."""
    return Reading({"split": event_split_name(_region(text))})


def read_transfer(text: str) -> Reading:
    """Read the regions that are trained on and the one that is tested, such as ``hokkaido+italy:noto``."""
    train, colon, test = text.partition(":")
    if not colon:
        raise ValueError(
            f"A level must be TRAINED:TESTED, such as hokkaido:noto or hokkaido+italy:noto, but got {text!r}."
        )
    regions = list(map(_region, train.split("+")))
    if _region(test) in regions:
        raise ValueError(
            f"The tested region must not be trained on, but got {text!r}. Leave {test} out before the colon."
        )
    return Reading({"region": [*regions, test], "split": event_split_name(test)})


def read_data(text: str) -> Reading:
    """Read ``twin`` or a tile folder."""
    return Reading({"data": text})


def _region(text: str) -> str:
    if not _REGION.fullmatch(text):
        raise ValueError(f"A region must be such as hokkaido, but got {text!r}. Correct its name.")
    return text


def _one_of(text: str, kind: str, choices: Collection[str]) -> str:
    if text not in choices:
        raise ValueError(unknown_name(kind, text, choices))
    return text


def _whole(text: str, what: str, low: int, high: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text) or not low <= int(text) <= high:
        raise ValueError(
            f"A level must be {what}, a whole number from {low} to {high}, but got {text!r}."
        )
    return int(text)
