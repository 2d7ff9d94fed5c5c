"""What each axis varies; a new axis is an entry in ``AXIS_LABELS`` and in ``AXES``, and a reader of its levels."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from data.io.errors import unknown_name
from tuning.matrix.axes import levels as read
from tuning.matrix.axes.levels import Reading
from tuning.matrix.axes.names import AXIS_LABELS


@dataclass(frozen=True)
class AxisKind:
    """What an axis varies.

    Attributes:
        read: Reads the text of a level; raises ValueError if there is no such level.
        same_tiles: Whether all levels are measured on the same test tiles.
        excludes: Options of `tuning.run` that contradict the axis, beside those that its levels set.
        per_cell: Whether the axis varies the search itself, so that each cell needs its own.
    """

    read: Callable[[str], Reading]
    same_tiles: bool = True
    excludes: frozenset[str] = frozenset()
    per_cell: bool = False


AXES: dict[str, AxisKind] = {
    "channels": AxisKind(read.read_channels),
    "window": AxisKind(read.read_window, excludes=frozenset({"steps", "timesteps"})),
    "timesteps": AxisKind(read.read_timesteps),
    "steps": AxisKind(read.read_steps),
    "train": AxisKind(read.read_train),
    "shots": AxisKind(read.read_shots),
    "loss": AxisKind(read.read_loss),
    "label_noise": AxisKind(read.read_noise),
    "augment": AxisKind(read.read_augment),
    "norm": AxisKind(read.read_norm),
    "recipe": AxisKind(read.read_recipe),
    "init": AxisKind(read.read_init),
    "search_seed": AxisKind(read.read_search_seed, per_cell=True),
    "split": AxisKind(read.read_split, same_tiles=False),
    "test": AxisKind(read.read_test, same_tiles=False),
    "transfer": AxisKind(
        read.read_transfer, same_tiles=False, excludes=frozenset({"split", "region"})
    ),
    "data": AxisKind(read.read_data, same_tiles=False),
}


def get_kind(axis: str) -> AxisKind:
    """Return what an axis varies.

    Raises:
        ValueError: If there is no such axis; the message lists them.
    """
    if axis not in AXES:
        raise ValueError(unknown_name("axis", axis, AXES))
    return AXES[axis]


def read_level(axis: str, text: str) -> Reading:
    """Read a level of an axis.

    Raises:
        ValueError: If there is no such axis or level; the message names both.
    """
    kind = get_kind(axis)
    try:
        return kind.read(text)
    except ValueError as error:
        raise ValueError(f"{axis}={text}: {error}") from error


def describe_axis(axis: str) -> str:
    """Return an axis in words."""
    return AXIS_LABELS[axis][0]


def list_options(readings: Iterable[Reading]) -> frozenset[str]:
    """Return the options of `tuning.run` that the levels of an axis set."""
    return frozenset(name for reading in readings for name in reading.options)
