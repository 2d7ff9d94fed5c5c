"""`python -m data.check`: check every tile file in a folder."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from data.command.choices import UNITS
from data.command.command import bad_arguments, command
from data.command.explain import CommandError
from data.command.parser import CommandParser, make_parser


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "data.check",
        "Check every tile file in a folder, and each tile across its files.",
        example="tiles --region hokkaido",
        notes="Exit code: 0 if all files are usable, 1 if any file or tile is unusable, 2 if PATH is no tile folder.",
    )
    add = parser.add_argument_group("tiles").add_argument
    add("path", type=Path, metavar="PATH", help="folder above s1asc/, s1dsc/ or s2/")
    add(
        "--units",
        choices=UNITS,
        help="unit that all Sentinel-1 files must have (default: the unit of most files)",
    )
    add(
        "--region",
        nargs="+",
        default=["all"],
        metavar="NAME",
        help="regions to check, such as hokkaido (default: all)",
    )
    add = parser.add_argument_group("output and processes").add_argument
    add("--verbose", action="store_true", help="name every file and its reason, not only examples")
    add("--json", action="store_true", help="print the report as JSON")
    add("--workers", type=int, metavar="N", help="number of processes (default: one per core)")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 if anything is unusable, 2 for invalid arguments."""
    args = command_parser().parse_args(argv)
    if args.workers is not None and args.workers < 1:
        raise CommandError(f"--workers must be 1 or more, but got {args.workers}.", 2)
    from data.check.folder import check_folder
    from data.check.text import format_report

    with bad_arguments(FileNotFoundError, NotADirectoryError):
        report = check_folder(args.path, args.units, args.workers, regions=args.region)
    text = (
        json.dumps(asdict(report), indent=1)
        if args.json
        else format_report(report, verbose=args.verbose)
    )
    print(text)
    return 1 if report.unusable else 0


if __name__ == "__main__":
    sys.exit(main())
