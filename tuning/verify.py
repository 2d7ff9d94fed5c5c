"""Recompute a bundle's ranking, intervals and verdicts from its counts: ``python -m tuning.verify FILE.zip``.

It needs numpy, scipy and pandas alone: no tiles, no GPU, no network, no MLflow.
"""

import hashlib
import sys
from pathlib import Path

import tuning.own_packages  # noqa: F401 - first
from data.command.command import bad_arguments, command
from data.command.parser import CommandParser, make_parser


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.verify",
        "Check every file of a bundle of `python -m tuning.bundle`, recompute its tables from the counts of its test tiles, print "
        "ranking and verdicts, and name each number that differs from the stored tables.",
        example="results.zip",
        notes="Exit code: 0 if every number is as stored, 1 if one differs or the file is refused, 2 for a bad argument.",
    )
    parser.add_argument_group("bundle").add_argument(
        "file", type=Path, metavar="FILE.zip", help="the bundle"
    )
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Verify a bundle; return 0 if every number is as stored, 1 if not, 2 if there is no such file."""
    args = command_parser().parse_args(argv)
    from tuning.bundle.verify import describe_differences, describe_verified, verify_bundle

    with bad_arguments(OSError):
        verified = verify_bundle(args.file)
    with args.file.open("rb") as file:
        print(f"{args.file}: SHA-256 {hashlib.file_digest(file, 'sha256').hexdigest()}")
    print(describe_verified(verified))
    if verified.differences:
        print(describe_differences(verified.differences), file=sys.stderr)
        print(
            f"error: A bundle's tables must follow from its counts, but {len(verified.differences):,} of {verified.compared:,} "
            f"values differ in {args.file}. Its tables or its counts were changed; ask for the file that was published.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
