import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from data.pack import Pack, make_pack
from data.splits import Split
from tuning.reproduce.__main__ import main
from tuning.reproduce.rerun import absolute_difference
from tuning.settings.settings import PACKS
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.tracker import Tracker
from tuning.train.evaluate import measure_test
from tuning.train.fit import fit
from tuning.trial.folder import Config, Row, TrialFolder

CPU = torch.device("cpu")
COMMIT = "c" * 40
REPEAT = {"study": "unet", "stage": "repeat"}


class KilledError(Exception):
    """What a scheduler does to a trial."""


def train_and_stop(config: Config, pack: Pack, folder: Path, after: int) -> None:
    """Train, and be stopped after an epoch."""

    def report(row: Row) -> None:
        if row["epoch"] == after:
            raise KilledError

    with pytest.raises(KilledError):
        fit(config, pack, folder, report, device=CPU)


class Logged:
    """A root with a campaign of a repeat trial, a stopped search trial and a baseline."""

    def __init__(self, root: Path, config: Config, pack: Pack, split: Split) -> None:
        self.root, self.config, self.pack = root, config, pack
        (root / PACKS).symlink_to(pack.path.parent)
        context = ("first", "smoke", "blocks", split.hash, pack.hash, "synthetic", "s1", "2 even")
        self.tracker = Tracker(root, CampaignContext(*context, COMMIT))
        self.campaign = self.tracker.open_run("campaign", "campaign", "first")
        self.study = self.tracker.open_run("study", "s", "unet", self.campaign, {"study": "unet"})
        self.whole = root / "whole"
        fit(config, pack, self.whole, lambda row: None, device=CPU)
        measure_test(TrialFolder(self.whole), pack, split, CPU)
        self.trial = self.log("whole", self.whole, "last epoch", config, tags=REPEAT)
        self.tags = REPEAT | {"model_uri": self.run_tags(self.trial)["model_uri"]}
        train_and_stop(config | {"lr": 1e-3}, pack, root / "stopped", 2)
        self.stopped = self.log("stopped", root / "stopped", "scheduler", config | {"lr": 1e-3})
        tags = {"study": "log_ratio", "stage": "repeat"}
        self.baseline = self.tracker.open_run("trial", "b", "baseline", self.study, tags)

    def log(
        self,
        key: str,
        folder: Path,
        ended_by: str = "last epoch",
        params: Config | None = None,
        tags: dict[str, str] | None = None,
        message: str = "",
    ) -> str:
        """Log a trial's folder as a run; without tags it has the model of the whole trial."""
        params, tags = params or self.config, tags or self.tags
        run_id = self.tracker.open_run("trial", key, f"unet {key}", self.study, tags, params)
        self.tracker.finish(run_id, TrialFolder(folder), ended_by, message)
        return run_id

    def copy(self, to: Path, **changes: Any) -> Path:
        """Copy the whole trial's folder, with changes of its config."""
        shutil.copytree(self.whole, to)
        TrialFolder(to).write("config", self.config | changes)
        return to

    def change_environment(self, folder: Path, **changes: Any) -> None:
        """Change what a copied trial says of its machine."""
        trial_folder = TrialFolder(folder)
        trial_folder.write("environment", trial_folder.read("environment") | changes)

    def run_tags(self, run_id: str) -> dict[str, str]:
        tags: dict[str, str] = self.tracker.client.get_run(run_id).data.tags
        return tags


@pytest.fixture(scope="module")
def logged(
    tmp_path_factory: pytest.TempPathFactory, base_config: Config, pack: Pack, split: Split
) -> Logged:
    return Logged(tmp_path_factory.mktemp("mlruns"), base_config, pack, split)


