"""A datacube (NetCDF or Zarr) of any size as a scene; its grid follows from its coordinates."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from data.cubes import open_groups
from data.cubes.crs import find_crs
from data.cubes.files import measure_chunk_bytes
from data.cubes.names import DIMS
from data.cubes.times import merge_passes
from data.io.safe_json import refused_error, show_value
from data.scene.base import InputSpec, SeriesDates
from data.scene.cube import Cube, choose_dates, make_cube
from data.scene.dates import find_event
from data.scene.georeference import Frame, parse_crs
from data.scene.row_cache import ChunkLayout, read_acquisitions, read_chunk_layout
from data.scene.series import Layers, Series
from data.tiles.netcdf import SYNTHETIC
from data.tiles.rules import BANDS, ORBITS, SCENE_CLASS, Units
from data.values.backscatter import clean_heights
from data.values.corners import TOLERANCE, find_corner
from data.values.decode import decode_rest
from data.values.nodata import find_fills

MAX_UNEVEN = 0.1  # of a pixel: degrees in float32 are that uneven


def open_cube(
    path: Path,
    spec: InputSpec,
    units: Units | None = None,
    *,
    resample: bool = False,
    orbit: str | None = None,
) -> Cube:
    """Open a datacube; reads its coordinates and a few pixels.

    Args:
        path: A NetCDF file or a Zarr folder, laid out as described in docs/maps.md.
        spec: The network's input.
        units: Unit of the backscatter; by default detected from a few pixels.
        resample: Whether a cube on another grid than 10 m may be resampled.
        orbit: Modality of a cube that does not name its orbit, such as ``s1asc``.

    Raises:
        ValueError: If a modality, band or date is missing, or the unit, pixel size or coordinate system does not fit
            the network.
    """
    notes: list[str] = []
    groups = open_groups(path, spec.modalities, orbit, notes)
    datasets = {name: group.dataset for name, group in groups.items()}
    series: dict[str, Series] = {}
    heights: Layers | None = None
    dates: dict[str, list[SeriesDates]] = {}
    event = find_event(spec, _find_attribute(datasets, "event_date"), path, notes)
    spec, event = spec.settle_event(event, [groups[name].times for name in datasets], path)
    for name, dataset in datasets.items():
        source = f"{name} of {path}"
        frame, note = read_frame(dataset, source)
        notes += [note] if note and note not in notes else []
        layout = read_chunk_layout(dataset[BANDS[name][0]])
        south = _orient_south(dataset)
        times = groups[name].times
        steps = choose_dates(times, spec, event, name, source, notes)
        dates[name] = [SeriesDates(spec.list_usable(times), times[steps], event)]
        read = partial(
            _read_layers, south, name, [groups[name].slices[step] for step in steps], layout
        )
        chunk_bytes = measure_chunk_bytes(dataset[BANDS[name][0]])
        layers = Layers(frame, source, read, len(steps), chunk_bytes)
        series[name] = Series([layers], layout, None)
        if heights is None and "DEM" in south:
            heights = Layers(frame, source, partial(_read_dem, south))
    if heights is None and {"DEM", "slope"} & set(spec.channels):
        got = ", ".join(map(str, next(iter(datasets.values()))))
        raise refused_error("The model reads heights: a datacube must have DEM", got, path)
    return make_cube(
        *(path, spec, series, heights, notes),
        units=units,
        resample=resample,
        event=event,
        dates=dates,
        synthetic=bool(_find_attribute(datasets, SYNTHETIC)),
    )


def _find_attribute(groups: Mapping[str, xr.Dataset], name: str) -> str:
    """Return the attribute of the first group that has it, else an empty text."""
    texts = (str(dataset.attrs.get(name, "")).strip() for dataset in groups.values())
    return next(filter(None, texts), "")


def _orient_south(dataset: xr.Dataset) -> xr.Dataset:
    """Make rows run south, without reading data."""
    y = dataset["y"].values
    return dataset.isel(y=slice(None, None, -1)) if y[0] < y[-1] else dataset


def _read_layers(
    dataset: xr.Dataset,
    modality: str,
    slices: Sequence[Sequence[int]],
    layout: ChunkLayout,
    name: str,
    rows: slice,
    columns: slice,
) -> np.ndarray:
    """Read the chosen acquisitions of a variable, shape ``(T, H, W)``, float32, joining the slices of a pass."""
    indices = sorted(index for one in slices for index in one)

    def read(variable: str) -> np.ndarray:
        band = dataset[variable].transpose(*DIMS)[:, rows, columns]
        return read_acquisitions(band, indices, layout)

    values = decode_rest(read(name), dataset[name].attrs, dataset[name].encoding)
    if modality not in ORBITS:
        empty = find_fills(values) | (read(SCENE_CLASS) == 0)
        values = np.where(empty, np.float32(np.nan), values)
    if [index for one in slices for index in one] == indices and len(indices) == len(slices):
        return values
    return merge_passes(values, [[indices.index(index) for index in one] for one in slices])


def _read_dem(dataset: xr.Dataset, name: str, rows: slice, columns: slice) -> np.ndarray:
    """Read heights, shape ``(1, H, W)``, float32; NaN = no data."""
    heights = dataset[name]
    layer = heights.isel(time=0) if "time" in heights.dims else heights
    values = layer.transpose("y", "x")[rows, columns].values
    return clean_heights(decode_rest(values, heights.attrs, heights.encoding))[None]


def read_frame(dataset: xr.Dataset, source: Path | str) -> tuple[Frame, str | None]:
    """Return a datacube's pixel grid.

    ``x`` and ``y`` may be the pixels' upper left corners, as in the tiles, or their centres, as most programs write
    them. A ``GeoTransform`` attribute (of GDAL, rioxarray or the tiles) decides. Without one, multiples of the pixel size
    are taken for corners, and all others, degrees too, for centres, as the CF conventions say.

    Args:
        dataset: Has ``x`` and ``y``.
        source: Group and file, for error messages.

    Returns:
        The grid, rows running south; and a note if corners or centres were guessed.

    Raises:
        ValueError: If there is no coordinate system, the pixels are not evenly spaced, or the GeoTransform gives neither
            corners nor centres.
    """
    crs = _read_crs(dataset, source)
    x, y = (np.asarray(dataset[name].values, np.float64) for name in ("x", "y"))
    if min(len(x), len(y)) < 2:
        raise refused_error("A datacube must have 2 x 2 px or more", f"{len(y)} x {len(x)}", source)
    y = y[::-1] if y[0] < y[-1] else y
    steps = _measure_step("x", x, source), _measure_step("y", -y, source)
    (left, up), note = _find_offset(dataset, (x[0], y[0]), steps, source)
    frame = Frame(crs, float(x[0]) - left, float(y[0]) + up, *steps, len(y), len(x))
    return frame, note


def _read_crs(dataset: xr.Dataset, source: Path | str) -> str:
    text = find_crs(dataset)
    if text is None:
        remedy = 'Add the attribute crs, such as "EPSG:32654".'
        raise refused_error("A datacube must name its coordinate system", "none", source, remedy)
    return parse_crs(text, source)


def _measure_step(name: str, values: np.ndarray, source: Path | str) -> float:
    """Return the spacing of ascending coordinates; whole numbers of metres become exact."""
    step = float(values[-1] - values[0]) / (len(values) - 1)
    even = np.linspace(values[0], values[-1], len(values))
    if not step > 0 or not np.abs(values - even).max() <= MAX_UNEVEN * step:
        steps = np.diff(values)
        got = f"steps of {steps.min():g} to {steps.max():g}"
        remedy = "Interpolate it to even coordinates, x ascending."
        raise refused_error(f"{name} must be evenly spaced", got, source, remedy)
    return float(round(step)) if step > 1 and abs(step - round(step)) < TOLERANCE * step else step


def _find_offset(
    dataset: xr.Dataset,
    first: tuple[float, float],
    steps: tuple[float, float],
    source: Path | str,
) -> tuple[tuple[float, float], str | None]:
    """Return how far the first coordinates are from the first pixel's corner, and a note if it was guessed."""
    variables = dataset.variables.values()
    texts = (str(v.attrs["GeoTransform"]) for v in variables if "GeoTransform" in v.attrs)
    text = next(texts, None)
    try:
        corner = find_corner(first, steps, text, dataset.sizes["y"])
    except ValueError as error:
        rule = "GeoTransform must be six numbers"
        raise refused_error(rule, show_value(text), source) from error
    if corner.share is None:
        remedy = "Correct the GeoTransform, for example with rioxarray's write_transform()."
        rule, got = "x and y must be the corners or the centres of the pixels", "({:.2f}, {:.2f})"
        raise refused_error(rule, got.format(*first), source, remedy)
    note = f"x and y were taken for the pixels' {corner.point}." if corner.guessed else None
    return (corner.share * steps[0], corner.share * steps[1]), note
