"""`python -m data.check`: check every tile file of a folder."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from data.check.folder import check_folder
from data.check.report import render
from data.tiles import Units


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, or 1 where something is unusable, or 2 for a wrong request."""
    parser = argparse.ArgumentParser(
        prog="python -m data.check", description="Check every tile file of a folder."
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="folder with s1asc/, s1dsc/ or s2/")
    parser.add_argument("--units", choices=get_args(Units), help="default: what most files have")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
    parser.add_argument("--workers", type=int, help="processes; default: one per CPU")
    args = parser.parse_args(argv)
    if args.workers is not None and args.workers < 1:
        print(f"error: Workers must be 1 or more, but got {args.workers}.", file=sys.stderr)
        return 2
    try:
        report = check_folder(args.path, args.units, args.workers)
    except (FileNotFoundError, NotADirectoryError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(asdict(report), indent=1) if args.json else render(report))
    return 1 if report.unusable else 0


if __name__ == "__main__":
    sys.exit(main())
