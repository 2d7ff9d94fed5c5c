"""The files of a map's folder, with what each is for."""

from collections.abc import Iterator
from pathlib import Path

FILES = {
    "map.qgz": "project for QGIS with the layers below in their colours",
    "landslides.gpkg": "the landslides as polygons, for QGIS and other geographic information systems",
    "landslides.geojson": "the same in longitude and latitude, for web maps",
    "probability.tif": "landslide probability of each pixel",
    "mask.tif": "1 landslide, 0 background, 255 no data",
    "coverage.tif": "acquisitions before and after the event of each pixel",
    "change.tif": "change of backscatter in dB, a band per orbit",
    "relief.tif": "the terrain of the picture, shaded",
    "spread.tif": "standard deviation of the probability over the seeds",
    "quicklook.png": "the picture of this page",
    "summary.json": "all numbers of this page, for programs",
}


def list_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield name and content of each file that a map's folder has."""
    yield from ((name, text) for name, text in FILES.items() if (folder / name).is_file())
