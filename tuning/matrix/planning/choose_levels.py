"""From the texts of axes to levels: read, ordered, and the reference of each found."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations, permutations
from pathlib import Path
from typing import Any, NamedTuple

from data.io.errors import unknown_name
from data.tiles import ORBITS
from data.tiles.paths import list_tiles, region_of
from data.twin.regions import read_sites
from tuning.campaign.initial import take_init
from tuning.matrix.axes.kinds import describe_axis, get_kind, list_options, read_level
from tuning.matrix.axes.levels import Reading, split_levels
from tuning.matrix.command.request import Request
from tuning.matrix.plan import Axis, Level
from tuning.settings.options import make_settings
from tuning.settings.regions import choose_campaign_regions
from tuning.settings.settings import TWIN, Settings

PAIRS = (
    "pairs"  # as the levels of the axis transfer: every region trained on, every other one tested
)
_CAMPAIGN = "name"  # of campaigns that are only compared


@dataclass(frozen=True)
class ChosenAxis:
    """An axis whose reference is not yet known.

    Attributes:
        name: Of ``AXES``.
        levels: Levels by text, in their final order.
        ordered: Whether they are numbers.
    """

    name: str
    levels: Mapping[str, Reading]
    ordered: bool


class Folders(NamedTuple):
    """Where the options of campaigns lead.

    Attributes:
        root: Output folder, with the registry.
        store: Folder that receives splits and weights from files: *root*, or a temporary one.
    """

    root: Path
    store: Path


def choose_axes(request: Request, folders: Folders) -> tuple[Axis, ...]:
    """Read the axes of a matrix, and find the reference level of each.

    Args:
        request: What the user asks.
        folders: Where options lead.

    Raises:
        ValueError: If a level is unknown, an axis has one level or the same twice, axes contradict each other or an option, or a
            reference is no level of its axis.
    """
    chosen = [_read_axis(name, text, request.options) for name, text in request.vary.items()]
    _check_apart(chosen, request)
    references = _find_references(chosen, request, folders)
    return tuple(_finish(axis, references[axis.name]) for axis in chosen)


def _read_axis(name: str, text: str, options: Mapping[str, Any]) -> ChosenAxis:
    get_kind(name)
    words = _list_pairs(options) if (name, text) == ("transfer", PAIRS) else split_levels(text)
    readings: dict[str, Reading] = {}
    for word in words:
        if word in readings:
            raise ValueError(
                f"An axis must have each level once, but got {name}={word} twice. Leave one of them out."
            )
        readings[word] = read_level(name, word)
    if len(readings) < 2:
        raise ValueError(
            f"An axis needs two levels, but got {name}={text} alone. Add a level, or give it as an option of every campaign."
        )
    for (one, first), (other, second) in combinations(readings.items(), 2):
        if first.options == second.options:
            raise ValueError(
                f"An axis must have each level once, but {name}={one} and {name}={other} are the same. Leave one of them out."
            )
    ordered = _are_ordered(list(readings.values()))
    if ordered:
        readings = dict(sorted(readings.items(), key=lambda pair: pair[1].value or 0.0))
    return ChosenAxis(name, readings, ordered)


def _list_pairs(options: Mapping[str, Any]) -> list[str]:
    """Return every pair of a region that is trained on and another that is tested, the largest tested region first."""
    data = options.get("data", TWIN)
    words = options.get("region", ["all"])
    regions = choose_campaign_regions(words, None if data == TWIN else Path(data))
    tiles = (
        [site.region for site in read_sites().values()]
        if data == TWIN
        else [region_of(tile) for tile in list_tiles(Path(data), ORBITS[:1], regions)]
    )
    size = Counter(tiles)
    pairs = sorted(permutations(regions, 2), key=lambda pair: -size[pair[1]])
    return [f"{train}:{test}" for train, test in pairs]


def _are_ordered(readings: Sequence[Reading]) -> bool:
    values = [reading.value for reading in readings]
    series = {reading.series for reading in readings} - {""}
    return None not in values and len(set(values)) == len(values) and len(series) < 2


def _check_apart(axes: Sequence[ChosenAxis], request: Request) -> None:
    """Raise ValueError if two axes decide on the same option, or an axis contradicts an option or the search."""
    for one, other in combinations(axes, 2):
        first, second = _decided(one), _decided(other)
        if both := (first & _set_by(other)) | (second & _set_by(one)):
            raise ValueError(
                f"Two axes must not decide on the same option, but {one.name} and {other.name} both decide on {_name(both)}. "
                "Leave one of them out."
            )
    for axis in axes:
        given = set(request.options)
        if (axis.name, request.vary[axis.name]) == ("transfer", PAIRS):
            given -= {"region"}  # names the regions of the pairs
        if both := get_kind(axis.name).excludes & given:
            raise ValueError(
                f"The axis {axis.name} contradicts {_name(both)}, but got both. Leave one of them out."
            )
        if axis.name == "init" and "model" not in given:
            raise ValueError(
                "The axis init trains one architecture, that of the weights, but got none. Add it with --cross, such as --cross unet."
            )
        if get_kind(axis.name).per_cell and request.search == "once":
            raise ValueError(
                f"The axis {axis.name} varies the search, but --search once searches in the reference cell alone. Add "
                "--search per-cell."
            )


def _set_by(axis: ChosenAxis) -> frozenset[str]:
    return list_options(axis.levels.values())


def _decided(axis: ChosenAxis) -> frozenset[str]:
    return get_kind(axis.name).excludes | _set_by(axis)


def _name(options: Iterable[str]) -> str:
    return f"--{', --'.join(name.replace('_', '-') for name in sorted(options))}"


def try_settings(options: Mapping[str, Any], folders: Folders) -> Settings:
    """Make the settings of a campaign from options, with a fixed name, to compare them with others.

    Raises:
        ValueError: If the options are invalid, or do not fit each other.
        OSError: If their files cannot be read.
    """
    copy = {
        name: list(value) if isinstance(value, list) else value for name, value in options.items()
    }
    if "init" in copy:
        copy |= _read_init(str(copy.pop("init")), folders)
    return make_settings({**copy, "campaign": _CAMPAIGN}, folders.store)


@cache
def _read_init(text: str, folders: Folders) -> dict[str, Any]:
    """Return the setting that ``--init`` means; cells share what is read from a file or the registry."""
    options: dict[str, Any] = {"init": text, "model": []}
    take_init(options, *folders)
    return {"init": options["init"]} if "init" in options else {}


def _find_references(
    axes: Sequence[ChosenAxis], request: Request, folders: Folders
) -> dict[str, str]:
    """Return the text of each axis's reference level: the chosen one, the usual one, the greatest, or the first."""
    found: dict[str, str] = {}
    for axis in axes:
        if (text := request.references.get(axis.name)) is not None:
            if text not in axis.levels:
                raise ValueError(unknown_name(f"level of {axis.name}", text, axis.levels))
            found[axis.name] = text
    for _ in range(2):  # some options are valid with the level of another axis alone
        for axis in axes:
            if axis.name not in found and (
                usual := _find_usual(axis, axes, found, request, folders)
            ):
                found[axis.name] = usual
        for axis in axes:
            if axis.name not in found and not axis.ordered:
                _check_used(axis, request)
                found[axis.name] = next(iter(axis.levels))
    for axis in axes:
        if axis.name not in found:
            _check_used(axis, request)
            found[axis.name] = list(axis.levels)[-1]
    return found


