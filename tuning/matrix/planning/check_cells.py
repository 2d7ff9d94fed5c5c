"""Whether the tiles can be read as every cell wants: all cells that cannot are named together, before anything is trained."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data.pack import Pack
from tuning.campaign.prepare_data import pack_tiles
from tuning.campaign.window import settle_window
from tuning.matrix.planning.make_cells import PlannedCell, format_errors
from tuning.settings.lock import lock_setup
from tuning.settings.settings import Settings
from tuning.trial.disk import check_output_folder


def settle_cells(root: Path, cells: Sequence[PlannedCell]) -> tuple[PlannedCell, ...]:
    """Pack the tiles of all cells, and check that each can read its acquisitions.

    Args:
        root: Output folder, which receives the pack.
        cells: The cells.

    Returns:
        The cells, with the numbers of their windows.

    Raises:
        ValueError: If a cell cannot read its tiles; the message names each such cell and why.
        OSError: If the output folder cannot be used.
    """
    root = root.resolve()
    check_output_folder(root)
    packs: dict[tuple[object, ...], Pack] = {}
    settled, errors = [], {}
    for cell in cells:
        one = cell.settings
        try:
            ready = settle_window(root, one)
            if not one.window:
                _check_steps(_find_pack(root, one, packs), one)
            settled.append(replace(cell, settings=ready))
        except ValueError as error:
            errors["; ".join(one.places)] = str(error)
    if errors:
        raise ValueError(format_errors(errors, len(cells)))
    return tuple(settled)


def _find_pack(root: Path, settings: Settings, packs: dict[tuple[object, ...], Pack]) -> Pack:
    """Return the pack of a cell; cells with the same tiles share it."""
    key = (
        *(settings.data, settings.regions, settings.units, settings.packed),
        *(settings.preset, settings.split, tuple(settings.events.items())),
    )
    if key not in packs:
        with lock_setup(root):
            packs[key] = pack_tiles(root, settings)
    return packs[key]


def _check_steps(pack: Pack, settings: Settings) -> None:
    """Raise ValueError if the tiles lack acquisitions that a cell reads."""
    pack.select_steps(settings.steps, settings.timesteps)
