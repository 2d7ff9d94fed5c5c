import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.settings import make_settings
from tuning.baselines import measure
from tuning.baselines.work import JOURNALS
from tuning.campaign.measure_baselines import measure_baselines, send_measured
from tuning.objects.label_noise import label_train
from tuning.trial.folder import TrialFolder

KEY = "log_ratio_vv"


class Setup(SimpleNamespace):
    """A campaign's set-up without a tracker; counts the predictions that were scored on val."""

    def __init__(
        self, folder: Path, pack: Pack, splits: Sequence[Split], **changes: object
    ) -> None:
        settings = make_settings(models=(), baselines=(KEY,), **changes)
        self.sent: list[Path] = []
        sender = SimpleNamespace(submit=lambda trial: self.sent.append(trial.path))
        super().__init__(
            settings=settings,
            pack=pack,
            splits=splits,
            folder=folder,
            trials=folder / "trials",
            sender=sender,
        )

    def configs(self) -> list[dict[str, Any]]:
        """Return the configs of the trials, in the order in which they were sent."""
        return [TrialFolder(path).read("config") for path in self.sent]


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """Collect the tiles of each sample that a search scores."""
    found, score = [], measure.score_tiles

    def count(predict: Any, pack: Pack, tiles: Sequence[str]) -> float:
        found.append(tiles)
        return score(predict, pack, tiles)

    monkeypatch.setattr(measure, "score_tiles", count)
    return found


def test_baselines_read_the_acquisitions_and_are_tuned_like_the_networks(
    pack: Pack, split: Split, tmp_path: Path, scored: list[Sequence[str]]
) -> None:
    setup = Setup(tmp_path, pack, [split], trials=3, timesteps=2, steps="event")
    measure_baselines(setup)  # type: ignore[arg-type]
    (config,) = setup.configs()
    assert (config["steps"], config["timesteps"], config["search_trials"]) == ("event", 2, 3)
    assert scored == [split.val] * 3
    tried = TrialFolder(setup.sent[0]).read("search")["tried"]
    best = max(tried, key=lambda one: float(one["val_pr_auc"]))
    assert config["params"] == best["params"]


def test_a_number_of_samples_for_baselines_replaces_that_of_networks(
    pack: Pack, split: Split, tmp_path: Path, scored: list[Sequence[str]]
) -> None:
    setup = Setup(tmp_path, pack, [split], trials=4, baseline_trials=1)
    measure_baselines(setup)  # type: ignore[arg-type]
    (config,) = setup.configs()
    assert (config["search_trials"], config["params"]) == (1, {"window_px": 1})
    assert len(scored) == 1


def test_a_resumed_campaign_tunes_and_measures_nothing_again(
    pack: Pack, split: Split, tmp_path: Path, scored: list[Sequence[str]]
) -> None:
    first, again = (Setup(tmp_path, pack, [split], trials=3) for _ in range(2))
    measure_baselines(first)  # type: ignore[arg-type]
    written = (first.sent[0] / "test.json").stat().st_mtime_ns
    scored.clear()
    measure_baselines(again)  # type: ignore[arg-type]
    assert not scored
    assert again.sent == first.sent
    assert (first.sent[0] / "test.json").stat().st_mtime_ns == written
    (journal,) = (tmp_path / JOURNALS).iterdir()
    content = json.loads(journal.read_text())
    again.sent.clear()
    assert send_measured(again) == []  # type: ignore[arg-type]
    assert again.sent == first.sent
    journal.write_text(json.dumps({"tried": content["tried"][:2]}))  # killed before the third
    (left,) = send_measured(again)  # type: ignore[arg-type]
    assert left.key == KEY
    assert again.sent == first.sent
    measure_baselines(again)  # type: ignore[arg-type]
    assert scored == [split.val]
    assert json.loads(journal.read_text()) == content


def test_each_fold_is_tuned_on_its_own_val(
    pack: Pack, split: Split, tmp_path: Path, scored: list[Sequence[str]]
) -> None:
    other = Split("blocks:2/2", split.train, split.test, split.val)
    setup = Setup(tmp_path, pack, [split, other], trials=2)
    measure_baselines(setup)  # type: ignore[arg-type]
    assert scored == [split.val] * 2 + [other.val] * 2
    assert [config["split"] for config in setup.configs()] == [split.name, other.name]


@pytest.mark.parametrize(
    ("key", "entries"),
    [
        ("logistic_regression", {"train_share": "scattered:0.5", "label_noise": {"drop": 0.5}}),
        (KEY, {}),
    ],
)
def test_only_baselines_that_learn_have_what_they_learn_from_in_their_configs(
    key: str, entries: dict[str, Any], pack: Pack, split: Split
) -> None:
    reads = (pack.channels, "event", 2)
    given = {"loss": "tversky", "train_share": "scattered:0.5", "label_noise": {"drop": 0.5}}
    bench, plain = (
        measure.Bench(key, pack, split, *reads, variant=variant) for variant in (given, {})
    )
    assert bench.config(0) == plain.config(0) | entries


@pytest.mark.parametrize("key", ["logistic_regression", "tile_means"])
def test_label_noise_reaches_what_a_baseline_learns_and_not_its_scores(
    key: str, pack: Pack, split: Split
) -> None:
    reads, noise = (pack.channels, "event", 2), {"dilate": 5}
    learnt = [
        measure.Bench(key, pack, split, *reads, variant=variant)
        for variant in ({}, {"label_noise": noise})
    ]
    plain, noisy = (bench.bind(bench.config(0))(pack)(split.val) for bench in learnt)
    assert noisy.mean() > 1.2 * plain.mean()  # of labels that have grown
    grown = replace(pack, mask=label_train(pack, split.train, noise))
    by_hand = measure.Bench(key, grown, split, *reads)
    assert np.array_equal(by_hand.bind(by_hand.config(0))(grown)(split.val), noisy)
    assert np.array_equal(grown.mask[pack.rows(split.val)], pack.mask[pack.rows(split.val)])
