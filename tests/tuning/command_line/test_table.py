"""The table of commands holds every command, each under one name."""

from collections import Counter

import pytest

from docs.packages import list_modules
from tuning.command_line.table import COMMANDS, find_row, load_command, load_parser


def test_every_command_of_the_code_is_in_the_table() -> None:
    found = {name.removesuffix(".__main__") for name in list_modules() if "__main__" in name}
    found = found - {"tuning.command_line"} | {"tuning.run", "tuning.verify"}
    assert {row.module for row in COMMANDS} == found


def test_names_differ_and_groups_stand_together() -> None:
    assert max(Counter(row.name for row in COMMANDS).values()) == 1
    groups = [row.group for row in COMMANDS]
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)
    assert max(len(row.about) for row in COMMANDS) <= 60  # one line of 80 columns


def test_a_row_is_found_by_its_name_alone() -> None:
    row = find_row("report")
    assert row is not None
    assert row.module == "tuning.report"
    assert find_row("tuning.report") is None


def test_a_command_has_the_name_of_its_caller_only_during_the_call() -> None:
    row = find_row("score")
    assert row is not None
    with pytest.raises(KeyboardInterrupt) as stop, load_command(row) as module:
        raise KeyboardInterrupt(module.command_parser().prog)
    assert stop.value.args == ("landslide score",)
    assert load_parser(row).prog == "landslide score"
    assert module.command_parser().prog == "python -m tuning.score"
