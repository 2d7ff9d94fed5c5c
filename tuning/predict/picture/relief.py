"""The background of a map as a raster of its own: the shaded relief of the picture, with its coordinates."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import ColorInterp

from tuning.predict.picture.preview import MapPreview
from tuning.predict.picture.quicklook import draw_background

FILE = "relief.tif"

_OPTIONS = {
    "driver": "GTiff",
    "tiled": True,
    "compress": "deflate",
    "zlevel": 1,
    "predictor": 2,
    "dtype": "uint8",
}
_BANDS = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)


def write_relief(
    path: Path, preview: MapPreview, *, heights: bool, tags: Mapping[str, str]
) -> Path:
    """Write the picture's background as GeoTIFF of four bands: red, green, blue, alpha.

    Args:
        path: File to write.
        preview: The map, of at most 1600 cells a side, which are the file's pixels.
        heights: Whether its relief holds heights in m, which are shaded, or backscatter.
        tags: Metadata of the file.

    Raises:
        FileExistsError: If the file exists.
        OSError: If it cannot be written, or does not read back as written.
    """
    if path.exists():
        raise FileExistsError(
            f"The folder must not hold a relief yet, but {path} exists. Choose another folder."
        )
    image = np.moveaxis(draw_background(preview, heights), -1, 0)
    west, north, side = preview.grid.west_m, preview.grid.north_m, preview.grid.pixel_m
    transform = rasterio.Affine(
        *(side * preview.factor, 0, west), *(0, -side * preview.factor, north)
    )
    shape = {"count": len(image), "height": image.shape[1], "width": image.shape[2]}
    place = {"crs": preview.grid.crs, "transform": transform}
    with rasterio.open(path, "w", **(_OPTIONS | shape | place)) as raster:
        raster.write(image)
        raster.colorinterp = _BANDS
        raster.update_tags(**tags)
    with rasterio.open(path) as raster:  # GDAL can truncate a file without an error
        if not np.array_equal(raster.read(), image):
            raise OSError(
                f"A raster must read back as written, but {path} does not. Free space there or choose another folder."
            )
    return path
