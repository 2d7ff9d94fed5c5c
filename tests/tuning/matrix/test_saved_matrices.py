"""Tests of matrices on disk: saved as a whole, loaded as they were, run by one process."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.matrices import save_tiny
from tuning.matrix.saved_matrices import (
    MATRICES,
    find_unfinished,
    free_name,
    list_matrices,
    load_matrix,
    lock_matrix,
    mark_ended,
    matrix_folder,
    read_state,
    save_matrix,
)
from tuning.settings.lock import is_running
from tuning.settings.saved_campaigns import campaign_folder, save_settings


def begin(root: Path, campaign: str) -> None:
    (campaign_folder(root, campaign) / "trials" / "one").mkdir(parents=True)


def test_a_saved_matrix_is_loaded_as_it_was(tmp_path: Path) -> None:
    plan, cells = save_tiny(tmp_path)
    assert load_matrix(tmp_path, "tiny") == load_matrix(tmp_path, None) == (plan, cells)
    assert list_matrices(tmp_path) == ["tiny"]
    assert free_name("tiny", tmp_path) == "tiny-2"


def test_a_killed_save_can_be_repeated(tmp_path: Path) -> None:
    plan, cells = save_tiny(tmp_path)
    (tmp_path / MATRICES / "tiny" / "matrix.json").unlink()
    assert list_matrices(tmp_path) == []
    save_matrix(tmp_path, plan, cells)
    assert load_matrix(tmp_path, "tiny") == (plan, cells)


def test_a_matrix_takes_no_name_of_another(tmp_path: Path) -> None:
    plan, cells = save_tiny(tmp_path)
    with pytest.raises(ValueError, match=r"A matrix's name must be new, but 'tiny' exists in"):
        save_matrix(tmp_path, plan, cells)
    save_settings(tmp_path, replace(cells[0], campaign="new-reference", matrix="", places=()))
    other = [replace(one, campaign=one.campaign.replace("tiny", "new")) for one in cells]
    with pytest.raises(ValueError, match=r"must be new, but new-reference exist below"):
        save_matrix(tmp_path, replace(plan, name="new"), other)


def test_a_matrix_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"--resume continues a matrix, but .*/matrices has none\. "
    ):
        load_matrix(tmp_path, None)
    save_tiny(tmp_path)
    with pytest.raises(ValueError, match=r"Unknown matrix 'tny'\. Did you mean 'tiny'"):
        load_matrix(tmp_path, "tny")


def test_one_process_runs_a_matrix(tmp_path: Path) -> None:
    save_tiny(tmp_path)
    with lock_matrix(tmp_path, "tiny"):
        assert is_running(matrix_folder(tmp_path, "tiny"))
        with (
            pytest.raises(ValueError, match=r"run by one process at a time, but tiny is being run"),
            lock_matrix(tmp_path, "tiny"),
        ):
            pass
    assert not is_running(matrix_folder(tmp_path, "tiny"))


def test_the_same_command_finds_what_it_left(tmp_path: Path) -> None:
    plan, cells = save_tiny(tmp_path)
    again = [replace(one, campaign=f"x{one.campaign}", matrix="x") for one in cells]
    assert find_unfinished(tmp_path, plan, again) is None  # has not begun
    begin(tmp_path, cells[1].campaign)
    assert find_unfinished(tmp_path, plan, again) == "tiny"
    other = [replace(one, trials=7) for one in again]
    assert find_unfinished(tmp_path, plan, other) is None
    assert find_unfinished(tmp_path, replace(plan, search="per-cell"), again) is None
    with lock_matrix(tmp_path, "tiny"):
        assert find_unfinished(tmp_path, plan, again) is None
    identity, ended = read_state(tmp_path, "tiny")
    assert not ended
    mark_ended(tmp_path, "tiny")
    assert read_state(tmp_path, "tiny") == (identity, True)
    assert find_unfinished(tmp_path, plan, again) is None
