"""From axes to cells: one campaign at the reference, and one for each other level of each axis."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from data.pack.channels import choose_channels
from data.tiles import MODALITIES
from tuning.baselines.baselines import BASELINES, list_baselines
from tuning.matrix.plan import Axis
from tuning.matrix.planning.choose_levels import Folders, try_settings
from tuning.settings.choose_models import GROUPS
from tuning.settings.settings import Settings

_MOST_CHARS = 90  # of a campaign's name


@dataclass(frozen=True)
class PlannedCell:
    """A cell before it begins.

    Attributes:
        settings: Settings of its campaign.
        left_out: Baselines that were asked for, and cannot be computed from its channels.
    """

    settings: Settings
    left_out: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Axis and level at which it stands."""
        pairs = (place.partition("=") for place in self.settings.places)
        return tuple((axis, level) for axis, _, level in pairs)


def make_cells(
    name: str, axes: Sequence[Axis], common: Mapping[str, Any], folders: Folders
) -> tuple[PlannedCell, ...]:
    """Make the cells of a matrix, the reference cell first; equal cells are one.

    Args:
        name: Name of the matrix.
        axes: Its axes.
        common: Options of every campaign.
        folders: Where options lead.

    Raises:
        ValueError: If the options of a cell are invalid; the message names each such cell and why.
    """
    references = {axis.name: axis.reference for axis in axes}
    at: list[dict[str, str]] = [references]
    at += [
        {axis.name: level.text}
        for axis in axes
        for level in axis.levels
        if level.text != axis.reference
    ]
    made: list[PlannedCell] = []
    errors: dict[str, str] = {}
    for changed in at:
        options = dict(common)
        for axis in axes:
            options |= _options(axis, changed.get(axis.name, axis.reference))
        places = tuple(f"{axis}={level}" for axis, level in changed.items())
        try:
            made.append(_make_cell(options, places, folders))
        except (ValueError, OSError) as error:
            where = "reference" if changed is references else "; ".join(places)
            errors[where] = str(error)
    if errors:
        raise ValueError(format_errors(errors, len(at)))
    return _name_cells(name, _share_pack(_merge(made)))


def format_errors(errors: Mapping[str, str], cells: int) -> str:
    """Return one message for all cells that cannot be run; what is wrong with every cell is said alone.

    Args:
        errors: What is wrong, by the places of a cell.
        cells: Number of all cells.
    """
    places: dict[str, list[str]] = {}
    for where, text in errors.items():
        places.setdefault(text, []).append(where)
    if len(places) == 1 and len(errors) == cells:
        return next(iter(places))
    listed = " ".join(f"[{', '.join(where)}] {text}" for text, where in places.items())
    return f"{len(errors)} of {cells} cells cannot be run: {listed}"


def _options(axis: Axis, text: str) -> Mapping[str, Any]:
    return next(level.options for level in axis.levels if level.text == text)


def _make_cell(options: dict[str, Any], places: tuple[str, ...], folders: Folders) -> PlannedCell:
    left_out: tuple[str, ...] = ()
    if "model" in options:
        channels = choose_channels(options.get("channels", ["s1"]))
        lacking = {*BASELINES} - {*list_baselines(channels)}
        left_out = tuple(name for name in options["model"] if name in lacking)
        options["model"] = [name for name in options["model"] if name not in lacking]
        if not options["model"]:
            raise ValueError(
                f"A cell needs a model, but {', '.join(left_out)} cannot be computed from {' '.join(channels)}. Add a network, "
                f"or one of {', '.join(GROUPS)}."
            )
    return PlannedCell(replace(try_settings(options, folders), places=places), left_out)


def _merge(cells: Iterable[PlannedCell]) -> list[PlannedCell]:
    """Join cells with equal settings: each stands at the places of all."""
    found: dict[str, PlannedCell] = {}
    for cell in cells:
        key = repr(replace(cell.settings, places=()))
        if key in found:
            first = found[key]
            joined = dict.fromkeys((*first.settings.places, *cell.settings.places))
            found[key] = replace(first, settings=replace(first.settings, places=tuple(joined)))
        else:
            found[key] = cell
    return list(found.values())


def _share_pack(cells: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Let all cells of the same tiles pack the modalities of any of them."""
    shared = []
    for cell in cells:
        together = {
            modality
            for other in cells
            if _tiles(other.settings) == _tiles(cell.settings)
            for modality in other.settings.packed
        }
        packed = tuple(name for name in MODALITIES if name in together)
        shared.append(replace(cell, settings=replace(cell.settings, modalities=packed)))
    return shared


def _tiles(settings: Settings) -> tuple[Any, ...]:
    return settings.data, settings.regions, settings.units


def _name_cells(matrix: str, cells: Sequence[PlannedCell]) -> tuple[PlannedCell, ...]:
    """Name each cell's campaign after the matrix and its place."""
    taken: set[str] = set()
    named = []
    for number, cell in enumerate(cells):
        place = "reference" if number == 0 else "-".join(cell.settings.places)
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", place).strip("-.")
        name = free = f"{matrix}-{slug}"[:_MOST_CHARS].rstrip("-.")
        count = 2
        while free.lower() in taken:
            free, count = f"{name}-{count}", count + 1
        taken.add(free.lower())
        settings = replace(cell.settings, campaign=free, matrix=matrix)
        named.append(replace(cell, settings=settings))
    return tuple(named)
