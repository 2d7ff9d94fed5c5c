"""`python -m data.scene`: from a place and the time of an event to a datacube that can be mapped."""

import logging
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from data.command.command import bad_arguments, command, leave, run_resumable
from data.command.explain import writes_to
from data.command.parser import CommandParser, make_parser
from data.scene.from_event import (
    add_scene_arguments,
    check_packages,
    describe_dates,
    make_scene,
    read_request,
)

if TYPE_CHECKING:
    from data.assemble.report import SceneReport


@command
def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, 1 if the scene could not be made, 2 for an invalid argument, 130 if interrupted."""
    args = command_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    writes_to(args.to, option="--to")
    check_packages()
    from tqdm.contrib.logging import logging_redirect_tqdm

    def run() -> int:
        with bad_arguments(ValueError, FileNotFoundError), logging_redirect_tqdm():
            report = make_scene(read_request(args), args.to)
        print(_format(report))
        return 0

    return run_resumable(run, partial(_print_how_to_continue, args.to))


def _print_how_to_continue(to: Path) -> None:
    """Say where an interrupted scene is kept; nothing if none was begun."""
    from data.assemble.partial import find_partial

    if (kept := find_partial(to)).is_dir():
        print(f"What was loaded is kept in {kept}; the same command continues.", file=sys.stderr)


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "data.scene",
        "Search Sentinel-1 acquisitions of a place around an event, and load them into one datacube (Zarr) of "
        "gamma nought in dB on a grid of 10 m, with the heights beside it. The same command continues an interrupted one.",
        example="--bbox 141.9 42.6 142.1 42.8 \\\n      --event 2018-09-05T18:08 --to iburi.zarr",
        notes="Exit code: 0 if the scene is complete, 1 if it could not be loaded, 2 if the request cannot be met, "
        "130 after Ctrl-C.",
    )
    add_scene_arguments(parser, required=True)
    parser.add_argument_group("output").add_argument(
        "--to",
        type=Path,
        required=True,
        metavar="SCENE.zarr",
        help="Zarr folder of the scene, which appears when it is complete",
    )
    return parser


def _format(report: "SceneReport") -> str:
    """Return what was made, its dates, its time, and the next command."""
    from data.io.disk import format_bytes

    lines = [str(report)]
    for orbit, dates in report.dates.items():
        lines.append(f"{orbit}, before | after the event: {describe_dates(dates, report.event)}")
    if not report.has_heights:
        lines.append("No heights were found: models that read heights or slopes cannot map it.")
    if report.chunks:
        before = f", {report.chunks_before:,} before" if report.chunks_before else ""
        lines.append(
            f"Search {report.seconds_search:.1f} s, load {report.seconds_load:.1f} s: {report.chunks:,} chunks{before}, "
            f"{format_bytes(report.bytes_read)} received."
        )
    to = shlex.quote(str(report.path))
    lines.append(f"Next: python -m tuning.predict --model MODEL --input {to} --out MAP")
    return "\n".join(lines)


if __name__ == "__main__":
    leave(main())
