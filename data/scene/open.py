"""Opening whatever a user names as a scene: a folder of tiles, one tile's file, or a datacube."""

from pathlib import Path

from data.scene.base import InputSpec, Scene
from data.scene.datacube import open_cube
from data.scene.datacube_file import is_zarr
from data.scene.tile_mosaic import open_mosaic
from data.tiles import TileError, Units, tile_id_of


def open_scene(path: Path, spec: InputSpec, units: Units | None = None) -> Scene:
    """Open what is to be mapped.

    Args:
        path: A folder of tiles, one tile's file, or a datacube: a NetCDF file or a Zarr folder.
        spec: What the network reads.
        units: Unit of the backscatter; told from manifest or pixels when left out.

    Raises:
        FileNotFoundError: If there is nothing.
        ValueError: If it is not what the network was made for.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"A map needs tiles or a datacube, but there is no {path}. Give a folder of tiles, a tile's file, "
            "or a datacube."
        )
    if path.is_dir():
        return open_cube(path, spec, units) if is_zarr(path) else open_mosaic(path, spec, units)
    try:
        tile_id_of(path)
    except TileError:
        return open_cube(path, spec, units)
    return open_mosaic(path, spec, units)
