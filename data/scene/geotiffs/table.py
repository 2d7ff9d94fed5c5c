"""The GeoTIFFs of a scene by orbit direction, date and polarisation, from their names and tags."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import rasterio
from rasterio.errors import RasterioIOError

from data.cubes.orbits import DIRECTIONS
from data.cubes.times import SAME_PASS
from data.io.safe_json import refused_error, show_value
from data.scene.base import InputSpec
from data.scene.geotiffs.names import (
    HEIGHTS,
    POLARISATIONS,
    NamedFile,
    compile_pattern,
    is_geotiff,
    match_name,
    read_name,
    show_names,
)
from data.tiles.rules import ORBITS

MAX_FILES = 10_000
HABITS = "<words>_YYYYMMDD_<words>_VV.tif"
_REMEDY = "Rename it, or give the pattern of the names with --pattern; see docs/maps.md."


class Band(NamedTuple):
    """One band of a file, from 1."""

    path: Path
    number: int


Bands = dict[str, tuple[Band, ...]]  # by polarisation: one, or one for each slice of a pass
Dates = dict[datetime, Bands]


@dataclass(frozen=True)
class FileTable:
    """The files of a scene.

    Attributes:
        root: The folder that holds them.
        dates: Bands by modality, date (ascending) and polarisation; several if a pass was cut into slices.
        heights: The file of the heights, or None.
        skipped: Files that hold neither backscatter nor heights.
    """

    root: Path
    dates: dict[str, Dates]
    heights: Path | None
    skipped: list[Path]


def make_table(paths: Sequence[Path], spec: InputSpec, pattern: str | None) -> FileTable:
    """Find the files that a network reads.

    Args:
        paths: A folder, or files.
        spec: The network's input.
        pattern: The names' pattern, see `data.scene.geotiffs.names.compile_pattern`; by default found.

    Raises:
        ValueError: If a name cannot be read, or a modality, polarisation or date is missing or twice.
    """
    if len(paths) == 1 and paths[0].is_dir():
        root, files = paths[0], list_geotiffs(paths[0])
    else:
        files = [path.absolute() for path in paths]
        root = Path(os.path.commonpath([path.parent for path in files]))
    named = list(_read_names(files, root, pattern))
    table, skipped = _tabulate(named, root)
    _check_complete(table, spec, root, files)
    heights = next((one.path for one in named if HEIGHTS in one.bands), None)
    if heights is None and {"DEM", "slope"} & set(spec.channels):
        remedy = "Add it, or choose a model without heights."
        rule = "The model reads heights: a scene of GeoTIFFs needs DEM.tif"
        raise refused_error(rule, show_names(files, root), root, remedy)
    dates = {name: dict(sorted(found.items())) for name, found in table.items()}
    return FileTable(root, dates, heights, skipped)


def list_geotiffs(folder: Path) -> list[Path]:
    """List the GeoTIFFs in a folder and the folders in it, by name.

    Raises:
        ValueError: If there are more than ``MAX_FILES``.
    """
    files = sorted(path for path in folder.rglob("*") if is_geotiff(path) and path.is_file())
    if len(files) > MAX_FILES:
        remedy = "Choose a folder of one scene."
        rule = f"A scene must have at most {MAX_FILES:,} files"
        raise refused_error(rule, f"{len(files):,}", folder, remedy)
    return files


def open_geotiff(path: Path) -> rasterio.DatasetReader:
    """Open a GeoTIFF; no other format, some of which name further files.

    Raises:
        ValueError: If it cannot be opened.
    """
    try:
        return rasterio.open(path, driver="GTiff")
    except RasterioIOError as error:
        raise refused_error("A GeoTIFF must be readable", error, path) from error


def _read_names(files: Sequence[Path], root: Path, pattern: str | None) -> Iterator[NamedFile]:
    """Yield the files whose names have a meaning."""
    compiled = compile_pattern(pattern) if pattern else None
    found = False
    for path in files:
        if compiled is None:
            one = read_name(path, root)
        elif (matched := match_name(path, root, compiled)) is None:
            if path.stem.upper() != HEIGHTS:
                continue
            one = NamedFile(path, None, None, (HEIGHTS,))
        else:
            one = matched
        found |= one.date is not None
        yield one
    if not found:
        tried = f"--pattern {show_value(pattern)}" if pattern else HABITS
        rule = f"A GeoTIFF's name must have a date and a polarisation, as in {tried}"
        raise refused_error(rule, show_names(files, root), root, _REMEDY)


def _tabulate(named: Sequence[NamedFile], root: Path) -> tuple[dict[str, Dates], list[Path]]:
    """Return the bands by modality, date and polarisation; and the other files."""
    table: dict[str, Dates] = {}
    skipped: list[Path] = []
    for one in named:
        if HEIGHTS in one.bands:
            continue
        if one.date is None and one.bands:
            got = one.path.name
            rule = f"A GeoTIFF's name must have a date, as in {HABITS}"
            raise refused_error(rule, show_value(got), root, _REMEDY)
        bands = _find_bands(one) if one.date else {}
        if not bands or one.date is None:
            skipped.append(one.path)
            continue
        modality = one.modality or _read_direction(one.path)
        if modality is None:
            rule = (
                "The orbit's direction must be in the name of a file or its folder, or in its tags"
            )
            remedy = "Put the files into the folders s1asc and s1dsc, or use --pattern."
            raise refused_error(rule, show_value(one.path.name), root, remedy)
        dates = table.setdefault(modality, {})
        for name, index in bands.items():
            _add(dates, one.date, name, Band(one.path, index), root)
    return table, skipped


def _add(dates: Dates, date: datetime, name: str, band: Band, root: Path) -> None:
    # Two polarisations of an acquisition may differ by seconds, the slices of a pass by minutes.
    day = next((day for day in dates if day.date() == date.date()), date)
    of_day = dates.setdefault(day, {})
    others = of_day.get(name, ())
    if others and abs(date - day) > SAME_PASS.astype(timedelta):
        got = show_names([others[0].path, band.path], root)
        raise twice_error(name, got, str(date.date()), root)
    of_day[name] = tuple(
        sorted((*others, band))
    )  # so that VV and VH of a slice have the same place


def twice_error(name: str, got: str, day: str, root: Path) -> ValueError:
    """Return the error of several images of a day that are not slices of one pass."""
    rule = f"A scene must have one file of {name} per day and orbit, or slices of one pass"
    remedy = "Merge the frames of a day, for example with rasterio merge, or list one of each."
    return refused_error(rule, f"{got} on {day}", root, remedy)


def split_slices(bands: Bands) -> list[dict[str, Band]]:
    """Return the bands of each slice of a pass by polarisation."""
    count = max(map(len, bands.values()))
    return [
        {name: same[index] for name, same in bands.items() if index < len(same)}
        for index in range(count)
    ]


def _find_bands(one: NamedFile) -> dict[str, int]:
    """Return the number of each polarisation's band in a file; none for other GeoTIFFs."""
    if len(one.bands) == 1:
        return {one.bands[0]: 1}
    with open_geotiff(one.path) as raster:
        described = [str(text or "").strip().upper() for text in raster.descriptions]
        count = raster.count
    names = [next((pol for pol in POLARISATIONS if pol in text), "") for text in described]
    if not any(names) and len(one.bands) == count:
        names = list(one.bands)
    if not any(names) and count == len(POLARISATIONS):
        rule = "A GeoTIFF of two bands must describe them as VV and VH"
        remedy = "Set the bands' descriptions, or write a file per polarisation."
        raise refused_error(rule, show_value(described), one.path, remedy)
    return {name: number for number, name in enumerate(names, 1) if name}


