"""The commands of ``landslide``: one row each, in the order of its help. A new command is one row here.

Its module has ``main(argv)``, which returns an exit code, and ``command_parser()``; importing it loads nothing heavy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import NamedTuple

from data.command.parser import CommandParser, called_as

BENCHMARK = "benchmark"
MODELS = "models and maps"
DATA = "data"
TRIALS = "single trials and networks"
CHECKS = "checks"


class Row(NamedTuple):
    """One command.

    Attributes:
        name: What follows ``landslide``.
        module: What follows ``python -m``.
        group: Heading in the help.
        about: One line for the help.
    """

    name: str
    module: str
    group: str
    about: str


COMMANDS = (
    Row("run", "tuning.run", BENCHMARK, "search, train, compare and register networks"),
    Row("matrix", "tuning.matrix", BENCHMARK, "the same along axes: inputs, labels, events"),
    Row("report", "tuning.report", BENCHMARK, "tables, figures and page of a campaign"),
    Row("bundle", "tuning.bundle", BENCHMARK, "results in one file that others verify"),
    Row("verify", "tuning.verify", BENCHMARK, "recompute the results in such a file"),
    Row("score", "tuning.score", BENCHMARK, "score maps of another program beside a campaign"),
    Row("leaderboard", "tuning.leaderboard", BENCHMARK, "one page from bundles of many campaigns"),
    Row("tracking", "tuning.tracking", BENCHMARK, "send to MLflow what it did not receive"),
    Row("registry", "tuning.registry", MODELS, "list, promote, export and publish models"),
    Row("predict", "tuning.predict", MODELS, "map landslides with a registered model"),
    Row("scene", "data.scene", MODELS, "load a datacube of a place around an event"),
    Row("fetch", "data.fetch", DATA, "download the real tiles"),
    Row("twin", "data.twin", DATA, "write synthetic tiles"),
    Row("check", "data.check", DATA, "check the tile files of a folder"),
    Row("splits", "data.splits", DATA, "audit splits for leakage, with a map"),
    Row("train", "tuning.train", TRIALS, "train one config, without Ray or MLflow"),
    Row("reproduce", "tuning.reproduce", TRIALS, "rerun a logged trial and compare its scores"),
    Row("check-network", "models.check", TRIALS, "try a network against the contract"),
    Row("doctor", "tuning.doctor", CHECKS, "can this machine run the benchmark?"),
    Row("worlds", "tuning.worlds", CHECKS, "how often verdicts are right, on many twins"),
)


def find_row(name: str) -> Row | None:
    """Return the row of a command; None if there is none of that name."""
    return next((row for row in COMMANDS if row.name == name), None)


@contextmanager
def load_command(row: Row) -> Iterator[ModuleType]:
    """Import a command's module, which is called ``landslide NAME`` in the help and errors of parsers made inside."""
    spec = find_spec(row.module)
    is_package = spec is not None and spec.submodule_search_locations is not None
    with called_as(row.module, f"landslide {row.name}"):
        yield import_module(f"{row.module}.__main__" if is_package else row.module)


def load_parser(row: Row) -> CommandParser:
    """Return the parser of a command."""
    with load_command(row) as module:
        parser: CommandParser = module.command_parser()
    return parser
