"""The plan of a matrix: its axes, and its cells, each of which is a campaign.

One level of each axis is the reference. A cell differs from the reference cell in the level of one axis, so that the difference
of their scores is the effect of that level. Equal cells are one: the reference cell stands at the reference level of every axis.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from data.io.errors import unknown_name
from tuning.settings.cell import CELL_TAG, MATRIX_TAG

__all__ = ["CELL_TAG", "MATRIX_TAG", "PLAN_FILE", "Axis", "Cell", "Level", "MatrixPlan"]

PLAN_FILE = "matrix.json"  # of a matrix's folder, and artifact of its run in MLflow


@dataclass(frozen=True)
class Level:
    """One level of an axis.

    Attributes:
        text: As the user wrote it, such as ``VV`` or ``pre:all/post:2``.
        options: Options of `tuning.run` that it sets, by their names there.
        value: Position on an ordered axis, such as 0.25 of the train tiles or 2 acquisitions; None on others.
    """

    text: str
    options: Mapping[str, Any]
    value: float | None = None


@dataclass(frozen=True)
class Axis:
    """One setting that a matrix varies.

    Attributes:
        name: Such as ``train``.
        label: In words, such as ``share of the train tiles``.
        levels: Its levels, in the user's order; those of an ordered axis ascend.
        reference: Text of the level with which the others are compared.
        ordered: Whether the levels are numbers along which a score may rise or fall steadily.
        same_tiles: Whether all levels are measured on the same test tiles; only then are they paired.
    """

    name: str
    label: str
    levels: tuple[Level, ...]
    reference: str
    ordered: bool = False
    same_tiles: bool = True


@dataclass(frozen=True)
class Cell:
    """One campaign of a matrix.

    Attributes:
        campaign: Name of the campaign.
        places: Axis and level at which it stands; the reference cell stands at the reference level of every axis.
    """

    campaign: str
    places: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MatrixPlan:
    """The plan of a matrix.

    Attributes:
        name: Name of the matrix.
        axes: Its axes.
        cells: Its cells, the reference cell first.
        models: Architectures of every cell.
        baselines: Baselines of every cell.
        primary: Name of the axis whose effects are confirmatory (Holm); those of others are exploratory (FDR).
        search: ``once``, in the reference cell, or ``per-cell``.
        margin: Difference in average precision below which two levels count as equivalent.
        block_tiles: Edge of a spatial block in tiles.
        seeds: Seeds of every cell.
        dropped_seeds: Seeds that were left out to keep within *budget_hours*.
        budget_hours: Time that the user allowed; None for any.
    """

    name: str
    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]
    models: tuple[str, ...]
    baselines: tuple[str, ...]
    primary: str
    search: str
    margin: float
    block_tiles: int
    seeds: int
    dropped_seeds: int = 0
    budget_hours: float | None = None

    @property
    def reference(self) -> Cell:
        """The reference cell."""
        return self.cells[0]

    def axis(self, name: str) -> Axis:
        """Return an axis.

        Raises:
            ValueError: If there is none of this name.
        """
        found = {axis.name: axis for axis in self.axes}
        if name not in found:
            raise ValueError(unknown_name("axis", name, found))
        return found[name]

    def cell(self, axis: str, level: str) -> Cell:
        """Return the cell at a level of an axis.

        Raises:
            ValueError: If there is no such axis or level.
        """
        self.axis(axis)
        found = {text: cell for cell in self.cells for name, text in cell.places if name == axis}
        if level not in found:
            raise ValueError(unknown_name(f"level of {axis}", level, found))
        return found[level]

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``matrix.json``."""
        return asdict(self)
