"""Opens any input of a map as a scene: tiles, a datacube, or GeoTIFFs."""

from collections.abc import Sequence
from pathlib import Path

from data.cubes.files import is_zarr
from data.io.errors import list_first
from data.io.safe_json import refused_error
from data.scene.base import InputSpec, Scene
from data.scene.datacube import open_cube
from data.scene.geotiffs.mosaic import open_geotiffs
from data.scene.geotiffs.names import is_geotiff
from data.scene.geotiffs.table import list_geotiffs
from data.scene.tile_mosaic import open_mosaic
from data.tiles import MODALITIES, TileError, Units, tile_id_of
from data.tiles.manifest import MANIFESTS

_REMEDY = "Choose a folder of tiles, a tile's file, a datacube, or GeoTIFFs; see docs/maps.md."


def open_scene(
    given: Path | Sequence[Path],
    spec: InputSpec,
    units: Units | None = None,
    *,
    resample: bool = False,
    pattern: str | None = None,
    orbit: str | None = None,
) -> Scene:
    """Open the input of a map.

    Args:
        given: A folder of tiles, one tile's file, a datacube (a NetCDF file or a Zarr folder), a folder of GeoTIFFs, or
            several GeoTIFFs.
        spec: The network's input.
        units: Unit of the backscatter; by default read from the manifest or detected from the pixels.
        resample: Whether a datacube or GeoTIFFs on another grid than 10 m may be resampled.
        pattern: The pattern of the GeoTIFFs' names; by default found.
        orbit: Modality of a datacube that does not name its orbit, such as ``s1asc``.

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If the data do not fit the network.
    """
    paths = [given] if isinstance(given, Path) else list(given)
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(
                f"The input must be tiles, a datacube or GeoTIFFs, but {path} does not exist. {_REMEDY}"
            )
    are_geotiffs = _are_geotiffs(paths)
    if orbit is not None and (are_geotiffs or not _is_cube(paths[0])):
        remedy = "Leave it out."
        raise refused_error("--orbit is for datacubes", "another input", paths[0], remedy)
    if are_geotiffs:
        return open_geotiffs(paths, spec, units, resample=resample, pattern=pattern)
    path = paths[0]
    if pattern is not None:
        remedy = "Leave it out."
        raise refused_error("--pattern is for names of GeoTIFFs", "another input", path, remedy)
    if _is_cube(path):
        return open_cube(path, spec, units, resample=resample, orbit=orbit)
    return open_mosaic(path, spec, units)


def _are_geotiffs(paths: Sequence[Path]) -> bool:
    """Return whether the input is GeoTIFFs.

    Raises:
        ValueError: If several paths are not all GeoTIFFs, or a folder holds nothing to map.
    """
    if len(paths) > 1:
        if other := next((path for path in paths if not is_geotiff(path)), None):
            rule = "Several inputs must be GeoTIFFs, named *.tif"
            raise refused_error(rule, other.name, other.parent, _REMEDY)
        return True
    path = paths[0]
    if not path.is_dir():
        return is_geotiff(path)
    if is_zarr(path) or any((path / name).is_file() for name in MANIFESTS):
        return False
    if any(file for name in MODALITIES for file in (path / name).glob("*.nc")):
        return False
    if list_geotiffs(path):
        return True
    names = sorted(file.name for file in path.iterdir())
    if set(names) & set(MODALITIES):
        return False  # its own error counts the tiles
    rule = "A folder must hold tiles, a Zarr datacube or GeoTIFFs"
    raise refused_error(rule, list_first(names, 3) or "an empty folder", path, _REMEDY)


def _is_cube(path: Path) -> bool:
    if path.is_dir():
        return is_zarr(path)
    try:
        tile_id_of(path)
    except TileError:
        return True
    return False
