"""What the user asked for: checked before anything is made, kept so that a campaign can be continued."""

import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from data.io.errors import unknown_name
from data.io.safe_json import check_safe_name
from data.pack.augmentation import make_augment
from data.pack.channels import check_steps, choose_channels, list_modalities
from data.pack.normalisation import KINDS
from data.splits import check_split, list_fold_names
from data.tiles import Units, list_tiles
from models import list_models
from tuning.baselines.baselines import list_baselines
from tuning.settings.lock import is_running
from tuning.settings.presets import SEEDS, get_preset
from tuning.trial.folder import read_optional_json, write_json

TWIN = "twin"
FOLDS = re.compile(r"blocks:\d+")  # a whole cross-validation
PACKS = "packs"  # below the output folder; also holds the splits that came from files
SETTINGS, OUTCOME = "campaign.json", "outcome.json"  # files of a campaign's folder


@dataclass(frozen=True)
class Settings:
    """What the user asked for; kept in ``campaign.json`` so that a campaign can be continued.

    Attributes:
        campaign: Name of the campaign.
        models: Architectures, by registry key.
        baselines: Baselines, by key.
        preset: Name of the preset.
        data: ``twin``, or the folder of the tiles.
        units: Unit of the tiles' backscatter; what the folder's manifest says when None.
        split: Name of the split; one from a file has its hash for a name.
        channels: Channels of the input.
        steps: How acquisitions are chosen: ``even``, ``event`` or ``all``.
        timesteps: How many acquisitions.
        norm: Where the normalisation comes from: ``train`` or ``published``.
        augment: Values of :class:`data.pack.augmentation.Augment`.
        trials: Search trials per architecture.
        seeds: Repeat trials per architecture.
        cpus_per_trial: Cores of one trial; shared out evenly when None.
        gpus_per_trial: Fraction of a GPU of one trial; half where there is one when None.
        address: Ray cluster; a local one when None.
        hang_after: Minutes without an epoch after which a trial counts as hung.
        storage: Path or URI of what all nodes of a cluster share; the output folder when None.
        wait_for_nodes: Minutes that a cluster has to add a node that holds a trial.
        stack_seeds: How many seeds of a winner one process trains at most, all when None; no score depends on it.
    """

    campaign: str
    models: tuple[str, ...]
    baselines: tuple[str, ...]
    preset: str
    data: str
    units: Units | None
    split: str
    channels: tuple[str, ...]
    steps: str
    timesteps: int
    norm: str
    augment: dict[str, Any]
    trials: int
    seeds: int
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None
    address: str | None = None
    hang_after: float = 60.0
    storage: str | None = None
    wait_for_nodes: float = 0.0
    stack_seeds: int | None = 1


