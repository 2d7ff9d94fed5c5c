"""Opens any input of a map as a scene: a folder of tiles, one tile's file, or a datacube."""

from pathlib import Path

from data.scene.base import InputSpec, Scene
from data.scene.datacube import open_cube
from data.scene.datacube_file import is_zarr
from data.scene.tile_mosaic import open_mosaic
from data.tiles import TileError, Units, tile_id_of


def open_scene(path: Path, spec: InputSpec, units: Units | None = None) -> Scene:
    """Open the input of a map.

    Args:
        path: A folder of tiles, one tile's file, or a datacube: a NetCDF file or a Zarr folder.
        spec: The network's input.
        units: Unit of the backscatter; by default read from the manifest or detected from the pixels.

    Raises:
        FileNotFoundError: If the path does not exist.
        ValueError: If the data do not fit the network.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"The input must be tiles or a datacube, but {path} does not exist. Choose a folder of tiles, a "
            "tile's file, or a datacube."
        )
    if path.is_dir():
        return open_cube(path, spec, units) if is_zarr(path) else open_mosaic(path, spec, units)
    try:
        tile_id_of(path)
    except TileError:
        return open_cube(path, spec, units)
    return open_mosaic(path, spec, units)
