"""A datacube of any size in a few megabytes of disk: its chunks are links to a few dozen files."""

import os
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from data.pack.channels import select_even_steps
from data.tiles import ACQUISITIONS

CHUNK_PX = 512
KINDS = 8  # different chunks of a band and date
ORBITS, BANDS = ("s1asc", "s1dsc"), {"VV": -9.0, "VH": -15.5}
DIMS = ("time", "y", "x")


def make_scene(folder: Path, side: int, timesteps: int = 4) -> Path:
    """Make a Zarr cube of *side* x *side* px with both orbits, the dates that a network of *timesteps* reads, and heights."""
    path = folder / f"scene-{side}.zarr"
    times = np.datetime64("2018-03-29", "ns") + 24 * np.arange(ACQUISITIONS) * np.timedelta64(
        1, "D"
    )
    coordinates = {
        "time": times,
        "y": 4_760_000 - 10.0 * np.arange(side),
        "x": 560_000 + 10.0 * np.arange(side),
    }
    for orbit in ORBITS:
        attributes = {"crs": "EPSG:32654", "source": "synthetic"}
        xr.Dataset(coords=coordinates, attrs=attributes).to_zarr(
            path, group=orbit, zarr_format=3, consolidated=False
        )
        group = zarr.open_group(path / orbit, mode="r+")
        for band, mean in BANDS.items():
            _fill(group, f"{orbit}/{band}", path, side, mean, select_even_steps(timesteps))
        _fill(group, f"{orbit}/DEM", path, side, 250.0, None)
    return path


def _fill(
    group: zarr.Group,
    name: str,
    path: Path,
    side: int,
    mean: float,
    steps: list[int] | None,
) -> None:
    """Add a variable: write a few chunks, and link all others to them."""
    rng = np.random.default_rng(len(name))
    lead = (ACQUISITIONS,) if steps else ()
    array = group.create_array(
        name.split("/")[1],
        shape=(*lead, side, side),
        chunks=(*(1 for _ in lead), CHUNK_PX, CHUNK_PX),
        dtype="float32",
        fill_value=np.nan,
        compressors=None,
        dimension_names=DIMS[-2 - len(lead) :],
    )
    count = -(-side // CHUNK_PX)
    for step in steps or [None]:
        place = path / name / "c" / ("" if step is None else str(step))
        for kind in range(KINDS):
            row, column = divmod(kind, count)
            if row >= count:
                break
            values = mean + 2 * rng.standard_normal((CHUNK_PX, CHUNK_PX))
            cut = [slice(at * CHUNK_PX, min(side, (at + 1) * CHUNK_PX)) for at in (row, column)]
            size = tuple(part.stop - part.start for part in cut)
            # A step of 1/16 dB, as the tiles have.
            part = np.round(values[: size[0], : size[1]] * 16) / 16
            array[(*([step] if step is not None else []), *cut)] = part.astype(np.float32)
        _link(place, count)


def _link(place: Path, count: int) -> None:
    """Link every missing chunk of an array's plane to an existing one."""
    # A chunk's file is whole, even where it reaches over the edge.
    there = [divmod(kind, count) for kind in range(KINDS) if kind < count**2]
    for row in range(count):
        (place / str(row)).mkdir(parents=True, exist_ok=True)
        for column in range(count):
            target = place / str(row) / str(column)
            if not target.exists():
                source = there[(3 * row + column) % len(there)]
                os.link(place / str(source[0]) / str(source[1]), target)
