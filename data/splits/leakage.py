"""Statistics of splits: a folder's tiles, the parts of a split on them, and which tiles touch train tiles."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from data.io.processes import WorkerDied, map_processes
from data.io.read_file import TransientError, killed_error
from data.splits.grid import find_touching, group_by_region
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


@dataclass(frozen=True)
class FolderSurvey:
    """The tiles of a folder.

    Attributes:
        tiles: Position and label of every usable tile, by id.
        unusable: Reason for every tile with an unreadable file, by id.
        unpaired: Ids of tiles with one orbit direction only, if the folder holds both.
    """

    tiles: dict[str, TileSurvey]
    unusable: dict[str, str] = field(default_factory=dict)
    unpaired: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartStatistics:
    """Statistics of one part of a split.

    Attributes:
        tiles: Number of tiles.
        with_landslides: Number of tiles with a landslide pixel.
        positive_px: Landslide pixels.
        share: Landslide pixels divided by all pixels; None for an empty part.
        ratio: The share divided by the share in all tiles; None for an empty part, or if no tile has landslides.
    """

    tiles: int
    with_landslides: int
    positive_px: int
    share: float | None
    ratio: float | None


@dataclass(frozen=True)
class SplitStatistics:
    """Statistics of a split on the tiles of a folder.

    Attributes:
        split: The split, restricted to those tiles.
        parts: Statistics of ``train``, ``val`` and ``test``.
        touching_by_edge: Tiles of ``val`` and of ``test`` that share an edge with a train tile.
        touching: Tiles of ``val`` and of ``test`` that share an edge or a corner with a train tile.
        regions: Statistics of the three parts within each region of the folder; their ratios refer to the share in
            the region.
    """

    split: Split
    parts: dict[str, PartStatistics]
    touching_by_edge: dict[str, list[str]]
    touching: dict[str, list[str]]
    regions: dict[str, dict[str, PartStatistics]]


def survey_folder(
    root: Path,
    regions: Collection[str] | None = None,
    modalities: Sequence[str] | None = None,
    *,
    progress: bool = False,
) -> FolderSurvey:
    """Read position and label of a folder's tiles in worker processes.

    Args:
        root: Folder that holds ``s1asc/`` and ``s1dsc/``, one of them, or else ``s2/``.
        regions: Names of regions; None surveys all in the folder.
        modalities: Those of which a tile must have a file; by default all orbit directions in the folder.
        progress: Whether to show a progress bar on stderr.

    Returns:
        The tiles that have a file of every orbit direction in the folder. The label is that of the first
        file; :mod:`data.check` compares it with the others.

    Raises:
        FileNotFoundError: If the folder holds no tiles.
        TransientError: If an error of the moment prevents that a tile is read.
    """
    present = [modality for modality in MODALITIES if (root / modality).is_dir()]
    modalities = modalities or [m for m in ORBITS if m in present] or present or list(ORBITS)
    tile_ids = list_tiles(root, modalities, regions)
    tiles, unusable = {}, {}
    work = partial(_survey_tile, root, tuple(modalities))
    results = map_processes(work, tile_ids, "surveying tiles", progress=progress)
    for tile_id, result in zip(tile_ids, results, strict=True):
        if isinstance(result, WorkerDied) and result.killed:
            raise killed_error(f"The tile {tile_id} of {root}")
        if isinstance(result, TileSurvey):
            tiles[tile_id] = result
        else:
            crash = f"The process that read {tile_id} died. Get its files again."
            unusable[tile_id] = crash if isinstance(result, WorkerDied) else result
    return FolderSurvey(tiles, unusable, tuple(list_unpaired(root, modalities, regions)))


def _survey_tile(root: Path, modalities: tuple[str, ...], tile_id: str) -> TileSurvey | str:
    """Survey all files of a tile; return the reason if it is unusable."""
    try:
        first, *others = (
            survey_tile(tile_path(root, tile_id, modality)) for modality in modalities
        )
    except TransientError:
        raise
    except (TileError, OSError) as error:
        return str(error)
    for other in others:
        places = [(file.west_m, file.north_m, file.crs) for file in (first, other)]
        if places[0] != places[1]:
            got = " and ".join(
                f"({west:.0f}, {north:.0f}) m in {crs}" for west, north, crs in places
            )
            return (
                f"All files of a tile must have one position, but got {got} for {tile_id}. "
                "Get its files again."
            )
    return first


def compute_split_statistics(split: Split, tiles: Mapping[str, TileSurvey]) -> SplitStatistics:
    """Compute the statistics of a split.

    Args:
        split: A split of a subset of *tiles*.
        tiles: Position and label by id; the ratio of a part refers to the share in all of them.
    """
    by_edge, touching = (
        {
            part: find_touching(split.part(part), split.train, tiles, corner=corner)
            for part in ("val", "test")
        }
        for corner in (False, True)
    )
    regions = {
        region: _compute_parts(split, group) for region, group in group_by_region(tiles).items()
    }
    return SplitStatistics(split, _compute_parts(split, tiles), by_edge, touching, regions)


def _compute_parts(split: Split, tiles: Mapping[str, TileSurvey]) -> dict[str, PartStatistics]:
    """Compute the statistics of each part's tiles that are among *tiles*."""
    share = compute_part_statistics(tiles, tiles).share
    return {
        part: compute_part_statistics([t for t in split.part(part) if t in tiles], tiles, share)
        for part in PARTS
    }


def compute_part_statistics(
    tile_ids: Collection[str], tiles: Mapping[str, TileSurvey], overall_share: float | None = None
) -> PartStatistics:
    """Compute the statistics of one part, with its ratio to *overall_share* if given."""
    counts = [tiles[tile].annotated_px for tile in tile_ids]
    share = sum(counts) / (len(counts) * TILE_PX**2) if counts else None
    ratio = share / overall_share if share is not None and overall_share else None
    return PartStatistics(len(counts), sum(px > 0 for px in counts), sum(counts), share, ratio)
