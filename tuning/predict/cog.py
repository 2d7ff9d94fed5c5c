"""Cloud-optimised GeoTIFFs (COG), written row by row so that a whole scene is never in memory.

GDAL's COG driver only copies a finished raster, because overviews precede the full resolution in such a file. Rows
therefore go to a scratch GeoTIFF first; the driver then adds tiles, overviews, compression and predictor.

Reference:
    OGC 21-026, OGC Cloud Optimized GeoTIFF Standard 1.0; GDAL's driver documentation, "COG".
"""

import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.windows import Window

from data.io.errors import format_error, unknown_name
from data.io.processes import count_cpus
from data.scene.georeference import Grid
from data.values.coverage import NO_BACKSCATTER
from tuning.predict.raster_io import bound_cache, checksum_raster, update_checksums

SCRATCH = {
    "driver": "GTiff",
    "tiled": True,
    "compress": "deflate",
    "zlevel": 1,
    "bigtiff": "if_safer",
}
COG = {"driver": "COG", "COMPRESS": "DEFLATE", "PREDICTOR": "YES", "BIGTIFF": "IF_SAFER"}
# Speckle hardly compresses: of probability and change, level 6 takes 1.7 times the time of level 1 for files 2 % smaller at most.
LEVELS = {"float32": 1, "uint8": 6}


@dataclass(frozen=True)
class Layer:
    """One raster of a map.

    Attributes:
        dtype: NumPy's name of the pixel type.
        nodata: Value of pixels without data.
        bands: The bands' descriptions, one line each.
        limits: Smallest and largest valid value, or None.
        overview: GDAL's resampling method for the overviews.
        delivered: Whether the layer is kept as ``<name>.tif``; if not, it is deleted when the writer closes.
    """

    dtype: str
    nodata: float
    bands: tuple[str, ...]
    limits: tuple[float, float] | None = None
    overview: str = "average"
    delivered: bool = True


PROBABILITY = Layer("float32", math.nan, ("landslide probability",), (0.0, 1.0))
SPREAD = Layer(
    *("float32", math.nan, ("standard deviation of the probability over seeds",), (0.0, 1.0))
)
# Overviews by nearest neighbour keep the share of landslide area; the mode would remove small landslides.
MASK = Layer("uint8", 255, ("landslide mask: 1 landslide, 0 background",), (0, 1), "nearest")
COVERAGE = Layer(
    *("uint8", NO_BACKSCATTER),
    tuple(
        f"acquisitions {side} the event, the smaller number of the orbits"
        for side in ("before", "after")
    ),
    overview="nearest",
)
RELIEF = Layer("float32", math.nan, ("height or backscatter, for the picture",), delivered=False)
_PREDICTED = {"probability": PROBABILITY, "spread": SPREAD}
_ALWAYS = {"mask": MASK, "coverage": COVERAGE, "relief": RELIEF}


def choose_layers(predicted: Iterable[str], orbits: Sequence[str]) -> dict[str, Layer]:
    """Return a map's layers by name: those that a predictor has, mask, coverage, relief, and the change of some orbits."""
    bands = tuple(f"{orbit}: change of backscatter after the event in dB" for orbit in orbits)
    change = {"change": Layer("float32", math.nan, bands)}
    return {name: _PREDICTED[name] for name in predicted} | _ALWAYS | change


