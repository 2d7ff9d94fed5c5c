"""What a trial's folder holds is read with the present names, whichever version wrote it."""

from pathlib import Path

import pytest

from tuning.trial.folder import VAL_AP, TrialFolder


def test_history_of_an_earlier_version_has_the_present_names(tmp_path: Path) -> None:
    folder = TrialFolder(tmp_path)
    folder.append({"epoch": 1, "val_pr_auc": 0.25, "best_val_pr_auc": 0.25})
    folder.append({"epoch": 2, "val_pr_auc": 0.5, VAL_AP: 0.5})  # resumed by this version
    names = ["epoch", "val_pr_auc", VAL_AP]
    assert [list(row) for row in folder.history()] == [names, names]
    assert [row[VAL_AP] for row in folder.history()] == [0.25, 0.5]
    folder.rewrite_history(folder.history())
    assert "best_val_pr_auc" not in (tmp_path / "history.jsonl").read_text()
    assert [row[VAL_AP] for row in folder.history()] == [0.25, 0.5]


def test_changed_line_of_an_earlier_version_is_still_refused(tmp_path: Path) -> None:
    folder, file = TrialFolder(tmp_path), tmp_path / "history.jsonl"
    folder.append({"epoch": 1, "best_val_pr_auc": 0.25})
    file.write_text(file.read_text().replace("0.25", "0.35"))
    with pytest.raises(ValueError, match=r"line 1 of .*history\.jsonl"):
        folder.history()
