"""A trial whose results a bad disk or a power cut has changed is named and made again, and never ranked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tuning.metrics.histogram import BINS
from tuning.trial.entry import TrialEntry, read_entry, write_entry
from tuning.trial.folder import TrialFolder
from tuning.trial.repair import find_damage, repair_trials
from tuning.trial.status import is_finished, read_score

ENTRY = TrialEntry("search-unet", "search", 1, 1, "unet · #01", {"seed": 1}, {}, False)


def make_trial(path: Path, epochs: int = 4, *, ended: bool = True) -> TrialFolder:
    """Write what a search trial of some epochs leaves."""
    folder = TrialFolder(path)
    write_entry(folder, ENTRY)
    for epoch in range(1, epochs + 1):
        folder.append({"epoch": epoch, "best/val_pr_auc": epoch / 10, "lr": 1e-3 / epoch})
    counts = np.zeros((2, BINS), np.int64)
    counts[0, 1], counts[1, 5] = 7, 3
    folder.write_counts("val", counts)
    torch.save({"weights": torch.ones(100)}, folder.best)
    folder.write_arrays("examples", probs=np.ones((8, 8)))
    if ended:
        folder.end("last epoch", epoch=epochs)
    else:
        torch.save({"weights": torch.ones(100)}, folder.last)
    return folder


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(bytes(content))


def cut_history(folder: TrialFolder, keep: Callable[[list[str]], list[str]]) -> None:
    file = folder.path / "history.jsonl"
    file.write_text("".join(keep(file.read_text().splitlines(keepends=True))))


DAMAGE: dict[str, tuple[Callable[[TrialFolder], None], str]] = {
    "history": (
        lambda f: flip(
            f.path / "history.jsonl", (f.path / "history.jsonl").read_text().index("0.2") + 2
        ),
        r"checksum with which they were written, but got another: a bit has changed in line 2 of ",
    ),
    "val counts": (
        lambda f: flip(f.path / "val_counts.npy", 200),
        r"must have the checksum with which it was written.*val_counts\.npy",
    ),
    "checksum of counts": (
        lambda f: flip(f.path / "val_counts.npy", -12),
        "must have the checksum",
    ),
    "end": (
        lambda f: flip(f.path / "end.json", (f.path / "end.json").read_text().index("4")),
        r"end\.json",
    ),
    "examples": (lambda f: flip(f.path / "examples.npz", 80), r"examples\.npz is damaged"),
    "checkpoint": (
        lambda f: flip(f.best, f.best.read_bytes().index(np.ones(9, np.float32).tobytes()) + 3),
        r"best\.pt is damaged",
    ),
    "only the last epoch": (lambda f: cut_history(f, lambda lines: lines[-1:]), "got 1 of 4 in"),
    "the first epochs": (lambda f: cut_history(f, lambda lines: lines[:2]), "got 2 of 4 in"),
    "no history": (lambda f: cut_history(f, lambda lines: []), "got 0 of 4 in"),
    "pages of zeros": (
        lambda f: (f.path / "history.jsonl").write_bytes(b"\0" * 400 + b"\n"),
        "must be JSON",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_the_trial_is_made_again(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage, message = DAMAGE[name]
    folder = make_trial(tmp_path / "key")
    assert find_damage(folder) == ""
    assert repair_trials(tmp_path) == []
    assert read_score(folder) == 0.4
    damage(folder)
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(find_damage(folder))
    assert repair_trials(tmp_path) == [folder.path]
    assert "unet · #01 is trained again from its last sound state." in caplog.text
    assert not is_finished(folder, "search")
    assert read_score(folder) is None
    assert read_entry(folder) == ENTRY
    assert (folder.path / "damaged-1" / "history.jsonl").exists()  # nothing is deleted
    assert repair_trials(tmp_path) == []


def test_an_unfinished_trial_keeps_its_checkpoint_unless_that_is_damaged(tmp_path: Path) -> None:
    folder = make_trial(tmp_path / "key", ended=False)
    cut_history(folder, lambda lines: lines[1:])
    repair_trials(tmp_path)
    assert folder.last.is_file()
    assert folder.best.is_file()
    assert folder.counts("val") is not None
    assert folder.history() == []  # the checkpoint writes it again
    flip(folder.last, folder.last.read_bytes().index(np.ones(9, np.float32).tobytes()) + 3)
    repair_trials(tmp_path)
    assert not folder.last.exists()
    assert sorted(path.name for path in (folder.path / "damaged-2").iterdir()) == [
        "best.pt",
        "last.pt",
        "val_counts.npy",
    ]


def test_a_search_chooses_anew_when_one_of_its_trials_is_made_again(tmp_path: Path) -> None:
    winner, loser = make_trial(tmp_path / "winner"), make_trial(tmp_path / "loser")
    other = make_trial(tmp_path / "other")
    write_entry(winner, replace(ENTRY, model=True))
    write_entry(other, replace(ENTRY, stage="search-other", model=True))
    cut_history(loser, lambda lines: lines[:1])
    repair_trials(tmp_path)
    entries = {folder: read_entry(folder) for folder in (winner, other)}
    assert [entry.model for entry in entries.values() if entry] == [False, True]


def test_results_of_an_earlier_version_without_checksums_are_read(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    (tmp_path / "history.jsonl").write_text('{"epoch": 1}\n')
    (tmp_path / "end.json").write_text('{"reason": "patience"}')
    np.save(tmp_path / "val_counts.npy", np.ones((2, BINS), np.int64))
    assert folder.history() == [{"epoch": 1}]
    assert folder.read("end") == {"reason": "patience"}
    assert folder.counts("val") is not None
    assert find_damage(folder) == ""


@pytest.mark.parametrize("content", ["", "{}", None])
def test_a_trial_whose_entry_is_damaged_is_a_new_one(
    content: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trials = tmp_path / "trials"
    folder, other = make_trial(trials / "key"), make_trial(trials / "other")
    file = folder.path / "trial.json"
    if content is None:
        flip(file, file.read_text().index("#01") + 2)
    else:
        file.write_text(content)
    assert repair_trials(trials) == []
    assert "The trial key is trained again." in caplog.text
    assert [path.name for path in trials.iterdir()] == ["other"]
    assert find_damage(other) == ""
    assert (tmp_path / "damaged-trials" / "key-1" / "history.jsonl").exists()
