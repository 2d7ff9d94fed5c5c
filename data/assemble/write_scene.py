"""Assembles a scene: loads its blocks, several at once, writes them as Zarr, and gives the folder its name when all are there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from tqdm import tqdm

from data.assemble.assets import ask_etags, describe_assets, describe_heights
from data.assemble.blocks import HEIGHTS, Block, list_blocks
from data.assemble.finished import read_finished
from data.assemble.grid import make_grid
from data.assemble.layout import create_store, describe_group, format_time, mark, set_attributes
from data.assemble.load import load_block
from data.assemble.network import WORKERS, count_received, strip_tokens
from data.assemble.partial import Partial, working_on
from data.assemble.report import (
    SceneReport,
    check_disk,
    count_chunks,
    describe_work,
    measure_area,
)
from data.assemble.request import describe_found
from data.io.disk import format_bytes
from data.io.durable import sync_file
from data.io.safe_json import refused_error

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from data.search.acquisitions import Found
    from data.search.sources import Source

logger = logging.getLogger(__name__)


def write_scene(
    found: Found,
    source: Source,
    to: Path,
    *,
    workers: int = WORKERS,
    request: Mapping[str, Any] | None = None,
) -> SceneReport:
    """Load acquisitions into a datacube; an interrupted call with the same request continues.

    Args:
        found: The acquisitions, of `data.search.find.find_acquisitions`.
        source: The catalogue, which signs addresses.
        to: The Zarr folder, which appears when it is complete.
        workers: Blocks to load at once.
        request: What the user asked for; by default what was found. A complete scene of the same request is used as it is.

    Raises:
        ValueError: If there are no acquisitions, the area fits no grid, or *to* or the folder of an interrupted call is of another request.
        AssetError: If an asset cannot be read.
        FullDiskError: If the disk has no room.
    """
    if not found.acquisitions:
        remedy = "Search again, with a later event or another catalogue."
        raise refused_error("A scene needs acquisitions", "none", found.address, remedy)
    wanted = dict(request or describe_found(found))
    if (finished := read_finished(to, wanted)) is not None:
        return finished
    start, received = time.monotonic(), count_received()
    with working_on(to) as partial:
        if (finished := read_finished(to, wanted)) is not None:
            return finished
        before = partial.read_found(wanted)
        found = before or found
        grid = make_grid(found.area)
        blocks = list_blocks(found, grid)
        loaded = partial.read_loaded() & set(blocks)
        todo = [block for block in blocks if block not in loaded]
        check_disk(to, todo, grid)
        if before is None:
            partial.begin(wanted, found)
        if not partial.is_laid_out:
            create_store(partial.store, found, grid)
            partial.start_journal()
        kept = count_chunks(loaded, grid)
        logger.info("%s", describe_work(found, grid, todo, kept))
        notes = _fill(partial, found, source, grid, todo, kept, workers, wanted)
        partial.finish()
    return SceneReport(
        path=to,
        source=found.source,
        address=strip_tokens(found.address),
        event=found.event,
        crs=str(grid.crs),
        area_km2=measure_area(grid),
        shape=grid.shape.yx,
        dates={name: tuple(x.time for x in one) for name, one in found.acquisitions.items()},
        tracks={
            name: tuple(sorted({x.track for x in one})) for name, one in found.acquisitions.items()
        },
        has_heights=bool(found.heights),
        synthetic=found.synthetic,
        seconds_load=time.monotonic() - start,
        bytes_read=count_received() - received,
        chunks=count_chunks(todo, grid),
        chunks_before=kept,
        notes=(*found.notes, *notes),
    )


def _fill(
    partial: Partial,
    found: Found,
    source: Source,
    grid: GeoBox,
    todo: Sequence[Block],
    kept: int,
    workers: int,
    request: Mapping[str, Any],
) -> list[str]:
    """Load and write the blocks to do, and then the attributes; return notes."""
    root = zarr.open_group(partial.store, mode="r+")
    total, received = kept + count_chunks(todo, grid), count_received()
    with (
        _pool(workers) as (pool, stop),
        tqdm(total=total, initial=kept, desc="Load", unit="chunk") as bar,
    ):
        loads = _run(pool, todo, workers, lambda b: load_block(found, source, b, grid, stop))
        for block, values in loads:
            _write_block(root, partial.store, block, values, grid)
            partial.add_loaded(block)
            bar.set_postfix_str(f"{format_bytes(count_received() - received)} read", refresh=False)
            bar.update(block.count_chunks(grid.shape.yx))
        etags, notes = ask_etags(found, source, pool)
    for orbit, series in found.acquisitions.items():
        assets = describe_assets(series, etags)
        attributes = describe_group(found, series, grid, assets)
        attributes |= {"heights": describe_heights(found, etags)} if found.heights else {}
        set_attributes(partial.store / orbit, attributes)
    set_attributes(partial.store, _describe_root(found, grid, request, notes))
    return notes


@contextmanager
def _pool(workers: int) -> Iterator[tuple[ThreadPoolExecutor, threading.Event]]:
    """Start threads; after an error those at work give up before their next try."""
    stop = threading.Event()
    pool = ThreadPoolExecutor(max(workers, 1), "load")
    try:
        yield pool, stop
    except BaseException:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _run(
    pool: ThreadPoolExecutor, todo: Sequence[Block], workers: int, load: Any
) -> Iterator[tuple[Block, dict[str, np.ndarray]]]:
    """Yield loaded blocks as they come, and raise an error after those that came with it; one more is held than there are workers."""
    waiting = iter(todo)
    running: dict[Future[dict[str, np.ndarray]], Block] = {}
    while True:
        while len(running) < workers + 1 and (block := next(waiting, None)) is not None:
            running[pool.submit(load, block)] = block
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda one: one.exception() is not None):
            yield running.pop(future), future.result()


def _write_block(
    root: zarr.Group,
    store: Path,
    block: Block,
    values: Mapping[str, np.ndarray],
    grid: GeoBox,
) -> None:
    """Write a block, and force its files onto the disk."""
    rows, columns = block.cut(grid.shape.yx)
    orbits = list(root.group_keys()) if block.orbit == HEIGHTS else [block.orbit]
    for orbit in orbits:
        for band, pixels in values.items():
            array: Any = root[f"{orbit}/{band}"]
            step = () if block.orbit == HEIGHTS else (block.step,)
            array[(*step, rows, columns)] = pixels
            _sync_chunks(store / orbit / band / "c", step, array.chunks[-2:], rows, columns)


def _sync_chunks(
    folder: Path, step: tuple[int, ...], chunk: Sequence[int], rows: slice, columns: slice
) -> None:
    """Force the files of some chunks onto the disk; those that are all NaN have none."""
    for row in range(rows.start // chunk[0], -(-rows.stop // chunk[0])):
        for column in range(columns.start // chunk[1], -(-columns.stop // chunk[1])):
            file = folder.joinpath(*map(str, (*step, row, column)))
            if file.is_file():
                sync_file(file)


def _describe_root(
    found: Found, grid: GeoBox, request: Mapping[str, Any], notes: Sequence[str]
) -> dict[str, Any]:
    """Return the attributes of the whole scene."""
    return {
        "Conventions": "CF-1.11",
        "title": f"Sentinel-1 gamma nought around the event of {format_time(found.event)}",
        "source": found.source,
        "address": strip_tokens(found.address),
        "event_date": format_time(found.event),
        "crs": str(grid.crs),
        "request": dict(request),
        "notes": [*found.notes, *notes],
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": _find_version(),
    } | mark(found)


def _find_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"landslide-benchmark {version('landslide-benchmark')}"
    except PackageNotFoundError:
        return "landslide-benchmark, not installed"
