"""Write one static page from the bundles of many campaigns: rows to sort and filter, and verdicts between comparable ones."""

import sys
from pathlib import Path

import tuning.own_packages  # noqa: F401 - first
from data.command.command import bad_arguments, command, leave
from data.command.explain import writes_to
from data.command.parser import CommandParser, make_parser

EXAMPLE = """night.zip day.zip --to leaderboard.html
*.zip --to leaderboard.html --skip-refused"""
NOTES = """Bundles are written by `python -m tuning.bundle CAMPAIGN --to FILE.zip`. Each is verified first.

Exit code: 0 if the page was written, 1 if a bundle was refused without --skip-refused, or all were, 2 for a bad argument."""


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.leaderboard",
        "Write one static page from the bundles of many campaigns: rows to sort and filter, and verdicts between comparable ones.",
        example=EXAMPLE,
        notes=NOTES,
    )
    group = parser.add_argument_group("bundles")
    group.add_argument(
        "bundles", nargs="+", type=Path, metavar="BUNDLE", help="zip file of a campaign"
    )
    group.add_argument(
        "--skip-refused",
        action="store_true",
        help="write the page without the bundles that are refused, and list them on it",
    )
    add = parser.add_argument_group("page").add_argument
    add(
        "--to",
        type=Path,
        required=True,
        metavar="FILE.html",
        help="the page; replaces an earlier leaderboard",
    )
    add("--title", default="Landslide benchmark: leaderboard", help="heading of the page")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Write the page; return 1 if a bundle was refused and --skip-refused was not given, or all were."""
    args = command_parser().parse_args(argv)
    writes_to(args.to.parent)
    from tuning.leaderboard.write_page import check_target, write_leaderboard

    with bad_arguments():
        check_target(args.to)
    content, refused = write_leaderboard(args.bundles, args.to, args.title, skip=args.skip_refused)
    for one in refused:
        print(f"Refused: {one.file}: {one.reason}", file=sys.stderr)
    if content is None:
        remedy = (
            "Take them out, or give --skip-refused."
            if len(refused) < len(args.bundles)
            else "Ask for the files as they were published."
        )
        print(
            f"error: Every bundle must be verified, but {len(refused)} of {len(args.bundles)} were refused, and no page was written. "
            f"{remedy}",
            file=sys.stderr,
        )
        return 1
    rows, groups = len(content.rows), len(content.groups)
    print(
        f"{rows} rows of {content.bundles} bundles in {groups} groups of comparable rows.\nPage: {args.to}"
    )
    return 0


if __name__ == "__main__":
    leave(main())
