"""A folder or list of GeoTIFFs as a scene: one file per date and polarisation, or per date with both."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window as RasterWindow

from data.cubes.files import MAX_CHUNK_BYTES
from data.cubes.times import merge_passes
from data.io.errors import list_first
from data.io.safe_json import refused_error
from data.scene.base import InputSpec, SeriesDates
from data.scene.cube import UNCHUNKED, Cube, choose_dates, make_cube
from data.scene.dates import find_event
from data.scene.georeference import Frame, join_frames, parse_crs
from data.scene.geotiffs.names import HEIGHTS, show_names
from data.scene.geotiffs.table import (
    Band,
    Dates,
    make_table,
    open_geotiff,
    split_slices,
    twice_error,
)
from data.scene.row_cache import ChunkLayout
from data.scene.series import Layers, Series
from data.tiles.netcdf import SYNTHETIC
from data.tiles.rules import Units

Opened = Mapping[
    str, tuple[rasterio.DatasetReader, int]
]  # by variable: file and number of the band

MOST_COMMON = (
    0.8  # of the smaller one of two slices; frames along a slanted track overlap by up to a half
)
MOST_EMPTY = 4  # times the slices' area


def open_geotiffs(
    paths: Sequence[Path],
    spec: InputSpec,
    units: Units | None = None,
    *,
    resample: bool = False,
    pattern: str | None = None,
) -> Cube:
    """Open GeoTIFFs as a scene; reads their names, their headers and a few pixels.

    Args:
        paths: A folder, or files.
        spec: The network's input.
        units: Unit of the backscatter; by default detected from a few pixels.
        resample: Whether files on other grids than one of 10 m may be resampled.
        pattern: The names' pattern, see `data.scene.geotiffs.names.compile_pattern`; by default found.

    Raises:
        ValueError: If a name or file cannot be read, a modality, polarisation or date is missing or twice, or the
            unit, pixel size or coordinate system does not fit the network.
    """
    table = make_table(paths, spec, pattern)
    root, notes = table.root, []
    if table.skipped:
        names = show_names(table.skipped, root)
        notes.append(f"Not read, since neither VV nor VH is in name or description: {names}.")
    series, marks = {}, []
    dates: dict[str, list[SeriesDates]] = {}
    event = find_event(spec, _read_event(table.dates), root, notes)
    times_of = {
        name: np.array(list(table.dates[name]), "datetime64[ns]") for name in spec.modalities
    }
    spec, event = spec.settle_event(event, list(times_of.values()), root)
    for modality, times in times_of.items():
        steps = choose_dates(times, spec, event, modality, f"{modality} of {root}", notes)
        dates[modality] = [SeriesDates(spec.list_usable(times), times[steps], event)]
        chosen = list(table.dates[modality].values())
        slices = [[_open_bands(one) for one in split_slices(chosen[step])] for step in steps]
        opened = [one for same in slices for one in same]
        marks += [raster.tags().get(SYNTHETIC) for one in opened for raster, _ in one.values()]
        layers = [[_make_layers(one) for one in same] for same in slices]
        joined = _join_slices(layers, times[steps], modality, root, notes)
        layout = _read_layout(opened) if len(opened) == len(slices) else UNCHUNKED
        series[modality] = Series(joined, layout, None)
    heights = None
    if table.heights is not None:
        heights = _make_layers(_open_bands({HEIGHTS: Band(table.heights, 1)}))
    return make_cube(
        *(root, spec, series, heights, notes),
        units=units,
        resample=resample,
        event=event,
        dates=dates,
        synthetic=any(marks),
    )


def _read_event(dates: Mapping[str, Dates]) -> str:
    """Return the tag ``event_date`` of the first file, else an empty text."""
    bands = next(iter(next(iter(dates.values())).values()))
    with open_geotiff(next(iter(bands.values()))[0].path) as raster:
        return str(raster.tags().get("event_date", "")).strip()


def _open_bands(bands: Mapping[str, Band]) -> Opened:
    opened = {name: (open_geotiff(band.path), band.number) for name, band in bands.items()}
    for name, (raster, index) in opened.items():
        if (chunk := _measure_block(raster, index)) > MAX_CHUNK_BYTES:
            rule = f"A block must have at most {MAX_CHUNK_BYTES:,} bytes"
            remedy = "Write it in blocks of 512 x 512 px."
            raise refused_error(rule, f"{chunk:,} ({name})", raster.name, remedy)
    return opened


def _measure_block(raster: rasterio.DatasetReader, index: int) -> int:
    """Return the bytes of a band's block, decompressed."""
    return int(
        np.prod(raster.block_shapes[index - 1]) * np.dtype(raster.dtypes[index - 1]).itemsize
    )


