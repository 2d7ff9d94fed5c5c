"""Seeds trained at once equal seeds trained one by one."""

from pathlib import Path

import pytest
import torch

from data.pack import Pack
from tests.support.training import CPU, TIMED_FIELDS, FaultyNet, train_rows
from tuning.train.checkpoints import load_checkpoint, make_model
from tuning.train.multi_seed import SeedRun, fit_stacked
from tuning.train.training import BadTrialError
from tuning.trial.folder import Config, Row, TrialFolder

SEEDS = (42, 7, 9)


def stack(config: Config, pack: Pack, folder: Path, stop: int = 0) -> list[str | BadTrialError]:
    """Train three seeds at once; interrupt them once the first has *stop* epochs."""

    def report(row: Row) -> None:
        if stop and row["epoch"] == stop:
            raise KeyboardInterrupt

    seeds = [SeedRun(config | {"seed": seed}, folder / str(seed), report) for seed in SEEDS]
    return fit_stacked(seeds, pack, device=CPU)


def read_rows(folder: Path) -> list[Row]:
    rows = TrialFolder(folder).history()
    return [
        {name: value for name, value in row.items() if name not in TIMED_FIELDS} for row in rows
    ]


def same_weights(folder: Path, other: Path) -> bool:
    pair = [load_checkpoint(path / "best.pt").model.state_dict() for path in (folder, other)]
    return all(torch.equal(pair[0][name], pair[1][name]) for name in pair[0])


def test_each_seed_of_a_stack_equals_the_seed_trained_alone(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    config["arch"] |= {"dropout": 0.2}
    config |= {"lr": 0.02, "patience": 1, "epochs": 4}  # so that the seeds end at different epochs
    outcomes = stack(config, pack, tmp_path / "stack")
    for seed, outcome in zip(SEEDS, outcomes, strict=True):
        alone, stacked = tmp_path / "alone" / str(seed), tmp_path / "stack" / str(seed)
        assert read_rows(stacked) == train_rows(config | {"seed": seed}, pack, alone)
        assert same_weights(stacked, alone)
        assert {file.name for file in stacked.iterdir()} == {file.name for file in alone.iterdir()}
        assert outcome == TrialFolder(alone).read("end")["reason"]


def test_interrupted_stack_resumes_as_if_uninterrupted(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    config["arch"] |= {"dropout": 0.2}
    whole = stack(config, pack, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):  # one seed has two epochs then, the others one
        stack(config, pack, tmp_path / "resumed", stop=2)
    assert stack(config, pack, tmp_path / "resumed") == whole == ["last epoch"] * 3
    for seed in map(str, SEEDS):
        assert read_rows(tmp_path / "resumed" / seed) == read_rows(tmp_path / "whole" / seed)
        assert same_weights(tmp_path / "resumed" / seed, tmp_path / "whole" / seed)
    assert stack(config, pack, tmp_path / "resumed") == whole  # all have ended


def test_failed_seed_does_not_affect_the_others(
    config: Config, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(config: Config, packs: Path) -> torch.nn.Module:
        return FaultyNet(float("nan")) if config["seed"] == SEEDS[1] else make_model(config)

    monkeypatch.setattr("tuning.train.training.start_model", make)
    first, failed, last = stack(config | {"epochs": 1}, pack, tmp_path)
    assert first == last == "last epoch"
    assert isinstance(failed, BadTrialError)
    assert "val loss must stay finite, but got nan in epoch 1" in str(failed)
    assert TrialFolder(tmp_path / str(SEEDS[1])).read("end") is None


def test_stack_restores_the_shared_generator(config: Config, pack: Pack, tmp_path: Path) -> None:
    states = []
    for name in "ab":
        torch.manual_seed(1)
        stack(config | {"epochs": 1}, pack, tmp_path / name)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_stack_refuses_different_configs_and_equal_seeds(
    config: Config, pack: Pack, tmp_path: Path
) -> None:
    other = config | {"seed": 1, "lr": 1.0, "clip": 2.0}
    seeds = [SeedRun(one, tmp_path / str(one["seed"]), print) for one in (config, other)]
    with pytest.raises(
        ValueError, match=r"must have one config, but two differ in clip, lr\. Train"
    ):
        fit_stacked(seeds, pack, device=CPU)
    with pytest.raises(ValueError, match=r"must differ, but got 42, 42\. Name each seed once"):
        fit_stacked([seeds[0], seeds[0]], pack, device=CPU)
