"""The manifest of a folder of fetched tiles, ``fetch.json``.

It is written before the first tile and after each archive, so a killed fetch repeats one archive at most.
"""

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from data.fetch.hub import ARCHIVE_PATH, REPO, HubArchive
from data.fetch.stream import FetchError
from data.io.safe_json import is_number, is_string_map, read_json, show_value
from data.tiles import MODALITIES, is_tile_file
from data.tiles.paths import is_region, region_of_file
from data.tiles.regions import ALL_REGIONS, DEFAULT_REGION

MANIFEST = "fetch.json"


@dataclass
class FetchManifest:
    """The content of ``fetch.json``.

    Attributes:
        version: ``harmonized`` or ``raw``.
        revision: The data set's commit.
        asked_revision: The branch, tag or commit that the user requested; None for the main branch.
        archives: SHA-256, bytes, regions read and number of tiles of each finished archive, by path in the data set.
            The regions are ``["all"]`` where every tile was kept.
        files: SHA-256 of each tile in the folder, by path below the folder.
        holders: The archive of each tile.
        begun: The modalities with at least one archive started.
        modalities: The modalities with all archives finished, for at least one region.
        repo: The data set.
        synthetic: Whether the tiles are the twin's: False.
    """

    version: str
    revision: str
    asked_revision: str | None
    archives: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    holders: dict[str, str] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    modalities: list[str] = field(default_factory=list)
    repo: str = REPO
    synthetic: bool = False

    def add_archive(
        self,
        archive: HubArchive,
        sha256: str,
        tiles: Mapping[str, str],
        regions: Collection[str],
    ) -> None:
        """Add a finished archive: its SHA-256, the SHA-256 of its new tiles by path, and the regions read."""
        read = {*regions, *self.archives.get(archive.path, {"regions": []})["regions"]}
        self.files |= tiles
        self.holders |= dict.fromkeys(tiles, archive.path)
        self.archives[archive.path] = {
            "sha256": sha256,
            "bytes": archive.size,
            "regions": [ALL_REGIONS] if ALL_REGIONS in read else sorted(read),
            "tiles": list(self.holders.values()).count(archive.path),
        }

    def remove_region(self, path: str, region: str) -> None:
        """Remove an archive's tiles of one region, so that they count as not fetched."""
        tiles = [tile for tile, holder in self.holders.items() if holder == path]
        held = {region_of_file(tile) for tile in tiles}
        entry = self.archives[path]
        read = held if entry["regions"] == [ALL_REGIONS] else set(entry["regions"])
        for tile in tiles:
            if region_of_file(tile) == region:
                del self.files[tile], self.holders[tile]
        remaining = list(self.holders.values()).count(path)
        self.archives[path] = entry | {"regions": sorted(read - {region}), "tiles": remaining}

    def covers(self, path: str, regions: Collection[str]) -> bool:
        """Return whether an archive has been read for all these regions."""
        read = set(self.archives[path]["regions"]) if path in self.archives else set[str]()
        return ALL_REGIONS in read or set(regions) <= read

    def holds(self, modality: str, regions: Collection[str]) -> bool:
        """Return whether every archive of a modality has been read for all these regions."""
        archives = self._list_archives((modality,))
        return modality in self.modalities and all(self.covers(path, regions) for path in archives)

    def count_archives(self, modalities: Sequence[str]) -> int:
        """Return the number of finished archives of these modalities."""
        return len(self._list_archives(modalities))

    def _list_archives(self, modalities: Sequence[str]) -> list[str]:
        return [path for path in self.archives if path.split("/")[1] in modalities]

    def count_regions(self, modality: str) -> dict[str, int]:
        """Return the number of one modality's tiles by region, sorted by name."""
        return dict(sorted(Counter(map(region_of_file, self.list_tiles(modality))).items()))

    def list_tiles(self, modality: str) -> list[str]:
        """List the paths of one modality's tiles."""
        return [path for path in self.files if path.startswith(f"{modality}/")]


def read_fetch_manifest(root: Path) -> FetchManifest | None:
    """Read a folder's manifest; return None if it has none.

    Raises:
        FetchError: If the file is damaged.
    """
    path = root / MANIFEST
    if not path.is_file():
        return None
    try:
        content = read_json(path)
        manifest = FetchManifest(
            **{item.name: content[item.name] for item in fields(FetchManifest)}
        )
        for entry in manifest.archives.values():
            entry.setdefault("regions", [DEFAULT_REGION])  # written before regions could be chosen
        _check_manifest(manifest)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FetchError(
            f"The {MANIFEST} must be as a fetch wrote it, but got {error!r} in {path}. Move the folder "
            "away, or choose another one with --to."
        ) from error
    return manifest


def write_fetch_manifest(root: Path, manifest: FetchManifest) -> None:
    """Replace a folder's manifest atomically."""
    aside = root / f"{MANIFEST}.part"
    regions = sorted(set(map(region_of_file, manifest.files)))  # for readers of the file
    content = asdict(manifest) | {"regions": regions}
    aside.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(aside, root / MANIFEST)


def _is_tile_path(path: str) -> bool:
    modality, _, name = path.partition("/")
    return is_tile_file(name, modality)


def _check_manifest(manifest: FetchManifest) -> None:
    """Raise ValueError unless every value has its type and no path leaves the folder."""
    texts = (manifest.repo, manifest.revision, manifest.version, manifest.asked_revision or "")
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a version or revision that is no text")
    if not (is_string_map(manifest.files) and is_string_map(manifest.holders)):
        raise ValueError("files without their SHA-256")
    if unknown := [path for path in manifest.files if not _is_tile_path(path)]:
        raise ValueError(f"{show_value(unknown[0])}, which is no tile's path")
    for path, entry in manifest.archives.items():
        if not ARCHIVE_PATH.fullmatch(path) or not is_number(entry["bytes"], 0, 2**63, whole=True):
            raise ValueError(f"the archive {show_value(path)}")
        if not isinstance(entry["regions"], list) or not all(map(is_region, entry["regions"])):
            raise ValueError(f"the regions {show_value(entry['regions'])}")
    holders = manifest.holders
    if (
        not set(holders.values()) <= manifest.archives.keys()
        or holders.keys() != manifest.files.keys()
    ):
        raise ValueError("files without their archive")
    for name in (*manifest.begun, *manifest.modalities):
        if name not in MODALITIES:
            raise ValueError(f"the modality {show_value(name)}")
