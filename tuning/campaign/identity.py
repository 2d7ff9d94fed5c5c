"""What a campaign began with, compared at every resume: its tiles, its split, its code and packages.

Scores of other tiles or another split must not be ranked together, so such a resume is refused with what changed. Other code
or packages only are named: after the repair of a mistake a campaign may go on, and its report says which trials ran before.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from data.io.errors import list_first
from data.io.processes import count_cpus
from data.io.safe_json import refused_error, show_value
from data.pack import Pack, load_pack
from data.pack.file_format import FORMAT
from data.pack.tile_row import TileRequest
from data.splits import PARTS, Split, hash_splits
from data.tiles import Units, tile_path
from tuning.train.environment import hash_code, read_versions
from tuning.trial.folder import read_optional_json, write_json

logger = logging.getLogger(__name__)

INPUTS = "inputs.json"  # file of a campaign's folder
_SHOWN = 10  # changed tiles in a message


@dataclass(frozen=True)
class TileSource:
    """The tiles of a campaign at present.

    Attributes:
        root: Folder with a subfolder per modality.
        modalities: Modalities that are read.
        tile_ids: Tiles that a new campaign would read.
    """

    root: Path
    modalities: tuple[str, ...]
    tile_ids: tuple[str, ...]


@dataclass(frozen=True)
class CampaignInputs:
    """What a campaign began with, and the versions of the code that ran it.

    Attributes:
        data: Hash of its pack.
        version: Version of the pack's layout.
        units: Unit of the tiles' backscatter.
        tiles: Hash of each tile's files by id, including tiles that are left out.
        splits: Tile ids by part and by name of the split.
        split_hash: Hash of all splits.
        versions: Commit, hash of the code, packages and time of each version that ran it, the first one first.
    """

    data: str
    version: int
    units: Units
    tiles: Mapping[str, str]
    splits: Mapping[str, Mapping[str, Sequence[str]]]
    split_hash: str
    versions: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


def read_inputs(folder: Path) -> CampaignInputs | None:
    """Read what a campaign began with; None before its first trial.

    Raises:
        ValueError: If the file is damaged, or an earlier version began the campaign.
    """
    content = read_optional_json(folder / INPUTS)
    if content is None:
        if any((folder / "trials").glob("*/trial.json")):
            raise ValueError(
                f"A campaign's folder must hold {INPUTS}, with what it began with, but an earlier version began "
                f"{folder}. Continue it with that version (its commit is in MLflow, tag git_commit), report it with "
                f"`python -m tuning.report --campaign {folder.name}`, or begin a new campaign."
            )
        return None
    try:
        return CampaignInputs(**content)
    except TypeError as error:
        remedy = "Begin a new campaign; this one's runs and reports stay."
        rule = "A campaign's inputs must be as they were written"
        raise refused_error(rule, show_value(error), folder / INPUTS, remedy) from error


def describe_inputs(pack: Pack, splits: Sequence[Split]) -> CampaignInputs:
    """Describe what a campaign begins with."""
    parts = {split.name: {part: list(split.part(part)) for part in PARTS} for split in splits}
    return CampaignInputs(pack.hash, FORMAT, pack.units, pack.digests, parts, hash_splits(splits))


def open_kept_pack(
    kept: CampaignInputs, source: TileSource, packs: Path, resume: str
) -> Pack | None:
    """Return a campaign's own pack, if the present tiles are those that it began with.

    Args:
        kept: What the campaign began with.
        source: Its tiles.
        packs: Folder of all packs.
        resume: Command that resumes it.

    Returns:
        The pack; None if it is lost or damaged, so that it must be built again from the tiles.

    Raises:
        ValueError: If tiles were changed, added or removed since, or an earlier version packed them.
    """
    if kept.version != FORMAT:
        raise ValueError(
            f"A campaign's pack must have format {FORMAT}, but an earlier version packed its tiles with format "
            f"{kept.version}. {_other_code(kept)}"
        )
    if changed := find_changed_tiles(kept, source):
        names = [f"{tile} ({what})" for tile, what in changed.items()]
        raise ValueError(
            f"A campaign goes on with the tiles that it began with, but {len(changed)} of {len(kept.tiles)} differ in "
            f"{source.root}: {list_first(names, _SHOWN)}. Put the former files back and give the same command again, or go on with the "
            f"campaign's own copy of the former tiles with `{resume} --keep-pack`, or begin a new campaign with the "
            "present tiles by --campaign and another name."
        )
    try:
        return load_kept_pack(kept, packs)
    except ValueError as error:
        logger.warning("The campaign's pack is built again. %s", error.__cause__)
        return None


def find_changed_tiles(kept: CampaignInputs, source: TileSource) -> dict[str, str]:
    """Return the tiles that are not as the campaign began with, and what happened to each."""
    request = TileRequest(source.root, source.modalities, kept.units, tuple(kept.tiles), FORMAT)
    present = request.hash_tiles(count_cpus())
    changed = {}
    for tile, digest in present.items():
        if digest != kept.tiles[tile]:
            paths = [tile_path(source.root, tile, name) for name in source.modalities]
            changed[tile] = "changed" if all(path.is_file() for path in paths) else "removed"
    return changed | {tile: "new" for tile in source.tile_ids if tile not in kept.tiles}


def load_kept_pack(kept: CampaignInputs, packs: Path) -> Pack:
    """Load a campaign's own pack.

    Raises:
        ValueError: If it is lost or damaged.
    """
    path = packs / f"pack-{kept.data}"
    try:
        return load_pack(path)
    except (ValueError, OSError) as error:
        raise ValueError(
            f"A campaign's own pack must be whole, but got none in {path}: {error} Without it the campaign needs the tiles "
            "that it began with: put them back and resume it without --keep-pack."
        ) from error


def check_same_pack(kept: CampaignInputs, pack: Pack) -> None:
    """Check that a pack that was built again is the one that a campaign began with.

    Raises:
        ValueError: If it is another one, because of other code or another folder.
    """
    if pack.hash != kept.data:
        raise ValueError(
            f"A campaign goes on with the pack that it began with, {kept.data}, but its tiles are packed as {pack.hash} "
            f"now. {_other_code(kept)}"
        )


def check_same_splits(kept: CampaignInputs, splits: Sequence[Split]) -> None:
    """Check that the tiles belong to the parts to which they belonged when a campaign began.

    Raises:
        ValueError: If they do not; the message names them.
    """
    if hash_splits(splits) == kept.split_hash:
        return
    now = {(s.name, part, tile) for s in splits for part in PARTS for tile in s.part(part)}
    then = {
        (name, part, tile)
        for name, parts in kept.splits.items()
        for part, tiles in parts.items()
        for tile in tiles
    }
    moved = sorted({tile for _, _, tile in now ^ then})
    raise ValueError(
        f"A campaign goes on with the split that it began with, but tiles belong to other parts now: "
        f"{list_first(moved, _SHOWN)}. {_other_code(kept)}"
    )


def _other_code(kept: CampaignInputs) -> str:
    return (
        f"Continue it with the code that began it, commit {kept.versions[0]['commit']}, or begin a new campaign with "
        "--campaign and another name; this one's runs and reports stay."
    )


def keep_inputs(folder: Path, kept: CampaignInputs, commit: str) -> None:
    """Write what a campaign began with, and the version that runs it now; log a change of code or packages."""
    version = {"commit": commit, "code": hash_code(), "packages": read_versions()}
    past = list(kept.versions)
    if not past or {name: past[-1][name] for name in version} != version:
        if past:
            logger.warning("%s", describe_change(past[-1], version))
        past.append({**version, "time_ms": int(time.time() * 1000)})
    write_json(folder / INPUTS, asdict(replace(kept, versions=past)))


def describe_change(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Describe a change of code and packages in a few sentences."""
    sentences = []
    if before["code"] != now["code"]:
        sentences.append(
            f"THE CODE HAS CHANGED since this campaign last ran: commit {before['commit']} then, {now['commit']} now."
        )
    old, new = before["packages"], now["packages"]
    changed = [
        f"{name} {old.get(name, 'none')} then, {new.get(name, 'none')} now"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]
    if changed:
        sentences.append(f"PACKAGES HAVE CHANGED since then: {'; '.join(changed)}.")
    if not sentences:
        return f"The commit is another one of the same code: {before['commit']} then, {now['commit']} now."
    return (
        f"{' '.join(sentences)} Finished trials keep their scores. Each run in MLflow names its code and packages, and "
        "the report says that they differ. For trials of one version alone, begin a new campaign."
    )
