"""A datacube of any size as a scene: NetCDF or Zarr, read window by window, never whole."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from data.io.safe_json import refused_error
from data.pack.tile_row import measure_slope
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
    """Open a datacube, reading its coordinates and a few pixels.

    Args:
        path: A NetCDF file or a Zarr folder, laid out as `data.scene.datacube_file` says.
        spec: What the network reads.
        units: Unit of the backscatter; told from a few pixels when left out.

    Raises:
        ValueError: If it is not what the network was made for: modality, band, dates, unit, pixel size or
            coordinate system.
    """
    groups = open_groups(path, spec.modalities)
    notes: list[str] = []
    grid = _find_common_grid(groups, path, notes)
    edges = {name: read_chunk_layout(dataset[BANDS[name][0]]) for name, dataset in groups.items()}
    groups = {name: _turn(dataset) for name, dataset in groups.items()}
    steps = {name: _pick(dataset, spec, name, path, notes) for name, dataset in groups.items()}
    heights = next((one["DEM"] for one in groups.values() if "DEM" in one), None)
    if heights is None and {"DEM", "slope"} & set(spec.channels):
        got = ", ".join(map(str, next(iter(groups.values()))))
        raise refused_error("The model reads heights: a datacube must have DEM", got, path)
    found = {
        name: units or detect_cube_units(dataset, steps[name], name, path)
        for name, dataset in groups.items()
        if name in ORBITS
    }
    if linear := [name for name, unit in found.items() if unit == "linear"]:
        notes.append(f"Backscatter of {', '.join(linear)} was converted from linear power to dB.")
    return Cube(
        grid=grid,
        spec=spec,
        has_heights=heights is not None,
        synthetic=any("synthetic" in str(one.attrs).lower() for one in groups.values()),
        notes=notes,
        path=path,
        groups=groups,
        steps=steps,
        edges=edges,
        units=found,
        heights=heights,
    )


def _find_common_grid(groups: dict[str, xr.Dataset], path: Path, notes: list[str]) -> Grid:
    found = {name: read_grid(dataset, f"{name} of {path}") for name, dataset in groups.items()}
    (first, (grid, note)), *others = found.items()
    for name, (other, _) in others:
        if other != grid:
            remedy = "Resample one onto the other's grid, for example with gdalwarp."
            raise refused_error(
                "All groups of a datacube must lie on one grid",
                f"{first} {grid}, {name} {other}",
                path,
                remedy,
            )
    notes += [note] if note else []
    return grid


def _turn(dataset: xr.Dataset) -> xr.Dataset:
    """Let rows run south, without reading."""
    y = dataset["y"].values
    return dataset.isel(y=slice(None, None, -1)) if y[0] < y[-1] else dataset


def _pick(
    dataset: xr.Dataset, spec: InputSpec, name: str, path: Path, notes: list[str]
) -> list[int]:
    """Choose a group's acquisitions, and say which."""
    place, times = f"{name} of {path}", dataset["time"].values
    if times.dtype.kind != "M":
        raise refused_error("time must be dates", f"type {times.dtype}", place)
    check_times(times, Path(place))
    picked = choose_steps(times, spec, place)
    notes.append(f"Of {len(times)} acquisitions of {name}: {format_dates(times[picked])}.")
    return picked


@dataclass(kw_only=True)
class Cube(Scene):
    """An opened datacube.

    Attributes:
        path: The file or the Zarr folder.
        groups: By modality, rows running south.
        steps: The chosen acquisitions of each.
        edges: Where the chunks of each end.
        units: Unit of the backscatter of each orbit.
        heights: Height in m, where there is one.
    """

    path: Path
    groups: dict[str, xr.Dataset]
    steps: dict[str, list[int]]
    edges: dict[str, ChunkLayout]
    units: dict[str, Units]
    heights: xr.DataArray | None
    _strips: dict[str, RowCache] = field(init=False)  # by channel

    def __post_init__(self) -> None:
        self._strips = self._make_strips(())

    def list_windows(self, side: int, overlap: int) -> list[Window]:
        """Lay windows of *side* px over the scene, by their first rows, in which order they are read best."""
        rows = make_spans(self.grid.height, side, overlap)
        self._strips = self._make_strips([span.start for span in rows])
        return combine_spans(rows, make_spans(self.grid.width, side, overlap))

    def _make_strips(self, starts: Sequence[int]) -> dict[str, RowCache]:
        """Make a strip of each band, for windows that begin in these rows."""
        height, edges = self.grid.height, self.edges
        return {
            name: RowCache(
                partial(self._read_band, name), edges[name.split(":")[0]], height, starts
            )
            for name in self.spec.channels
            if ":" in name
        }

    def read(self, window: Window) -> WindowData | None:
        """Read a window; None where it has no backscatter at all.

        Raises:
            ValueError: If a value is infinite, or the file is damaged.
        """
        return self.read_all([window])[0]

    def read_all(self, windows: Sequence[Window]) -> list[WindowData | None]:
        """Read windows of the same rows at once, since a chunk of the file often lies in several of them."""
        first, last = windows[0], windows[-1]
        width = last.columns.stop - first.columns.start
        whole = Window(first.rows, Span(first.columns.start, np.ones(width, np.float32)))
        try:
            bands = {
                name: strip.read(whole.rows.slice, whole.columns.slice)
                for name, strip in self._strips.items()
            }
            maps = self._read_maps(whole)
        except (OSError, RuntimeError) as error:
            raise refused_error(
                "A datacube must be readable", error, f"{whole} of {self.path}"
            ) from error
        x = stack_channels(self.spec.channels, bands, maps)
        seen = find_backscatter(self.spec.channels, x)
        relief = maps["DEM"] if maps else next(iter(bands.values()))[-1].astype(np.float32)
        found = []
        for window in windows:
            start = window.columns.start - whole.columns.start
            cut = (..., slice(start, start + window.shape[1]))
            found.append(WindowData(x[cut], relief[cut], seen[cut]) if seen[cut].any() else None)
        return found

    def _read_band(self, channel: str, rows: slice, columns: slice) -> np.ndarray:
        """Read the chosen acquisitions of a band, shape ``(T, H, W)``."""
        modality, band = channel.split(":")
        values = self._cut(modality, band, rows, columns).astype(np.float32, copy=False)
        if modality not in ORBITS:
            classes = self._cut(modality, SCENE_CLASS, rows, columns)
            return np.where((values == NODATA) | (classes == 0), np.float32(np.nan), values)
        place = f"{channel}, {format_area(rows, columns)} of {self.path}"
        return to_db(values, self.units[modality], place)

    def _cut(self, modality: str, name: str, rows: slice, columns: slice) -> np.ndarray:
        variable = self.groups[modality][name].transpose(*DIMS)
        return read_acquisitions(
            variable[:, rows, columns], self.steps[modality], self.edges[modality]
        )

    def _read_maps(self, window: Window) -> dict[str, np.ndarray]:
        """Read height and slope, with a pixel around the window so that slopes have no seams."""
        if self.heights is None:
            return {}
        sizes = (self.grid.height, self.grid.width)
        spans = (window.rows, window.columns)
        outer = [
            slice(max(span.start - 1, 0), min(span.stop + 1, size))
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