def _make_layers(opened: Opened) -> Layers:
    """Make the layers of a date.

    Raises:
        ValueError: If a file has no coordinate system or is turned, or its bands are not on one grid.
    """
    (raster, _), *others = opened.values()
    frame = _read_frame(raster)
    for other, _ in others:
        if not _read_frame(other).matches(frame):
            got = f"{frame} in {Path(raster.name).name}, and {_read_frame(other)}"
            remedy = "Write both polarisations on one grid."
            raise refused_error(
                "Polarisations of a date must be on one grid", got, other.name, remedy
            )
    chunk_bytes = max(_measure_block(*one) for one in opened.values())
    return Layers(frame, Path(raster.name).name, partial(_read, opened), chunk_bytes=chunk_bytes)


def _join_slices(
    dates: Sequence[Sequence[Layers]],
    times: np.ndarray,
    modality: str,
    root: Path,
    notes: list[str],
) -> list[Layers]:
    """Return the layers of each date; if a pass was cut into slices, all are on the grid of all files.

    Raises:
        ValueError: If slices are not on one grid, not adjacent, or two of a date are the same image.
    """
    joined = {str(t)[:10]: one for t, one in zip(times, dates, strict=True) if len(one) > 1}
    if not joined:
        return [one for (one,) in dates]
    for day, slices in joined.items():
        for first, second in combinations(slices, 2):
            if first.frame.overlap(second.frame) > MOST_COMMON:
                got = f"{first.source}, {second.source}"
                raise twice_error("a polarisation", got, day, root)
    frames = [layers.frame for slices in dates for layers in slices]
    frame = join_frames(frames, root)
    area = sum(one.height * one.width for one in {str(one): one for one in frames}.values())
    if frame.height * frame.width > MOST_EMPTY * area:
        rule = "Slices of a pass must be adjacent"
        raise refused_error(rule, f"{frame} around all of them", root, "Map them one by one.")
    notes.append(
        f"Several files of {modality} of one pass were joined ({list_first(list(joined), 3)}): each pixel is the first one's "
        "that has data."
    )
    return [
        Layers(
            *(frame, slices[0].source, partial(_read_slices, slices, frame)),
            chunk_bytes=sum(layers.chunk_bytes for layers in slices),
        )
        for slices in dates
    ]


def _read_slices(
    slices: Sequence[Layers], frame: Frame, name: str, rows: slice, columns: slice
) -> np.ndarray:
    """Read a window of a band from the slices of a pass, shape ``(1, H, W)``, float32; NaN = no data."""
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    values = np.full((len(slices), *shape), np.nan, np.float32)
    for layer, one in zip(values, slices, strict=True):
        top, left = frame.locate(one.frame)
        spans = ((rows, top, one.frame.height), (columns, left, one.frame.width))
        inner = [slice(max(s.start, at), min(s.stop, at + size)) for s, at, size in spans]
        if all(span.start < span.stop for span in inner):
            here = [
                slice(s.start - at, s.stop - at) for s, (_, at, _) in zip(inner, spans, strict=True)
            ]
            there = [
                slice(s.start - w.start, s.stop - w.start)
                for s, (w, _, _) in zip(inner, spans, strict=True)
            ]
            layer[tuple(there)] = one.read(name, here[0], here[1])[0]
    return merge_passes(values, [range(len(slices))])


def _read_frame(raster: rasterio.DatasetReader) -> Frame:
    if raster.crs is None:
        remedy = "Add it, for example with rasterio edit-info --crs."
        rule = "A GeoTIFF must name its coordinate system"
        raise refused_error(rule, "none", raster.name, remedy)
    at = raster.transform
    if at.b or at.d or at.a <= 0 or at.e >= 0:
        remedy = "Warp it to a grid whose rows run south, for example with rasterio warp."
        raise refused_error("A GeoTIFF must be north up", tuple(at)[:6], raster.name, remedy)
    if min(raster.shape) < 2:
        got = "{} x {}".format(*raster.shape)
        raise refused_error("A GeoTIFF must have 2 x 2 px or more", got, raster.name)
    crs = parse_crs(raster.crs.to_wkt(), raster.name)
    return Frame(crs, at.c, at.f, at.a, -at.e, *raster.shape)


def _read_layout(opened: Sequence[Opened]) -> ChunkLayout:
    """Return the blocks that all files have in the direction of the rows; GDAL caches whole blocks."""
    rows = {raster.block_shapes[index - 1][0] for one in opened for raster, index in one.values()}
    return ChunkLayout(rows.pop(), 0, 1) if len(rows) == 1 else UNCHUNKED


def _read(opened: Opened, name: str, rows: slice, columns: slice) -> np.ndarray:
    """Read a window of a band, shape ``(1, H, W)``, float32; NaN = no data, by value, mask or alpha band."""
    raster, index = opened[name]
    window = RasterWindow.from_slices(rows, columns)
    values = raster.read(index, window=window, masked=True).astype(np.float32).filled(np.nan)
    scale, offset = raster.scales[index - 1], raster.offsets[index - 1]
    scaled: np.ndarray = values if (scale, offset) == (1, 0) else values * scale + offset
    return scaled[None]
