"""Reference layers of the test tiles (label, DEM, change, land cover, position, true ground) and the audit of splits.

A campaign logs both as artifacts of its run, because the report reads MLflow alone.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from data.io.safe_arrays import ArraySpec, read_arrays
from data.io.safe_json import refused_error, show_value
from data.pack import Pack
from data.pack.log_ratio import log_ratio
from data.splits import Split
from data.splits.audit import Audit, audit_to_dict
from data.splits.audit_map import draw_audit
from data.splits.grid import survey_catalogue
from data.splits.leakage import FolderSurvey, compute_split_statistics
from data.splits.split_map import save_map
from data.tiles import TILE_PX
from data.tiles.paths import region_of
from data.twin.ground import read_ground
from data.twin.land_cover import read_cover
from tuning.objects.mosaic import find_neighbours
from tuning.report.errors.tile_positions import (
    CORNERS,
    SPLITS_FILE,
    TILES,
    describe_positions,
)
from tuning.tracking.client import open_artifact
from tuning.tracking.validate_runs import check_ids

REFERENCE_FILE = "test_ground.npz"
_MAX_CLASSES = 50
_SHAPE = (None, TILE_PX, TILE_PX)
_ARRAYS = {
    "tile_ids": ArraySpec("str", (None,)),
    "mask": ArraySpec("uint8", _SHAPE),
    "dem": ArraySpec("int16", _SHAPE),
    "change_db": ArraySpec("float16", _SHAPE),
    "cover": ArraySpec("uint8", (None, None, None)),
    "cover_names": ArraySpec("str", (None,)),
    "corners": ArraySpec("float64", (None, 2)),
    "truth": ArraySpec("uint8", (None, None, None)),
}


@dataclass(frozen=True)
class ReferenceLayers:
    """Label, DEM, change, land cover and position of N test tiles.

    Attributes:
        tile_ids: N ids, sorted.
        mask: 1 = landslide, shape ``(N, H, W)``, uint8.
        dem: Elevation in m, shape ``(N, H, W)``, int16; -9999 = no data.
        change_db: VV after minus before the event, shape ``(N, H, W)``, float16.
        cover: Land cover, shape ``(N, H, W)``, uint8, an index of *cover_names*; only for the twin.
        cover_names: Names of the classes, empty for real tiles.
        corners: West and north of each tile's upper left corner in m, shape ``(N, 2)``, float64.
        mmu_m2: Minimum mapping unit of landslides as objects in m2, from the campaign's params.
        truth: 1 = ground that truly slid, drawn in the label or not, shape ``(N, H, W)``, uint8; empty for real tiles.
    """

    tile_ids: tuple[str, ...]
    mask: np.ndarray
    dem: np.ndarray
    change_db: np.ndarray
    cover: np.ndarray
    cover_names: tuple[str, ...]
    corners: np.ndarray
    mmu_m2: float = 0.0
    truth: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0), np.uint8))

    def rows(self, tile_ids: Sequence[str]) -> np.ndarray:
        """Return the row of each of *tile_ids*, shape ``(len(tile_ids),)``, int64."""
        row_of = {tile: row for row, tile in enumerate(self.tile_ids)}
        return np.array([row_of[tile] for tile in tile_ids], dtype=np.int64)

    def find_neighbours(self, tile_ids: Sequence[str]) -> np.ndarray:
        """Return which of *tile_ids* touch, shape ``(len(tile_ids), 8)``, as ``tuning.objects.mosaic`` does."""
        regions = [region_of(tile) for tile in tile_ids]
        size = (self.mask.shape[1], self.mask.shape[2])
        return find_neighbours(self.corners[self.rows(tile_ids)], regions, size)


def write_reference_layers(pack: Pack, tile_ids: Sequence[str], folder: Path) -> Path:
    """Write ``test_ground.npz`` for the test tiles of all splits.

    Args:
        pack: The packed tiles.
        tile_ids: The test tiles, sorted.
        folder: Existing folder.

    Returns:
        Path of the file.
    """
    rows = pack.rows(tile_ids)
    cover = truth = np.zeros((0, 0, 0), np.uint8)
    names = tuple[str, ...]()
    if pack.seed is not None:
        cover, names = read_cover(pack.seed, tile_ids)
        truth = read_ground(pack.seed, tile_ids)
    file = folder / REFERENCE_FILE
    np.savez_compressed(
        file,
        tile_ids=np.array(tile_ids),
        mask=pack.mask[rows],
        dem=pack.dem[rows],
        change_db=log_ratio(pack, tile_ids).astype(np.float16),
        cover=cover,
        cover_names=np.array(names, dtype=str),
        corners=pack.corners[rows].astype(np.float64),
        truth=truth,
    )
    return file


def load_reference_layers(file: Path) -> ReferenceLayers:
    """Load ``test_ground.npz``: plain arrays within the limits of :mod:`data.io.safe_arrays`.

    Raises:
        ValueError: If the file has other arrays, shapes or values than :func:`write_reference_layers` writes.
    """
    arrays: dict[str, Any] = read_arrays(file, _ARRAYS, optional=("corners", "truth"))
    ids, names = ([str(text) for text in arrays.pop(name)] for name in ("tile_ids", "cover_names"))
    mask, cover = arrays["mask"], arrays["cover"]
    if "corners" not in arrays:
        arrays["corners"] = _find_corners(ids, file)
    sizes = {len(arrays[name]) for name in ("mask", "dem", "change_db", "corners")}
    if sizes != {len(ids)} or mask.max(initial=0) > 1:
        got = f"{sorted(sizes)} with values up to {mask.max(initial=0)}"
        raise refused_error(
            f"{len(ids)} tiles must have a mask of 0 and 1, heights and change", got, file
        )
    if len(names) > _MAX_CLASSES or (cover.size and cover.shape != mask.shape):
        got = f"{len(names)} classes, {cover.shape}"
        raise refused_error(f"Land cover must be of {mask.shape}, or none", got, file)
    if cover.max(initial=0) >= max(len(names), 1) or not all(name.isprintable() for name in names):
        raise refused_error("Land cover must have known classes", show_value(names), file)
    truth = arrays.get("truth", cover[:0])
    if (truth.size and truth.shape != mask.shape) or truth.max(initial=0) > 1:
        got = f"{truth.shape} with values up to {truth.max(initial=0)}"
        raise refused_error(
            f"The true ground must be of {mask.shape} with 0 and 1, or none", got, file
        )
    return ReferenceLayers(tile_ids=check_ids(ids, file), cover_names=tuple(names), **arrays)


def _find_corners(tile_ids: Sequence[str], file: Path) -> np.ndarray:
    """Return the catalogue's positions of tiles, for a file that an earlier version wrote without them."""
    tiles = survey_catalogue()
    if unlisted := [tile for tile in tile_ids if tile not in tiles]:
        remedy = "Continue the campaign with `python -m tuning.run --resume NAME`, which writes the file anew."
        raise refused_error(
            "The file must hold the tiles' corners", f"none of {unlisted[0]}", file, remedy
        )
    return np.array([(tiles[tile].west_m, tiles[tile].north_m) for tile in tile_ids], np.float64)


