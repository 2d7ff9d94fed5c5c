"""Write the report of a campaign (tables, figures, one HTML page) from MLflow, and register its models."""

import argparse
import logging
import sys
from pathlib import Path

import tuning.own_packages  # noqa: F401 - first
from data.command.command import command
from data.command.explain import writes_to
from data.command.parser import CommandParser, add_root, make_parser

PDF_FILE = "report.pdf"


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.report",
        "Write the report of a campaign (tables, figures, one HTML page) from MLflow, and register its models.",
        example="--campaign 20260901-120000-quick",
        notes="Exit code: 0 if the report is whole, 1 if something is missing, 2 for a bad argument.",
    )
    add = parser.add_argument_group("campaign").add_argument
    add("--campaign", metavar="NAME", help="name of the campaign (default: the latest)")
    add_root(add)
    add(
        "--partial",
        action="store_true",
        help="report a campaign with missing repeat runs",
    )
    output = parser.add_argument_group("output").add_argument
    output(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder of the report (default: ROOT/reports/CAMPAIGN)",
    )
    output("--pdf", action="store_true", help="print the page as report.pdf too, with Chromium")
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Write a report; return 0 if it is whole, 1 if a network could not be registered for want of an export."""
    args = command_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    writes_to(args.root)
    writes_to(args.out, option="--out")
    return _report(args)


def _report(args: argparse.Namespace) -> int:
    from data.tiles.manifest import describe_origin
    from tuning.page.print_pdf import find_browser, print_pdf
    from tuning.report.missing import list_model_errors
    from tuning.report.terminal import first_page, format_places, format_tables, report_folder
    from tuning.report.write_report import write_report
    from tuning.tracking.client import tracking_uri

    if args.pdf:
        find_browser()  # before minutes of work
    table = write_report(args.root, args.campaign, out=args.out, partial=args.partial)
    print(f"Data: {describe_origin(bool(table['data'][0] == 'synthetic'))} tiles.")
    folder = args.out or report_folder(args.root, table["campaign"][0])
    print(format_tables(table, folder))
    print(format_places(folder / "report.html", tracking_uri(args.root), first_page(folder)))
    if args.pdf:
        print(f"PDF: {print_pdf(folder / 'report.html', folder / PDF_FILE)}")
    lacking = list_model_errors(args.root, table["campaign"][0])
    for sentence in lacking:
        print(f"error: {sentence}", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
