"""The acquisitions of one modality, read window by window in dB on the grid of the map; and the unit of backscatter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from data.io.safe_json import refused_error
from data.scene.georeference import Frame, Grid
from data.scene.resample import resample_window
from data.scene.row_cache import ChunkLayout
from data.scene.windows import format_area
from data.tiles.rules import DB_CEILING, DB_RANGE, NODATA, Units
from data.tiles.values import find_bounds

SAMPLES = 16  # squares along the diagonal, from which the unit is detected
SAMPLE_PX = 64
MAX_OUTLIERS = 0.01  # share of pixels beyond DB_RANGE; strong scatterers exceed it

# Variable, rows and columns -> values as stored, shape (T, H, W), float32; NaN or -9999 = no data.
ReadLayers = Callable[[str, slice, slice], np.ndarray]


@dataclass(frozen=True)
class Layers:
    """Acquisitions of one modality that have the same pixels: those of a datacube, or one of GeoTIFFs.

    Attributes:
        frame: Their pixel grid.
        source: Their group or file, for messages.
        read: Reads a window of a variable.
    """

    frame: Frame
    source: str
    read: ReadLayers


@dataclass(frozen=True)
class Series:
    """The chosen acquisitions of one modality.

    Attributes:
        layers: The acquisitions, in the order of time.
        layout: Chunks in the direction of the rows, which a reader should take whole.
        units: Unit of the backscatter; None for reflectance.
    """

    layers: Sequence[Layers]
    layout: ChunkLayout
    units: Units | None

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
            ValueError: If a value is infinite.
        """
        blocks = [self._read(layers, band, rows, columns, grid) for layers in self.layers]
        return np.concatenate(blocks) if len(blocks) > 1 else blocks[0]

    def _read(
        self, layers: Layers, band: str, rows: slice, columns: slice, grid: Grid
    ) -> np.ndarray:
        source = f"{band} of {layers.source}"
        if layers.frame.matches(grid.frame):
            values = layers.read(band, rows, columns)
            at = f"{source}, {format_area(rows, columns)}"
            return to_db(values, self.units, at) if self.units else values
        if self.units is None:
            return resample_window(
                lambda *at: layers.read(band, *at), layers.frame, grid, rows, columns
            )
        units = self.units
        # The mean of two pixels' backscatter is that of their power, not of their dB.
        power = resample_window(
            lambda *at: to_power(layers.read(band, *at), units, f"{source}, {format_area(*at)}"),
            *(layers.frame, grid, rows, columns),
        )
        return to_db(power, "linear", source)


def read_heights(layers: Layers, rows: slice, columns: slice, grid: Grid) -> np.ndarray:
    """Read heights in m, shape ``(H, W)``, float32; NaN = no data."""
    if layers.frame.matches(grid.frame):
        return np.asarray(layers.read("DEM", rows, columns)[0])
    read = layers.read
    resampled = resample_window(lambda *at: read("DEM", *at), layers.frame, grid, rows, columns)
    return np.asarray(resampled[0])


def list_squares(height: int, width: int) -> list[tuple[slice, slice]]:
    """List rows and columns of squares along a raster's diagonal."""
    ends = max(height - SAMPLE_PX, 0), max(width - SAMPLE_PX, 0)
    corners = [[end * (2 * n + 1) // (2 * SAMPLES) for end in ends] for n in range(SAMPLES)]
    squares = {
        (top, left): (
            slice(top, min(top + SAMPLE_PX, height)),
            slice(left, min(left + SAMPLE_PX, width)),
        )
        for top, left in corners
    }
    return list(squares.values())


def detect_units(
    read: Callable[[slice, slice], np.ndarray], height: int, width: int, source: str
) -> Units:
    """Detect the unit from squares along the diagonal: backscatter in dB is negative nearly everywhere.

    Args:
        read: Reads rows and columns of one band and date, as stored.
        height: Number of rows.
        width: Number of columns.
        source: Where the values are, for messages.

    Raises:
        ValueError: If no square has data, or too many values are outside the range of backscatter.
    """
    squares = [nodata_to_nan(read(*at)) for at in list_squares(height, width)]
    # An image that does not reach the scene's edges often holds zeros there, in dB too.
    values = np.concatenate([square[np.isfinite(square) & (square != 0)] for square in squares])
    if not values.size:
        got = f"none in {len(squares)} squares along the diagonal"
        raise refused_error("Backscatter must have data", got, source)
    if 0 <= np.median(values) < 1:  # noise subtraction leaves some pixels of linear power below 0
        return "linear"
    if np.mean((values < DB_RANGE[0]) | (values > DB_RANGE[1])) > MAX_OUTLIERS:
        got = f"{values.min():.4g} to {values.max():.4g}"
        remedy = "Convert it to gamma nought in dB or in linear power."
        raise refused_error(f"Backscatter must be in {DB_RANGE} dB", got, source, remedy)
    return "dB"


def nodata_to_nan(values: np.ndarray) -> np.ndarray:
    """Replace no data with NaN: -9999, any lower number such as -32768, and minus infinity, the dB of no power."""
    return np.where(values <= NODATA, np.float32(np.nan), values)


def to_power(values: np.ndarray, units: Units, source: str) -> np.ndarray:
    """Convert backscatter to linear power; a power of exactly 0 is no data, as several producers store it."""
    values = nodata_to_nan(values)
    _check_finite(find_bounds(values), source)
    if units == "linear":
        return np.where(values == 0, np.float32(np.nan), values)
    power: np.ndarray = 10 ** (values / np.float32(10))
    return power


def to_db(values: np.ndarray, units: Units, source: str) -> np.ndarray:
    """Convert backscatter to dB, clipped from ``DB_RANGE[0]`` to ``DB_CEILING`` as tiles are; each pass over the pixels runs only if needed."""
    low, high = find_bounds(values)
    if low <= NODATA:
        values = nodata_to_nan(values)
        low, high = find_bounds(values)
    _check_finite((low, high), source)
    if units == "linear":
        values = 10 * np.log10(np.where(values > 0, values, np.float32(np.nan)))
        low, high = find_bounds(values)
    if low < DB_RANGE[0] or high > DB_CEILING:
        values = values.clip(DB_RANGE[0], DB_CEILING)
    return values


def _check_finite(bounds: tuple[float, float], source: str) -> None:
    if np.isinf(bounds).any():
        raise refused_error("Backscatter must be finite or NaN", "inf", source)