def read_mapping_unit(campaign: Run) -> float:
    """Return a campaign's minimum mapping unit in m2; 0 for one of an earlier version.

    Raises:
        ValueError: If the param is no number from 0.
    """
    text = campaign.data.params.get("mmu", "0")
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        place = f"run {campaign.info.run_id}"
        raise refused_error("The param mmu must be an area in m2", show_value(text), place)
    return float(text)


def read_reference(client: MlflowClient, campaign: Run) -> ReferenceLayers:
    """Read a campaign's reference layers, with its minimum mapping unit.

    Raises:
        ValueError: As :func:`load_reference_layers` and :func:`read_mapping_unit`.
    """
    with open_artifact(client, campaign, REFERENCE_FILE) as file:
        return replace(load_reference_layers(file), mmu_m2=read_mapping_unit(campaign))


def write_split_audit(pack: Pack, splits: Sequence[Split], name: str, folder: Path) -> list[Path]:
    """Write the audit of a campaign's splits with the places of its tiles, ``splits.json``, and the map ``splits.png``.

    Args:
        pack: The packed tiles.
        splits: The split, or one per fold.
        name: Name of the split as the user gave it.
        folder: Existing folder.

    Returns:
        Paths of the files.
    """
    tiles = pack.surveys()
    statistics = [compute_split_statistics(split, tiles) for split in splits]
    audit = Audit(pack.path, pack.synthetic, FolderSurvey(tiles), {name: statistics})
    content = audit_to_dict(audit)
    for entry, split in zip(content["splits"], splits, strict=True):
        entry[TILES] = describe_positions(split)
    places = {tile: (survey.west_m, survey.north_m) for tile, survey in tiles.items()}
    (folder / SPLITS_FILE).write_text(json.dumps(content | {CORNERS: places}, indent=1))
    save_map(draw_audit(audit), folder / "splits.png")
    return [folder / SPLITS_FILE, folder / "splits.png"]
