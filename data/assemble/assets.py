"""What a scene says of its sources: address and ETag of each asset, acquisition by acquisition."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from data.assemble.blocks import BANDS, HEIGHTS
from data.assemble.layout import format_time
from data.assemble.network import is_remote, make_options, read_etag, strip_tokens
from data.io.errors import list_first

if TYPE_CHECKING:
    from data.search.acquisitions import Acquisition, Found
    from data.search.sources import Source

ETags = dict[str, str | None]


def ask_etags(
    found: Found, source: Source, pool: Executor, told: Callable[[str], None] = lambda _: None
) -> tuple[ETags, list[str]]:
    """Ask servers for the ETags of a scene's assets.

    Args:
        found: The acquisitions.
        source: Signs addresses.
        pool: Asks several at once.
        told: Called for each asset that was asked for.

    Returns:
        The ETag by address as found, None without one; and a note if a server gives none.
    """
    remote = [address for address in list_addresses(found) if is_remote(address)]

    def ask(address: str) -> str | None:
        import rasterio

        with rasterio.Env(**make_options(source.environment(address))):
            etag = read_etag(source.sign(address))
        told(address)
        return etag

    etags = dict(zip(remote, pool.map(ask, remote), strict=True))
    notes = []
    if unknown := [strip_tokens(address) for address, etag in etags.items() if not etag]:
        notes.append(
            f"{len(unknown):,} of {len(remote):,} assets have no ETag, so a later version of them cannot be told from the one "
            f"that was loaded: {list_first(unknown, 1)}."
        )
    return {address: etag or None for address, etag in etags.items()}, notes


def list_addresses(found: Found) -> list[str]:
    """Return the addresses of a scene's assets as found, without duplicates."""
    frames = [
        item for series in found.acquisitions.values() for one in series for item in one.items
    ]
    addresses = [item.assets[band].href for item in frames for band in BANDS]
    addresses += [item.assets[HEIGHTS].href for item in found.heights]
    return list(dict.fromkeys(addresses))


def describe_assets(series: Iterable[Acquisition], etags: ETags) -> list[dict[str, Any]]:
    """Return time, track, platform, frames and assets of acquisitions, for the attributes of their group."""
    return [
        {
            "time": format_time(one.time),
            "track": int(one.track),
            "platform": one.platform,
            "coverage": round(float(one.coverage), 4),
            "items": [
                {
                    "id": item.id,
                    **{band: _describe(item.assets[band].href, etags) for band in BANDS},
                }
                for item in one.items
            ],
        }
        for one in series
    ]


def describe_heights(found: Found, etags: ETags) -> list[dict[str, Any]]:
    """Return name and asset of each tile of heights."""
    return [
        {"id": item.id, HEIGHTS: _describe(item.assets[HEIGHTS].href, etags)}
        for item in found.heights
    ]


def _describe(address: str, etags: ETags) -> dict[str, str | None]:
    return {"address": strip_tokens(address), "etag": etags.get(address)}