class RasterWriter:
    """Context manager that writes a map's rasters; after an error it leaves no raster in the folder.

    Args:
        folder: Folder of the ``<name>.tif`` files; created if missing.
        grid: Common grid of all layers.
        layers: The layers to write, by name.
        tags: Metadata of every file, such as the model's URI and the threshold.
    """

    def __init__(
        self, folder: Path, grid: Grid, layers: Mapping[str, Layer], tags: Mapping[str, str]
    ) -> None:
        self.folder, self.grid, self.layers, self.tags = folder, grid, dict(layers), dict(tags)
        self._next_row = dict.fromkeys(layers, 0)
        self._checksum = {name: [0] * len(layer.bands) for name, layer in layers.items()}
        self._paths: dict[str, Path] = {}

    def __enter__(self) -> Self:
        for name, layer in self.layers.items():
            if layer.delivered and (path := self.folder / f"{name}.tif").exists():
                raise FileExistsError(
                    f"The folder must not hold a map yet, but {path} exists. Choose another folder."
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:  # cleans up if a file cannot be created
            scratch = TemporaryDirectory(prefix=".rasters-", dir=self.folder)
            self._scratch = Path(stack.enter_context(scratch))
            stack.enter_context(bound_cache())
            self._rasters = {name: stack.enter_context(self._create(name)) for name in self.layers}
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        with self._stack:
            if kind is None:
                self.finish()

    def _create(self, name: str) -> Any:
        layer, grid = self.layers[name], self.grid
        transform = rasterio.Affine(*grid.transform)
        shape = {"count": len(layer.bands), "width": grid.width, "height": grid.height}
        pixels = {"dtype": layer.dtype, "nodata": layer.nodata}
        raster = rasterio.open(
            *(self._scratch / f"{name}.rows.tif", "w"),
            **(SCRATCH | shape | pixels),
            crs=grid.crs,
            transform=transform,
        )
        for number, description in enumerate(layer.bands, 1):
            raster.set_band_description(number, description)
        raster.update_tags(**self.tags)
        return raster

    def write(self, name: str, first_row: int, values: np.ndarray) -> None:
        """Write the next rows of a layer.

        Args:
            name: The layer.
            first_row: Grid row of the first row of *values*: the one after the last row written.
            values: Shape ``(rows, W)``, of a layer of several bands ``(bands, rows, W)``, of the layer's type.

        Raises:
            ValueError: If the layer is unknown, the rows are not the next ones, or *values* have another
                shape or type, or exceed the layer's limits.
            OSError: If GDAL cannot write them.
        """
        if name not in self.layers:
            raise ValueError(unknown_name("layer", name, self.layers))
        self._check_rows(name, first_row, values)
        _check_limits(name, self.layers[name], values)
        bands = values if values.ndim > 2 else values[None]
        window = Window(0, first_row, self.grid.width, bands.shape[1])
        try:
            self._rasters[name].write(bands, window=window)
        except OSError as error:
            raise self._write_error(name, error.__cause__ or error) from error
        self._next_row[name] += bands.shape[1]
        self._checksum[name] = update_checksums(self._checksum[name], bands)

    def _check_rows(self, name: str, first_row: int, values: np.ndarray) -> None:
        grid, layer, next_row = self.grid, self.layers[name], self._next_row[name]
        if first_row != next_row:
            raise ValueError(
                f"Rows must be written in order, each once, but got row {first_row} of {name!r}; the next is {next_row}."
            )
        several = (len(layer.bands),) if len(layer.bands) > 1 else ()
        height = min(values.shape[-2] if values.ndim > 1 else 0, grid.height - next_row)
        if (values.shape, str(values.dtype)) != (
            (*several, height, grid.width),
            layer.dtype,
        ) or not height:
            raise ValueError(
                f"Rows of {name!r} must be {layer.dtype} on a grid of {grid.height} x {grid.width} px, but got "
                f"{values.dtype} of shape {values.shape} from row {next_row}."
            )

    def finish(self) -> dict[str, Path]:
        """Convert the rasters to COG; called on leaving the ``with`` block if not before.

        Returns:
            The file of each layer. A layer that is not delivered exists only until the writer closes.

        Raises:
            ValueError: If rows of a layer are missing.
            OSError: If a file does not read back as written, for example because the disk is full.
        """
        if self._paths:
            return self._paths
        for name, rows in self._next_row.items():
            if rows != self.grid.height:
                raise ValueError(
                    f"A map must be complete, but {name!r} has {rows} of {self.grid.height} rows. Write the rest."
                )
        for raster in self._rasters.values():
            raster.close()
        delivered = [name for name, layer in self.layers.items() if layer.delivered]
        made = {name: self._convert(name) for name in delivered}
        self._paths = {name: self._scratch / f"{name}.rows.tif" for name in self.layers}
        self._paths |= {name: path.rename(self.folder / path.name) for name, path in made.items()}
        return self._paths

    def _convert(self, name: str) -> Path:
        """Convert a layer to COG in the scratch folder and delete its rows."""
        rows, cog = (self._scratch / f"{name}{suffix}" for suffix in (".rows.tif", ".tif"))
        layer = self.layers[name]
        options = COG | {"OVERVIEW_RESAMPLING": layer.overview, "LEVEL": LEVELS[layer.dtype]}
        try:
            rasterio.shutil.copy(rows, cog, **options, NUM_THREADS=count_cpus())
            checksum = checksum_raster(cog)  # GDAL can truncate a file without an error
        except (CPLE_BaseError, OSError) as error:
            raise self._write_error(name, error) from error
        if checksum != self._checksum[name]:
            raise self._write_error(name, None)
        rows.unlink()
        return cog

    def _write_error(self, name: str, error: BaseException | None) -> OSError:
        free_mb = shutil.disk_usage(self.folder).free / 1e6
        got = repr(format_error(error)) if error else "other rows"
        return OSError(
            f"A raster must read back as written, but got {got} for {name}.tif in {self.folder} "
            f"({free_mb:,.0f} MB free). Free space there or choose another folder."
        )


def _check_limits(name: str, layer: Layer, values: np.ndarray) -> None:
    low, high = layer.limits or (-math.inf, math.inf)
    nodata = np.isnan(values) if math.isnan(layer.nodata) else values == layer.nodata
    wrong = ~(nodata | ((values >= low) & (values <= high)))
    if wrong.any():
        raise ValueError(
            f"Layer {name!r} must hold {low:g} to {high:g}, or {layer.nodata:g} for no data, but got "
            f"{values[wrong][0]:g} at (row, column) {tuple(map(int, np.argwhere(wrong)[0]))} of these rows."
        )
