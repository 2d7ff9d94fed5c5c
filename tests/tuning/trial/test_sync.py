"""Trials' folders that travel over storage: what was put last comes back, whoever is cut off meanwhile."""

import json
from pathlib import Path

import pytest

from data.io.safe_json import RefusedError
from data.io.shared_storage import SharedStorage, SharedStorageError
from tuning.trial.sync import TrialSync, working_copy

KEY = "0123456789abcdef"


@pytest.fixture
def sync(tmp_path: Path) -> TrialSync:
    return TrialSync(SharedStorage(str(tmp_path / "storage")))


def fill(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


def read(folder: Path) -> dict[str, str]:
    return {file.name.replace(".", "_"): file.read_text() for file in folder.iterdir()}


def test_next_worker_gets_what_the_last_one_put(sync: TrialSync, tmp_path: Path) -> None:
    sync.push(KEY, fill(tmp_path / "a", last_pt="one", history_jsonl="1", failure_json="{}"))
    (tmp_path / "a/failure.json").unlink()
    sync.push(KEY, fill(tmp_path / "a", last_pt="two", best_pt="better"))
    sync.fetch(KEY, fill(tmp_path / "b", failure_json="stale"))
    assert read(tmp_path / "b") == {"last_pt": "two", "history_jsonl": "1", "best_pt": "better"}
    stored = [file.name.partition("-")[2] for file in (tmp_path / "storage" / KEY).iterdir()]
    assert sorted(filter(None, stored)) == [
        "best.pt",
        "history.jsonl",
        "last.pt",
    ]  # nothing old is left


def test_driver_takes_no_checkpoint_but_a_model_s(sync: TrialSync, tmp_path: Path) -> None:
    sync.push(KEY, fill(tmp_path / "a", last_pt="x", next_pt="x", best_pt="b", history_jsonl="1"))
    driver = fill(tmp_path / "driver", trial_json="its own")
    sync.pull(KEY, driver, large=False)
    assert read(driver) == {"trial_json": "its own", "history_jsonl": "1"}
    sync.pull(KEY, driver, large=True)
    assert read(driver) == {"trial_json": "its own", "history_jsonl": "1", "best_pt": "b"}


def test_driver_s_notes_do_not_travel(sync: TrialSync, tmp_path: Path) -> None:
    sync.push(KEY, fill(tmp_path / "a", trial_json="x", end_json="{}"))
    sync.fetch(KEY, tmp_path / "b")
    assert read(tmp_path / "b") == {"end_json": "{}"}


def test_worker_cut_off_while_it_puts_leaves_the_epoch_before(
    sync: TrialSync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync.push(KEY, fill(tmp_path / "a", last_pt="one", history_jsonl="1"))
    fill(tmp_path / "a", last_pt="two", history_jsonl="12")
    for end in ("write", "delete"):  # before the index, and after it
        with monkeypatch.context() as patch:
            patch.setattr(SharedStorage, end, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                sync.push(KEY, tmp_path / "a")
        sync.fetch(KEY, tmp_path / "b")
        wanted = ("one", "1") if end == "write" else ("two", "12")
        assert (read(tmp_path / "b")["last_pt"], read(tmp_path / "b")["history_jsonl"]) == wanted


def test_read_while_a_worker_puts_is_tried_again(
    sync: TrialSync, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync.push(KEY, fill(tmp_path / "a", history_jsonl="1"))
    download = SharedStorage.download

    def overtaken(storage: SharedStorage, name: str, target: Path) -> None:
        monkeypatch.setattr(SharedStorage, "download", download)
        sync.push(KEY, fill(tmp_path / "a", history_jsonl="12"))
        download(storage, name, target)

    monkeypatch.setattr(SharedStorage, "download", overtaken)
    sync.pull(KEY, fill(tmp_path / "driver"), large=False)
    assert read(tmp_path / "driver") == {"history_jsonl": "12"}


def test_missing_and_damaged_objects_are_named(sync: TrialSync, tmp_path: Path) -> None:
    sync.push(KEY, fill(tmp_path / "a", history_jsonl="1"))
    (stored,) = (tmp_path / "storage" / KEY).glob("*-history.jsonl")
    stored.write_text("other")
    with pytest.raises(
        SharedStorageError, match=r"must have the hash \w+, but got .* Remove the trial's folder"
    ):
        sync.fetch(KEY, tmp_path / "b")
    stored.unlink()
    with pytest.raises(
        SharedStorageError, match=r"must reach the storage, but got this error for .*history.jsonl"
    ):
        sync.fetch(KEY, tmp_path / "b")


@pytest.mark.parametrize(
    "index", ["[]", "no json", json.dumps({"../../out": "0" * 64}), json.dumps({"last.pt": 1})]
)
def test_index_that_names_other_files_is_refused(
    sync: TrialSync, tmp_path: Path, index: str
) -> None:
    sync.storage.write(f"{KEY}/index.json", index.encode())
    with pytest.raises(RefusedError):
        sync.fetch(KEY, tmp_path / "b")
    assert read(tmp_path / "b") == {}


def test_cleared_trial_leaves_nothing(sync: TrialSync, tmp_path: Path) -> None:
    sync.push(KEY, fill(tmp_path / "a", history_jsonl="1"))
    sync.clear(KEY)
    assert list((tmp_path / "storage" / KEY).iterdir()) == []
    sync.clear(KEY)


def test_stop_mark_is_seen_by_every_node(sync: TrialSync, tmp_path: Path) -> None:
    other = TrialSync(SharedStorage(str(tmp_path / "storage")))
    assert not other.stop.exists()
    sync.stop.touch()
    assert other.stop.exists()
    sync.stop.unlink()
    sync.stop.unlink()
    assert not other.stop.exists()


def test_working_copy_goes_back_and_frees_the_node(sync: TrialSync, tmp_path: Path) -> None:
    for content in ("1", "12"):
        with working_copy(sync, KEY, tmp_path / "cache") as folder:
            assert read(folder) == ({} if content == "1" else {"history_jsonl": "1"})
            fill(folder, history_jsonl=content)
    assert [file for file in (tmp_path / "cache").rglob("*") if file.is_file()] == []
    sync.pull(KEY, fill(tmp_path / "driver"), large=False)
    assert read(tmp_path / "driver") == {"history_jsonl": "12"}
