"""The acquisitions of one modality, read window by window in dB on the grid of the map; and the unit of backscatter."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import product

import numpy as np

from data.io.memory import SPARE_BYTES, limited_memory
from data.io.safe_json import refused_error
from data.scene.georeference import Frame, Grid
from data.scene.resample import resample_window
from data.scene.row_cache import ChunkLayout
from data.scene.windows import format_area
from data.tiles.rules import Units
from data.values.backscatter import (
    check_sample,
    clean_backscatter,
    convert_to_db,
    settle_units,
)
from data.values.counts import refusing
from data.values.nodata import find_fills
from data.values.tally import Tally

SQUARES = (4, 8)  # along each axis, from which the unit is told; more where they have no data
SAMPLE_PX = 64
CHUNKS_AT_ONCE = 12  # Zarr decompresses ten at once

# Variable, rows and columns -> values as stored, decoded, shape (T, H, W), float32; NaN = no data that the file declares.
ReadLayers = Callable[[str, slice, slice], np.ndarray]
Samples = dict[str, np.ndarray]


@dataclass(frozen=True)
class Layers:
    """Acquisitions of one modality that have the same pixels: those of a datacube, or one of GeoTIFFs.

    Attributes:
        frame: Their pixel grid.
        source: Their group or file, for messages.
        read: Reads a window of a variable.
        dates: Number of acquisitions.
        chunk_bytes: Bytes that reading a pixel decompresses, as the file says.
    """

    frame: Frame
    source: str
    read: ReadLayers
    dates: int = 1
    chunk_bytes: int = 0


@dataclass(frozen=True)
class Series:
    """The chosen acquisitions of one modality.

    Attributes:
        layers: The acquisitions, in the order of time.
        layout: Chunks in the direction of the rows, which a reader should take whole.
        units: Unit of the backscatter; None for reflectance.
        tallies: What was counted so far, by band of backscatter.
    """

    layers: Sequence[Layers]
    layout: ChunkLayout
    units: Units | None
    tallies: dict[str, Tally] = field(default_factory=dict)

    def read(self, band: str, rows: slice, columns: slice, grid: Grid) -> np.ndarray:
        """Read a window of a map's grid.

        Args:
            band: Such as ``VV``.
            rows: Rows of *grid*.
            columns: Columns of *grid*.
            grid: The map's grid.

        Returns:
            Shape ``(T, H, W)``, float32, in dB for backscatter; NaN = no data.

        Raises:
            ValueError: If a value is infinite, or an acquisition has too many that cannot be backscatter.
        """
        blocks, first = [], 0
        for layers in self.layers:
            blocks.append(self._read(layers, first, band, rows, columns, grid))
            first += layers.dates
        values = np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
        if self.units is None:
            return values
        self.check(band, grid.height * grid.width)
        return convert_to_db(values, self.units)

    def check(self, band: str, whole: int | None = None) -> None:
        """Raise if what was read so far cannot be backscatter; *whole* are the pixels of an image that is still being read."""
        if self.units is not None and band in self.tallies:
            with refusing(self.layers[0].source):
                self.tallies[band].check(self.units, whole)

    def _read(
        self, layers: Layers, first: int, band: str, rows: slice, columns: slice, grid: Grid
    ) -> np.ndarray:
        """Read acquisitions from *first* on in the file's unit, cleaned, on the map's grid."""
        clean = partial(self._clean, layers, first, band)
        if layers.frame.matches(grid.frame):
            return clean(rows, columns)
        to_power = partial(_change_scale, units=self.units, reverse=False)
        # The mean of two pixels' backscatter is that of their power, not of their dB.
        resampled = resample_window(
            lambda *at: to_power(clean(*at)), layers.frame, grid, rows, columns
        )
        return _change_scale(resampled, self.units, reverse=True)

    def _clean(
        self, layers: Layers, first: int, band: str, rows: slice, columns: slice
    ) -> np.ndarray:
        values = layers.read(band, rows, columns)
        if self.units is None:
            return values
        dates = sum(one.dates for one in self.layers)
        tally = self.tallies.setdefault(band, Tally(band, dates))
        with refusing(f"{band} of {layers.source}, {format_area(rows, columns)}"):
            return clean_backscatter(values, self.units, tally, first)


def _change_scale(values: np.ndarray, units: Units | None, *, reverse: bool) -> np.ndarray:
    """Convert dB to power, or in reverse; other values stay."""
    if units != "dB":
        return values
    changed: np.ndarray = 10 * np.log10(values) if reverse else 10 ** (values / np.float32(10))
    return changed


@contextmanager
def reading(series: Iterable[Series], source: str, extra_bytes: int = 0) -> Iterator[None]:
    """Limit memory to what the files' chunks need, and say what could not be read.

    Args:
        series: What will be read.
        source: Where, for the message.
        extra_bytes: Memory that is needed besides.

    Raises:
        ValueError: If the file is damaged, or a chunk holds more than the file says.
    """
    chunks = [layers.chunk_bytes for one in series for layers in one.layers]
    try:
        with limited_memory(SPARE_BYTES + CHUNKS_AT_ONCE * max(chunks, default=0) + extra_bytes):
            yield
    except (OSError, RuntimeError, MemoryError) as error:
        got = f"{type(error).__name__}: {error}" if isinstance(error, MemoryError) else error
        raise refused_error("A datacube must be readable", got, source) from error


def read_heights(layers: Layers, rows: slice, columns: slice, grid: Grid) -> np.ndarray:
    """Read heights in m, shape ``(H, W)``, float32; NaN = no data."""
    if layers.frame.matches(grid.frame):
        return np.asarray(layers.read("DEM", rows, columns)[0])
    read = layers.read
    resampled = resample_window(lambda *at: read("DEM", *at), layers.frame, grid, rows, columns)
    return np.asarray(resampled[0])


def list_squares(height: int, width: int, count: int) -> list[tuple[slice, slice]]:
    """List rows and columns of squares all over a raster, *count* along each axis or fewer."""
    spans = []
    for size in (height, width):
        end = max(size - SAMPLE_PX, 0)
        starts = sorted({end * (2 * n + 1) // (2 * count) for n in range(count)})
        spans.append([slice(start, min(start + SAMPLE_PX, size)) for start in starts])
    return list(product(*spans))


def sample_values(series: Mapping[str, "Series"], bands: Mapping[str, Sequence[str]]) -> Samples:
    """Read squares of every band and orbit, of the first and the last date, from which the unit is told.

    Args:
        series: By modality.
        bands: Names of each modality's bands.

    Returns:
        Values as stored by band, such as ``s1asc VV``.

    Raises:
        ValueError: If no square has data.
    """
    for count in SQUARES:
        samples: Samples = {}
        for modality, one in series.items():
            for layers in dict.fromkeys((one.layers[0], one.layers[-1])):
                squares = list_squares(layers.frame.height, layers.frame.width, count)
                for band in bands[modality]:
                    read = [layers.read(band, *at)[[0, -1]].ravel() for at in squares]
                    earlier = samples.get(f"{modality} {band}", np.empty(0, np.float32))
                    samples[f"{modality} {band}"] = np.concatenate([earlier, *read])
        empty = [name for name, values in samples.items() if not _has_data(values)]
        if not empty:
            return samples
    source = series[empty[0].split()[0]].layers[0].source
    got = f"none in {len(squares)} squares all over it"
    raise refused_error(f"{empty[0]} must have data", got, source)


def _has_data(values: np.ndarray) -> bool:
    return bool((np.isfinite(values) & (values != 0) & ~find_fills(values)).any())


def find_units(
    series: Mapping[str, "Series"],
    bands: Mapping[str, Sequence[str]],
    given: Units | None,
    notes: list[str],
) -> Units:
    """Return the unit of the backscatter, found from a sample of all bands and orbits together.

    Args:
        series: Sentinel-1 by modality.
        bands: Names of each modality's bands.
        given: The user's unit; None to find it.
        notes: Receives what was found.

    Raises:
        ValueError: If there are no values, they contradict each other or *given*, or they leave a doubt.
    """
    source = ", ".join(one.layers[-1].source for one in series.values())
    with reading(series.values(), source):
        samples = sample_values(series, bands)
    with refusing(source):
        units, found = settle_units(samples, given)
        for name, values in samples.items():
            check_sample(name, values, units)
    if units == "linear":
        names = ", ".join(series)
        notes.append(f"Backscatter of {names} was converted from linear power to dB.")
    if given is None:
        word = "linear power" if units == "linear" else "dB"
        notes.append(
            f"The unit of the backscatter, {word}, was found from its values: {found.text}."
        )
    return units
