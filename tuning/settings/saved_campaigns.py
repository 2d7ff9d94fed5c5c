"""Campaigns on disk: the settings of each, saved so that it can be resumed."""

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from data.io.errors import unknown_name
from data.tiles.regions import DEFAULT_REGION
from tuning.settings.choose_models import choose_models, recall_networks
from tuning.settings.lock import is_running
from tuning.settings.roots import CAMPAIGNS, suggest_root
from tuning.settings.settings import Settings, check_settings
from tuning.trial.folder import read_optional_json, write_json

SETTINGS, OUTCOME = "campaign.json", "outcome.json"  # files of a campaign's folder
_LISTS = ("models", "baselines", "channels", "places", "modalities")  # settings that are tuples


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
    """Return the latest interrupted campaign with the same settings, its name and seeds apart; None if there is none."""
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
        same: dict[str, Any] = {
            name: getattr(settings, name) for name in ("campaign", "stack_seeds", "search_seed")
        }
        if other.window and other.window == settings.window:  # its numbers are counted later
            same |= {"steps": settings.steps, "timesteps": settings.timesteps}
        if replace(other, **same) == settings:
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
            f"--resume continues a campaign, but {root / CAMPAIGNS} has none. {suggest_root(root)}"
        )
    if campaign is not None and campaign not in names:
        raise ValueError(unknown_name("campaign", campaign, names))
    file = campaign_folder(root, campaign or names[-1]) / SETTINGS
    content: dict[str, Any] = read_optional_json(file)
    try:
        lists = {name: tuple(content.get(name, ())) for name in _LISTS}
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
    recall_networks(settings.networks)
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


def keep_acquisitions(root: Path, settings: Settings) -> None:
    """Write the numbers of a campaign's window into its saved settings."""
    file = campaign_folder(root, settings.campaign) / SETTINGS
    content = read_optional_json(file)
    if content is not None:
        numbers = {"steps": settings.steps, "timesteps": settings.timesteps}
        write_json(file, {**content, **numbers})