def _read_direction(path: Path) -> str | None:
    """Return the modality that a file's tags name, such as ``ORBIT_PASS_DIRECTION=ASCENDING`` of OPERA."""
    with open_geotiff(path) as raster:
        tags = raster.tags()
    for key, value in tags.items():
        if any(word in key.lower() for word in ("direction", "pass", "orbit_state")):
            for word in str(value).lower().split():
                if word in DIRECTIONS:
                    return DIRECTIONS[word]
    return None


def _check_complete(
    table: Mapping[str, Dates], spec: InputSpec, root: Path, files: Sequence[Path]
) -> None:
    """Check that each date has the polarisations that the network reads."""
    if missing := [name for name in spec.modalities if name not in table]:
        got = ", ".join(sorted(table)) or show_names(files, root)
        remedy = f"Add {', '.join(missing)}, or choose a model without."
        if set(missing) - set(ORBITS):
            remedy = "Use a datacube: GeoTIFFs are read for Sentinel-1 alone."
        raise refused_error(
            f"The model reads the modalities {', '.join(spec.modalities)}", got, root, remedy
        )
    for modality in spec.modalities:
        needed = [name.split(":")[1] for name in spec.channels if name.startswith(f"{modality}:")]
        for date, bands in sorted(table[modality].items()):
            if lacking := [name for name in needed if name not in bands]:
                got = show_names([band.path for same in bands.values() for band in same], root)
                rule = f"Every date of {modality} must have {' and '.join(needed)}"
                remedy = f"Add {', '.join(lacking)} of {date:%Y-%m-%d}, or remove the date."
                raise refused_error(rule, f"{got} on {date:%Y-%m-%d}", root, remedy)
            most = max(needed, key=lambda name: len(bands[name]))
            if any(len(bands[name]) < len(bands[most]) for name in needed):
                got = show_names([band.path for band in bands[most]], root)
                raise twice_error(most, got, str(date.date()), root)
