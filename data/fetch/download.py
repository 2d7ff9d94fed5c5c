"""The real tiles: files of Sen12Landslides, from the Hugging Face hub.

The data set's archives hold every region and have several GB each. They are read as a stream and not stored: the disk
holds only the chosen regions' tiles, ``PATH/<modality>/<region>_<modality>_<number>.nc``, and ``PATH/fetch.json``. The
tiles of an archive appear when the whole archive has been verified. An interrupted fetch continues with the first
unfinished archive; a finished one needs no network. Another region can be added later: its archives are read again.

    python -m data.fetch --to PATH [--region NAME …|all] [--data-version harmonized|raw] [--orbits s1asc s1dsc] [--s2]

Reference:
    Höhn et al. (2025), Sen12Landslides, Scientific Data, doi 10.1038/s41597-025-06167-2; data under
    CC BY 4.0.
"""

import errno
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from tqdm import tqdm

from data.fetch.archive import extract_tiles
from data.fetch.folder import check_space, lock_folder, open_folder
from data.fetch.hub import (
    VERSIONS,
    HubArchive,
    list_archives,
    resolve_revision,
    stream_archive,
)
from data.fetch.manifest import FetchManifest, write_fetch_manifest
from data.fetch.stream import FetchError
from data.io.errors import format_error, unknown_name
from data.tiles import MODALITIES, ORBITS
from data.tiles.regions import ALL_REGIONS, DEFAULT_REGION, read_regions

logger = logging.getLogger(__name__)

_UNVERIFIED = ".fetch"  # folder of the tiles of the archive that is being read


def fetch(
    root: Path,
    *,
    version: str = "harmonized",
    modalities: Sequence[str] = ORBITS,
    regions: Sequence[str] = (DEFAULT_REGION,),
    revision: str | None = None,
) -> FetchManifest:
    """Download the regions' tiles that *root* does not hold yet, with a progress bar on stderr.

    Args:
        root: The tile folder, created if missing. It holds one version at one commit.
        version: ``harmonized`` (Sentinel-1 in dB) or ``raw`` (linear power).
        modalities: Any of ``s1asc``, ``s1dsc``, ``s2``.
        regions: Inventories of the catalogue, such as ``italy``; ``all`` for every tile that is published.
        revision: Branch, tag or commit of the data set; if None, the folder's own or else the main branch.

    Returns:
        The folder's manifest.

    Raises:
        ValueError: If the version, a modality or a region is unknown.
        FetchError: If the fetch could not be finished. Finished archives are kept, and the same call continues.
    """
    _check_names(version, modalities, regions)
    modalities = tuple(dict.fromkeys(modalities))
    regions = (ALL_REGIONS,) if ALL_REGIONS in regions else tuple(sorted(set(regions)))
    try:
        root.mkdir(parents=True, exist_ok=True)
        with lock_folder(root):
            manifest = open_folder(root, version, revision, modalities, regions)
            if manifest is None:
                manifest = FetchManifest(version, resolve_revision(revision), revision)
            if unfinished := [m for m in modalities if not manifest.holds(m, regions)]:
                _fetch_modalities(root, manifest, unfinished, regions)
            else:
                logger.info("Nothing to fetch: all tiles in %s are as published", root)
            _check_found(root, manifest, modalities, regions)
            return manifest
    except OSError as error:
        raise FetchError(_explain_disk_error(error, root)) from error


def _check_names(version: str, modalities: Sequence[str], regions: Sequence[str]) -> None:
    if version not in VERSIONS:
        raise ValueError(unknown_name("version", version, VERSIONS))
    for kind, words, known in (
        ("modality", modalities, MODALITIES),
        ("region", regions, (*sorted(read_regions()), ALL_REGIONS)),
    ):
        for word in words:
            if word not in known:
                raise ValueError(unknown_name(kind, word, known))
        if not words:
            raise ValueError(
                f"A fetch must have a {kind}, but got none. Choose from {', '.join(known)}."
            )


def _fetch_modalities(
    root: Path, manifest: FetchManifest, modalities: Sequence[str], regions: Sequence[str]
) -> None:
    """Fetch the archives of *modalities* whose tiles of *regions* the folder does not hold yet."""
    commit = manifest.revision
    listed = {m: list_archives(manifest.version, m, commit) for m in modalities}
    todo = {m: [a for a in listed[m] if not manifest.covers(a.path, regions)] for m in modalities}
    check_space(root, modalities, regions)
    manifest.begun = sorted({*manifest.begun, *modalities})
    write_fetch_manifest(root, manifest)
    total = sum(archive.size for archives in todo.values() for archive in archives)
    with tqdm(total=total, unit="B", unit_scale=True) as bar:
        for modality in modalities:
            for archive in todo[modality]:
                bar.set_description("/".join(archive.path.split("/")[1:]))
                with closing(stream_archive(archive, commit)) as chunks:
                    _fetch_archive(root, manifest, archive, _count_bytes(chunks, bar), regions)
                bar.set_postfix_str(f"{len(manifest.files)} tiles")
            finished = {*manifest.modalities, modality}
            manifest.modalities = [name for name in MODALITIES if name in finished]
            write_fetch_manifest(root, manifest)


def _count_bytes(chunks: Iterator[bytes], bar: "tqdm[None]") -> Iterator[bytes]:
    for chunk in chunks:
        bar.update(len(chunk))
        yield chunk


def _fetch_archive(
    root: Path,
    manifest: FetchManifest,
    archive: HubArchive,
    chunks: Iterator[bytes],
    regions: Sequence[str],
) -> None:
    """Extract an archive's tiles to a folder aside, and move them to the tile folder once it is verified."""
    known = {tile: (sha256, manifest.holders[tile]) for tile, sha256 in manifest.files.items()}
    aside, target = root / _UNVERIFIED, root / archive.modality
    aside.mkdir(exist_ok=True)
    target.mkdir(exist_ok=True)
    try:
        sha256, tiles = extract_tiles(archive, chunks, aside, known, regions)
        for tile in tiles:
            os.replace(aside / Path(tile).name, root / tile)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    manifest.add_archive(archive, sha256, tiles, regions)
    write_fetch_manifest(root, manifest)


def _check_found(
    root: Path, manifest: FetchManifest, modalities: Sequence[str], regions: Sequence[str]
) -> None:
    """Warn of each region without a tile in a modality; raise FetchError if there is no tile at all."""
    counts = {modality: manifest.count_regions(modality) for modality in modalities}
    missing = [
        (region, modality)
        for region in regions
        for modality, found in counts.items()
        if region not in found and (region != ALL_REGIONS or not found)
    ]
    if len(missing) == len(regions) * len(modalities):
        raise FetchError(
            f"A fetch must find tiles, but got none of {', '.join(regions)} in {manifest.count_archives(modalities)} "
            f"archives of {', '.join(modalities)}. Choose another --region, --orbits or --revision."
        )
    for region, modality in missing:
        logger.warning("The published archives have no %s tile of %s (%s)", modality, region, root)


def _explain_disk_error(error: OSError, root: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The tile folder must have space, but got {format_error(error)} for {root}. Free space there and run "
            "the same command again: it continues where it stopped."
        )
    return f"The tile folder must be writable, but got {format_error(error)} for {root}. Choose another with --to."
