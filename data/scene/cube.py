"""A scene of any size, read window by window and never whole: a datacube, or a series of GeoTIFFs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from data.io.safe_json import refused_error
from data.pack.tile_row import SLOPE_REACH_PX, measure_slope
from data.scene.base import (
    InputSpec,
    Scene,
    SeriesDates,
    WindowData,
    measure_days,
    stack_channels,
)
from data.scene.change import measure_change
from data.scene.dates import choose_steps, format_dates
from data.scene.georeference import RESAMPLE, Grid, find_grid
from data.scene.resample import choose_grid, describe_resampling
from data.scene.row_cache import ChunkLayout, RowCache, round_to_float16
from data.scene.series import Layers, Series, find_units, read_heights, reading
from data.scene.windows import Span, Window, combine_spans, make_spans
from data.tiles.rules import ORBITS, Units
from data.values.counts import NoDataCounts
from data.values.coverage import NO_BACKSCATTER, FilledDates, OrbitDates, count_acquisitions

UNCHUNKED = ChunkLayout(1, 0, 1)


def choose_dates(
    times: np.ndarray,
    spec: InputSpec,
    event: np.datetime64,
    name: str,
    source: str,
    notes: list[str],
) -> list[int]:
    """Choose a modality's acquisitions and add a note with their dates."""
    steps = choose_steps(times, spec, event, name, source)
    notes.append(f"Of {len(times)} acquisitions of {name}: {format_dates(times[steps])}.")
    return steps


def make_cube(
    path: Path,
    spec: InputSpec,
    series: Mapping[str, Series],
    heights: Layers | None,
    notes: list[str],
    *,
    units: Units | None,
    resample: bool,
    event: np.datetime64,
    dates: dict[str, list[SeriesDates]],
    synthetic: bool,
) -> "Cube":
    """Make a scene of opened acquisitions: choose its grid and the units of its backscatter.

    Args:
        path: The file or folder.
        spec: The network's input.
        series: The chosen acquisitions by modality, their units unknown.
        heights: Heights, or None.
        notes: Choices made so far.
        units: Unit of the backscatter; None to detect it.
        resample: Whether files on other grids may be resampled.
        event: Time of the event.
        dates: Times of the acquisitions, by modality.
        synthetic: Whether the files are marked as synthetic.

    Raises:
        ValueError: If the files are not on one grid of 10 m and may not be resampled, or the unit is unclear.
    """
    grid = _find_common_grid(series, heights, path, resample)
    for name, one in series.items():
        frames = {layers.frame: None for layers in one.layers}
        notes += dict.fromkeys(
            note for frame in frames for note in describe_resampling(frame, grid, name)
        )
    radar = {name: one for name, one in series.items() if name in ORBITS}
    bands = {name: [c.split(":")[1] for c in spec.channels if c.startswith(name)] for name in radar}
    found = find_units(radar, bands, units, notes) if radar else None
    return Cube(
        grid=grid,
        spec=spec,
        has_heights=heights is not None,
        synthetic=synthetic,
        notes=notes,
        events=(event if spec.placebo is None else spec.placebo.event or event,),
        pretended=set() if spec.placebo is None else {event},
        dates=dates,
        path=path,
        series={
            name: Series(one.layers, one.layout, found if name in radar else None)
            for name, one in series.items()
        },
        heights=heights,
        orbits=[
            OrbitDates(name, dates[name][0].chosen, event, spec.list_learnt(name).least_after)
            for name in radar
        ],
    )


def _find_common_grid(
    series: Mapping[str, Series], heights: Layers | None, path: Path, resample: bool
) -> Grid:
    stack = [layers for one in series.values() for layers in one.layers]
    stack += [heights] if heights else []
    first, *others = stack
    if resample:
        return choose_grid([layers.frame for layers in stack], path)
    grid = find_grid(first.frame, first.source)
    for other in others:
        if not other.frame.matches(grid.frame):
            raise refused_error(
                "All files and groups of a scene must be on one grid",
                f"{first.frame} in {first.source}, and {other.frame}",
                other.source,
                RESAMPLE,
            )
    return grid


