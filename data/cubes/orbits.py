"""The orbit direction of a datacube: an attribute of the cube, or a value for each acquisition."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from data.io.safe_json import refused_error, show_value
from data.tiles.rules import MODALITIES, ORBITS

DIRECTIONS = {
    **dict.fromkeys(("s1asc", "asc", "ascending"), ORBITS[0]),
    **dict.fromkeys(("s1dsc", "dsc", "desc", "descending"), ORBITS[1]),
}
# What producers call it: this project, STAC, Earth Engine, SNAP, OPERA, HyP3, and last the published tiles. Punctuation
# and case do not matter.
NAMES = (
    *("modality", "sat:orbit_state", "orbit_state", "orbitProperties_pass", "orbit_pass", "pass"),
    *("ORBIT_PASS_DIRECTION", "orbit_direction", "pass_direction", "orbital_direction"),
    *("orbital_dir", "orbit_dir", "flight_direction", "direction", "orbit", "satellite"),
)


class Directions(NamedTuple):
    """The orbits of a cube.

    Attributes:
        of_all: The one modality, such as ``s1asc``; None if acquisitions differ.
        of_each: The modality of each acquisition in the file's order; empty if one holds for all.
        name: The attribute or variable that says so.
    """

    of_all: str | None
    of_each: tuple[str, ...]
    name: str


def find_group_modality(name: str) -> str | None:
    """Return the modality that a group's name stands for, such as ``s1asc`` for ``Ascending``."""
    word = name.lower()
    return word if word in MODALITIES else DIRECTIONS.get(word)


def find_directions(dataset: xr.Dataset, bands: Iterable[str], source: str) -> Directions | None:
    """Find the orbits of a cube whose dimensions are ``time``, ``y``, ``x``.

    Args:
        dataset: The opened cube.
        bands: Its variables with backscatter, whose attributes are searched too.
        source: Group and file, for messages.

    Returns:
        The orbits; None if nothing names them.

    Raises:
        ValueError: If acquisitions have a direction that is neither ascending nor descending.
    """
    for name, value in _list_attributes(dataset, bands):
        if modality := _read_direction(value):
            return Directions(modality, (), name)
    for name in _match_names(dataset.variables):
        variable = dataset[name]
        if variable.dims == ("time",) and variable.dtype.kind in "OSUT":
            found = [_read_direction(value) for value in variable.values]
            if any(found):  # a variable named orbit or satellite may hold something else
                return _join(found, variable.values, name, source)
    return None


def _list_attributes(dataset: xr.Dataset, bands: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Yield candidates that hold for the whole cube: attributes, and variables without dimensions."""
    for attributes in (dataset.attrs, *(dataset[band].attrs for band in bands)):
        for name in _match_names(attributes):
            yield name, attributes[name]
    for name in _match_names(dataset.variables):
        if not dataset[name].dims:
            yield name, dataset[name].values


def _match_names(given: Mapping[Any, Any]) -> list[str]:
    """Return the names that mean an orbit direction, the most certain first."""
    by_letters = {_strip(str(name)): str(name) for name in given}
    return [by_letters[word] for word in map(_strip, NAMES) if word in by_letters]


def _strip(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _read_direction(value: Any) -> str | None:
    """Return the modality that a value names; None if it names none, or several."""
    words = {
        _strip(one.decode(errors="replace") if isinstance(one, bytes) else str(one))
        for one in np.atleast_1d(np.asarray(value, object)).ravel()
    }
    if len(words) != 1:
        return None
    word = words.pop()
    return word if word in MODALITIES else DIRECTIONS.get(word)


def _join(found: list[str | None], values: np.ndarray, name: str, source: str) -> Directions:
    known = tuple(modality for modality in found if modality is not None)
    if len(known) < len(found):
        rule = f"{name} must be ascending or descending for every acquisition"
        remedy = "Correct it, or drop it and give --orbit."
        raise refused_error(rule, show_value(str(values[found.index(None)])), source, remedy)
    return Directions(known[0], (), name) if len(set(known)) == 1 else Directions(None, known, name)
