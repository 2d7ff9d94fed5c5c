"""A datacube (NetCDF or Zarr) of any size as a scene, read window by window and never whole."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from data.io.safe_json import refused_error
from data.pack.tile_row import SLOPE_REACH_PX, measure_slope
from data.scene.base import (
    InputSpec,
    Scene,
    WindowData,
    choose_steps,
    find_backscatter,
    format_dates,
    round_to_float16,
    stack_channels,
)
from data.scene.datacube_file import DIMS, open_groups
from data.scene.georeference import Grid, read_grid
from data.scene.row_cache import ChunkLayout, RowCache, read_acquisitions, read_chunk_layout
from data.scene.units import detect_cube_units, nodata_to_nan, to_db
from data.scene.windows import Span, Window, combine_spans, format_area, make_spans
from data.tiles.rules import BANDS, NODATA, ORBITS, SCENE_CLASS, Units, check_times

logger = logging.getLogger(__name__)


def open_cube(path: Path, spec: InputSpec, units: Units | None = None) -> "Cube":
    """Open a datacube; reads its coordinates and a few pixels.

    Args:
        path: A NetCDF file or a Zarr folder, laid out as described in `data.scene.datacube_file`.
        spec: The network's input.
        units: Unit of the backscatter; by default detected from a few pixels.

    Raises:
        ValueError: If a modality, band or date is missing, or the unit, pixel size or coordinate system does not fit
            the network.
    """
    groups = open_groups(path, spec.modalities)
    notes: list[str] = []
    grid = _find_common_grid(groups, path, notes)
    layouts = {name: read_chunk_layout(dataset[BANDS[name][0]]) for name, dataset in groups.items()}
    groups = {name: _orient_south(dataset) for name, dataset in groups.items()}
    steps = {
        name: _choose_dates(dataset, spec, name, path, notes) for name, dataset in groups.items()
    }
    heights = next((group["DEM"] for group in groups.values() if "DEM" in group), None)
    if heights is None and {"DEM", "slope"} & set(spec.channels):
        got = ", ".join(map(str, next(iter(groups.values()))))
        raise refused_error("The model reads heights: a datacube must have DEM", got, path)
    units_by_orbit = {
        name: units or detect_cube_units(dataset, steps[name], name, path)
        for name, dataset in groups.items()
        if name in ORBITS
    }
    if linear := [name for name, unit in units_by_orbit.items() if unit == "linear"]:
        notes.append(f"Backscatter of {', '.join(linear)} was converted from linear power to dB.")
    return Cube(
        grid=grid,
        spec=spec,
        has_heights=heights is not None,
        synthetic=any("synthetic" in str(group.attrs).lower() for group in groups.values()),
        notes=notes,
        path=path,
        groups=groups,
        steps=steps,
        layouts=layouts,
        units=units_by_orbit,
        heights=heights,
    )


def _find_common_grid(groups: dict[str, xr.Dataset], path: Path, notes: list[str]) -> Grid:
    grids = {name: read_grid(dataset, f"{name} of {path}") for name, dataset in groups.items()}
    (first, (grid, note)), *others = grids.items()
    for name, (other, _) in others:
        if other != grid:
            remedy = "Resample one onto the other's grid, for example with gdalwarp."
            raise refused_error(
                "All groups of a datacube must be on one grid",
                f"{first} {grid}, {name} {other}",
                path,
                remedy,
            )
    notes += [note] if note else []
    return grid


def _orient_south(dataset: xr.Dataset) -> xr.Dataset:
    """Make rows run south, without reading data."""
    y = dataset["y"].values
    return dataset.isel(y=slice(None, None, -1)) if y[0] < y[-1] else dataset


def _choose_dates(
    dataset: xr.Dataset, spec: InputSpec, name: str, path: Path, notes: list[str]
) -> list[int]:
    """Choose a group's acquisitions and add a note with their dates."""
    source, times = f"{name} of {path}", dataset["time"].values
    if times.dtype.kind != "M":
        raise refused_error("time must be dates", f"type {times.dtype}", source)
    check_times(times, Path(source))
    steps = choose_steps(times, spec, source)
    notes.append(f"Of {len(times)} acquisitions of {name}: {format_dates(times[steps])}.")
    return steps


