"""Rerun one trial from its logged config and compare its scores with the logged ones."""

import sys
import tempfile
from pathlib import Path

import tuning.own_packages  # noqa: F401 - first
from data.command.command import bad_arguments, command
from data.command.explain import writes_to
from data.command.parser import CommandParser, add_root, make_parser


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.reproduce",
        "Rerun one trial from its logged config and compare its scores with the logged ones. On a CPU, use the trial's "
        "number of threads: another number changes the order of sums, and val AP by 1e-4 within two epochs.",
        example="3f2a91 --root mlruns",
        notes="Exit code: 0 if all scores agree, 1 if a score differs or the rerun failed, 2 if the trial cannot be rerun.",
    )
    add = parser.add_argument_group("trial").add_argument
    add("run_id", metavar="RUN_ID", help="id of the trial's MLflow run, or its first characters")
    add_root(add)
    add(
        "--pack",
        type=Path,
        metavar="FOLDER",
        help="folder of the pack (default: ROOT/packs/pack-HASH as logged)",
    )
    add = parser.add_argument_group("rerun").add_argument
    add(
        "--to",
        type=Path,
        metavar="FOLDER",
        help="new folder for the rerun's files (default: a temporary folder)",
    )
    add(
        "--threads",
        type=int,
        metavar="N",
        help="number of CPU threads (default: as in the trial)",
    )
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Rerun one trial and compare; return the exit code."""
    args = command_parser().parse_args(argv)
    from tuning.reproduce import rerun

    writes_to(args.to, option="--to")
    with bad_arguments(ValueError, FileNotFoundError):
        trial, device, threads = rerun.prepare(args)
    devices = (device.type, trial.device)
    tolerance = rerun.GPU_TOLERANCE if "cuda" in devices else rerun.CPU_TOLERANCE
    rerun.print_settings(trial, device, threads, tolerance)
    with tempfile.TemporaryDirectory() as folder:
        largest = rerun.compare_rerun(trial, args.to or Path(folder), device, threads)
    if largest <= tolerance:
        print(f"\nAll scores agree within {tolerance:.0e}.")
        return 0
    print(
        f"\nDIFFERENT: scores differ by up to {largest:.1e}, more than {tolerance:.0e}. On a CPU, set --threads "
        "to the trial's number of threads; other package versions or processors also change the scores."
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
