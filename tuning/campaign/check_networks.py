"""The check of a campaign's networks before anything is trained: each must be exportable, as registration needs it."""

import json
import logging
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from models import list_models
from tuning.campaign.initial import read_start
from tuning.serving.preflight import UnservableError, check_network
from tuning.settings.presets import get_preset
from tuning.settings.saved_campaigns import campaign_folder
from tuning.settings.settings import Settings
from tuning.trial.entry import list_trials
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.recipe import SEARCHED
from tuning.trial.search_space import compose, first_sample, make_space
from tuning.trial.status import is_finished, read_end

logger = logging.getLogger(__name__)


def check_networks(
    root: Path, settings: Settings, unfit: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Export an untrained network of each architecture, with the arguments that its search tries first.

    An architecture of a resumed campaign that has a complete trial is not checked again.

    Args:
        root: Output folder.
        settings: The user's settings.
        unfit: Why architectures cannot be trained on the cluster, by their names.

    Returns:
        Why an architecture cannot be trained, by its name; nothing for those that can.

    Raises:
        UnservableError: If nothing else is left to do.
    """
    refused = dict(unfit or {})
    trained = find_trained(campaign_folder(root, settings.campaign) / "trials")
    for model in settings.models:
        if model in trained or model in refused:
            continue
        began = time.monotonic()
        start = read_start(root, settings)
        arch = (
            start.config["arch"]
            if start
            else choose_first_arch(model, settings.preset, settings.recipe)
        )
        try:
            multiple = _check_once(model, json.dumps(arch), settings.channels, settings.timesteps)
        except UnservableError as error:
            refused[model] = str(error)
        else:
            text = "%s can be exported: tiles of multiples of %d px, checked in %.1f s."
            logger.info(text, model, multiple, time.monotonic() - began)
    if refused and not settings.baselines and len(refused) == len(settings.models):
        raise UnservableError(" ".join(refused.values()))
    for reason in refused.values():
        logger.error("%s Not trained.", reason)
    return refused


@cache
def _check_once(model: str, arch: str, channels: tuple[str, ...], timesteps: int) -> int:
    """Check a network once in this process: campaigns that run together often have the same."""
    return check_network(model, json.loads(arch), channels, timesteps)


def choose_first_arch(model: str, preset: str, recipe: str = SEARCHED) -> Config:
    """Return the arguments of an architecture that its search tries first with a preset and a recipe."""
    space = make_space(model, get_preset(preset).narrow, recipe)
    arch: Config = compose(first_sample(model, space), {})["arch"]
    return arch


def find_trained(trials: Path) -> set[str]:
    """Return the architectures that have a complete trial, one that has not failed, in a campaign's ``trials`` folder."""
    found = set()
    for path, entry in list_trials(trials).items():
        folder = TrialFolder(path)
        end = read_end(folder, entry.kind)
        if is_finished(folder, entry.kind) and end is not None and end[0] != "error":
            found.add(str(entry.config["model"]))
    return found.intersection(list_models())
