"""The settings of a campaign: checked before it starts, and saved so that it can be resumed."""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from data.io.errors import unknown_name
from data.io.safe_json import check_safe_name
from data.pack.augmentation import make_augment
from data.pack.channels import check_steps, choose_channels, list_modalities
from data.pack.normalisation import KINDS
from data.splits import check_splits
from data.tiles import Units
from data.tiles.regions import DEFAULT_REGION
from models import list_models
from tuning.baselines.baselines import list_baselines
from tuning.settings.lock import is_running
from tuning.settings.presets import SEEDS, get_preset
from tuning.settings.regions import check_split_regions, check_tiles, read_events
from tuning.trial.folder import read_optional_json, write_json

TWIN = "twin"
PACKS = "packs"  # below the output folder; also holds the splits that came from files
SETTINGS, OUTCOME = "campaign.json", "outcome.json"  # files of a campaign's folder


@dataclass(frozen=True)
class Settings:
    """The settings of a campaign, saved as ``campaign.json``.

    Attributes:
        campaign: Name of the campaign.
        models: Architectures, by registry key.
        baselines: Baselines, by key.
        preset: Name of the preset.
        data: ``twin``, or the folder of the tiles.
        units: Unit of the tiles' backscatter; the one in the folder's manifest if None.
        split: Name of the split; the hash for a split from a file.
        channels: Channels of the input.
        steps: Choice of the acquisitions: ``even``, ``event`` or ``all``.
        timesteps: Number of acquisitions.
        norm: Source of the normalisation statistics: ``train`` or ``published``.
        augment: Values of :class:`data.pack.augmentation.Augment`.
        trials: Search trials per architecture.
        seeds: Repeat trials per architecture.
        regions: Names of the regions, sorted.
        events: Times of the regions' events that replace those of the files, by region.
        cpus_per_trial: Cores of one trial; an equal share if None.
        gpus_per_trial: Fraction of a GPU of one trial; if None, half a GPU on machines that have one.
        address: Address of the Ray cluster; a local one if None.
        hang_after: Minutes without an epoch after which a trial counts as hung.
        storage: Path or URI of the storage that all nodes share; the output folder if None.
        wait_for_nodes: Minutes to wait for a node that has the resources of a trial.
        stack_seeds: Seeds of a winner that one process trains at most, all if None; does not change any score.
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
    regions: tuple[str, ...] = (DEFAULT_REGION,)
    events: dict[str, str] = field(default_factory=dict)
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
    """Split model names into architectures and baselines.

    Args:
        names: Models; also ``baselines`` (all baselines) and ``all``.
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
    """Check settings before the campaign writes anything.

    Raises:
        ValueError: If a name is unknown or a number out of range.
        FileNotFoundError: If the data folder is missing.
    """
    check_safe_name("campaign", settings.campaign)
    get_preset(settings.preset)
    check_splits(settings.split)
    _check_inputs(settings)
    check_split_regions(settings.split, settings.regions)
    read_events(settings.events, settings.regions)
    for name, value, most in (
        ("trials", settings.trials, None),
        ("seeds", settings.seeds, len(SEEDS)),
        ("stack-seeds", 1 if settings.stack_seeds is None else settings.stack_seeds, None),
    ):
        if value < 1 or (most is not None and value > most):
            limit = f"1 to {most}" if most else "1 or more"
            raise ValueError(f"--{name} must be {limit}, but got {value}.")
    for name, number, rule in (
        ("cpus-per-trial", settings.cpus_per_trial, "be more than 0"),
        ("gpus-per-trial", settings.gpus_per_trial, "not be negative"),
        ("hang-after", settings.hang_after, "be more than 0 minutes"),
        ("wait-for-nodes", settings.wait_for_nodes, "not be negative"),
    ):
        if number is not None and (number < 0 or (number == 0 and "more" in rule)):
            raise ValueError(f"--{name} must {rule}, but got {number:g}.")
    folder = None if settings.data == TWIN else Path(settings.data)
    check_tiles(folder, list_modalities(settings.channels), settings.regions)


def _check_inputs(settings: Settings) -> None:
    """Check channels, acquisitions, augmentation and normalisation."""
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


def campaign_folder(root: Path, campaign: str) -> Path:
    """Return the folder that holds a campaign's settings, trials and Ray state."""
    return (root / "campaigns" / campaign).resolve()


def list_campaigns(root: Path) -> list[str]:
    """List the campaigns below an output folder, oldest first."""
    files = (root / "campaigns").glob(f"*/{SETTINGS}")
    return [file.parent.name for file in sorted(files, key=lambda file: file.stat().st_mtime)]


def new_name(root: Path, name: str) -> str:
    """Return *name*, or *name* with a number if a campaign of that name exists."""
    taken, number, free = list_campaigns(root), 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def find_unfinished(root: Path, settings: Settings) -> str | None:
    """Return the latest interrupted campaign with the same settings, its name apart; None if there is none."""
    for name in reversed(list_campaigns(root)):
        folder = campaign_folder(root, name)
        begun = any((folder / "trials").glob("*/trial.json"))
        reported = (read_optional_json(folder / OUTCOME) or {}).get("reported", False)
        if not begun or reported or is_running(folder):
            continue
        try:
            other = load_settings(root, name)
        except ValueError:  # written by another version
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
        lists |= {"regions": tuple(content.get("regions", (DEFAULT_REGION,)))}
        settings = Settings(**(content | lists))
        _check_kept(settings, file.parent.name)
        return settings
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"A campaign continues with the version that began it, but got {error} in {file}. "
            "Start a new campaign; the old one's runs and reports stay."
        ) from error


def _check_kept(settings: Settings, folder: str) -> None:
    """Check loaded settings: the file may be edited, or come from somebody else."""
    check_settings(settings)
    if settings.campaign != folder:
        raise TypeError(f"the campaign {settings.campaign!r} in the folder {folder!r}")
    choose_models((*settings.models, *settings.baselines), settings.channels)


def save_settings(root: Path, settings: Settings) -> None:
    """Save the settings of a new campaign.

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
