"""The real tiles: Hokkaido's files of Sen12Landslides, from the Hugging Face hub.

The data set's archives hold every region. They are read as a stream and never stored: only Hokkaido's tiles
reach the disk, as ``PATH/<modality>/hokkaido_<modality>_<number>.nc``, with ``PATH/fetch.json``. A fetch
that was stopped continues where it was; one that was finished needs no network.

    python -m data.fetch --to PATH [--version harmonized|raw] [--orbits s1asc s1dsc] [--s2] [--revision REV]

Reference:
    Höhn et al. (2025), Sen12Landslides, Scientific Data, doi 10.1038/s41597-025-06167-2; data under
    CC BY 4.0.
"""

import errno
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tqdm import tqdm

from data.fetch.archive import unpack
from data.fetch.hub import (
    VERSIONS,
    WAITS_S,
    list_archives,
    resolve_revision,
    stream_archive,
)
from data.fetch.listing import Archive, FetchError
from data.fetch.manifest import (
    Manifest,
    add_archive,
    check_space,
    count_tiles,
    new_manifest,
    open_folder,
    write_manifest,
)
from data.io.errors import unknown_name
from data.io.lock import LockHeldError, try_lock
from data.tiles import MODALITIES, ORBITS

logger = logging.getLogger(__name__)


def fetch(
    root: Path,
    *,
    version: str = "harmonized",
    modalities: Sequence[str] = ORBITS,
    revision: str | None = None,
    endpoint: str | None = None,
    progress: bool = True,
    waits_s: Sequence[float] = WAITS_S,
) -> Path:
    """Bring the Hokkaido tiles below *root*, as far as they are not there.

    Args:
        root: The tile folder; it is made if missing. It holds one version at one commit.
        version: ``harmonized`` (Sentinel-1 in dB) or ``raw`` (linear power).
        modalities: Any of ``s1asc``, ``s1dsc``, ``s2``.
        revision: Branch, tag or commit of the data set; what the folder has if None, else the main branch.
        endpoint: The hub's address; the hub client's own choice (``HF_ENDPOINT``) if None.
        progress: Whether to show a progress bar on stderr.
        waits_s: Seconds to wait before each new try where the connection is lost.

    Returns:
        *root*.

    Raises:
        ValueError: If the version or a modality is unknown.
        FetchError: If it could not be finished; the message says why and what to do. What is finished
            stays, and the same call continues.
    """
    check_request(version, modalities)
    root, endpoint = Path(root), endpoint and endpoint.rstrip("/")
    modalities = tuple(dict.fromkeys(modalities))
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _lock(root):
            manifest = open_folder(root, version, revision, endpoint, modalities)
            if todo := [m for m in modalities if not manifest or m not in manifest["modalities"]]:
                manifest = manifest or new_manifest(
                    version, resolve_revision(revision, endpoint), revision
                )
                _fetch(root, manifest, todo, endpoint, progress, waits_s)
            else:
                logger.info("Nothing to fetch: all tiles in %s are as published", root)
    except OSError as error:
        raise FetchError(_explain_disk(error, root)) from error
    return root


def check_request(version: str, modalities: Sequence[str]) -> None:
    """Raise ValueError that says what is wrong with a request."""
    if version not in VERSIONS:
        raise ValueError(unknown_name("version", version, VERSIONS))
    for modality in modalities:
        if modality not in MODALITIES:
            raise ValueError(unknown_name("modality", modality, MODALITIES))
    if not modalities:
        choices = ", ".join(MODALITIES)
        raise ValueError(f"A fetch must have a modality, but got none. Choose among {choices}.")


@contextmanager
def _lock(root: Path) -> Iterator[None]:
    """Keep a second fetch out of the folder: both would write the same names."""
    with ExitStack() as stack:
        try:
            stack.enter_context(try_lock(root))
        except LockHeldError as error:
            raise FetchError(
                f"A folder must have one fetch at a time, but got another at work in {root}. "
                "Wait for its end."
            ) from error
        except OSError as error:  # some network file systems have no locks
            logger.warning("Could not lock %s (%s): let no other fetch write there", root, error)
        yield


def _fetch(
    root: Path,
    manifest: Manifest,
    modalities: Sequence[str],
    endpoint: str | None,
    progress: bool,
    waits_s: Sequence[float],
) -> None:
    """Fetch the archives that are not finished, and enter each in the manifest."""
    commit = manifest["revision"]
    listed = {m: list_archives(manifest["version"], m, commit, endpoint) for m in modalities}
    left = {m: [a for a in listed[m] if a.path not in manifest["archives"]] for m in modalities}
    check_space(root, modalities)
    manifest["begun"] = sorted({*manifest["begun"], *modalities})
    write_manifest(root, manifest)
    total = sum(archive.size for archives in left.values() for archive in archives)
    with tqdm(total=total, unit="B", unit_scale=True, disable=not progress) as bar:
        for modality in modalities:
            (root / modality).mkdir(exist_ok=True)
            for archive in left[modality]:
                bar.set_description("/".join(archive.path.split("/")[1:]))
                with closing(stream_archive(archive, commit, endpoint, waits_s)) as pieces:
                    _fetch_archive(root, manifest, archive, pieces, bar)
            if not count_tiles(manifest, modality):
                raise FetchError(
                    f"A modality must have Hokkaido tiles, but got none of {modality} in "
                    f"{len(listed[modality])} archives. Choose another revision (--revision)."
                )
            done = {*manifest["modalities"], modality}
            manifest["modalities"] = [name for name in MODALITIES if name in done]
            write_manifest(root, manifest)


def _fetch_archive(
    root: Path, manifest: Manifest, archive: Archive, pieces: Iterator[bytes], bar: "tqdm[None]"
) -> None:
    before = len(manifest["files"])

    def report(size: int, tiles: int) -> None:
        bar.set_postfix_str(f"{before + tiles} tiles", refresh=False)
        bar.update(size)

    holders = {
        name: (manifest["files"][name], manifest["holders"][name]) for name in manifest["files"]
    }
    add_archive(manifest, archive, unpack(archive, pieces, root, holders, report))
    write_manifest(root, manifest)


def _explain_disk(error: OSError, root: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"A tile folder must have space, but got {error} for {root}. Free space there and run "
            "the same command again: it continues where it stopped."
        )
    return (
        f"A tile folder must be one to write to, but got {error} for {root}. Give another (--to)."
    )
