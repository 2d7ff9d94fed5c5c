"""Completion of commands, options and names in a shell, made by shtab from the parsers of all commands.

Names that a campaign looks up elsewhere, such as models and splits, are offered here as they are known without loading
anything heavy; tests compare them with the real ones. Options accept more than what is offered.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import shtab

from data.command.choices import ALL_REGIONS, list_region_names
from tuning.command_line.table import COMMANDS, load_parser
from tuning.command_line.usage import PROGRAM, command_parser
from tuning.own_packages import HOME

BASELINES = (
    *("log_ratio_vv", "log_ratio_vh", "log_ratio_vv_asc", "log_ratio_vv_dsc", "log_ratio_vh_asc"),
    *("log_ratio_vh_dsc", "bi_log_ratio_vv", "bi_log_ratio_vh", "stacked_log_ratio", "cusum"),
    *("mahalanobis", "dist_s1", "logistic_regression", "gradient_boosting"),
    *("gradient_boosting_windows", "tile_means"),
)
GROUPS = ("all", "field", "baselines")
PRESETS = ("smoke", "quick", "paper")
SPLITS = ("blocks", "seed42", "s12ls-ld", "blocks:5", "events")
STEPS = ("even", "event", "common", "all")
LOSSES = ("bce_dice", "focal_dice", "tversky", "focal_tversky", "lovasz")
CHANNELS = ("s1", "s1asc", "s1dsc", "VV", "VH", "s2", "published", "DEM", "slope")
FOLDERS = ("root", "to", "out", "pack", "tiles")  # options and arguments that name a folder


def list_networks() -> list[str]:
    """Return the networks of ``models/``, each named by its file."""
    return sorted(file.stem for file in (HOME / "models").glob("[!_]*.py"))


def list_offers() -> dict[str, tuple[str, ...]]:
    """Return the names to offer, by option."""
    return {
        "model": (*GROUPS, *list_networks(), *BASELINES),
        "models": BASELINES,
        "preset": PRESETS,
        "split": SPLITS,
        "region": (ALL_REGIONS, *list_region_names()),
        "steps": STEPS,
        "loss": LOSSES,
        "channels": CHANNELS,
        "norm": ("train", "published"),
        "recipe": ("searched", "published"),
    }


def make_completion(shell: str) -> str:
    """Return the completion of ``landslide`` for a shell: ``bash``, ``zsh`` or ``tcsh``."""
    parser = make_whole_parser()
    offers = list_offers()
    for action in _walk_actions(parser):
        _offer(action, offers)
    return str(shtab.complete(parser, shell))


def make_whole_parser() -> argparse.ArgumentParser:
    """Return one parser with the parsers of all commands as its subcommands."""
    whole = command_parser()
    whole.usage = None
    taken: Any = lambda prog, parser: parser
    commands = whole.add_subparsers(parser_class=taken, prog=PROGRAM, metavar="COMMAND")
    for row in COMMANDS:
        commands.add_parser(row.name, help=row.about, parser=load_parser(row))
    return whole


def _walk_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from _walk_actions(one)


def _offer(action: argparse.Action, offers: dict[str, tuple[str, ...]]) -> None:
    """Let an option offer names, files or folders where it does not list its values itself."""
    if action.choices is not None or action.nargs == 0:
        return
    named = not action.type or action.type is str
    if named and action.dest in offers:
        action.choices = offers[action.dest]
    elif action.type is Path or action.dest == "data":
        is_folder = action.dest in FOLDERS or action.dest == "data"
        completed = cast(Any, action)  # an attribute that shtab reads
        completed.complete = shtab.DIRECTORY if is_folder else shtab.FILE
