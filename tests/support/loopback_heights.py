"""Heights of a place as Copernicus GLO-30 has them: squares of one arc second, in degrees, with items of `cop-dem-glo-30`."""

from pathlib import Path
from typing import Any

import numpy as np
from rasterio.transform import Affine, from_origin
from rasterio.warp import Resampling, reproject
from shapely import box

from data.tiles import PIXEL_M
from tests.support.loopback_images import write_cog
from tests.support.loopback_places import Place
from tests.support.loopback_products import find_file, mark
from tests.support.stac_items import DEM_STORE, make_heights_item

Json = dict[str, Any]
ARC_SECOND = 1 / 3600
EDGE_PX = 24


def write_heights(place: Place, folder: Path, halves: int = 2) -> list[Json]:
    """Write the heights in squares of one arc second; return items of ``cop-dem-glo-30`` that lie side by side."""
    bounds = place.outline().bounds
    west, south = (np.floor(value) for value in bounds[:2])
    cells = [np.floor((bounds[0] - west) / ARC_SECOND) - 3, np.ceil((bounds[3] - south) * 3600) + 3]
    left, top = west + cells[0] * ARC_SECOND, south + cells[1] * ARC_SECOND
    width = int(np.ceil((bounds[2] - left) / ARC_SECOND)) + 3
    height = int(np.ceil((top - bounds[1]) / ARC_SECOND)) + 3
    whole = np.full((height, width), np.nan, np.float32)
    grid = from_origin(left, top, ARC_SECOND, ARC_SECOND)
    reproject(
        _extend(place.heights),
        whole,
        src_transform=from_origin(
            place.west - EDGE_PX * PIXEL_M, place.north + EDGE_PX * PIXEL_M, PIXEL_M, PIXEL_M
        ),
        src_crs=place.epsg,
        dst_transform=grid,
        dst_crs=4326,
        dst_nodata=np.nan,
        resampling=Resampling.average,
    )
    edges = np.linspace(0, width, halves + 1).round().astype(int)
    return [
        _write_square(place, folder, whole, grid, slice(*pair), (int(south), int(west)))
        for pair in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]


def _extend(heights: np.ndarray) -> np.ndarray:
    """Continue heights beyond their edges, since squares of degrees reach further than a place."""
    return np.pad(heights, EDGE_PX, mode="edge")


def _write_square(
    place: Place,
    folder: Path,
    whole: np.ndarray,
    grid: Affine,
    columns: slice,
    corner: tuple[int, int],
) -> Json:
    values = whole[:, columns]
    transform = grid @ Affine.translation(columns.start, 0)
    item = make_heights_item(*corner)
    name = f"{item['id']}_{columns.start:04d}"
    west, north = transform @ (0, 0)
    east, south = transform @ (values.shape[1], values.shape[0])
    item |= {"id": name, "bbox": [west, south, east, north]}
    item["geometry"] = box(west, south, east, north).__geo_interface__
    item["assets"]["data"]["href"] = f"{DEM_STORE}/{name}.tif"
    item["properties"] |= {
        "proj:shape": list(values.shape),
        "proj:transform": [*transform][:6],
        **({"synthetic": True} if place.synthetic else {}),
    }
    file = folder / find_file(item["assets"]["data"]["href"])
    write_cog(file, values, 4326, transform, None, **mark(place))
    return item
