"""How GDAL reads remote assets: its options, the bytes it received, an asset's ETag, and what it remembers of an address.

GDAL keeps the answer to its first look at an address, also a refusal: without :func:`forget` an asset that a server refused
once stays refused for this process. Neither that nor the count of bytes is offered by rasterio, so GDAL's own C functions
are called in the library that rasterio has loaded (``cpl_vsi.h``, GDAL 3.2 and later).
"""

import ctypes
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from data.io.errors import hide_password

RETRIES, RETRY_DELAY_S = 4, 0.5  # of one request, for 429 and 5xx; GDAL doubles the delay each time
CACHE_BYTES = 64 << 20  # of ranges just read: neighbouring blocks share the tiles of a file
REMOTE = ("http://", "https://")
# Blocks of a scene loaded at once: they wait for servers for the most part. Six take 1.3 GB, whatever the area.
WORKERS = 6


def make_options(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return GDAL's options for reading a part of remote GeoTIFFs.

    Args:
        environment: Options of the source, such as its authorisation; they win.
    """
    return {
        "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no search for files beside the asset
        "GDAL_HTTP_MAX_RETRY": str(RETRIES),
        "GDAL_HTTP_RETRY_DELAY": str(RETRY_DELAY_S),
        "GDAL_HTTP_CONNECTTIMEOUT": "20",
        "GDAL_HTTP_LOW_SPEED_TIME": "30",  # a connection that sends nothing for so long is dead
        "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
        "GDAL_INGESTED_BYTES_AT_OPEN": "32768",  # the header of a cloud-optimised GeoTIFF at once
        "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
        "CPL_VSIL_CURL_CACHE_SIZE": str(CACHE_BYTES),
        "CPL_VSIL_NETWORK_STATS_ENABLED": "YES",
        **environment,
    }


@cache
def _library() -> Any:
    """Return GDAL's C functions; None where they cannot be reached."""
    import rasterio._env

    try:
        # The module is loaded already; its handle finds the functions of the library that it is linked with.
        library = ctypes.CDLL(rasterio._env.__file__)
        library.VSINetworkStatsGetAsSerializedJSON.restype = ctypes.c_void_p
        library.VSIGetFileMetadata.restype = ctypes.POINTER(ctypes.c_char_p)
        library.VSICurlPartialClearCache.restype = None
        library.CSLDestroy.argtypes = (ctypes.POINTER(ctypes.c_char_p),)
        library.VSIFree.argtypes = (ctypes.c_void_p,)
    except (OSError, AttributeError):
        return None
    return library


def count_received() -> int:
    """Return the bytes that GDAL has received from servers in this process; 0 if it does not tell."""
    if (library := _library()) is None:
        return 0
    pointer = library.VSINetworkStatsGetAsSerializedJSON(None)
    if not pointer:
        return 0
    try:
        stats = json.loads(ctypes.string_at(pointer))
    finally:
        library.VSIFree(pointer)
    methods = stats.get("methods", {}).values()
    return sum(int(method.get("downloaded_bytes", 0)) for method in methods)


def is_remote(address: str) -> bool:
    """Return whether an asset's address is one of a server."""
    return address.startswith(REMOTE)


def forget(address: str) -> None:
    """Let GDAL ask anew for an address that it could not read."""
    if is_remote(address) and (library := _library()) is not None:
        library.VSICurlPartialClearCache(f"/vsicurl/{address}".encode())


def read_etag(address: str) -> str | None:
    """Ask a server for an asset's ETag, with the options of the surrounding ``rasterio.Env``.

    Returns:
        The ETag as sent, with its quotes; empty if the server gives none; None if it does not answer.
    """
    if (library := _library()) is None:
        return None
    headers = library.VSIGetFileMetadata(f"/vsicurl/{address}".encode(), b"HEADERS", None)
    if not headers:
        return None
    try:
        found = {}
        for line in iter(_walk(headers)):
            name, _, value = line.partition("=")
            found[name.lower()] = value.strip()
    finally:
        library.CSLDestroy(headers)
    return found.get("etag", "") if found else None


def _walk(lines: Any) -> list[str]:
    """Return the texts of a list that ends with a null pointer."""
    texts, index = [], 0
    while lines[index]:
        texts.append(lines[index].decode("latin-1"))
        index += 1
    return texts


def strip_tokens(address: str) -> str:
    """Return an address without user, password and signature, to be shown and stored."""
    shown = hide_password(address)
    return shown if shown == address else shown.split("?")[0]
