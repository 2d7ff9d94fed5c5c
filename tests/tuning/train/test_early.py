"""A network is measured once more with few acquisitions after the event."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from data.pack import Pack
from data.pack.dataset import TileDataset
from data.pack.normalisation import make_normalisation
from data.splits import Split
from tuning.metrics.curve import choose_cautious_threshold, choose_threshold
from tuning.metrics.histogram import to_bins
from tuning.metrics.scores import confuse
from tuning.objects.alarm_threshold import count_alarms, raise_threshold
from tuning.train.early import (
    KEPT,
    _count,
    _read_masks,
    list_early,
    measure_early,
    name_score,
    read_early_scores,
)
from tuning.trial.folder import TrialFolder

VV = ("s1asc:VV", "DEM")


class Change(nn.Module):
    """Calls landslide where the last image differs much from the first: the more, the surer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 4 * (x[:, -1, :1] - x[:, 0, :1]).abs() - 4


@pytest.fixture
def openers(pack: Pack, split: Split) -> tuple[Any, Any]:
    norm = make_normalisation("train", pack, split.train, VV)

    def open_part(ids: tuple[str, ...], after: int | None, timesteps: int = 6) -> TileDataset:
        cpu = torch.device("cpu")
        return TileDataset(pack, ids, norm, timesteps, cpu, "event", after=after)

    return partial(open_part, split.val), partial(open_part, split.test)


def test_one_to_three_acquisitions_are_measured_below_what_the_network_reads(
    openers: tuple[Any, Any],
) -> None:
    val, _ = openers
    assert list_early(val(None)) == [1, 2]  # of three
    assert list_early(val(None, timesteps=14)) == [1, 2, 3]
    assert list_early(val(None, timesteps=2)) == []


def test_early_scores_are_those_of_the_first_images_at_a_threshold_without_more_false_pixels(
    openers: tuple[Any, Any],
) -> None:
    val, test = openers
    model = Change()
    scores = measure_early(model, val, test)
    whole, all_bins = _count(model, val(None))
    masks = _read_masks(val(None))
    assert scores[name_score("threshold", "all")] == choose_threshold(whole)
    most = confuse(whole, choose_threshold(whole)).fp
    for after in (1, 2):
        counts, bins = _count(model, val(after))
        threshold = scores[name_score("threshold", after)]
        assert confuse(counts, threshold).fp <= most
        cautious = choose_cautious_threshold(counts, most)
        limit = count_alarms(all_bins, masks, choose_threshold(whole))
        allowed = max(limit, count_alarms(bins, masks, cautious))
        assert threshold >= cautious - 1e-9
        assert count_alarms(bins, masks, threshold) <= allowed
        on_test, _ = _count(model, test(after))
        cases = confuse(on_test, threshold)
        assert scores[name_score("recall", after)] == pytest.approx(
            cases.tp / max(cases.tp + cases.fn, 1)
        )
        assert bins.shape == (len(val(None)), 128, 128)
    assert scores["pr_auc_after_1"] != scores["pr_auc_after_all"]


def test_a_network_that_reads_one_image_after_the_event_is_not_measured_again(
    openers: tuple[Any, Any],
) -> None:
    val, test = openers
    two = partial(val, timesteps=2), partial(test, timesteps=2)
    assert measure_early(Change(), *two) == {}


def test_stored_scores_are_read_by_number_of_acquisitions(tmp_path: Path) -> None:
    trial = TrialFolder(tmp_path)
    assert read_early_scores(trial) == {}
    values = {name_score(name, 1): number / 10 for number, name in enumerate(KEPT)}
    trial.write("early", values | {"pr_auc_after_all": 0.5, "threshold_after_all": 0.5})
    assert read_early_scores(trial) == {"1": dict(zip(KEPT, np.arange(4) / 10, strict=True))}


def test_threshold_rises_until_there_are_no_more_false_alarms() -> None:
    masks = np.zeros((1, 16, 16), np.uint8)
    masks[0, :4, :4] = 1
    probs = np.zeros((1, 16, 16), np.float32)
    probs[0, :4, :4], probs[0, 8, 8], probs[0, 12, 12] = 0.9, 0.6, 0.7  # two false alarms
    bins = to_bins(torch.from_numpy(probs)).numpy()
    assert raise_threshold(bins, masks, 0.5, 2) == pytest.approx(0.5)
    assert 0.6 < raise_threshold(bins, masks, 0.5, 1) <= 0.7
    assert 0.7 < raise_threshold(bins, masks, 0.5, 0) <= 0.9
    probs[0, 12, 12] = 1.0
    bins = to_bins(torch.from_numpy(probs)).numpy()
    assert 0.6 < raise_threshold(bins, masks, 0.5, 0) < 1  # the fewest, since none has none