@dataclass(kw_only=True)
class Cube(Scene):
    """An opened datacube, or a series of GeoTIFFs.

    Attributes:
        path: The file or the folder.
        series: The chosen acquisitions, by modality.
        heights: Heights, or None.
        orbits: Dates of the orbits, from which the acquisitions of a pixel are counted.
    """

    path: Path
    series: dict[str, Series]
    heights: Layers | None
    orbits: list[OrbitDates]
    _caches: dict[str, RowCache] = field(init=False)  # by channel

    def __post_init__(self) -> None:
        self._caches = self._make_caches(())

    def list_windows(self, side: int, overlap: int) -> list[Window]:
        """List windows of *side* px that cover the scene, ordered by first row: the fastest order to read them."""
        rows = make_spans(self.grid.height, side, overlap)
        self.filled = FilledDates()  # without windows that were read as a sample
        self._caches = self._make_caches([span.start for span in rows])
        return combine_spans(rows, make_spans(self.grid.width, side, overlap))

    def _make_caches(self, starts: Sequence[int]) -> dict[str, RowCache]:
        """Make a row cache per band, for windows that start at these rows."""
        return {
            name: RowCache(
                partial(self._read_band, name), self._find_layout(name), self.grid.height, starts
            )
            for name in self.spec.channels
            if ":" in name
        }

    def _find_layout(self, channel: str) -> ChunkLayout:
        """Return the chunks of a band in rows of the map; resampled rows have none."""
        series = self.series[channel.split(":")[0]]
        kept = all(layers.frame.matches(self.grid.frame) for layers in series.layers)
        return series.layout if kept else UNCHUNKED

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
        with reading(self.series.values(), f"{whole} of {self.path}", self._measure(whole)):
            bands = {
                name: cache.read(whole.rows.slice, whole.columns.slice)
                for name, cache in self._caches.items()
            }
            maps = self._read_maps(whole)
        if (whole.rows.stop, last.columns.stop) == (self.grid.height, self.grid.width):
            self._count_no_data()
        x = stack_channels(self.spec.channels, bands, maps)
        coverage = count_acquisitions(self.spec.channels, x, self.orbits)
        self.filled.add(coverage)
        change = measure_change(self.spec.channels, x, self.orbits)
        relief = maps["DEM"] if maps else next(iter(bands.values()))[-1].astype(np.float32)
        dates = {name: series[0] for name, series in self.dates.items()}
        window_data = []
        for window in windows:
            start = window.columns.start - whole.columns.start
            cut = (..., slice(start, start + window.shape[1]))
            days = measure_days(self.spec.channels, x[cut], dates)
            covered = coverage.mapped[cut], coverage.counts[cut]
            one = WindowData(x[cut], relief[cut], *covered, days, change[cut])
            window_data.append(None if (one.coverage == NO_BACKSCATTER).all() else one)
        return window_data

    def _measure(self, whole: Window) -> int:
        """Return the bytes that reading a window may take, and the networks beside it."""
        height, width = whole.shape
        rows = [height + self._find_layout(name).rows for name in self._caches]
        return 2**30 + 24 * self.spec.timesteps * width * sum(rows)

    def _count_no_data(self) -> None:
        """Check and keep the counts of all that was read."""
        counts = NoDataCounts()
        for name in self._caches:
            modality, band = name.split(":")
            series, dates = self.series[modality], self.dates[modality][0]
            series.check(band)
            if band in series.tallies:
                counts.add(name, dates.chosen, series.tallies[band])
        self.no_data = counts

    def _read_band(self, channel: str, rows: slice, columns: slice) -> np.ndarray:
        """Read the chosen acquisitions of a band, shape ``(T, H, W)``."""
        modality, band = channel.split(":")
        return self.series[modality].read(band, rows, columns, self.grid)

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
        heights = read_heights(self.heights, outer[0], outer[1], self.grid)
        inner = tuple(
            slice(span.start - cut.start, span.stop - cut.start)
            for span, cut in zip(spans, outer, strict=True)
        )
        maps = {"DEM": heights[inner]}
        if "slope" in self.spec.channels:
            maps["slope"] = round_to_float16(measure_slope(heights))[inner]
        return maps
