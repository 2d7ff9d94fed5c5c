"""Can this machine run the benchmark? One line per check: a verdict, what was found, and the remedy.

``python -m tuning.doctor``

The exit code is 1 when a check fails, 2 for a bad argument, else 0; warnings do not fail. Neither the
output folder nor a database is made. Ray ends, and keeps its session's logs below /tmp/ray as always.
"""

from __future__ import annotations  # an older Python must be able to say that it is too old

import argparse
import io
import json
import logging
import os
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from tuning.doctor.finding import FAIL, OK, WARN, CheckResult, guard

WIDTH = 100
ROOT, TWIN = Path("mlruns"), "twin"  # as in tuning.run, which is given the same words
RUN = "python -m tuning.run --model all"


@dataclass(frozen=True)
class Asked:
    """What the campaign to come would be told.

    Attributes:
        root: Output folder.
        data: ``twin``, or the folder of the tiles.
        address: Ray cluster; a local one when None.
    """

    root: Path
    data: str
    address: str | None


def _load(kind: str) -> Any:
    """Import a module of checks when its turn comes, so that what it lacks costs its own lines alone."""
    return import_module(f"tuning.doctor.{kind}")


CHECKS: dict[str, Callable[[Asked], CheckResult]] = {
    "Python": lambda _: _load("machine").check_python(),
    "platform": lambda _: _load("machine").check_platform(),
    "packages": lambda _: _load("packages").check_packages(),
    "cores": lambda _: _load("machine").check_cores(),
    "memory": lambda _: _load("machine").check_memory(),
    "GPU": lambda _: _load("machine").check_gpu(),
    "output": lambda asked: _load("folders").check_root(asked.root, asked.data),
    "temporary": lambda _: _load("folders").check_temporary(),
    "shared": lambda _: _load("folders").check_shared(),
    "MLflow": lambda asked: _load("tracker").check_tracker(asked.root),
    "Ray": lambda asked: _load("ray_check").check_ray(asked.address, asked.root),
    "data": lambda asked: _load("tiles").check_data(asked.data, asked.root),
}


def make_checks(asked: Asked) -> Iterator[tuple[str, CheckResult]]:
    """Make every check, one after another; yield its name and what it found."""
    for name, check in CHECKS.items():
        yield name, guard(partial(check, asked))


def format_finding(name: str, finding: CheckResult) -> str:
    """Lay a finding out in columns: verdict, name, what was found, and below it the remedy."""
    indent = " " * (2 + max(map(len, (OK, WARN, FAIL))) + 2 + max(map(len, CHECKS)))
    head = f"{finding.verdict:<4}  {name}"
    text = _wrap(finding.found, f"{head:<{len(indent)}}", indent)
    return text + (
        "\n" + _wrap(finding.remedy, f"{indent}-> ", f"{indent}   ") if finding.remedy else ""
    )


def _wrap(text: str, first: str, further: str) -> str:
    # Paths and commands stay whole, even where they are longer than a line.
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def conclude(findings: Mapping[str, CheckResult], asked: Asked) -> str:
    """Say in a sentence what all findings come to, and what to type next."""
    failed = [name for name, finding in findings.items() if finding.verdict == FAIL]
    warned = [name for name, finding in findings.items() if finding.verdict == WARN]
    if failed:
        return f"{len(failed)} of {len(findings)} checks failed: {', '.join(failed)}."
    words = [RUN, *(["--data", shlex.quote(asked.data)] if asked.data != TWIN else [])]
    words += ["--root", shlex.quote(str(asked.root))] if asked.root != ROOT else []
    words += ["--address", shlex.quote(asked.address)] if asked.address else []
    but = f", {len(warned)} with a warning" if warned else ""
    return f"All {len(findings)} checks passed{but}: {' '.join(words)}"


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tuning.doctor",
        description="Check whether this machine can run the benchmark.",
    )
    parser.add_argument(
        "--root", type=Path, default=ROOT, metavar="FOLDER", help=f"output folder (default: {ROOT})"
    )
    parser.add_argument(
        "--data", default=TWIN, metavar="twin|PATH", help="synthetic twin or folder (default: twin)"
    )
    parser.add_argument(
        "--address",
        default=os.environ.get("RAY_ADDRESS"),
        help="Ray cluster to join (default: RAY_ADDRESS, else a local one)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        0 when no check failed, 1 when one did, 2 for a bad argument, 130 when the user interrupted.
    """
    args = _parse(argv)
    asked = Asked(args.root, args.data, args.address or None)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # paths and errors hold any letter
    logging.getLogger().addHandler(logging.NullHandler())  # a warning is a finding's matter here
    findings = {}
    try:
        for name, finding in make_checks(asked):
            findings[name] = finding
            if not args.json:
                print(format_finding(name, finding), flush=True)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    end = conclude(findings, asked)
    rows = [{"name": name, **asdict(finding)} for name, finding in findings.items()]
    print(json.dumps({"checks": rows, "verdict": end}, indent=1) if args.json else f"\n{end}")
    return int(any(finding.verdict == FAIL for finding in findings.values()))


if __name__ == "__main__":
    sys.exit(main())