@pytest.fixture
def ask(logged: Logged, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Call the command on the logged root; return exit code, output and errors."""

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        given = [str(argument) for argument in arguments]
        given += [] if "--root" in given else ["--root", str(logged.root)]
        capsys.readouterr()
        code = main(given)
        return code, *capsys.readouterr()

    return call


Ask = Callable[..., tuple[int, str, str]]


def lines(out: str) -> dict[str, tuple[float, ...]]:
    """Read logged value, rerun value and difference by the name of a table's line."""
    value = r"(\d\.\d{8}|lacking)"
    rows = re.findall(rf"^ *(\S.*?) +{value} +{value} +(\S+)$", out, re.MULTILINE)
    return {
        name: (*(float(text.replace("lacking", "nan")) for text in pair), float(difference))
        for name, *pair, difference in rows
    }


def read_files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_rerun_gives_the_numbers_of_its_trial(logged: Logged, ask: Ask) -> None:
    before = read_files(logged.whole)
    code, out, err = ask(logged.trial[:20])
    table = lines(out)
    assert code == 0, out + err
    assert list(table) == ["1", "2", "3", "best val AP", "test AP", "test F1", "threshold"]
    assert all(row[2] <= 1e-6 for row in table.values())
    history, test = TrialFolder(logged.whole).history(), TrialFolder(logged.whole).read("test")
    assert [table[str(row["epoch"])][0] for row in history] == pytest.approx(
        [row["val_pr_auc"] for row in history], abs=1e-8
    )
    assert table["test F1"][1] == pytest.approx(test["f1_dice"], abs=1e-6)
    assert "SYNTHETIC (the twin's) tiles" in out
    assert "Trial on cpu (threads: 1), rerun on cpu (threads: 1): must agree within 1e-06" in out
    assert "All scores agree within 1e-06." in out
    assert read_files(logged.whole) == before


def test_stopped_trial_is_rerun_to_where_it_stopped(logged: Logged, ask: Ask) -> None:
    code, out, err = ask(logged.stopped)
    assert code == 0, out + err
    assert "ended by scheduler" in out
    assert list(lines(out)) == ["1", "2", "best val AP"]  # of three epochs; never test


def test_rerun_is_kept_where_asked_and_never_continued(
    logged: Logged, ask: Ask, tmp_path: Path
) -> None:
    code, out, err = ask(logged.stopped, "--to", tmp_path / "to")
    assert code == 0, out + err
    assert len(TrialFolder(tmp_path / "to").history()) == 2
    for folder in (tmp_path / "to", logged.root / "campaigns" / "first" / "trials" / "new"):
        code, _, err = ask(logged.trial, "--to", folder)
        assert code == 2
        assert f"needs a new or empty folder outside {logged.root / 'campaigns'}, but got" in err


def test_rerun_has_the_trial_s_threads(logged: Logged, ask: Ask) -> None:
    torch.set_num_threads(2)  # other threads give other numbers
    try:
        code, out, err = ask(logged.stopped)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert code == 0, out + err
    assert "rerun on cpu (threads: 1)" in out
    _, out, _ = ask(logged.stopped, "--threads", "3")
    assert "Trial on cpu (threads: 1), rerun on cpu (threads: 3)" in out
    assert torch.get_num_threads() == 1


def test_threads_must_be_one_or_more(logged: Logged, ask: Ask) -> None:
    code, _, err = ask(logged.trial, "--threads", "0")
    assert (code, err) == (2, "error: --threads must be 1 or more, but got 0.\n")


def test_changed_metric_is_different(logged: Logged, ask: Ask) -> None:
    run_id = logged.log("tampered", logged.whole)
    test = TrialFolder(logged.whole).read("test")["pr_auc"]
    logged.tracker.client.log_metric(run_id, "test/pr_auc", test + 0.01, timestamp=1)
    code, out, _ = ask(run_id)
    assert code == 1
    assert lines(out)["test AP"][2] == pytest.approx(0.01, abs=1e-4)
    assert lines(out)["test F1"][2] <= 1e-6
    assert "DIFFERENT: scores differ by up to 1.0e-02, more than 1e-06." in out


def test_epoch_that_the_rerun_lacks_is_different(logged: Logged, ask: Ask) -> None:
    run_id = logged.log("longer", logged.whole)
    logged.tracker.client.log_metric(run_id, "val_pr_auc", 0.5, timestamp=1, step=4)
    code, out, _ = ask(run_id)
    assert code == 1
    assert "missing          inf" in out
    assert "DIFFERENT: scores differ by up to inf" in out


def test_gpu_s_trial_may_differ_a_little(
    logged: Logged, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tuning.reproduce.rerun.choose_device", lambda: CPU
    )  # also where there is a GPU
    folder = logged.copy(tmp_path / "gpu")
    logged.change_environment(folder, device="cuda")
    run_id = logged.log("gpu", folder)
    test = TrialFolder(logged.whole).read("test")["pr_auc"]
    logged.tracker.client.log_metric(run_id, "test/pr_auc", test + 1e-4, timestamp=1)
    code, out, _ = ask(run_id)
    assert code == 0, out
    assert "Trial on cuda (threads: 1), rerun on cpu (threads: 1): must agree within 1e-03" in out


def test_difference_of_two_scores() -> None:
    nan, inf = float("nan"), float("inf")
    assert absolute_difference(0.5, 0.25) == absolute_difference(0.25, 0.5) == 0.25
    assert absolute_difference(nan, nan) == 0
    assert (
        absolute_difference(nan, 0.5)
        == absolute_difference(0.5, nan)
        == absolute_difference(None, 0.5)
        == absolute_difference(0.5, None)
        == inf
    )


def test_rerun_that_breaks_is_a_failure(logged: Logged, ask: Ask, tmp_path: Path) -> None:
    broken = {"lr": 1e30}
    run_id = logged.log(
        "broken", logged.copy(tmp_path / "b", **broken), params=logged.config | broken
    )
    code, _, err = ask(run_id)
    assert code == 1
    assert "error: The loss must stay finite, but got nan in epoch 1." in err


def test_other_commit_and_packages_are_named(logged: Logged, ask: Ask, tmp_path: Path) -> None:
    assert "torch" not in ask(logged.stopped)[2]
    folder = logged.copy(tmp_path / "older")
    packages = TrialFolder(folder).read("environment")["packages"]
    logged.change_environment(folder, packages={**packages, "torch": "0.1", "gone": "7"})
    code, _, err = ask(logged.log("older", folder))
    assert code == 0  # a warning: the numbers decide
    assert f"warning: The trial ran at commit {COMMIT}, the rerun at " in err
    now = torch.__version__.split("+")[0]
    assert f"warning: The trial ran with torch 0.1, the rerun with {now}." in err
    assert "warning: The trial ran with gone 7, the rerun with none." in err


def test_unknown_run_is_named_with_the_nearest(logged: Logged, ask: Ask) -> None:
    wrong = logged.trial[:-1] + ("0" if logged.trial[-1] != "0" else "1")
    code, _, err = ask(wrong)
    assert code == 2
    assert f"Unknown run {wrong!r}. Did you mean {logged.trial!r}? Available: {logged.trial}" in err
    assert logged.campaign not in err


def test_start_of_several_ids_is_refused(logged: Logged, ask: Ask) -> None:
    code, _, err = ask("")
    assert code == 2
    assert "The start of an id must match one run, but '' matches " in err


def test_run_of_another_kind_is_refused(logged: Logged, ask: Ask) -> None:
    for run_id, kind in ((logged.campaign, "campaign"), (logged.study, "study")):
        code, _, err = ask(run_id)
        assert code == 2
        assert f"A rerun needs a trial, but got the {kind} run {run_id}" in err
        assert f"trials: {logged.trial} (unet whole), {logged.stopped}" in err
        assert logged.baseline not in err
    code, _, err = ask(logged.baseline)
    assert code == 2
    assert f"but run {logged.baseline} (baseline) is of 'log_ratio'" in err


def test_trial_without_an_end_or_a_checkpoint_is_refused(
    logged: Logged, ask: Ask, tmp_path: Path
) -> None:
    running = logged.tracker.open_run("trial", "running", "r", None, REPEAT)
    code, _, err = ask(running)
    assert code == 2
    assert "needs a finished trial" in err
    assert "has the status RUNNING. Continue it with `python -m tuning.run --resume first`" in err
    failed = logged.log("failed", tmp_path, "error", tags=REPEAT, message="The loss is gone.")
    code, _, err = ask(failed)
    assert code == 2
    assert "A rerun needs a trial with a complete epoch" in err
    assert "has none and ended by error. The loss is gone." in err


def test_params_that_contradict_the_config_are_refused(
    logged: Logged, ask: Ask, tmp_path: Path
) -> None:
    folder = logged.copy(tmp_path / "other", lr=0.5)
    code, _, err = ask(logged.log("contradiction", folder))
    assert code == 2
    assert "must be equal, but 1 values contradict each other" in err
    assert "lr 0.003 and 0.5. One was changed after the trial" in err


def test_config_that_is_lost_or_broken_is_refused(logged: Logged, ask: Ask, tmp_path: Path) -> None:
    folder = logged.copy(tmp_path / "config")
    (folder / "config.json").write_text("{")
    code, _, err = ask(logged.log("no-json", folder))
    assert code == 2
    assert "The text must be JSON, but got Expecting" in err
    assert "in the artifact trial/config.json of run" in err
    (folder / "config.json").unlink()
    code, _, err = ask(logged.log("no-config", folder))
    assert code == 2
    assert "A rerun needs the artifact trial/config.json, but run " in err


def test_changed_data_is_refused(
    logged: Logged,
    ask: Ask,
    copy_tiles: Callable[[], Path],
    spoil: Callable[[Path, str, str], Path],
    tmp_path: Path,
) -> None:
    tiles = copy_tiles()
    spoil(tiles, logged.pack.tile_ids[0], "s1asc")
    changed = make_pack(tiles, tmp_path / "packs")
    code, _, err = ask(logged.trial, "--pack", changed.path)
    assert code == 2
    wanted = f"A rerun needs its trial's data, pack-{logged.pack.hash}, but got "
    assert f"{wanted}the hash {changed.hash} in {changed.path}. Build it again" in err
    packs = logged.root / PACKS
    packs.rename(logged.root / "away")
    try:
        packs.symlink_to(tmp_path / "packs")
        code, _, err = ask(logged.trial)
        packs.unlink()
        assert ask(logged.trial)[2].startswith(f"error: {wanted}no pack in {packs}.")
    finally:
        (logged.root / "away").rename(packs)
    assert code == 2
    assert f"{wanted}pack-{changed.hash} in {packs}." in err
    again = f"python -m tuning.run --preset smoke --split blocks --channels s1 --root {logged.root}"
    assert f"from the same tiles with `{again}`, or choose its folder with --pack." in err


def test_folder_that_is_no_pack_is_refused(logged: Logged, ask: Ask, tmp_path: Path) -> None:
    code, _, err = ask(logged.trial, "--pack", tmp_path)
    assert code == 2
    assert f"A pack must be a folder with a manifest.json, but got {tmp_path}." in err


def test_changed_split_is_refused(logged: Logged, ask: Ask) -> None:
    tags = logged.tags | {"split_hash": "5" * 12}
    code, _, err = ask(logged.log("split", logged.whole, tags=tags))
    assert code == 2
    assert "A rerun needs its trial's split, hash 555555555555, but blocks has the hash " in err
    assert f"Check out commit {COMMIT}." in err


def test_root_without_runs_is_refused(logged: Logged, ask: Ask, tmp_path: Path) -> None:
    code, _, err = ask("a", "--root", tmp_path / "typo")
    assert code == 2
    assert (
        f"must hold a campaign's database mlflow.db, but {tmp_path / 'typo'} does not exist." in err
    )
    assert not (tmp_path / "typo").exists()


def test_tracker_that_does_not_answer_is_a_failure(
    logged: Logged, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    code, _, err = ask(logged.trial)
    assert code == 1
    assert "tracker must answer, but http://127.0.0.1:1 gave" in err


@pytest.mark.parametrize(
    "changes",
    [
        {"threads": 10**9},
        {"threads": "2"},
        {"device": "cuda:99"},
        {"packages": [1]},
        {"threads": True},
    ],
)
def test_environment_of_something_else_is_refused(
    logged: Logged, ask: Ask, tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = logged.copy(tmp_path / "other")
    logged.change_environment(folder, **changes)
    run_id = logged.log(f"environment {tmp_path.name}", folder)
    code, _, err = ask(run_id)
    assert code == 2
    assert "environment.json must have a device, 1 to 1024 threads and packages, but got" in err
    assert run_id in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "must not be nested deeply"),
        ('{"a": ' * 900 + "1" + "}" * 900, "lacks model"),
        ("[]", "must be an object, but got a list"),
    ],
)
def test_config_of_something_else_is_refused(
    logged: Logged, ask: Ask, text: str, message: str
) -> None:
    run_id = logged.log(f"config {len(text)}", logged.whole)
    logged.tracker.client.log_text(run_id, text, "trial/config.json")
    code, _, err = ask(run_id)
    assert code == 2
    assert message in err
    assert "Traceback" not in err
