"""The experiment matrix's command: campaigns that differ along named axes, compared level by level.

``python -m tuning.matrix --vary channels=s1,VV,VH --cross unet,utae``
"""

import logging
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import tuning.own_packages  # noqa: F401 - first
from data.command.command import bad_arguments, command, report_error, run_resumable
from data.command.explain import writes_to
from tuning.matrix.command.arguments import command_parser
from tuning.matrix.command.request import Command, parse_command

if TYPE_CHECKING:  # these load torch, which --help must not wait for
    from tuning.matrix.plan import MatrixPlan
    from tuning.settings.settings import Settings

__all__ = ["command_parser", "main"]
logger = logging.getLogger(__name__)


@command
def main(argv: list[str] | None = None) -> int:
    """Run, resume or report a matrix, or print its plan.

    Returns:
        0 if every cell is done, 1 if something failed or is missing, 2 for a bad argument, 130 if the user interrupted.
    """
    with bad_arguments():
        given = parse_command(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if given.action == "dry-run":
        return _print_plan(given)
    writes_to(given.root)
    if given.action == "report":
        return _report(given.root, given.named)
    return _resume(given) if given.action == "resume" else _start(given)


def _print_plan(given: Command) -> int:
    from tuning.matrix.cost.budgeted import budget_matrix
    from tuning.matrix.planning.make_plan import plan_matrix

    with tempfile.TemporaryDirectory() as scratch, bad_arguments():
        planned = plan_matrix(given.options, given.study, given.root, Path(scratch))
        text = budget_matrix(planned, given.root, Path(scratch)).text
    print(text)
    print("Nothing was started. Acquisitions are checked when the tiles are packed.")
    return 0


def _start(given: Command) -> int:
    from tuning.matrix.cost.budgeted import budget_matrix
    from tuning.matrix.planning.check_cells import settle_cells
    from tuning.matrix.planning.make_plan import plan_matrix
    from tuning.matrix.saved_matrices import find_unfinished, save_matrix

    with bad_arguments():
        planned = plan_matrix(given.options, given.study, given.root)
        first = budget_matrix(planned, given.root, given.root)  # before tiles are made
        unfinished = find_unfinished(given.root, first.plan, first.settings)
        if "name" not in given.options and unfinished and _confirm_resume(unfinished):
            return _resume(replace(given, named=unfinished, options={}))
        cells = settle_cells(given.root, planned.cells)
        planned = replace(planned, cells=cells)
        budgeted = budget_matrix(planned, given.root, given.root)
        save_matrix(given.root, budgeted.plan, budgeted.settings)
    for line in filter(None, budgeted.text.splitlines()):
        logger.info("%s", line)
    return _run(given.root, budgeted.plan, budgeted.settings)


def _resume(given: Command) -> int:
    from tuning.matrix.saved_matrices import load_matrix

    with bad_arguments():
        plan, cells = load_matrix(given.root, given.named)
    if "stack_seeds" in given.options:
        stack = given.options["stack_seeds"]
        cells = [replace(one, stack_seeds=stack) for one in cells]
    if address := given.options.get("address") or os.environ.get("RAY_ADDRESS"):
        cells = [replace(one, address=None if address == "local" else address) for one in cells]
    return _run(given.root, plan, cells)


def _confirm_resume(name: str) -> bool:
    """Ask whether to resume an interrupted matrix of the same command.

    Raises:
        ValueError: If standard input is no terminal.
    """
    text = f"The same command was interrupted: matrix {name}."
    if sys.stdin.isatty():
        return input(f"{text} Resume it? [Y/n] ").strip().lower() in ("", "y", "yes")
    raise ValueError(
        f"{text} Resume it with --resume {name}, or start another one with --name NAME."
    )


def _run(root: Path, plan: "MatrixPlan", cells: "Sequence[Settings]") -> int:
    from tuning.matrix.run_matrix import run_matrix

    def run() -> int:
        outcome = run_matrix(root, plan, cells)
        code = _report(root, plan.name, known=outcome.missing)
        if outcome.missing or code:
            _print_resume_command(root, plan.name)
        return code

    return run_resumable(run, partial(_print_resume_command, root, plan.name))


def _report(root: Path, name: str | None, known: Sequence[str] = ()) -> int:
    """Write and print the report of a matrix, then what is missing; return the exit code.

    Args:
        root: Output folder.
        name: Name of the matrix; the latest if None.
        known: What this command found to be missing; what the tracker lacks if empty.
    """
    from tuning.matrix.report.write_report import write_matrix_report
    from tuning.matrix.terminal import format_report

    missing, code = tuple(known), 0
    try:
        report = write_matrix_report(root, name)
        print(format_report(root, report))
        missing = missing or report.missing
    except Exception as error:  # noqa: BLE001 - reported
        code = report_error(error)
    for sentence in missing:
        print(f"error: {sentence}", file=sys.stderr)
    return 1 if missing else code


def _print_resume_command(root: Path, name: str) -> None:
    words = shlex.join(["--resume", name, "--root", str(root)])
    print(
        f"What is done is kept. Continue with: python -m tuning.matrix {words}",
        file=sys.stderr,
    )


if __name__ == "__main__":
    sys.exit(main())
