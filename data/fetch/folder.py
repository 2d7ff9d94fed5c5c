"""The folder of a fetch: its lock, its free space, and whether it may be written for a request."""

import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from data.fetch.hub import resolve_revision
from data.fetch.manifest import FetchManifest, read_fetch_manifest
from data.fetch.stream import FetchError
from data.io.errors import list_first
from data.io.lock import LockHeldError, try_lock
from data.tiles import MODALITIES, hash_file
from data.tiles.paths import region_of_file
from data.tiles.regions import ALL_REGIONS

logger = logging.getLogger(__name__)

_TWIN = "twin.json"
_NAMES_SHOWN = 10
# For the check of free space: the Sentinel-2 tiles of each region (of the USA both together), which a public reader of
# the data set counted; they add up to the published 13,628. Sentinel-1 has a few more in some regions: 300 in Hokkaido.
_TILES = {
    "chimanimani": 1133,
    "china": 159,
    "dominicamaria": 1148,
    "hiroshima": 864,
    "hokkaido": 290,
    "indonesia": 573,
    "italy": 5321,
    "itogon": 235,
    "kyrgyzstan1": 1566,
    "kyrgyzstan2": 416,
    "lanaodelnorte": 71,
    "nepal": 14,
    "newzealand": 1173,
    "thrissur": 427,
    "usa_alaska": 238,
    "usa_puertorico": 238,
    ALL_REGIONS: 13_628,
}
_MARGIN = 1.1  # raw tiles exist that the harmonized release lacks
_TILE_BYTES = {"s1asc": 2e6, "s1dsc": 2e6, "s2": 4e6}  # published tiles have 1.5 and 3.1 MB


@contextmanager
def lock_folder(root: Path) -> Iterator[None]:
    """Hold the folder's lock; raise FetchError if another fetch holds it."""
    with ExitStack() as stack:
        try:
            stack.enter_context(try_lock(root))
        except LockHeldError as error:
            raise FetchError(
                f"A folder must have one fetch at a time, but got another one running in {root}. "
                "Wait until it ends."
            ) from error
        except OSError as error:  # some network file systems have no locks
            logger.warning("Could not lock %s (%s): run no other fetch into it", root, error)
        yield


def check_space(root: Path, modalities: Sequence[str], regions: Sequence[str]) -> None:
    """Raise FetchError if the disk has no space for the regions' tiles that are not there yet."""
    needed = sum(
        max(
            0,
            round(_TILES.get(region, max(_TILES.values())) * _MARGIN)
            - _count_files(root / modality, region),
        )
        * _TILE_BYTES[modality]
        for modality in modalities
        for region in regions
    )
    if (free := shutil.disk_usage(root).free) < needed:
        raise FetchError(
            f"A tile folder must have {needed / 1e9:.1f} GB free for {', '.join(modalities)}, but got "
            f"{free / 1e9:.1f} GB for {root}. Free space there, or choose another folder with --to."
        )


def _count_files(folder: Path, region: str) -> int:
    return len(list(folder.glob("*.nc" if region == ALL_REGIONS else f"{region}_*.nc")))


def open_folder(
    root: Path,
    version: str,
    revision: str | None,
    modalities: Sequence[str],
    regions: Sequence[str],
) -> FetchManifest | None:
    """Check a folder before a fetch and return its manifest, in which damaged tiles count as not fetched.

    Args:
        root: The tile folder.
        version: The requested version.
        revision: The requested revision; None for the folder's own.
        modalities: The requested modalities.
        regions: The requested regions.

    Returns:
        The manifest, None for a new folder.

    Raises:
        FetchError: If the folder holds another version or revision, the twin's tiles, or files of the user.
    """
    if (root / _TWIN).is_file():
        raise FetchError(
            f"Real tiles must have a folder of their own, but got the synthetic twin's {root}. "
            "Choose another folder with --to."
        )
    manifest = read_fetch_manifest(root)
    if manifest is None:
        _check_empty(root, MODALITIES)
        return None
    if manifest.version != version:
        raise FetchError(
            f"A folder must hold one version, but got {version} for {root}, which holds {manifest.version}. "
            "Choose another folder with --to."
        )
    if revision not in (None, manifest.asked_revision, manifest.revision):
        is_commit = re.fullmatch(r"[0-9a-f]{40}", str(revision))
        commit = revision if is_commit else resolve_revision(revision)
        if commit != manifest.revision:
            raise FetchError(
                f"A folder must hold one revision, but got {revision} for {root}, which holds "
                f"{manifest.revision}. Omit --revision, or choose another folder with --to."
            )
    _check_empty(root, [modality for modality in modalities if modality not in manifest.begun])
    _remove_damaged(root, manifest, modalities, regions)
    return manifest


def _check_empty(root: Path, modalities: Sequence[str]) -> None:
    """Raise FetchError if a modality's folder holds files, which no fetch wrote."""
    for folder in (root / modality for modality in modalities):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FetchError(
                f"A fetch must not overwrite other files, but got some in {folder}. "
                "Choose another folder with --to."
            )


def _remove_damaged(
    root: Path, manifest: FetchManifest, modalities: Sequence[str], regions: Sequence[str]
) -> None:
    """Remove missing and changed tiles, with others of their archive and region, so that they are fetched again."""
    tiles = [
        tile
        for modality in modalities
        for tile in manifest.list_tiles(modality)
        if ALL_REGIONS in regions or region_of_file(tile) in regions
    ]
    damaged = [tile for tile in tiles if not _is_intact(root / tile, manifest.files[tile])]
    if not damaged:
        return
    places = sorted({(manifest.holders[tile], region_of_file(tile)) for tile in damaged})
    archives = sorted({path for path, _ in places})
    names = list_first(damaged, _NAMES_SHOWN)
    logger.warning(
        "Missing or changed in %s: %s; fetching %s again", root, names, ", ".join(archives)
    )
    for path, region in places:
        manifest.remove_region(path, region)


def _is_intact(path: Path, sha256: str) -> bool:
    return path.is_file() and hash_file(path) == sha256
