"""A project with which QGIS opens a map's folder: layers in order, in a group, drawn as by the styles, with relative paths."""

import re
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyproj

from data.scene.georeference import Grid
from tuning.predict.qgis.styles import VERSION, Style, make_styles, render, write_styles

PROJECT = "map.qgz"
COPERNICUS = "Contains modified Copernicus Sentinel data."  # wording of the Copernicus licence for derived products

_INSIDE = "map.qgs"  # name of the project in its archive
_WRITTEN = (1980, 1, 1, 0, 0, 0)  # the archive of the same map is the same file
_NO_XML = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_RELIEF = "Relief; blue: too few acquisitions"
_ORBITS = {"s1asc": "ascending", "s1dsc": "descending"}


@dataclass(frozen=True)
class Layer:
    """A layer of the project.

    Attributes:
        id: Its id; QGIS replaces those of at most ten characters.
        name: Its name in the layer tree.
        source: Its file, relative to the project.
        provider: ``gdal`` or ``ogr``.
        style: How it is drawn.
        shown: Whether it is switched on.
    """

    id: str
    name: str
    source: str
    provider: str
    style: Style
    shown: bool


@dataclass(frozen=True)
class System:
    """A coordinate system as QGIS's projects hold it; an authority's code alone would be read as none."""

    wkt: str
    proj4: str
    authid: str
    srid: str
    name: str
    acronym: str


def write_project(
    folder: Path,
    grid: Grid,
    *,
    threshold: float,
    title: str,
    remarks: Sequence[str],
    orbits: Sequence[str],
) -> Path:
    """Write ``map.qgz`` and the ``.qml`` files of a map, for the rasters and polygons that its folder holds.

    Args:
        folder: The map's folder.
        grid: The grid of its rasters.
        threshold: Minimum probability of a landslide pixel.
        title: Title of the project and of its group of layers.
        remarks: Origin, warnings and attribution, sentences of the project's description.
        orbits: The orbits of the bands of ``change.tif``.

    Returns:
        The project's file.

    Raises:
        FileExistsError: If one of the files exists.
        OSError: If a file cannot be written.
    """
    layers = list_layers(folder, make_styles(threshold), orbits)
    files = dict.fromkeys(Path(layer.source.partition("|")[0]).stem for layer in layers)
    write_styles(folder, [name for name in files if name != "relief"], threshold)
    west, south, east, north = grid.frame.bounds
    text = render(
        "map.qgs.j2",
        version=VERSION,
        title=_clean(title),
        abstract=_clean(" ".join(filter(None, remarks))),
        layers=layers,
        crs=describe_system(grid.crs),
        extent={"west": west, "south": south, "east": east, "north": north},
    )
    path = folder / PROJECT
    with path.open("xb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(_INSIDE, _WRITTEN)
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, text)
    return path


def list_layers(folder: Path, styles: dict[str, Style], orbits: Sequence[str]) -> list[Layer]:
    """Return the layers of the files that a map's folder holds, the uppermost first."""
    there = {path.stem for path in folder.glob("*.tif")}
    names = {
        "probability": ("Landslide probability", True),
        "spread": ("Spread of the probability over the seeds", False),
        "mask": ("Landslide mask", False),
        "coverage": ("Acquisitions after the event", False),
    }
    source = "./landslides.gpkg|layername=landslides"
    polygons = ("landslides_polygons", "Landslides by confidence", source, "ogr")
    layers = [Layer(*polygons, styles["landslides"], shown=True)]
    layers += [
        _make_raster(name, text, styles[name], shown=shown)
        for name, (text, shown) in names.items()
        if name in there
    ]
    for band, orbit in enumerate(orbits if "change" in there else (), 1):
        text = f"Change of backscatter, {_ORBITS.get(orbit, orbit)} orbit"
        style = replace(styles["change"], band=band)
        layers.append(_make_raster("change", text, style, shown=False, suffix=f"_{orbit}"))
    if "relief" in there:
        layers.append(_make_raster("relief", _RELIEF, styles["relief"], shown=True))
    return layers


def _make_raster(name: str, text: str, style: Style, *, shown: bool, suffix: str = "") -> Layer:
    return Layer(f"{name}_raster{suffix}", text, f"./{name}.tif", "gdal", style, shown)


def describe_system(crs: str) -> System:
    """Return a coordinate system in the ways that QGIS reads."""
    known = pyproj.CRS.from_user_input(crs)
    with warnings.catch_warnings():  # that a PROJ string holds less than the WKT beside it
        warnings.simplefilter("ignore", UserWarning)
        proj4 = known.to_proj4()
    authority = known.to_authority() or ("", "")
    acronym = re.search(r"\+proj=(\w+)", proj4)
    return System(
        wkt=known.to_wkt("WKT2_2019"),
        proj4=proj4,
        authid=":".join(authority) if authority[0] else "",
        srid=authority[1],
        name=known.name,
        acronym=acronym.group(1) if acronym else "",
    )


def _clean(text: str) -> str:
    """Replace characters that XML cannot hold: names of models and files may have any."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
