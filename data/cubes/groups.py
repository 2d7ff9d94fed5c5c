"""The series of a datacube by modality: from groups, from an attribute, or from a cube whose acquisitions are mixed."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from data.cubes.crs import find_crs
from data.cubes.files import LAYOUT, ROOT, check_chunks, list_groups, open_group
from data.cubes.names import (
    DEGREES,
    DIMS,
    HEIGHTS,
    POLARISATIONS,
    find_sigma,
    rename_bands,
    rename_dims,
    split_bands,
)
from data.cubes.orbits import Directions, find_directions, find_group_modality
from data.cubes.times import join_slices, read_times
from data.io.lock import is_locked
from data.io.memory import limited_memory
from data.io.read_file import try_patiently
from data.io.safe_json import RefusedError, refused_error, show_value
from data.tiles.rules import BANDS, ORBITS, SCENE_CLASS


@dataclass(frozen=True)
class Group:
    """The acquisitions of one modality.

    Attributes:
        dataset: Has ``VV``, ``VH`` (or Sentinel-2's bands) over ``time``, ``y``, ``x`` in any order, in the file's order
            of acquisitions, and perhaps ``DEM``.
        times: Times of the acquisitions, UTC, ascending, shape ``(T,)``.
        slices: For each of these, the indices along the file's ``time`` that it was joined from.
    """

    dataset: xr.Dataset
    times: np.ndarray
    slices: tuple[tuple[int, ...], ...]


_DAMAGES = (
    *(OSError, RuntimeError, LookupError, AttributeError, TypeError, ValueError),
    MemoryError,  # a chunk that holds more than the file says
)


def open_groups(
    path: Path, modalities: Sequence[str], orbit: str | None, notes: list[str]
) -> dict[str, Group]:
    """Open the series of the given modalities without reading their bands.

    Args:
        path: A NetCDF file or a Zarr folder.
        modalities: Such as ``s1asc``.
        orbit: The modality of a cube that does not name it; None to find it.
        notes: Receives what was found, one sentence each.

    Raises:
        ValueError: If the file cannot be read, lacks a modality, a band or dates, names something twice, or uses an
            unsafe codec or too large chunks.
        TransientError: If another program holds a lock on the file for some seconds.
    """
    known = len(notes)

    def attempt() -> dict[str, Group]:
        del notes[known:]
        return _open_once(path, modalities, orbit, notes)

    return try_patiently(attempt, f"The datacube {path}")


def _open_once(
    path: Path, modalities: Sequence[str], orbit: str | None, notes: list[str]
) -> dict[str, Group]:
    try:
        with limited_memory():
            return _open(path, modalities, orbit, notes)
    except RefusedError:
        raise
    # A damaged file can raise almost any of these.
    except _DAMAGES as error:
        if path.is_file() and is_locked(path):  # HDF5 says "HDF error" for this, too
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path)) from error
        got = f"{type(error).__name__}: {error}"
        raise refused_error("A datacube must be readable NetCDF or Zarr", got, path) from error


def _open(
    path: Path, modalities: Sequence[str], orbit: str | None, notes: list[str]
) -> dict[str, Group]:
    named: dict[str, str] = {}
    for name in list_groups(path):
        if modality := find_group_modality(name):
            if modality in named:
                got = f"{named[modality]}, {name}"
                raise refused_error(f"One group must be {modality}", got, path, "Remove the other.")
            named[modality] = name
    if orbit and named:
        got = f"the groups {', '.join(named.values())}"
        raise refused_error(_FOR_UNNAMED, got, path, "Leave --orbit out.")
    groups = {}
    for modality in modalities:
        if modality in named:
            source = f"{modality} of {path}"
            dataset = _adapt(open_group(path, named[modality]), source, notes)
            groups[modality] = _make_group(dataset, modality, None, source, notes)
    if set(modalities) - set(groups):
        groups = _open_root(path, modalities, orbit, notes) | groups
    if missing := [name for name in modalities if name not in groups]:
        got = ", ".join(sorted({*named, *groups})) or "none"
        rule = (
            f"The model reads the modalities {', '.join(modalities)}, each a group of the datacube"
        )
        remedy = f"Add {', '.join(missing)}, or choose a model without."
        raise refused_error(rule, got, path, remedy)
    return {name: groups[name] for name in modalities}


_FOR_UNNAMED = "--orbit is for a datacube that does not name its orbit"


def _open_root(
    path: Path, modalities: Sequence[str], orbit: str | None, notes: list[str]
) -> dict[str, Group]:
    """Open the variables outside groups: of one modality, or of both orbits in turn."""
    dataset = open_group(path, ROOT)
    if not any(variable.ndim > 2 for variable in dataset.variables.values()):
        return {}
    dataset = _adapt(dataset, str(path), notes)
    bands = [name for name in POLARISATIONS if name in dataset]
    found = find_directions(dataset, bands, str(path))
    if orbit:
        if found and found.of_all != orbit:
            got = f"{found.of_all or 'both orbits'} by {found.name}"
            raise refused_error(_FOR_UNNAMED, got, path, "Leave --orbit out.")
        found = Directions(orbit, (), "--orbit")
    if found is None:
        _check_layout(dataset, ORBITS[0], str(path))
        rule = "A datacube must name its orbit: by groups s1asc and s1dsc, or by sat:orbit_state"
        remedy = "If it is of one orbit, give --orbit s1asc (ascending) or --orbit s1dsc."
        raise refused_error(rule, "none", path, remedy)
    names = dict.fromkeys((found.of_all,) if found.of_all else sorted(found.of_each))
    if found.name != "modality":
        notes.append(f"The orbit is {' and '.join(map(str, names))} by {found.name}.")
    return {
        name: _make_group(dataset, name, found.of_each, f"{name} of {path}", notes)
        for name in names
        if name in modalities or not found.of_each
    }


def _adapt(dataset: xr.Dataset, source: str, notes: list[str]) -> xr.Dataset:
    """Rename a producer's dimensions and variables, and note what was renamed."""
    names = [*dataset.variables]
    dataset, dims = rename_dims(dataset, source)
    dataset, band_dim = split_bands(dataset, source)
    dataset, variables = rename_bands(dataset, source)
    found = [f"{given} is {wanted}" for given, wanted in (dims | variables).items()]
    found += [f"the labels of {band_dim} are the bands"] if band_dim else []
    if find_crs(dataset) is None and any(given.lower() in DEGREES for given in dims):
        dataset = dataset.assign_attrs(crs="EPSG:4326")
        found.append("degrees are in WGS 84, since no coordinate system is named")
    if found and (note := f"Found in the datacube: {', '.join(found)}.") not in notes:
        notes.append(note)
    if (sigma := find_sigma(dataset, names)) and (note := _SIGMA_NOTE.format(sigma)) not in notes:
        notes.append(note)
    return dataset


_SIGMA_NOTE = (
    "{} is sigma nought, but models learn from gamma nought: on slopes it differs by several dB."
)


def _make_group(
    dataset: xr.Dataset,
    modality: str,
    of_each: Sequence[str] | None,
    source: str,
    notes: list[str],
) -> Group:
    """Check a series, and put its acquisitions in order of time."""
    _check_layout(dataset, modality, source)
    times = read_times(dataset, source)
    indices = [n for n in range(len(times)) if not of_each or of_each[n] == modality]
    ascending, slices = join_slices(times, indices, modality, notes)
    return Group(dataset, ascending, slices)


def _check_layout(dataset: xr.Dataset, modality: str, source: str) -> None:
    """Check names, dimensions, number types and chunk sizes."""
    needed = [*BANDS[modality], *([SCENE_CLASS] if modality == "s2" else [])]
    if missing := [name for name in (*needed, *DIMS) if name not in dataset.variables]:
        got = ", ".join(map(str, dataset.variables))
        rule = f"A datacube must have {', '.join(missing)}"
        raise refused_error(rule, show_value(got), source, LAYOUT)
    for name in DIMS:
        if (dims := dataset[name].dims) != (name,):
            raise refused_error(f"{name} must be over {name} alone", dims, source, LAYOUT)
    present = [*needed, *([HEIGHTS] if HEIGHTS in dataset.variables else [])]
    for name in present:
        variable = dataset[name]
        allowed = [set(DIMS), set(DIMS[1:])] if name == HEIGHTS else [set(DIMS)]
        if set(variable.dims) not in allowed:
            raise refused_error(
                f"{name} must be over {', '.join(DIMS)}", variable.dims, source, LAYOUT
            )
        if variable.dtype.kind not in "fiu":
            raise refused_error(f"{name} must hold numbers", variable.dtype, source, LAYOUT)
        check_chunks(variable, source)
