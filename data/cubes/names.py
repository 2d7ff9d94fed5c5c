"""Renames what producers of datacubes call their dimensions and variables, without reading bands.

Layouts, from the producers' own documents:
    openEO (Copernicus Data Space): variables ``VV``, ``VH`` over ``t``, ``y``, ``x``, or one variable over ``t``,
    ``bands``, ``y``, ``x``; odc-stac and Open Data Cube: ``vv``, ``vh`` over ``time``, ``y``, ``x`` or ``latitude``,
    ``longitude``; stackstac: one array over ``time``, ``band``, ``y``, ``x``; xee: ``VV``, ``VH`` over ``time`` and
    ``lon``, ``lat`` or ``X``, ``Y``.
"""

import re
from collections.abc import Hashable, Iterable

import xarray as xr

from data.cubes.files import LAYOUT, check_chunks, read_chunks
from data.io.safe_json import refused_error
from data.tiles.rules import BANDS, ORBITS

DIMS = ("time", "y", "x")
POLARISATIONS = BANDS[ORBITS[0]]
HEIGHTS = "DEM"
DIM_NAMES = {
    "time": ("time", "t", "date", "datetime", "acq_date"),
    "y": ("y", "northing", "lat", "latitude"),
    "x": ("x", "easting", "lon", "longitude"),
}
BAND_DIMS = ("band", "bands", "polarization", "polarisation", "pol", "variable")
DEGREES = ("lat", "latitude")  # dimensions that are in degrees
HEIGHT_NAMES = ("dem", "elevation")

_SIGMA = re.compile(r"sigma|sig0|s0")
# Words beside the polarisation that leave it backscatter in dB or power. Not among them: amplitude, beta, mask, angle.
_EXTRA = (
    r"(?:gamma(?:0|nought|naught)?|g0|sigma(?:0|nought|naught)?|sig0|s0|sentinel1|s1|grd|rtc|nrb|terrain|flattened"
    r"|backscatter|intensity|power|linear|lin|db)*"
)
_BAND = re.compile(f"{_EXTRA}(vv|vh){_EXTRA}")


def find_polarisation(name: object) -> str | None:
    """Return ``VV`` or ``VH`` if that is what a name such as ``gamma0_vv`` stands for."""
    match = _BAND.fullmatch(re.sub(r"[^a-z0-9]", "", str(name).lower()))
    return match[1].upper() if match else None


def rename_dims(dataset: xr.Dataset, source: str) -> tuple[xr.Dataset, dict[str, str]]:
    """Rename a cube's dimensions to ``time``, ``y`` and ``x``.

    Returns:
        The cube, and what was renamed: the new name by the producer's.

    Raises:
        ValueError: If two dimensions stand for one axis.
    """
    renamed: dict[str, str] = {}
    for wanted, names in DIM_NAMES.items():
        found = [str(dim) for dim in dataset.dims if str(dim).lower() in names]
        if len(found) > 1:
            rule = f"One dimension must be {wanted}"
            remedy = f"Drop the others, or rename the right one to {wanted} and the others to anything else."
            raise refused_error(rule, ", ".join(found), source, remedy)
        if found and found[0] != wanted:
            renamed[found[0]] = wanted
    taken = [name for name in renamed.values() if name in dataset.variables]
    return dataset.drop_vars(taken).rename(renamed), renamed


def split_bands(dataset: xr.Dataset, source: str) -> tuple[xr.Dataset, str | None]:
    """Make a variable of each polarisation of an array with a dimension of bands.

    Returns:
        The cube, and the dimension's name; None if there is none.

    Raises:
        ValueError: If the labels name a polarisation twice or none at all, or several arrays have such a dimension.
    """
    dim = next((str(dim) for dim in dataset.dims if str(dim).lower() in BAND_DIMS), None)
    arrays = [name for name, one in dataset.data_vars.items() if dim in one.dims and one.ndim > 2]
    if dim is None or not arrays:
        return dataset, None
    labels = [str(label) for label in dataset[dim].values] if dim in dataset.variables else []
    bands = [find_polarisation(label) for label in labels]
    if dataset.sizes[dim] == 1 and bands in (
        [],
        [None],
    ):  # rioxarray adds such a dimension to each variable
        layers = {str(name): _take_band(dataset[name], dim, 0) for name in arrays}
        return dataset.drop_vars(arrays).drop_dims(dim).assign(layers), None
    known = [band for band in bands if band is not None]
    if len(arrays) > 1 or not known or len(set(known)) < len(known):
        got = f"{', '.join(labels) or 'no labels'} in {', '.join(map(str, arrays))}"
        rule = f"The labels of {dim} must name VV and VH once, for one array"
        raise refused_error(rule, got, source, LAYOUT)
    array = dataset[arrays[0]]
    check_chunks(array, source)
    taken = dataset.drop_vars([*arrays, *(band for band in known if band in dataset.variables)])
    layers = {
        band: _take_band(array, dim, index) for index, band in enumerate(bands) if band is not None
    }
    return taken.drop_dims(dim).assign(layers), dim


def _take_band(array: xr.DataArray, dim: str, index: int) -> xr.DataArray:
    """Take a band without reading it; its chunks lose the dimension of bands, as its shape does."""
    band = array.isel({dim: index}, drop=True)
    chunks = dict(zip(array.dims, read_chunks(array), strict=False))
    kept = {key: value for key, value in array.encoding.items() if "chunk" not in key}
    band.encoding = kept | ({"chunks": tuple(chunks[d] for d in band.dims)} if chunks else {})
    band.encoding.setdefault("dtype", array.dtype)
    return band


def rename_bands(dataset: xr.Dataset, source: str) -> tuple[xr.Dataset, dict[str, str]]:
    """Rename a cube's variables to ``VV``, ``VH`` and ``DEM``; a variable that is named so already is taken as it is.

    Returns:
        The cube, and what was renamed: the new name by the producer's.

    Raises:
        ValueError: If several variables may be meant.
    """
    rasters = [name for name, one in dataset.variables.items() if one.ndim > 1]
    renamed: dict[Hashable, str] = {}
    for wanted in (*POLARISATIONS, HEIGHTS):
        found = [name for name in rasters if _find_variable(name) == wanted]
        if wanted in found or not found:
            continue
        if len(found) > 1:
            remedy = f"Keep one of them, or rename it to {wanted}."
            got = ", ".join(map(str, found))
            raise refused_error(f"One variable must be {wanted}", got, source, remedy)
        renamed[found[0]] = wanted
    return dataset.rename(renamed), {str(name): wanted for name, wanted in renamed.items()}


def _find_variable(name: object) -> str | None:
    return HEIGHTS if str(name).lower() in HEIGHT_NAMES else find_polarisation(name)


def find_sigma(dataset: xr.Dataset, names: Iterable[Hashable]) -> str | None:
    """Return the name or description that says that backscatter is sigma nought, not gamma nought."""
    texts = [str(name) for name in names if find_polarisation(name)]
    for band in POLARISATIONS:
        if band in dataset:
            texts += [
                str(dataset[band].attrs.get(key, "")) for key in ("long_name", "standard_name")
            ]
    return next((text for text in texts if _SIGMA.search(text.lower())), None)
