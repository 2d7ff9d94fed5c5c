"""Maps as cloud-optimised GeoTIFF, written band by band of rows, so that a whole scene is never in memory.

Rows come from north to south. They go to a plain scratch file first, since the driver of cloud-optimised files copies a
finished raster: overviews come before the full picture in such a file.

Reference:
    OGC 21-026, OGC Cloud Optimized GeoTIFF Standard 1.0; GDAL's driver documentation, "COG".
"""

import math
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
import rasterio.shutil
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from data.io.errors import format_error, unknown_name
from data.io.processes import count_cpus
from data.scene.georeference import Grid
from tuning.predict.raster_io import add_checksum, bound_cache, sum_rows

BLOCK_PX = 512  # side of a delivered file's blocks
SCRATCH_PX = 256  # smaller: a row of blocks of every layer must fit in the cache

_COG: dict[str, Any] = {
    "driver": "COG",
    "COMPRESS": "DEFLATE",
    "BLOCKSIZE": BLOCK_PX,
    "BIGTIFF": "IF_SAFER",
    "OVERVIEWS": "IGNORE_EXISTING",
}


@dataclass(frozen=True)
class Layer:
    """What one raster holds.

    Attributes:
        dtype: numpy's name of its type.
        nodata: Value of pixels without a value.
        description: One line for the band.
        limits: Least and greatest value, None where there is none.
        overview: How GDAL resamples its overviews.
        delivered: Whether it is kept as ``<name>.tif``, or gone when the writer closes.
    """

    dtype: str
    nodata: float
    description: str
    limits: tuple[float, float] | None = None
    overview: str = "average"
    delivered: bool = True


PROBABILITY = Layer("float32", math.nan, "landslide probability", (0.0, 1.0))
SPREAD = Layer("float32", math.nan, "standard deviation of the probability over seeds", (0.0, 1.0))
# By the nearest pixel: the mode would wipe small landslides out, and the nearest keeps the share of area.
MASK = Layer("uint8", 255, "landslide mask: 1 landslide, 0 background", (0, 1), "nearest")
RELIEF = Layer("float32", math.nan, "height or backscatter, for the picture", delivered=False)


