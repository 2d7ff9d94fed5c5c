"""From the command line's options to a campaign's settings; a campaign to resume keeps its own."""

import os
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from data.io.errors import check_no_keys
from data.pack.augmentation import parse_augment
from data.pack.channels import choose_channels
from data.splits import WHOLE, is_cross_validation, parse_train_share, store_split
from tuning.objects.label_noise import parse_label_noise
from tuning.settings.choose_models import choose_models, describe_networks
from tuning.settings.dates import default_steps, default_timesteps
from tuning.settings.presets import SEARCH_SEED, Preset, get_preset
from tuning.settings.regions import add_shots, choose_campaign_regions, normalise_events
from tuning.settings.saved_campaigns import (
    campaign_folder,
    find_unfinished,
    load_settings,
    new_name,
    save_settings,
)
from tuning.settings.settings import PACKS, TWIN, Settings, check_settings
from tuning.settings.window import take_window
from tuning.train.fit import choose_device
from tuning.trial.recipe import AUGMENT as RECIPE_AUGMENT
from tuning.trial.recipe import SEARCHED, check_recipe
from tuning.trial.status import count_finished

CONTRADICTIONS = ("trials", "search", "augment", "loss")  # options that --recipe published settles
AUGMENT = ("turn", "cut=0.5")  # by default


def settings_from_options(options: dict[str, Any], root: Path) -> Settings:
    """Make and save the settings of a new campaign, or load those of the campaign to resume.

    Args:
        options: The options that the user gave, by their names in ``tuning.run``.
        root: Output folder.

    Raises:
        ValueError: If the options are invalid, or do not fit each other.
        OSError: If the output folder cannot be used.
    """
    if "resume" in options:
        extra = sorted(set(options) - {"resume", "address", "stack_seeds"})
        if extra:
            raise ValueError(
                "--resume continues a campaign with its own settings, but also got "
                f"--{', --'.join(name.replace('_', '-') for name in extra)}. Omit them."
            )
        kept = load_settings(root, options["resume"])
        kept = replace(kept, stack_seeds=options.get("stack_seeds", kept.stack_seeds))
        check_settings(kept)
        address = options.get("address") or os.environ.get("RAY_ADDRESS") or kept.address
        # The cluster may have changed since, or may be gone.
        return replace(kept, address=None if address == "local" else address)
    named = "campaign" in options
    settings = make_settings(options, root)
    unfinished = None if named else find_unfinished(root, settings)
    if unfinished is not None and _confirm_resume(root, unfinished):
        return replace(load_settings(root, unfinished), stack_seeds=settings.stack_seeds)
    save_settings(root, settings)
    return settings


def make_settings(options: dict[str, Any], root: Path) -> Settings:
    """Make the settings of a new campaign, without saving them.

    Args:
        options: The options that the user gave, by their names in ``tuning.run``; some are taken out. Settings that have no
            option may be among them.
        root: Output folder; receives a split that is read from a file.

    Raises:
        ValueError: If the options are invalid, or do not fit each other.
        OSError: If the output folder cannot be used.
    """
    name = options.get("preset") or ("paper" if choose_device().type == "cuda" else "quick")
    preset = get_preset(name)
    defaults: dict[str, Any] = {
        "campaign": new_name(root, f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"),
        "data": TWIN,
        "units": None,
        "split": "blocks",
        "norm": "train",
        "trials": preset.trials,
        "seeds": preset.seeds,
        "address": os.environ.get("RAY_ADDRESS"),
        "search_seed": SEARCH_SEED,
    }
    if options.get("recipe", SEARCHED) != SEARCHED:
        defaults |= _follow_recipe(options, preset)
    channels = choose_channels(options.pop("channels", ["s1"]))
    window = take_window(options)
    steps = options.get("steps") or default_steps(options.get("data", TWIN), channels)
    defaults |= {"steps": steps, "timesteps": default_timesteps(steps, preset.timesteps)}
    chosen: dict[str, Any] = {
        "preset": name,
        "channels": channels,
        "augment": asdict(parse_augment(options.pop("augment", AUGMENT))),
        **window,
    }
    chosen["models"], chosen["baselines"] = choose_models(options.pop("model", ["all"]), channels)
    chosen["networks"] = describe_networks(chosen["models"])
    if Path(options.get("split", "")).suffix:  # only files have a suffix
        options["split"] = store_split(Path(options["split"]), root / PACKS)
    chosen |= _choose_regions(options)
    chosen["train_share"] = str(parse_train_share(options.pop("train_share", WHOLE)))
    chosen["label_noise"] = parse_label_noise(options.pop("label_noise", ())).to_entry()
    per_fold = name == "paper" and is_cross_validation(chosen["split"])
    per_fold &= options.get("recipe", SEARCHED) == SEARCHED
    defaults["search"] = "per-fold" if per_fold else "once"
    check_no_keys(options.get("storage", ""))
    if "://" not in options.get("storage", "://"):
        options["storage"] = str(
            Path(options["storage"]).resolve()
        )  # nodes have other working folders
    settings = Settings(**(defaults | options | chosen))
    check_settings(settings)
    return settings


def _follow_recipe(options: dict[str, Any], preset: Preset) -> dict[str, Any]:
    """Return the settings that a recipe without a search has, and set its augmentation.

    Raises:
        ValueError: If the recipe is unknown, or the user gave an option that contradicts it.
    """
    check_recipe(options["recipe"])
    if extra := [name for name in CONTRADICTIONS if name in options]:
        raise ValueError(
            f"--recipe {options['recipe']} trains with the published settings, without a search and with its own loss and "
            f"augmentation, but also got --{', --'.join(extra)}. Omit them, or choose --recipe {SEARCHED}."
        )
    options["augment"] = RECIPE_AUGMENT
    # Baselines are searched all the same.
    return {"trials": 1, "baseline_trials": preset.trials}


def take_keep_pack(options: dict[str, Any]) -> bool:
    """Take ``--keep-pack`` out of the user's options, and return whether it was given.

    Raises:
        ValueError: If no campaign is resumed, which could have a pack.
    """
    given = bool(options.pop("keep_pack", False))
    if given and "resume" not in options:
        raise ValueError(
            "--keep-pack goes on with a campaign's own copy of its tiles, but got no --resume. Add --resume NAME, or leave "
            "--keep-pack out."
        )
    return given


def _choose_regions(options: dict[str, Any]) -> dict[str, Any]:
    """Take the options about regions out of the user's, and return the settings that they mean."""
    data = options.get("data", TWIN)
    words = options.pop("region", None)
    regions = choose_campaign_regions(words, None if data == TWIN else Path(data))
    return {
        "regions": regions,
        "events": normalise_events(options.pop("event", ()), regions),
        "split": add_shots(options.get("split", "blocks"), options.pop("shots", None)),
    }


def _confirm_resume(root: Path, campaign: str) -> bool:
    """Ask whether to resume an interrupted campaign of the same command.

    Raises:
        ValueError: If standard input is no terminal.
    """
    done, started = count_finished(campaign_folder(root, campaign) / "trials")
    text = f"The same command was interrupted: campaign {campaign}, {done} of {started} started trials done."
    if sys.stdin.isatty():
        return input(f"{text} Resume it? [Y/n] ").strip().lower() in ("", "y", "yes")
    raise ValueError(
        f"{text} Resume it with --resume {campaign}, or start another one with --campaign NAME."
    )
