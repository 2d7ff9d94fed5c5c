"""Writes ``map.html``: one self-contained page of a map's folder for people.

The page is readable without a script, which only adds the map to move in, and printed it has the picture. Nothing is requested:
style, scripts, picture and tiles are inside, and the page's own policy forbids the rest.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import jinja2
import rasterio
from PIL import Image

from data.scene.georeference import Grid, parse_crs
from tuning.page import html
from tuning.page.html import ENVIRONMENT, Table
from tuning.predict.page import content, layers
from tuning.predict.page.files import list_files
from tuning.predict.page.landslides import Landslides, list_rows, read_landslides
from tuning.predict.page.lonlat import CELLS, make_mesh
from tuning.predict.page.pyramid import TILE_PX, count_levels
from tuning.predict.page.tiles import TileSet, cut_tiles
from tuning.predict.picture.legend import measure_width
from tuning.registry.map_facts import name_version

PAGE = "map.html"
MAX_PAGE_BYTES = 15_000_000
CACHE_BYTES = 64 * 2**20  # of GDAL: a row of blocks of a raster 30,000 px wide
POLYGON_SHARE = 0.3  # of the page, at most
PICTURE_PX = 1800  # longest side of the picture in the page
PICTURE_QUALITY = 82  # of JPEG: 300 kB instead of the file's megabytes

_FOLDER = Path(__file__).parent
_LEAFLET = _FOLDER / "leaflet"


@dataclass(frozen=True)
class _Picture:
    """The picture as data URI, its size in pixels, and its alternative text."""

    uri: str
    width: int
    height: int
    alt: str


def write_page(
    folder: Path,
    summary: Mapping[str, Any],
    relief: Path | None = None,
    *,
    heights: bool = True,
    remarks: Sequence[str] = (),
    limit: int = MAX_PAGE_BYTES,
) -> Path:
    """Write the page of a map's folder, which has all its other files.

    Args:
        folder: Folder with ``probability.tif``, ``landslides.gpkg`` and ``quicklook.png``.
        summary: Content of its ``summary.json``.
        relief: Raster of heights or backscatter on the same grid, or None.
        heights: Whether *relief* holds heights in m, which are shaded, or backscatter.
        remarks: What a reader must know before using the map, beside the summary's warnings.
        limit: The most bytes of the page; finest zooms and smallest landslides are left out to keep to it.

    Returns:
        The page's file.

    Raises:
        FileExistsError: If the page exists.
        OSError: If a file cannot be read or written.
    """
    path = folder / PAGE
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES),
        rasterio.open(folder / "probability.tif") as raster,
    ):
        corner = raster.transform
        crs = parse_crs(raster.crs.to_wkt(), raster.name)
        grid = Grid(crs, corner.c, corner.f, corner.a, raster.height, raster.width)
        words = _write_words(folder, summary, grid, remarks)
        landslides = read_landslides(folder, grid)
        shown = landslides.shorten(int(POLYGON_SHARE * limit))
        drawn = layers.list_layers(folder, summary["threshold"], relief, heights=heights)
        data = _describe_map(grid, shown)
        rest = len(_render(words, landslides, data, TileSet(), ()).encode()) + 4096
        tiles = cut_tiles(drawn, count_levels(grid.height, grid.width), max(limit - rest, 0))
    notes = [*_list_limits(tiles, grid, limit), *_list_hidden(landslides, shown)]
    text = _render(words, landslides, data, tiles, notes)
    with path.open("x", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return path


def _write_words(
    folder: Path, summary: Mapping[str, Any], grid: Grid, remarks: Sequence[str]
) -> dict[str, Any]:
    """Return what the template needs beside map and landslides."""
    headline = content.write_headline(summary, grid.crs, make_mesh(grid).middle)
    threshold = summary["threshold"]
    low, notes = threshold / 2, list(map(str, summary.get("notes") or ()))
    more = len(notes) - content.MOST_NAMES
    return {
        "title": f"Landslide map by {name_version(summary)}",
        "origins": content.list_origins(summary),
        "headline": headline,
        "cautions": content.list_cautions(summary, remarks),
        "facts": content.list_facts(summary),
        "trust": content.list_trust(summary),
        "provenance": content.list_provenance(summary),
        "notes": notes[: content.MOST_NAMES]
        + ([f"{more} more notes are in summary.json."] if more > 0 else []),
        "files": list(list_files(folder)),
        "credits": content.list_credits(summary),
        "picture": _embed(folder / "quicklook.png", headline),
        "low": f"{low:.2g}",
        "threshold": f"{threshold:.3g}",
        "threshold_at": round(100 * (threshold - low) / max(1 - low, 1e-6), 1),
    }


def _embed(path: Path, headline: str) -> _Picture:
    """Return a picture as JPEG, which takes a tenth of the bytes of a PNG of shaded relief."""
    with Image.open(path) as opened:
        picture = opened.convert("RGBA")
    page = Image.new("RGB", picture.size, "white")
    page.paste(picture, mask=picture.getchannel("A"))
    page.thumbnail((PICTURE_PX, PICTURE_PX))
    target = BytesIO()
    page.save(target, "JPEG", quality=PICTURE_QUALITY, optimize=True)
    uri = f"data:image/jpeg;base64,{base64.b64encode(target.getvalue()).decode()}"
    return _Picture(uri, *page.size, f"Map of the landslide probability. {headline}")


def _describe_map(grid: Grid, landslides: Landslides) -> dict[str, Any]:
    """Return what the script needs beside the tiles."""
    mesh = make_mesh(grid).as_lists()
    return {
        "height": grid.height,
        "width": grid.width,
        "levels": count_levels(grid.height, grid.width),
        "tile": TILE_PX,
        "metres": measure_width(grid) / grid.width,
        "mesh": mesh and {"cells": CELLS, "longitude": mesh[0], "latitude": mesh[1]},
        "columns": landslides.columns,
        "facts": landslides.facts,
        "rings": landslides.rings,
    }


def _list_limits(tiles: TileSet, grid: Grid, limit: int) -> Iterator[str]:
    """Name the layers whose finest zooms are left out."""
    for layer in tiles.layers:
        if layer["finest"]:
            pixel = grid.pixel_m * 2 ** layer["finest"]
            yield (
                f"{layer['title']} is drawn with pixels of {pixel:g} m, not of {grid.pixel_m:g} m, to keep this page under "
                f"{limit / 1e6:g} MB. Every pixel is in the GeoTIFF files beside it."
            )


def _list_hidden(landslides: Landslides, shown: Landslides) -> Iterator[str]:
    if (hidden := len(landslides.facts) - len(shown.facts)) > 0:
        yield (
            f"The outlines of the {hidden:,} smallest landslides are left out to keep this page small; landslides.gpkg has all."
        )


def _render(
    words: Mapping[str, Any],
    landslides: Landslides,
    data: Mapping[str, Any],
    tiles: TileSet,
    map_notes: Sequence[str],
) -> str:
    """Return the page as text."""
    columns, rows = list_rows(landslides)
    shown = f"The {len(rows)} largest of {len(landslides.facts):,} landslides; all are in landslides.gpkg."
    scripts = [
        (_LEAFLET / "leaflet.js").read_text(encoding="utf-8"),
        (_FOLDER / "map.js").read_text(encoding="utf-8"),
    ]
    whole = dict(data) | {"images": tiles.images, "layers": tiles.layers}
    change = any(layer["key"].startswith("change") for layer in tiles.layers)
    return _ENVIRONMENT.get_template("map.html.j2").render(
        **words,
        page={"title": words["title"], "synthetic": bool(words["origins"])},
        rows=Table(columns, rows, shown),
        map_notes=map_notes,
        ramp=layers.list_ramp(layers.colour_probability(), range(1, layers.STEPS + 1)),
        change_ramp=layers.list_ramp(layers.colour_change(), range(1, 256, 31)) if change else "",
        change_db=f"{layers.CHANGE_DB:g}",
        leaflet_css=_read_leaflet_css(),
        data=_to_script(whole),
        scripts=scripts,
        hashes=[f"'sha256-{_hash(script)}'" for script in scripts],
    )


def _to_script(content: Any) -> str:
    """Return JSON that cannot end the script element around it."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&]", lambda sign: f"\\u{ord(sign[0]):04x}", text)


def _read_leaflet_css() -> str:
    """Return Leaflet's style without its own pictures, which would be requested; the page's style replaces them."""
    text = (_LEAFLET / "leaflet.css").read_text(encoding="utf-8")
    return re.sub(r"^.*(url\(images/|behavior: url).*$", "", text, flags=re.MULTILINE)


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


_ENVIRONMENT = ENVIRONMENT.overlay(
    loader=jinja2.FileSystemLoader([_FOLDER, Path(html.__file__).parent])
)