@dataclass(kw_only=True)
class Cube(Scene):
    """An opened datacube.

    Attributes:
        path: The file or the Zarr folder.
        groups: Datasets by modality, rows running south.
        steps: Indices of the chosen acquisitions, by modality.
        layouts: Chunk layouts, by modality.
        units: Unit of the backscatter, by orbit.
        heights: Height in m, or None.
    """

    path: Path
    groups: dict[str, xr.Dataset]
    steps: dict[str, list[int]]
    layouts: dict[str, ChunkLayout]
    units: dict[str, Units]
    heights: xr.DataArray | None
    _caches: dict[str, RowCache] = field(init=False)  # by channel

    def __post_init__(self) -> None:
        self._caches = self._make_caches(())

    def list_windows(self, side: int, overlap: int) -> list[Window]:
        """List windows of *side* px that cover the scene, ordered by first row: the fastest order to read them."""
        rows = make_spans(self.grid.height, side, overlap)
        self._caches = self._make_caches([span.start for span in rows])
        return combine_spans(rows, make_spans(self.grid.width, side, overlap))

    def _make_caches(self, starts: Sequence[int]) -> dict[str, RowCache]:
        """Make a row cache per band, for windows that start at these rows."""
        height, layouts = self.grid.height, self.layouts
        return {
            name: RowCache(
                partial(self._read_band, name), layouts[name.split(":")[0]], height, starts
            )
            for name in self.spec.channels
            if ":" in name
        }

    def read(self, window: Window) -> WindowData | None:
        """Read a window; return None if it has no backscatter at all.

        Raises:
            ValueError: If a value is infinite, or the file is damaged.
        """
        return self.read_all([window])[0]

    def read_all(self, windows: Sequence[Window]) -> list[WindowData | None]:
        """Read windows of the same rows at once, because they often share chunks of the file."""
        first, last = windows[0], windows[-1]
        width = last.columns.stop - first.columns.start
        whole = Window(first.rows, Span(first.columns.start, np.ones(width, np.float32)))
        try:
            bands = {
                name: cache.read(whole.rows.slice, whole.columns.slice)
                for name, cache in self._caches.items()
            }
            maps = self._read_maps(whole)
        except (OSError, RuntimeError) as error:
            raise refused_error(
                "A datacube must be readable", error, f"{whole} of {self.path}"
            ) from error
        x = stack_channels(self.spec.channels, bands, maps)
        valid = find_backscatter(self.spec.channels, x)
        relief = maps["DEM"] if maps else next(iter(bands.values()))[-1].astype(np.float32)
        window_data = []
        for window in windows:
            start = window.columns.start - whole.columns.start
            cut = (..., slice(start, start + window.shape[1]))
            window_data.append(
                WindowData(x[cut], relief[cut], valid[cut]) if valid[cut].any() else None
            )
        return window_data

    def _read_band(self, channel: str, rows: slice, columns: slice) -> np.ndarray:
        """Read the chosen acquisitions of a band, shape ``(T, H, W)``."""
        modality, band = channel.split(":")
        values = self._read_raw(modality, band, rows, columns).astype(np.float32, copy=False)
        if modality not in ORBITS:
            classes = self._read_raw(modality, SCENE_CLASS, rows, columns)
            return np.where((values == NODATA) | (classes == 0), np.float32(np.nan), values)
        source = f"{channel}, {format_area(rows, columns)} of {self.path}"
        return to_db(values, self.units[modality], source)

    def _read_raw(self, modality: str, name: str, rows: slice, columns: slice) -> np.ndarray:
        """Read the chosen acquisitions of a variable as stored, shape ``(T, H, W)``."""
        variable = self.groups[modality][name].transpose(*DIMS)
        return read_acquisitions(
            variable[:, rows, columns], self.steps[modality], self.layouts[modality]
        )

    def _read_maps(self, window: Window) -> dict[str, np.ndarray]:
        """Read height and slope, with a margin so that slopes have no seams between windows."""
        if self.heights is None:
            return {}
        sizes = (self.grid.height, self.grid.width)
        spans = (window.rows, window.columns)
        outer = [
            slice(max(span.start - SLOPE_REACH_PX, 0), min(span.stop + SLOPE_REACH_PX, size))
            for span, size in zip(spans, sizes, strict=True)
        ]
        layer = self.heights.isel(time=0) if "time" in self.heights.dims else self.heights
        heights = nodata_to_nan(
            layer.transpose("y", "x")[outer[0], outer[1]].values.astype(np.float32)
        )
        inner = tuple(
            slice(span.start - cut.start, span.stop - cut.start)
            for span, cut in zip(spans, outer, strict=True)
        )
        maps = {"DEM": heights[inner]}
        if "slope" in self.spec.channels:
            maps["slope"] = round_to_float16(measure_slope(heights))[inner]
        return maps
