"""Reads windows of assets patiently: signs each address just before, tries again, and names an asset that cannot be read.

It is the driver through which :func:`odc.stac.load` opens GeoTIFFs.
"""

import logging
import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
import rasterio.errors
from odc.geo.geobox import GeoBox
from odc.loader import RasterLoadParams, RasterSource, RioDriver, RioReader

from data.assemble.network import forget, is_remote, make_options, strip_tokens
from data.io.errors import format_error

if TYPE_CHECKING:
    from data.search.sources import Source

# Before each further try of an asset on a server, after the retries of GDAL itself (network.RETRIES).
WAITS_S = (1.0, 5.0, 20.0)
_GONE = (400, 404, 410)  # answers that stay
_DENIED = (401, 403)  # an expired token gives these, too: the address is signed anew once
_STATUS = re.compile(r"HTTP response code: (\d{3})")
Window = tuple[tuple[slice, slice], np.ndarray]

# These log each failed try with the signed address.
for _name in ("odc.loader", "rasterio"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)


class AssetError(RuntimeError):
    """An asset that could not be read; the message names it, the reason and the remedy."""


class StoppedError(Exception):
    """Reading was given up because something else failed, or the user interrupted it."""


class PatientDriver(RioDriver):
    """Opens assets for :func:`odc.stac.load`.

    Args:
        source: Signs addresses, and gives GDAL's options for each.
        stop: Set to give up.
        zero_is_empty: Whether zeros of a file that declares no value for no data are none, as in backscatter.
    """

    def __init__(self, source: "Source", stop: threading.Event, *, zero_is_empty: bool) -> None:
        super().__init__()
        self.source, self.stop = source, stop
        self.fallback = 0.0 if zero_is_empty else None

    def open(self, src: RasterSource, ctx: Any) -> "PatientReader":
        """Return the reader of an asset; nothing is opened yet."""
        return PatientReader(self, src, ctx)


class PatientReader(RioReader):
    """Reads windows of one asset."""

    def __init__(self, driver: PatientDriver, src: RasterSource, ctx: Any) -> None:
        super().__init__(src, ctx)
        self._driver = driver

    def read(
        self, cfg: RasterLoadParams, dst_geobox: GeoBox, *, dst: Any = None, selection: Any = None
    ) -> Window:
        """Read the part of an asset that lies in a grid; the arguments are odc's.

        Raises:
            AssetError: If it cannot be read at any try.
            StoppedError: If the reading was given up.
        """
        cfg = cfg.patch(src_nodata_fallback=self._driver.fallback)
        address, denied = self._src.uri, 0
        waits = iter(WAITS_S if is_remote(address) else ())
        while not self._driver.stop.is_set():
            signed = self._driver.source.sign(address)
            one = RioReader(replace(self._src, uri=signed), self._ctx)
            try:
                with rasterio.Env(**make_options(self._driver.source.environment(address))):
                    return one.read(cfg, dst_geobox, dst=dst, selection=selection)
            except (rasterio.errors.RasterioError, OSError, ValueError) as error:
                forget(signed)
                status = _find_status(error)
                denied += status in _DENIED
                wait_s = None if status in _GONE or denied > 1 else next(waits, None)
                if wait_s is None:
                    raise self._refuse(error, status) from error
                self._driver.stop.wait(wait_s)
        raise StoppedError

    def _refuse(self, error: BaseException, status: int) -> AssetError:
        """Return the error that names the asset."""
        shown = strip_tokens(self._src.uri)
        return AssetError(
            f"An asset must be readable, but got {_find_reason(error, status)} for {shown}. {_find_remedy(status, shown)}"
        )


def _find_status(error: BaseException) -> int:
    """Return the HTTP status that a server answered; 0 if it was none."""
    found = _STATUS.search(f"{error} {error.__cause__ or ''}")
    return int(found[1]) if found else 0


def _find_reason(error: BaseException, status: int) -> str:
    if status:
        return f"HTTP {status}"
    cause = error.__cause__
    text = format_error(error if cause is None else cause)
    if "not recognized as being in a supported file format" in text:
        return "a file that is no GeoTIFF"
    if "No such file" in text:
        return "no such file"
    return text if "CURL error" in text else f"a truncated or damaged file ({text})"


def _find_remedy(status: int, shown: str) -> str:
    again = "The same command continues"
    if status in _DENIED:
        return f"Check the account or the key of the catalogue. {again}."
    if status in _GONE or (status == 0 and not is_remote(shown)):
        return f"Get it again from its source, or take it out of the catalogue. {again}."
    return f"{again}, now or when the server is well again; if it stays so, take another --source."
