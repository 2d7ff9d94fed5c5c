"""Check whether this machine can run the benchmark; print a verdict and, where it helps, a remedy for each check.

``python -m tuning.doctor``

The exit code is 1 if a check fails, 2 for a bad argument, else 0; warnings do not fail. The command creates neither the
output folder nor a database. Ray's logs stay in its temporary folder.
"""

from __future__ import annotations  # the annotations must load in Pythons older than 3.10

import argparse
import io
import json
import logging
import os
import shlex
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import tuning.own_packages  # noqa: F401 - first
from data.command.parser import CommandParser, make_parser
from tuning.doctor.check_result import FAIL, OK, WARN, CheckResult, guard

WIDTH = 100
ROOT, TWIN = Path("mlruns"), "twin"  # the defaults of tuning.run
RUN = "python -m tuning.run --model all"


def _load(module: str) -> Any:
    """Import a module of checks late, so that a broken package fails only the checks that need it."""
    return import_module(f"tuning.doctor.{module}")


CHECKS: dict[str, Callable[[argparse.Namespace], CheckResult]] = {
    "Python": lambda _: _load("machine").check_python(),
    "packages": lambda _: _load("machine").check_packages(),
    "cores": lambda _: _load("machine").check_cores(),
    "memory": lambda _: _load("machine").check_memory(),
    "GPU": lambda _: _load("machine").check_gpu(),
    "output": lambda options: _load("folders").check_output(options.root, options.data),
    "temporary": lambda _: _load("folders").check_temporary(),
    "MLflow": lambda options: _load("tracker").check_tracker(options.root),
    "Ray": lambda options: _load("ray_check").check_ray(options.address, options.root),
    "data": lambda options: _load("folders").check_tiles(options.data, options.root),
}


def format_result(name: str, result: CheckResult) -> str:
    """Format a result in columns: verdict, name and finding, with the remedy below. Paths and commands stay whole."""
    indent = " " * (2 + max(map(len, (OK, WARN, FAIL))) + 2 + max(map(len, CHECKS)))
    head = f"{result.verdict:<4}  {name}"
    lines = [(f"{head:<{len(indent)}}", indent, result.found)]
    if result.remedy:
        lines.append((f"{indent}-> ", f"{indent}   ", result.remedy))
    fill = partial(textwrap.fill, width=WIDTH, break_long_words=False, break_on_hyphens=False)
    return "\n".join(
        fill(text, initial_indent=first, subsequent_indent=further)
        for first, further, text in lines
    )


def format_summary(results: Mapping[str, CheckResult], options: argparse.Namespace) -> str:
    """Summarise all results in one sentence; if none failed, add the command to run."""
    failed = [name for name, result in results.items() if result.verdict == FAIL]
    warnings = sum(result.verdict == WARN for result in results.values())
    if failed:
        return f"{len(failed)} of {len(results)} checks failed: {', '.join(failed)}."
    words = [RUN, *(["--data", shlex.quote(options.data)] if options.data != TWIN else [])]
    words += _load("folders").list_region_words(options.data)
    words += ["--root", shlex.quote(str(options.root))] if options.root != ROOT else []
    words += ["--address", shlex.quote(options.address)] if options.address else []
    note = f", {warnings} with a warning" if warnings else ""
    return f"All {len(results)} checks passed{note}: {' '.join(words)}"


def command_parser() -> CommandParser:
    """Return the parser of the command."""
    parser = make_parser(
        "tuning.doctor",
        "Check whether this machine can run the benchmark: a verdict and, where it helps, a remedy for each check. It "
        "creates neither the output folder nor a database.",
        example="--root mlruns --data tiles",
        notes="Exit code: 0 if no check failed, 1 if one did; warnings do not fail.",
    )
    add = parser.add_argument_group("the run to check for").add_argument
    add(
        "--root", type=Path, default=ROOT, metavar="FOLDER", help=f"output folder (default: {ROOT})"
    )
    add(
        "--data",
        default=TWIN,
        metavar="twin|PATH",
        help="the synthetic twin, or a tile folder (default: twin)",
    )
    add(
        "--address",
        default=os.environ.get("RAY_ADDRESS"),
        help="Ray cluster to join (default: RAY_ADDRESS if set, else a local Ray)",
    )
    add = parser.add_argument_group("output").add_argument
    add("--json", action="store_true", help="print one JSON document instead")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Returns:
        0 if no check failed, 1 if one did, 2 for a bad argument, 130 if the user interrupted.
    """
    options = command_parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for paths that are not valid UTF-8
    logging.getLogger().addHandler(logging.NullHandler())  # only results are printed
    results = {}
    try:
        for name, check in CHECKS.items():
            results[name] = result = guard(partial(check, options))
            if not options.json:
                print(format_result(name, result), flush=True)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    summary = format_summary(results, options)
    rows = [{"name": name, **asdict(result)} for name, result in results.items()]
    print(
        json.dumps({"checks": rows, "verdict": summary}, indent=1)
        if options.json
        else f"\n{summary}"
    )
    return int(any(result.verdict == FAIL for result in results.values()))


if __name__ == "__main__":
    sys.exit(main())
