"""The options of ``python -m tuning.matrix``; imports nothing heavy, so that ``--help`` answers at once."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.command.parser import CommandParser, make_parser
from tuning.matrix.axes.names import AXIS_LABELS
from tuning.matrix.command.studies import STUDIES
from tuning.settings.arguments import add_common_options
from tuning.settings.roots import ROOT

DESCRIPTION = (
    "Run one campaign for each level of some axes, and compare the levels: which channels, acquisitions, losses, labels and "
    "training tiles help, for each network. Every other option holds for all of these campaigns."
)
SEARCHES = ("once", "per-cell")


def command_parser() -> CommandParser:
    """Return the parser; only the options that the user gave become attributes."""
    axes = "\n".join(
        f"  {name:<12} {label}: {example}" for name, (label, example) in AXIS_LABELS.items()
    )
    studies = "\n".join(f"  {name:<12} {study.about}" for name, study in STUDIES.items())
    parser = make_parser(
        "tuning.matrix",
        DESCRIPTION,
        example="ablation --preset quick\n--vary channels=s1,VV,VH --cross unet,utae",
        notes=f"axes, with levels as they are written (1..8 stands for eight levels):\n{axes}\n\nstudies:\n{studies}",
        argument_default=argparse.SUPPRESS,
    )
    _add_matrix(parser)
    add_common_options(parser)
    return parser


def _add_matrix(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("matrix").add_argument
    add(
        "what",
        nargs="?",
        metavar="STUDY|FILE",
        help=f"a ready-made study ({', '.join(STUDIES)}) at the length of --preset, or a YAML file with these options",
    )
    add("--file", type=Path, metavar="FILE", help="a YAML file with these options")
    add(
        "--vary",
        action="append",
        metavar="AXIS=LEVELS",
        help="an axis and its levels, separated by commas; several times for several axes (see below)",
    )
    add(
        "--cross",
        metavar="NAMES",
        help="models of every campaign, separated by commas; the same names as --model",
    )
    add(
        "--reference",
        action="append",
        metavar="AXIS=LEVEL",
        help="level with which the others are compared (default: what --model ... would use anyway, else the greatest number, "
        "else the first level)",
    )
    add(
        "--primary",
        metavar="AXIS",
        help="axis whose effects are confirmatory; those of the others are exploratory (default: the first)",
    )
    add(
        "--search",
        choices=SEARCHES,
        help="search hyperparameters once, in the reference cell, or in each cell (default: once)",
    )
    add(
        "--search-folds",
        choices=("once", "per-fold"),
        help="with several folds, search the first fold or each (default: per-fold in paper)",
    )
    add(
        "--budget",
        type=float,
        metavar="HOURS",
        help="drop seeds, never cells, until the estimated time is within these hours",
    )
    add(
        "--dry-run",
        action="store_true",
        help="print cells, trainings, hours and bytes; start nothing and write nothing",
    )
    add("--name", metavar="NAME", help="name of the matrix (default: date, time and study)")
    add("--root", type=Path, metavar="FOLDER", help=f"output folder (default: {ROOT})")
    add(
        "--resume",
        nargs="?",
        const=None,
        metavar="NAME",
        help="continue a matrix with its own plan (default: the latest matrix)",
    )
    add(
        "--report",
        nargs="?",
        const=None,
        metavar="NAME",
        help="only write the report of a matrix from MLflow (default: the latest matrix)",
    )


def list_options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return the parser's options by their long names without dashes; not those that a file cannot hold."""
    beside = {"help", "version", "file", "resume", "report", "dry-run"}
    names = {
        name.removeprefix("--"): action
        for action in parser._actions
        for name in action.option_strings
        if name.startswith("--")
    }
    return {name: action for name, action in names.items() if name not in beside}


def parse_words(argv: Sequence[str] | None) -> dict[str, Any]:
    """Parse the command line; return the options that the user gave, by name."""
    return vars(command_parser().parse_args(argv))
