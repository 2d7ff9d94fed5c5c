"""Rows and sentences about held-out events, from rows of ``benchmark_runs.csv``."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tuning.page.html import MISSING, Table, Text
from tuning.report.events import (
    ALL_EVENTS,
    SCORES,
    build_events_section,
    describe_new_events,
    format_events,
    list_event_folds,
    make_event_rows,
)

AP = {  # by held-out region and seed
    "hokkaido": (0.5, 0.7),
    "italy": (0.1, 0.3),
    "noto": (0.3, 0.5),
}


def make_runs(
    scores: dict[str, tuple[float, ...]], shots: str = "", model: str = "VanillaUNet"
) -> list[dict[str, Any]]:
    """Return a row per seed and fold."""
    architecture = {"VanillaUNet": "unet", "LogRatioVV": "log_ratio_vv"}[model]
    return [
        {
            **dict.fromkeys(SCORES, ap),
            "model": model,
            "architecture": architecture,
            "seed": seed,
            "fold": f"events:{region}{shots}",
            "tp": 30,
            "fn": 10,
            "n_samples": 4,
            "pr_auc": ap,
        }
        for region, values in scores.items()
        for seed, ap in enumerate(values)
    ]


def make_events(**scores: tuple[float, ...]) -> pd.DataFrame:
    return make_event_rows(make_runs(scores or AP), list(scores or AP))


def test_every_model_and_event_has_a_row_and_every_model_a_mean() -> None:
    runs = make_runs(AP) + make_runs(dict.fromkeys(AP, (0.2,)), model="LogRatioVV")
    table = make_event_rows(runs, list(AP))
    assert table["model"].tolist() == ["VanillaUNet"] * 4 + ["LogRatioVV"] * 4
    assert table["held_out"].tolist() == [*AP, ALL_EVENTS] * 2
    rows = table.set_index(["model", "held_out"]).loc["VanillaUNet"]
    assert rows.loc["italy", "trained_on"] == "hokkaido noto"
    assert rows.loc["italy", "pr_auc_mean"] == pytest.approx(0.2)
    assert rows.loc["italy", "pr_auc_std"] == pytest.approx(np.std([0.1, 0.3], ddof=1))
    assert rows.loc["italy", "pos_pixels"] == 40
    mean = rows.loc[ALL_EVENTS]
    assert mean["pr_auc_mean"] == pytest.approx(0.4)
    assert (mean["n_samples"], mean["events"], mean["interval"]) == (12, 3, "range")
    assert (mean["pr_auc_low"], mean["pr_auc_high"]) == pytest.approx((0.2, 0.6))


def test_other_splits_have_no_events() -> None:
    assert list_event_folds(["blocks:2/1", "blocks:2/2"], ["hokkaido"]) == {}
    runs = [row | {"fold": "blocks"} for row in make_runs({"hokkaido": (0.5,)})]
    assert make_event_rows(runs, ["hokkaido"]).empty


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        (
            make_events(),
            (
                "On new events, with no labelled tile of the event in training, VanillaUNet has mean AP 0.400 over 3 events, "
                "from 0.200 on italy to 0.600 on hokkaido: a range over few events, not a confidence interval."
            ),
        ),
        (
            make_event_rows(make_runs({"noto": (0.5,)}, "/5"), ["hokkaido", "noto"]),
            (
                "On the event of noto, with 5 labelled tiles of it in training, VanillaUNet has AP 0.500; one event does not "
                "show how much scores differ between events."
            ),
        ),
    ],
)
def test_sentence_names_the_estimand(events: pd.DataFrame, sentence: str) -> None:
    assert describe_new_events(events, "VanillaUNet") == sentence


def test_five_events_have_a_confidence_interval() -> None:
    events = make_events(**{f"region{number}": (0.1 * number, 0.2) for number in range(1, 6)})
    assert events["interval"].iloc[-1] == "95 % interval"
    sentence = describe_new_events(events, "VanillaUNet")
    assert "mean AP 0.250 (95 % interval over 5 events: 0." in sentence
    section = build_events_section(events)
    assert not any(
        "confidence" in block.text for block in section.blocks if isinstance(block, Text)
    )


def test_section_crosses_training_with_tested_events() -> None:
    runs = make_runs(AP, "/1") + make_runs(dict.fromkeys(AP, (0.2,)), "/1", "LogRatioVV")
    section = build_events_section(make_event_rows(runs, list(AP)), "Searched on each.")
    texts = [block.text for block in section.blocks if isinstance(block, Text)]
    assert (
        "With 3 events, fewer than 5, no confidence interval for new events can be given"
        in texts[0]
    )
    assert texts[1].startswith("Searched on each. Training has seen nothing of the tested event")
    assert texts[1].endswith("Registered models are those of the fold that tests on **hokkaido**.")
    by_event, means, *crossed = [block for block in section.blocks if isinstance(block, Table)]
    assert by_event.cells[1][:4] == ["VanillaUNet", "italy", "1", "4"]
    assert means.columns[-1] == "range over events"
    assert means.cells[0] == ["VanillaUNet", "3", "0.400", "0.200 to 0.600"]
    (table,) = crossed  # what learns nothing has no training data
    assert table.columns == ["trained on", *AP]
    assert table.cells[1] == [
        "hokkaido + noto + 1 tile of italy",
        MISSING,
        "0.200 ± 0.141",
        MISSING,
    ]


def test_many_training_regions_are_counted() -> None:
    folds = list_event_folds(["events:a", "events:b/5"], ["a", "b", "c", "d", "e"])
    assert folds["events:a"].describe_training() == "all 4 but a"
    assert folds["events:b/5"].describe_training() == "all 4 but b + 5 tiles of b"


def test_terminal_shows_a_column_per_event() -> None:
    head, row = format_events(make_events()).splitlines()
    assert head.split() == ["test", "AP", "on", *AP, *ALL_EVENTS.split()]
    assert row.split() == ["VanillaUNet", "0.600", "0.200", "0.400", "0.400"]