def choose_models(
    names: Iterable[str], channels: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Turn the names asked for into architectures and baselines.

    Args:
        names: Single ones, ``baselines`` for all of those, ``all`` for everything.
        channels: The input's channels, which limit the baselines that can be computed.

    Raises:
        ValueError: If a name is unknown.
    """
    models, baselines, wanted = list_models(), list_baselines(channels), set(names)
    known = [*models, *baselines, "baselines", "all"]
    for name in wanted:
        if name not in known:
            raise ValueError(unknown_name("model", name, known))
    return (
        tuple(name for name in models if wanted & {name, "all"}),
        tuple(name for name in baselines if wanted & {name, "baselines", "all"}),
    )


def check_settings(settings: Settings) -> None:
    """Refuse what cannot work before anything is made.

    Raises:
        ValueError: If a name is unknown or a number out of range.
        FileNotFoundError: If the data folder is missing.
    """
    check_safe_name("campaign", settings.campaign)
    get_preset(settings.preset)
    check_split(list_folds(settings.split)[0])
    _check_inputs(settings)
    for name, value, most in (
        ("trials", settings.trials, None),
        ("seeds", settings.seeds, len(SEEDS)),
        ("stack-seeds", 1 if settings.stack_seeds is None else settings.stack_seeds, None),
    ):
        if value < 1 or (most is not None and value > most):
            limit = f"1 to {most}" if most else "1 or more"
            raise ValueError(f"--{name} must be {limit}, but got {value}.")
    if settings.cpus_per_trial is not None and settings.cpus_per_trial <= 0:
        raise ValueError(
            f"--cpus-per-trial must be more than 0, but got {settings.cpus_per_trial}."
        )
    if settings.gpus_per_trial is not None and settings.gpus_per_trial < 0:
        raise ValueError(
            f"--gpus-per-trial must not be negative, but got {settings.gpus_per_trial}."
        )
    if settings.hang_after <= 0:
        raise ValueError(
            f"--hang-after must be more than 0 minutes, but got {settings.hang_after:g}."
        )
    if settings.wait_for_nodes < 0:
        raise ValueError(
            f"--wait-for-nodes must not be negative, but got {settings.wait_for_nodes:g}."
        )
    if settings.data != TWIN:
        list_tiles(Path(settings.data), list_modalities(settings.channels))


def _check_inputs(settings: Settings) -> None:
    """Refuse inputs that no tile can serve."""
    choose_channels(settings.channels)
    check_steps(settings.steps, settings.timesteps)
    make_augment(settings.augment)
    if settings.norm not in KINDS:
        raise ValueError(unknown_name("norm", settings.norm, KINDS))
    if settings.data == TWIN and "s2" in list_modalities(settings.channels):
        raise ValueError(
            "The synthetic twin has Sentinel-1 alone, but got a channel of Sentinel-2. Give real tiles "
            "with --data PATH (`python -m data.fetch --to PATH --s2`), or leave s2 out."
        )


def list_folds(split: str) -> tuple[str, ...]:
    """List the splits that a campaign's repeat trials run on: all folds of ``blocks:K``, else the one."""
    return list_fold_names(split) if FOLDS.fullmatch(split) else (split,)


def campaign_folder(root: Path, campaign: str) -> Path:
    """Return the folder that holds a campaign's settings, trials and Ray state."""
    return (root / "campaigns" / campaign).resolve()


def list_campaigns(root: Path) -> list[str]:
    """List the campaigns below an output folder, oldest first."""
    files = (root / "campaigns").glob(f"*/{SETTINGS}")
    return [file.parent.name for file in sorted(files, key=lambda file: file.stat().st_mtime)]


def new_name(root: Path, name: str) -> str:
    """Return a name that no campaign has yet: the one given, or with a number where two begin in one second."""
    taken, number, found = list_campaigns(root), 2, name
    while found in taken:
        found, number = f"{name}-{number}", number + 1
    return found


def find_unfinished(root: Path, settings: Settings) -> str | None:
    """Find the latest campaign that was cut off, is not running, and has the same settings but for its name."""
    for name in reversed(list_campaigns(root)):
        folder = campaign_folder(root, name)
        begun = any((folder / "trials").glob("*/trial.json"))
        reported = (read_optional_json(folder / OUTCOME) or {}).get("reported", False)
        if not begun or reported or is_running(folder):
            continue
        try:
            other = load_settings(root, name)
        except ValueError:  # of another version
            continue
        same = {"campaign": settings.campaign, "stack_seeds": settings.stack_seeds}
        if replace(other, **same) == settings:  # type: ignore[arg-type]
            return name
    return None


def load_settings(root: Path, campaign: str | None) -> Settings:
    """Load the settings of a campaign, the latest when *campaign* is None.

    Raises:
        ValueError: If there is no such campaign.
    """
    names = list_campaigns(root)
    if not names:
        raise ValueError(
            f"--resume continues a campaign, but {root / 'campaigns'} has none. Start one."
        )
    if campaign is not None and campaign not in names:
        raise ValueError(unknown_name("campaign", campaign, names))
    file = campaign_folder(root, campaign or names[-1]) / SETTINGS
    content: dict[str, Any] = read_optional_json(file)
    try:
        lists = {name: tuple(content.get(name, ())) for name in ("models", "baselines", "channels")}
        settings = Settings(**(content | lists))
        _check_kept(settings, file.parent.name)
        return settings
    except TypeError as error:
        raise ValueError(
            f"A campaign continues with the version that began it, but got {error} in {file}. "
            "Start a new campaign; the old one's runs and reports stay."
        ) from error


def _check_kept(settings: Settings, folder: str) -> None:
    """Check settings that were read: the file may have been changed, or be somebody else's."""
    check_settings(settings)
    if settings.campaign != folder:
        raise TypeError(f"the campaign {settings.campaign!r} in the folder {folder!r}")
    choose_models((*settings.models, *settings.baselines), settings.channels)


def save_settings(root: Path, settings: Settings) -> None:
    """Keep the settings of a new campaign.

    Raises:
        ValueError: If a campaign of that name exists.
    """
    folder = campaign_folder(root, settings.campaign)
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{os.getpid()}.{SETTINGS}"
    write_json(aside, asdict(settings))
    try:
        os.link(aside, folder / SETTINGS)  # refused where it exists, unlike a rename
    except FileExistsError as error:
        raise ValueError(
            f"A campaign's name must be new, but {settings.campaign!r} exists in {folder}. "
            f"Continue it with --resume {settings.campaign}, or choose another name."
        ) from error
    finally:
        aside.unlink()
