"""The folder of a fetch: its lock, its free space, and whether it may be written for a request."""

import logging
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from data.fetch.hub import FetchError, resolve_revision
from data.fetch.manifest import FetchManifest, read_fetch_manifest
from data.io.lock import LockHeldError, try_lock
from data.tiles import MODALITIES, hash_file

logger = logging.getLogger(__name__)

_TWIN = "twin.json"
_NAMES_SHOWN = 10
# For the check of free space: more tiles than Hokkaido has of any modality, at their size without compression.
_TILES = 320
_PIXELS = 15 * 128 * 128
_S1_BYTES = _PIXELS * (2 * 4 + 1 + 2)  # VV and VH as float32, mask, height: 2.7 MB
_S2_BYTES = _PIXELS * (11 * 2 + 1 + 2)  # ten bands and the classes as int16, mask, height: 6.1 MB
_TILE_BYTES = {"s1asc": _S1_BYTES, "s1dsc": _S1_BYTES, "s2": _S2_BYTES}


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


def check_space(root: Path, modalities: Sequence[str]) -> None:
    """Raise FetchError if the disk has no space for the tiles of these modalities that are not there yet."""
    missing = {m: max(0, _TILES - len(list((root / m).glob("*.nc")))) for m in modalities}
    needed = sum(count * _TILE_BYTES[modality] for modality, count in missing.items())
    if (free := shutil.disk_usage(root).free) < needed:
        raise FetchError(
            f"A tile folder must have {needed / 1e9:.1f} GB free for {', '.join(modalities)}, but got "
            f"{free / 1e9:.1f} GB for {root}. Free space there, or choose another folder with --to."
        )


def open_folder(
    root: Path, version: str, revision: str | None, modalities: Sequence[str]
) -> FetchManifest | None:
    """Check a folder before a fetch and return its manifest, without the archives of damaged tiles.

    Args:
        root: The tile folder.
        version: The requested version.
        revision: The requested revision; None for the folder's own.
        modalities: The requested modalities.

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
    _remove_damaged(root, manifest, modalities)
    return manifest


def _check_empty(root: Path, modalities: Sequence[str]) -> None:
    """Raise FetchError if a modality's folder holds files, which no fetch wrote."""
    for folder in (root / modality for modality in modalities):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FetchError(
                f"A fetch must not overwrite other files, but got some in {folder}. "
                "Choose another folder with --to."
            )


def _remove_damaged(root: Path, manifest: FetchManifest, modalities: Sequence[str]) -> None:
    """Remove the archives of missing and changed tiles from the manifest, so that they are fetched again."""
    tiles = [tile for modality in modalities for tile in manifest.list_tiles(modality)]
    damaged = [tile for tile in tiles if not _is_intact(root / tile, manifest.files[tile])]
    if not damaged:
        return
    archives = sorted({manifest.holders[tile] for tile in damaged})
    more = f" and {len(damaged) - _NAMES_SHOWN} more" if len(damaged) > _NAMES_SHOWN else ""
    names = ", ".join(damaged[:_NAMES_SHOWN]) + more
    logger.warning(
        "Missing or changed in %s: %s; fetching %s again", root, names, ", ".join(archives)
    )
    for path in archives:
        manifest.remove_archive(path)


def _is_intact(path: Path, sha256: str) -> bool:
    return path.is_file() and hash_file(path) == sha256
