"""Synthetic Sentinel-2 files in the published format for the twin's tiles, on the same grid."""

from pathlib import Path

import numpy as np
import xarray as xr

from data.tiles import BANDS, tile_path


def add_optical(root: Path, tile_ids: list[str]) -> None:
    """Write ``s2/`` next to ``s1asc/``: vegetation with bare soil on the landslides after the event."""
    (root / "s2").mkdir()
    for number, tile_id in enumerate(tile_ids):
        with xr.open_dataset(tile_path(root, tile_id, "s1asc")) as radar:
            rng = np.random.default_rng(number)
            late = np.arange(15)[:, None, None] >= 8
            bare = (radar["MASK"].to_numpy() * late).astype(float)
            bands = {
                band: 600 + 250 * place - 40 * place * bare + 40 * rng.standard_normal(bare.shape)
                for place, band in enumerate(BANDS["s2"])
            }
            dims = radar["MASK"].dims
            optical = xr.Dataset(
                {name: (dims, values.astype(np.int16)) for name, values in bands.items()}
                | {"SCL": (dims, np.full(bare.shape, 4, np.int16))}
                | {name: radar[name] for name in ("MASK", "DEM", "spatial_ref")},
                coords=radar.coords,
                attrs=radar.attrs | {"satellite": "s2"},
            )
            optical.to_netcdf(tile_path(root, tile_id, "s2"), engine="netcdf4")
