"""What assembling a scene took and gave, in numbers and in words; and whether the disk has room for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.assemble.blocks import CHUNK_PX, Block
from data.io.disk import FullDiskError, count_free_files, format_bytes, nearest_folder

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from data.search.acquisitions import Found

VALUE_BYTES = 4
LEFT_BY_CODEC = 0.8  # of the bytes of speckle in dB, measured
_SPARE_BYTES = 50 << 20


@dataclass(frozen=True)
class SceneReport:
    """A scene that was assembled, or that was there.

    Attributes:
        path: The Zarr folder.
        source: Word of the catalogue.
        address: Address of the catalogue.
        event: Time of the event, UTC.
        crs: Such as ``EPSG:32654``.
        area_km2: Area of the grid.
        shape: Rows and columns.
        dates: Times of the acquisitions by orbit, UTC, ascending.
        tracks: Relative orbits by orbit.
        has_heights: Whether there are heights beside the backscatter.
        synthetic: Whether its pixels are simulated.
        seconds_search: Time of the search; 0 where none was needed.
        seconds_load: Time of loading and writing, of this run alone.
        bytes_read: Bytes received from servers, of this run alone; files on disks are not counted.
        chunks: Chunks loaded by this run.
        chunks_before: Chunks that an interrupted run had loaded.
        notes: What the user should know, a sentence each.
    """

    path: Path
    source: str
    address: str
    event: np.datetime64
    crs: str
    area_km2: float
    shape: tuple[int, int]
    dates: Mapping[str, tuple[np.datetime64, ...]]
    tracks: Mapping[str, tuple[int, ...]]
    has_heights: bool
    synthetic: bool
    seconds_search: float = 0.0
    seconds_load: float = 0.0
    bytes_read: int = 0
    chunks: int = 0
    chunks_before: int = 0
    notes: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        counts = ", ".join(
            f"{len(dates)} acquisitions of {orbit} (track {', '.join(map(str, self.tracks[orbit]))})"
            for orbit, dates in self.dates.items()
        )
        return f"{self.path}: {self.area_km2:,.1f} km2 in {self.crs}, {counts}"


def count_chunks(blocks: Iterable[Block], grid: GeoBox) -> int:
    """Return how many chunks blocks have."""
    return sum(block.count_chunks(grid.shape.yx) for block in blocks)


def measure_area(grid: GeoBox) -> float:
    """Return the area of a grid in km2."""
    height, width = grid.shape.yx
    return height * width * abs(grid.resolution.x * grid.resolution.y) / 1e6


def estimate_bytes(blocks: Iterable[Block], grid: GeoBox) -> int:
    """Return the bytes of blocks before compression, which is the most that they take on the disk."""
    total = 0
    for block in blocks:
        rows, columns = block.cut(grid.shape.yx)
        pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
        total += VALUE_BYTES * pixels * len(block.bands)
    return total


def describe_work(found: Found, grid: GeoBox, blocks: Iterable[Block], loaded: int) -> str:
    """Return what is going to be loaded, a sentence.

    Args:
        found: The acquisitions.
        grid: The grid of the scene.
        blocks: The blocks to load.
        loaded: Chunks that have been loaded.
    """
    todo = list(blocks)
    height, width = grid.shape.yx
    counts = [f"{len(one)} acquisitions of {orbit}" for orbit, one in found.acquisitions.items()]
    before = f" ({loaded:,} more are loaded already)" if loaded else ""
    size = format_bytes(LEFT_BY_CODEC * estimate_bytes(todo, grid))
    return (
        f"{measure_area(grid):,.1f} km2 ({height:,} x {width:,} px of 10 m in {grid.crs}), {', '.join(counts)}: "
        f"{count_chunks(todo, grid):,} chunks of {CHUNK_PX} x {CHUNK_PX} px{before}, about {size} on the disk."
    )


def check_disk(to: Path, blocks: Iterable[Block], grid: GeoBox) -> None:
    """Raise if the disk has no room for what is going to be loaded.

    Raises:
        FullDiskError: If it has not.
    """
    todo = list(blocks)
    needed = round(LEFT_BY_CODEC * estimate_bytes(todo, grid)) + _SPARE_BYTES
    folder = nearest_folder(to)
    free = shutil.disk_usage(folder).free
    rule = f"The disk of {to} must have room for the scene"
    remedy = "Free space there, choose another --to, or a smaller area; what is loaded is kept, and the same command continues."
    if free < needed:
        raise FullDiskError(
            f"{rule}: {format_bytes(needed)}, but has {format_bytes(free)} free. {remedy}"
        )
    files = count_free_files(folder)
    if files is not None and files < (chunks := count_chunks(todo, grid)):
        raise FullDiskError(
            f"{rule}: {chunks:,} files, but takes only {files:,} more (inodes, see `df -i`). {remedy}"
        )
