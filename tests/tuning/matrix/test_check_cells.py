"""Tests of cells whose acquisitions the tiles lack: named together, before anything is trained."""

from pathlib import Path

import pytest

from tuning.matrix.command.request import parse_command
from tuning.matrix.planning.check_cells import settle_cells
from tuning.matrix.planning.make_cells import PlannedCell
from tuning.matrix.planning.make_plan import plan_matrix


def settle(root: Path, data: Path, *words: str) -> tuple[PlannedCell, ...]:
    rest = ["--data", str(data), "--cross", "unet", "--preset", "smoke", "--name", "m"]
    command = parse_command(["--vary", *words, *rest])
    return settle_cells(root, plan_matrix(command.options, command.study, root).cells)


@pytest.mark.slow
def test_windows_get_their_numbers_and_all_cells_one_pack(tmp_path: Path, twin: Path) -> None:
    cells = settle(tmp_path, twin, "window=pre:all/post:1..2", "--vary", "channels=s1,VV")
    assert [cell.settings.campaign for cell in cells] == [
        "m-reference",
        "m-window-pre-all-post-1",
        "m-channels-VV",
    ]
    steps = {cell.settings.campaign: cell.settings.steps for cell in cells}
    pre = steps["m-reference"].partition("/")[0]
    assert pre.removeprefix("pre:").isdigit()
    assert steps["m-window-pre-all-post-1"] == f"{pre}/post:1"
    assert all(cell.settings.timesteps < 15 for cell in cells)
    assert len(list((tmp_path / "packs").glob("*/manifest.json"))) == 1


@pytest.mark.slow
def test_every_window_that_is_too_long_is_named(tmp_path: Path, twin: Path) -> None:
    words = "window=pre:1/post:1,pre:1/post:13,pre:1/post:14"
    with pytest.raises(ValueError, match=r"^2 of 3 cells cannot be run: ") as caught:
        settle(tmp_path, twin, words, "--reference", "window=pre:1/post:1")
    for level in ("13", "14"):
        assert f"[window=pre:1/post:{level}] --window pre:1/post:{level} reads {level}" in str(
            caught.value
        )
    assert not (tmp_path / "campaigns").exists()
