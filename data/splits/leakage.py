"""What the audit measures: a folder's tiles, a split's parts on them, and who touches whom."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from data.io.processes import WorkerDied, map_processes
from data.splits.split import Split
from data.splits.split_file import PARTS
from data.tiles import (
    MODALITIES,
    ORBITS,
    TILE_PX,
    TileError,
    TileSurvey,
    list_tiles,
    list_unpaired,
    survey_tile,
    tile_path,
)
from data.tiles.catalogue import GRID_M, find_touching


@dataclass(frozen=True)
class Surveyed:
    """The tiles of a folder.

    Attributes:
        tiles: Place and label of every usable tile, by id.
        unusable: Reason by id for every tile that has a file that cannot be read.
        unpaired: Ids with a file of one orbit direction where the folder holds both.
    """

    tiles: dict[str, TileSurvey]
    unusable: dict[str, str] = field(default_factory=dict)
    unpaired: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartMeasure:
    """One part of a split.

    Attributes:
        tiles: Number of tiles.
        with_landslides: Number of tiles with a landslide pixel.
        positive_px: Landslide pixels.
        share: Landslide pixels of all pixels; None in an empty part.
        ratio: The share as a multiple of the share in all tiles; None where there is none.
    """

    tiles: int
    with_landslides: int
    positive_px: int
    share: float | None
    ratio: float | None


@dataclass(frozen=True)
class SplitMeasure:
    """A split on the tiles at hand.

    Attributes:
        split: The split, restricted to those tiles.
        parts: Measures of ``train``, ``val`` and ``test``.
        by_edge: Tiles of ``val`` and ``test`` that share an edge with a train tile.
        by_any: Tiles of ``val`` and ``test`` that share an edge or a corner with a train tile.
    """

    split: Split
    parts: dict[str, PartMeasure]
    by_edge: dict[str, list[str]]
    by_any: dict[str, list[str]]


def survey_folder(root: Path, *, progress: bool = False) -> Surveyed:
    """Read place and label of a folder's tiles, in processes.

    Args:
        root: Folder that holds ``s1asc/`` and ``s1dsc/``, one of them, or else ``s2/``.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The tiles that have a file of every orbit direction in the folder. The label is the first
        one's; whether the others agree is for the check of tiles.

    Raises:
        FileNotFoundError: If the folder holds no tiles.
    """
    present = [modality for modality in MODALITIES if (root / modality).is_dir()]
    modalities = [m for m in ORBITS if m in present] or present or list(ORBITS)
    tile_ids = list_tiles(root, modalities)
    tiles, unusable = {}, {}
    work = partial(_survey_tile, root, tuple(modalities))
    results = map_processes(work, tile_ids, "surveying tiles", progress=progress)
    for tile_id, result in zip(tile_ids, results, strict=True):
        if isinstance(result, TileSurvey):
            tiles[tile_id] = result
        else:
            died = f"The process that read {tile_id} died. Get its files again."
            unusable[tile_id] = died if isinstance(result, WorkerDied) else result
    return Surveyed(tiles, unusable, tuple(list_unpaired(root, modalities)))


def _survey_tile(root: Path, modalities: tuple[str, ...], tile_id: str) -> TileSurvey | str:
    """Survey all files of a tile, or say why it cannot be used."""
    try:
        first, *others = (
            survey_tile(tile_path(root, tile_id, modality)) for modality in modalities
        )
    except (TileError, OSError) as error:
        return str(error)
    for other in others:
        if (other.west_m, other.north_m) != (first.west_m, first.north_m):
            return (
                f"All files of a tile must lie in one place, but {tile_id} lies at "
                f"({first.west_m:.0f}, {first.north_m:.0f}) and ({other.west_m:.0f}, "
                f"{other.north_m:.0f}) m. Get its files again."
            )
    return first


def measure_split(split: Split, tiles: Mapping[str, TileSurvey]) -> SplitMeasure:
    """Measure a split on surveyed tiles.

    Args:
        split: A split of no other tiles than those.
        tiles: Place and label by id; together they are what a part's share is compared with.

    Returns:
        The measures. Places are compared on the grid of 1280 m.
    """
    whole = measure_part(tiles, tiles).share
    parts = {part: measure_part(split.part(part), tiles, whole) for part in PARTS}
    places = {
        tile: (round(at.west_m / GRID_M), round(at.north_m / GRID_M)) for tile, at in tiles.items()
    }
    by_edge, by_any = (
        {
            part: find_touching(split.part(part), split.train, corner=corner, places=places)
            for part in ("val", "test")
        }
        for corner in (False, True)
    )
    return SplitMeasure(split, parts, by_edge, by_any)


def measure_part(
    tile_ids: Collection[str], tiles: Mapping[str, TileSurvey], whole: float | None = None
) -> PartMeasure:
    """Measure one part, against the share *whole* of landslide pixels where that is given."""
    counts = [tiles[tile].annotated_px for tile in tile_ids]
    share = sum(counts) / (len(counts) * TILE_PX**2) if counts else None
    ratio = share / whole if share is not None and whole else None
    return PartMeasure(len(counts), sum(px > 0 for px in counts), sum(counts), share, ratio)
