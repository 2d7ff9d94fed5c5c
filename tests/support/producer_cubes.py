"""Tiny datacubes in the layouts of producers of Sentinel-1 series, made from the groups of ``cube_files.make_groups``."""

from pathlib import Path

import numpy as np
import pyproj
import xarray as xr

from tests.support.cube_files import Groups

CRS = "EPSG:32654"
WKT = pyproj.CRS(CRS).to_wkt()
BANDS = ("VV", "VH")


def to_linear(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign({band: (10 ** (dataset[band] / 10)).astype("f4") for band in BANDS})


def to_centres(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign_coords(x=dataset["x"] + 5, y=dataset["y"] - 5)


def mix_orbits(groups: Groups, hours: int = 8) -> tuple[xr.Dataset, np.ndarray]:
    """Join both orbits in one cube, ascending passes *hours* after descending ones of the same day."""
    late = groups["s1asc"]["time"] + np.timedelta64(hours, "h")
    ascending = groups["s1asc"].assign_coords(time=late)
    both = xr.concat([ascending, groups["s1dsc"]], "time", data_vars="minimal", join="exact")
    states = np.repeat(["ascending", "descending"], len(late))
    order = np.argsort(both["time"].values, kind="stable")
    return both.isel(time=order), states[order]


def write_openeo(groups: Groups, path: Path) -> Path:
    """openEO at the Copernicus Data Space: a variable per band over ``t, y, x``, a ``crs`` variable, linear power."""
    dataset = to_centres(to_linear(groups["s1asc"])).drop_vars("DEM").rename(time="t")
    dataset = dataset.assign(crs=((), 0, {"crs_wkt": WKT, "spatial_ref": WKT}))
    dataset.attrs = {"Conventions": "CF-1.9", "institution": "Copernicus Data Space Ecosystem"}
    days = {"units": "days since 1990-01-01", "calendar": "standard", "dtype": "i4"}
    dataset.to_netcdf(path, encoding={"t": days})
    return path


def write_openeo_bands(groups: Groups, path: Path) -> Path:
    """openEO's Python client (``DataCube.download``, other back ends): one array over ``t, bands, y, x``."""
    dataset = to_centres(groups["s1asc"])
    array = dataset[["VV", "VH"]].to_dataarray("bands", name="data").transpose("time", "bands", ...)
    cube = array.rename(time="t").drop_attrs().to_dataset()
    chunks = {"data": {"chunksizes": (1, 2, 16, 16)}}
    cube.assign(crs=((), 0, {"spatial_ref": WKT})).to_netcdf(path, encoding=chunks)
    return path


def write_stackstac(groups: Groups, path: Path) -> Path:
    """stackstac on the Planetary Computer's ``sentinel-1-rtc``: ``time, band, y, x`` and STAC properties as coordinates."""
    both, states = mix_orbits(groups)
    array = (
        to_linear(both)[["VV", "VH"]]
        .to_dataarray("band", name="stackstac-1f2e")
        .transpose("time", ...)
    )
    array = array.assign_coords(
        {
            "band": ["vv", "vh"],
            "sat:orbit_state": ("time", states),
            "sat:relative_orbit": ("time", np.where(states == "ascending", 68, 46)),
            "proj:epsg": 32654,
            "title": ("band", ["VV: vertical", "VH: vertical"]),
        }
    )
    array.attrs = {"spec": "RasterSpec(epsg=32654)", "resolution": 10.0}
    array.to_dataset().to_zarr(path, zarr_format=2, consolidated=True)
    return path


def write_odc_stac(groups: Groups, path: Path) -> Path:
    """odc-stac on the Planetary Computer: ``vv``, ``vh``, a ``spatial_ref`` coordinate, and the attribute ``nodata``."""
    dataset = to_centres(to_linear(groups["s1dsc"])).drop_vars("DEM").rename(VV="vv", VH="vh")
    for band in ("vv", "vh"):
        dataset[band] = dataset[band].fillna(-32768)
        dataset[band].attrs = {"nodata": -32768, "units": "1", "grid_mapping": "spatial_ref"}
    attributes = {"spatial_ref": WKT, "GeoTransform": _transform(groups)}
    dataset.attrs = {}
    dataset.assign_coords(spatial_ref=((), 32654, attributes)).to_netcdf(path)
    return path


def _transform(groups: Groups) -> str:
    corner = groups["s1dsc"]
    return f"{corner['x'].values[0]} 10 0 {corner['y'].values[0]} 0 -10"


def write_xee(groups: Groups, path: Path) -> Path:
    """Earth Engine by xee before 0.1: ``VV``, ``VH`` in dB over ``time, X, Y``, the system in each band's attributes."""
    dataset = to_centres(groups["s1asc"]).drop_vars("DEM").rename(x="X", y="Y")
    dataset = dataset.transpose("time", "X", "Y")
    for band in BANDS:
        dataset[band].attrs = {"id": band, "crs": CRS, "data_type": "double"}
    dataset.attrs = {"orbitProperties_pass": "ASCENDING"}
    dataset.to_netcdf(path)
    return path


def write_hyp3_stack(groups: Groups, path: Path) -> Path:
    """HyP3 products stacked over ``acq_date``, the orbit of each date in ``orbital_dir``; here as packed integers of dB."""
    both, states = mix_orbits(groups)
    stack = both.rename(VV="gamma0_vv", VH="gamma0_vh", DEM="dem", time="acq_date")
    stack = stack.assign_coords(
        orbital_dir=("acq_date", [state[:4].strip("e") for state in states])
    )
    stack.attrs = {"crs": CRS}
    packed = {"dtype": "i2", "scale_factor": 0.001, "add_offset": -10.0, "_FillValue": -32768}
    chunks = {"chunksizes": (4, 16, 16)}
    stack.to_netcdf(path, encoding=dict.fromkeys(("gamma0_vv", "gamma0_vh"), packed | chunks))
    return path


def to_degrees(dataset: xr.Dataset, vertical: str, horizontal: str) -> xr.Dataset:
    """Put a cube on a grid in degrees, of about 10 m at 43 degrees north."""
    latitudes = 42.7 - 9e-5 * np.arange(dataset.sizes["y"])
    longitudes = 141.9 + 1.2e-4 * np.arange(dataset.sizes["x"])
    named = dataset.assign_coords(y=latitudes, x=longitudes).drop_attrs()
    return named.rename({"y": vertical, "x": horizontal})
