"""Write a campaign's results into one zip file from which others recompute its ranking: ``python -m tuning.bundle``."""

import sys
from pathlib import Path

import tuning.own_packages  # noqa: F401 - first
from data.command.command import bad_arguments, command
from data.command.explain import writes_to
from data.command.parser import CommandParser, add_root, make_parser


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.bundle",
        "Write a campaign's results into one zip file of a few MB, from which others recompute ranking, intervals and verdicts "
        "without tiles or GPU: counts of each test tile, splits, configs, provenance and tables.",
        example="20260901-120000-quick --to results.zip",
        notes="`python -m tuning.verify` recomputes them. Exit code: 0 if the file is written, 1 if the report's tables do not "
        "follow from the runs, 2 for a bad argument.",
    )
    add = parser.add_argument_group("campaign").add_argument
    add(
        "campaign", nargs="?", metavar="CAMPAIGN", help="name of the campaign (default: the latest)"
    )
    add_root(add)
    parser.add_argument_group("output").add_argument(
        "--to", type=Path, required=True, metavar="FILE.zip", help="the file; it must not exist"
    )
    return parser


@command
def main(argv: list[str] | None = None) -> int:
    """Write a bundle; return 0, or 1 if the report's tables do not follow from the runs."""
    args = command_parser().parse_args(argv)
    with bad_arguments():
        check_target(args.to)
    writes_to(args.to.parent, option="--to")
    from tuning.bundle.make import make_bundle

    made = make_bundle(args.root, args.campaign, args.to)
    print(f"Bundle: {args.to} ({made.size / 1e6:.1f} MB, SHA-256 {made.sha256})")
    print(f"Verify it: python -m tuning.verify {args.to}")
    return 0


def check_target(path: Path) -> None:
    """Check the file to write.

    Raises:
        ValueError: If it does not end in .zip, or its folder is missing.
        FileExistsError: If it exists.
    """
    if path.suffix != ".zip":
        raise ValueError(f"--to must end in .zip, but got {path}. Choose another name.")
    if path.exists() or path.is_symlink():
        raise FileExistsError(
            f"--to must be a new file, but {path} exists. Choose another name, or delete it first."
        )
    if not path.parent.is_dir():
        raise ValueError(
            f"--to must be in an existing folder, but got {path.parent}. Make the folder first."
        )


if __name__ == "__main__":
    sys.exit(main())