class Rasters:
    """A folder's rasters while they are written; leave it by ``with``.

    An error inside leaves no raster behind. Without one, :meth:`finish` is called on leaving unless it was before.

    Args:
        folder: Where ``<name>.tif`` come to lie; it is made if missing.
        grid: Where all layers lie.
        layers: What to write, by name.
        tags: Facts for every file's metadata, such as the model's address and the threshold.
    """

    def __init__(
        self, folder: Path, grid: Grid, layers: Mapping[str, Layer], tags: Mapping[str, str]
    ) -> None:
        self.folder, self.grid, self.layers, self.tags = folder, grid, dict(layers), dict(tags)
        self._rows, self._sums = dict.fromkeys(self.layers, 0), dict.fromkeys(self.layers, 0)
        self._open: dict[str, Any] = {}
        self._paths: dict[str, Path] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        for name, layer in self.layers.items():
            if layer.delivered and (path := self.folder / f"{name}.tif").exists():
                raise FileExistsError(
                    f"A map must go to a folder without one, but {path} is there. Give another folder."
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:  # undone if a file cannot be opened
            self._aside = Path(
                stack.enter_context(TemporaryDirectory(prefix=".rasters-", dir=self.folder))
            )
            stack.enter_context(bound_cache())
            for name, layer in self.layers.items():
                self._open[name] = stack.enter_context(self._create(name, layer))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            if kind is None:
                self.finish()

    def _create(self, name: str, layer: Layer) -> Any:
        grid = self.grid
        raster = rasterio.open(
            self._aside / f"{name}.tif",
            "w",
            driver="GTiff",
            width=grid.width,
            height=grid.height,
            count=1,
            dtype=layer.dtype,
            nodata=layer.nodata,
            crs=grid.crs,
            transform=rasterio.Affine(*grid.transform),
            tiled=True,
            blockxsize=SCRATCH_PX,
            blockysize=SCRATCH_PX,
            compress="deflate",
            zlevel=1,
            bigtiff="if_safer",
        )
        raster.set_band_description(1, layer.description)
        raster.update_tags(**self.tags)
        return raster

    def write(self, name: str, first_row: int, values: np.ndarray) -> None:
        """Write the next rows of a layer.

        Args:
            name: The layer.
            first_row: Row of the grid where *values* begin: one after the last row written.
            values: Shape ``(rows, W)``, of the layer's type.

        Raises:
            ValueError: If the layer is unknown, the rows are not the next ones, or *values* have another
                shape or type, or leave the layer's limits.
            OSError: If they cannot be written.
        """
        if name not in self.layers:
            raise ValueError(unknown_name("layer", name, self.layers))
        self._check(name, first_row, values)
        try:
            self._open[name].write(values, 1, window=Window(0, first_row, *values.shape[::-1]))
        except RasterioIOError as error:
            raise OSError(self._say_broken(name, error.__cause__ or error)) from error
        self._rows[name] += len(values)
        self._sums[name] = add_checksum(values, self._sums[name])

    def _check(self, name: str, first_row: int, values: np.ndarray) -> None:
        layer, grid, next_row = self.layers[name], self.grid, self._rows[name]
        if name in self._paths:
            raise ValueError(f"Rows must come before the end, but {name!r} is finished.")
        if first_row != next_row:
            raise ValueError(
                f"Rows must be written in order, each once, but got row {first_row} of {name!r} where row "
                f"{next_row} is next."
            )
        shape = (min(len(values), grid.height - next_row), grid.width)
        if values.shape != shape or not len(values):
            raise ValueError(
                f"Rows must be whole and lie on the grid of {grid.height} x {grid.width} px, but got shape "
                f"{values.shape} from row {next_row} of {name!r}."
            )
        if values.dtype != layer.dtype:
            raise ValueError(f"Layer {name!r} must be {layer.dtype}, but got {values.dtype}.")
        if layer.limits:
            _check_limits(name, layer, values)

    def finish(self) -> dict[str, Path]:
        """Turn what was written into cloud-optimised files; a second call changes nothing.

        Returns:
            The file of each layer. That of a layer which is not delivered is gone when the writer closes.

        Raises:
            ValueError: If a layer has rows that were never written.
            OSError: If a file does not read back as it was written, such as on a full disk.
        """
        if self._paths:
            return self._paths
        for name, rows in self._rows.items():
            if rows != self.grid.height:
                raise ValueError(
                    f"A map must be whole, but {name!r} has {rows} of {self.grid.height} rows. Write the rest."
                )
        for raster in self._open.values():
            raster.close()
        made = {name: self._copy(name) for name, kind in self.layers.items() if kind.delivered}
        self._paths = {name: self._aside / f"{name}.tif" for name in self.layers}
        for name, path in made.items():
            self._paths[name] = path.rename(self.folder / f"{name}.tif")
        return self._paths

    def _copy(self, name: str) -> Path:
        """Write a layer's delivered form aside and remove its scratch file."""
        layer, scratch = self.layers[name], self._aside / f"{name}.tif"
        made = self._aside / f"{name}.cog.tif"
        predictor = "FLOATING_POINT" if np.dtype(layer.dtype).kind == "f" else "STANDARD"
        options = _COG | {"PREDICTOR": predictor, "OVERVIEW_RESAMPLING": layer.overview.upper()}
        try:
            rasterio.shutil.copy(scratch, made, **options, NUM_THREADS=count_cpus())
            whole = sum_rows(made) == self._sums[name]  # GDAL can cut a file short without an error
        except (CPLE_BaseError, OSError) as error:
            raise OSError(self._say_broken(name, error)) from error
        if not whole:
            raise OSError(self._say_broken(name, None))
        scratch.unlink()
        return made

    def _say_broken(self, name: str, error: BaseException | None) -> str:
        free_mb = shutil.disk_usage(self.folder).free / 1e6
        got = repr(format_error(error)) if error else "other rows"
        return (
            f"A raster must be written and read back, but got {got} for {name}.tif in {self.folder}, where "
            f"{free_mb:,.0f} MB are free. Free space there or give another folder."
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
