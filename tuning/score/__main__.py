"""Score probabilities that another program made of a campaign's test tiles, as a row marked foreign beside its own models."""

import argparse
import logging
from pathlib import Path

import tuning.own_packages  # noqa: F401 - first
from data.command.command import bad_arguments, command, leave
from data.command.explain import CommandError, writes_to
from data.command.parser import CommandParser, add_root, make_parser

EXAMPLE = """--template maps --campaign night
--predictions maps --name prithvi --campaign night
--predictions maps --name change-map \\
      --provenance "log-ratio by GDAL, 2026" --threshold 0.6"""
NOTES = """--template writes split.json, tiles.csv (test and val tiles with CRS, transform and shape) and provenance.json to fill in. \
Predictions are TILE_ID.tif or TILE_ID.npz (array probs), or one predictions.npz, of probabilities in [0, 1]; several seeds are \
folders seed0/, seed1/, ...

Exit code: 0 if the row is in the report, 1 if predictions are refused, 2 for a bad argument."""


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.score",
        "Score probabilities that another program made of a campaign's test tiles, as a row marked foreign beside its own models.",
        example=EXAMPLE,
        notes=NOTES,
    )
    group = parser.add_argument_group("predictions")
    what = group.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--predictions",
        type=Path,
        metavar="DIR",
        help="folder of the probabilities, with split.json",
    )
    what.add_argument(
        "--template",
        type=Path,
        metavar="DIR",
        help="write what is needed to make predictions into DIR",
    )
    group.add_argument("--name", help="name of the row, a new one in this campaign")
    group.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="of F1, IoU and objects, without val tiles (default: chosen on val; without val 0.5)",
    )
    group.add_argument(
        "--provenance",
        metavar="TEXT",
        help="who made the predictions and how (default: provenance.json beside them)",
    )
    add = parser.add_argument_group("campaign").add_argument
    add("--campaign", metavar="NAME", help="name of the campaign (default: the latest)")
    add_root(add)
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Score predictions, or write a template; return 0 if all that was asked for is done."""
    args = command_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    writes_to(args.root)
    return _write_template(args) if args.template else _score(args)


def _write_template(args: argparse.Namespace) -> int:
    from tuning.score.target import open_target
    from tuning.score.template import write_template

    with bad_arguments():
        _refuse_others(args, "--template", ("name", "threshold", "provenance"))
        target = open_target(args.root, args.campaign)
    files = write_template(target, args.template)
    print(f"Campaign {target.name}, split {target.split} ({target.split_hash}):")
    for fold in target.folds:
        print(f"  {fold.name}: {len(fold.test)} test tiles, {len(fold.val)} val tiles")
    if len(target.folds) > 1:
        print(f"Folders of the folds: {', '.join(fold.folder for fold in target.folds)}")
    print("Written: " + ", ".join(map(str, files)))
    return 0


def _refuse_others(args: argparse.Namespace, mode: str, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(args, name) is not None:
            raise CommandError(
                f"{mode} takes --campaign and --root alone, but got --{name}. Leave it out.", 2
            )


def _score(args: argparse.Namespace) -> int:
    from tuning.report.terminal import format_tables, report_folder
    from tuning.report.write_report import write_report
    from tuning.score.score import score_predictions
    from tuning.score.target import open_target
    from tuning.tracking.client import check_writable

    with bad_arguments():
        _check_arguments(args)
        target = open_target(args.root, args.campaign)
    check_writable(target.client, args.root)
    for line in score_predictions(
        target, args.predictions, args.name, args.threshold, args.provenance
    ):
        print(line)
    table = write_report(args.root, target.name, partial=True)
    folder = report_folder(args.root, target.name)
    print(f"{format_tables(table, folder)}\nReport: {folder / 'report.html'}")
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    if not args.name:
        raise CommandError(
            "--predictions needs a name for the row, but got none. Give --name NAME.", 2
        )
    if args.threshold is not None and not 0 <= args.threshold <= 1:
        raise CommandError(
            f"--threshold must be a probability from 0 to 1, but got {args.threshold:g}. Correct it.",
            2,
        )


if __name__ == "__main__":
    leave(main())
