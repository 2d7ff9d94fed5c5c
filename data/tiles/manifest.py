"""Read where a folder's tiles come from: the synthetic twin, a download, or an unknown source."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.io.safe_json import is_number, read_json, show_value
from data.tiles.paths import is_tile_file, list_tiles, region_of, tile_id_of, tile_path
from data.tiles.rules import MODALITIES, ORBITS, TileError, Units
from data.tiles.tile import TileSurvey, guess_units, survey_tile

logger = logging.getLogger(__name__)

MANIFESTS = ("twin.json", "fetch.json")
_MAX_SEED = 2**32 - 1
_UNITS: dict[str, Units] = {"harmonized": "dB", "raw": "linear"}


@dataclass(frozen=True)
class TileManifest:
    """The origin of a folder of tiles.

    Attributes:
        root: The folder.
        synthetic: Whether the tiles come from the synthetic twin.
        origin: Release and repository, for display.
        units: Unit of the backscatter in the files.
        seed: The twin's seed; None for other tiles.
        guessed: Whether the unit was found from the values of tiles.
    """

    root: Path
    synthetic: bool
    origin: str
    units: Units
    seed: int | None = None
    guessed: bool = False

    def __str__(self) -> str:
        kind = describe_origin(self.synthetic)
        told = ", found from its values" if self.guessed else ""
        return (
            f"Data: {kind} tiles in {self.root} ({self.origin}, backscatter in {self.units}{told})."
        )


def describe_origin(synthetic: bool) -> str:
    """Return whether tiles are synthetic or real, for display."""
    return "SYNTHETIC (the twin's)" if synthetic else "real"


def read_manifest(root: Path, units: Units | None = None) -> TileManifest:
    """Read the manifest of a folder of tiles, and whether its tiles are synthetic by a file of each region.

    A file of the twin says so itself, so tiles that were copied without ``twin.json`` stay synthetic. Here the first
    readable file of each modality and region is asked. Whoever reads all
    files compares all of them: :class:`data.pack.file_format.PackWriter` and :mod:`data.check` refuse a mixture.

    Args:
        root: Folder that holds ``s1asc/`` or ``s1dsc/``.
        units: Unit of the backscatter. By default it follows from the manifest's release (``harmonized``: dB, ``raw``:
            linear); without a manifest it is found from the values of the first readable file of each orbit.

    Raises:
        FileNotFoundError: If there is no manifest and no tile.
        ValueError: If the manifest is invalid, or says that synthetic tiles are real.
        TileError: If one of the files is synthetic and another real.
    """
    marked = _read_marks(root)
    for name in MANIFESTS:
        if (root / name).is_file():
            manifest = _read(root / name)
            version = str(manifest["version"])
            origin = f"{version} release"
            if marked and not manifest["synthetic"]:
                raise untrue_error(root / name)
            if revision := manifest.get("revision"):
                origin += f", {str(manifest.get('repo'))[:100]} at {str(revision)[:10]}"
            return TileManifest(
                root=root,
                synthetic=bool(manifest["synthetic"]),
                origin=origin,
                units=units or _UNITS[version],
                seed=manifest.get("seed"),
            )
    return TileManifest(
        *(root, marked, "no manifest", units or _guess_units(root)), guessed=units is None
    )


def untrue_error(manifest: Path) -> ValueError:
    """Return the error for a manifest that says that synthetic tiles are real."""
    return ValueError(
        f"A manifest must say what its tiles are, but {manifest} says that they are real, and their files that they "
        "are the synthetic twin's. Delete the manifest, or get the real tiles again."
    )


def mixed_error(synthetic: str, real: str) -> TileError:
    """Return the error for tiles of both kinds; *synthetic* and *real* name an example each."""
    return TileError(
        f"Tiles must be all real or all synthetic, but {synthetic} is the synthetic twin's and {real} is real. "
        "Keep the twin in a folder of its own.",
        "mixed-origin",
    )


def are_synthetic(surveys: Mapping[str, TileSurvey]) -> bool:
    """Return whether tiles, by id, are synthetic by their own marks; raise TileError if only some are."""
    marks = {survey.synthetic: tile_id for tile_id, survey in surveys.items()}
    if len(marks) > 1:
        raise mixed_error(marks[True], marks[False])
    return True in marks


def _read_marks(root: Path) -> bool:
    """Return whether the first readable file of each modality and region is synthetic; False if none is readable."""
    marks: dict[bool, str] = {}
    for modality in (name for name in MODALITIES if (root / name).is_dir()):
        seen: set[str] = set()
        for path in sorted((root / modality).glob("*.nc")):
            if not is_tile_file(path.name, modality) or region_of(tile_id_of(path)) in seen:
                continue
            try:
                survey = survey_tile(path)
                marks.setdefault(survey.synthetic, f"{modality}/{path.name}")
                seen.add(survey.region)
            except (TileError, FileNotFoundError) as error:
                logger.debug("Skipped while looking for the twin's mark: %s", error)
    if len(marks) > 1:
        raise mixed_error(marks[True], marks[False])
    return True in marks


def _read(path: Path) -> dict[str, Any]:
    try:
        manifest = read_json(path)
        if manifest["version"] not in _UNITS or not isinstance(manifest["synthetic"], bool):
            raise ValueError(f"version {show_value(manifest['version'])}")
        if not is_number(seed := manifest.get("seed") or 0, 0, _MAX_SEED, whole=True):
            raise ValueError(f"seed {show_value(seed)}")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"A manifest must have the keys version and synthetic, but got {error!r} in {path}. "
            "Make or fetch the tiles again, or delete the file."
        ) from error
    return manifest


def _guess_units(root: Path) -> Units:
    """Return the unit of the first file of each orbit that shows it; dB if none is readable, since each gets its own error later.

    Raises:
        TileError: If the orbits differ, or every file leaves a doubt.
    """
    found: dict[Units, Path] = {}
    doubt: TileError | None = None
    for orbit in [orbit for orbit in ORBITS if (root / orbit).is_dir()] or ORBITS:
        for tile_id in list_tiles(root, (orbit,)):
            path = tile_path(root, tile_id, orbit)
            try:
                found.setdefault(guess_units(path), path)
                break
            except FileNotFoundError as error:
                logger.debug("Skipped while guessing the unit: %s", error)
            except TileError as error:
                logger.debug("Skipped while guessing the unit: %s", error)
                doubt = error if error.verdict == "unclear-unit" else doubt
    if len(found) > 1:
        got = " and ".join(f"{units} in {path}" for units, path in found.items())
        rule, remedy = "All tiles must be in one unit", "Convert them to one unit."
        raise TileError(f"{rule}, but got {got}. {remedy}", "wrong-unit")
    if doubt is not None and not found:
        raise doubt
    return next(iter(found), "dB")
