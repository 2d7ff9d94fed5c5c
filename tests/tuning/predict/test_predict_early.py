"""A scene with one acquisition after its event is mapped by a model that learnt from such scenes, and by no other unmarked."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from mlflow.models import Model

from data.pack import Pack
from data.pack.profile import measure_profile
from data.splits import Split
from tests.support.served_fixtures import S1, write_checkpoint
from tuning.predict.__main__ import main
from tuning.predict.ensemble import load_members
from tuning.tracking.log_model import save_model
from tuning.train.checkpoints import load_checkpoint

EVENT = "2019-01-20"  # one acquisition of each orbit is later
EARLY = {"1": {"threshold": 0.625, "precision": 0.5, "recall": 0.25, "alarms_per_km2": 1.0}}


def write_model(folder: Path, pack: Pack, split: Split, *, cut: bool) -> Path:
    """Write the folder of a model that reads two acquisitions before and after the event."""
    profile = measure_profile(pack, split.train, S1, "event", 4, cut=cut)
    best = write_checkpoint(folder, steps="event").best
    torch.save(torch.load(best) | {"profile": asdict(profile)}, best)
    meta = Model(metadata={"data": "synthetic"})
    save_model(load_checkpoint(best), meta, folder / "model", early=EARLY if cut else None)
    return folder / "model"


def run(model: Path, quad: Path, *words: str) -> int:
    out = model.parent / "map"
    return main(
        ["--model", str(model), "--input", str(quad), "--out", str(out), "--event", EVENT, *words]
    )


def test_a_model_of_cut_series_maps_with_its_own_threshold_and_says_so(
    pack: Pack, split: Split, quad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path, pack, split, cut=True)
    (member,) = load_members(str(model), tmp_path)
    assert member.find_early(None) == {}
    assert member.choose_threshold(None) == member.threshold
    assert member.choose_threshold(3) == EARLY["1"]["threshold"]
    assert run(model, quad) == 0
    summary = json.loads((tmp_path / "map" / "summary.json").read_text())
    assert summary["few_after_event"] == 1
    assert summary["threshold"] == EARLY["1"]["threshold"]
    assert summary["expected"]["recall"]["value"] == 0.25
    assert "with as few acquisitions after the event" in summary["expected"]["note"]
    output = capsys.readouterr().out
    assert "The scene has 1 acquisition after the event, fewer than the network reads" in output


def test_another_model_refuses_and_maps_marked_on_demand(
    pack: Pack, split: Split, quad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path, pack, split, cut=False)
    assert run(model, quad) == 1
    error = capsys.readouterr().err
    assert "there is 1 after it, where the network learnt from 2 or more. The next pass is" in error
    assert "With --untrusted it is mapped, and marked." in error
    assert not (tmp_path / "map").exists()
    assert run(model, quad, "--untrusted") == 0
    summary = json.loads((tmp_path / "map" / "summary.json").read_text())
    assert "Not trusted: A landslide map needs acquisitions" in summary["warning"]


def test_changed_early_scores_are_refused(
    pack: Pack, split: Split, quad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path, pack, split, cut=True)
    facts = model / "artifacts" / "facts.json"
    facts.write_text(facts.read_text().replace("0.625", "7"))
    assert run(model, quad) == 1
    assert "Scores with few acquisitions must have a threshold in [0, 1]" in capsys.readouterr().err