def _check_used(axis: ChosenAxis, request: Request) -> None:
    """Raise ValueError if the user gave the option of an axis a value that is none of its levels: no cell would have it."""
    pairs = (axis.name, request.vary[axis.name]) == ("transfer", PAIRS)
    if given := _set_by(axis) & set(request.options) - ({"region"} if pairs else set()):
        values = " ".join(str(request.options[name]) for name in given)
        raise ValueError(
            f"An option beside an axis chooses its reference, but {_name(given)} {values} is no level of {axis.name}: "
            f"{', '.join(axis.levels)}. Add it to the levels, or leave the option out."
        )


def _find_usual(
    axis: ChosenAxis,
    axes: Sequence[ChosenAxis],
    found: Mapping[str, str],
    request: Request,
    folders: Folders,
) -> str | None:
    """Return the level that changes nothing about what the other options mean, None if there is none."""
    options = dict(request.options)
    for other in axes:
        if other.name in found:
            options |= other.levels[found[other.name]].options
    with contextlib.suppress(ValueError, OSError):  # reported when the cells are made
        base = try_settings(options, folders)
        for text, reading in axis.levels.items():
            with contextlib.suppress(ValueError, OSError):
                if try_settings({**options, **reading.options}, folders) == base:
                    return text
    return None


def _finish(axis: ChosenAxis, reference: str) -> Axis:
    levels = [
        Level(text, dict(reading.options), reading.value if axis.ordered else None)
        for text, reading in axis.levels.items()
    ]
    made = Axis(axis.name, describe_axis(axis.name), tuple(levels), reference, axis.ordered)
    return replace(made, same_tiles=get_kind(axis.name).same_tiles)
