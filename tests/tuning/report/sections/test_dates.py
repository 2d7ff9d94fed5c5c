"""The page says which models read dates, and what the audit of the dates found."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.support.model_results import draw_landslides, make_layers, make_model, make_run
from tuning.report.results import ModelResult
from tuning.report.sections.dates import DATES_TAG, DAYS_AS_INPUT, describe_dates

REASON = "the audit found no date that tells annotated tiles from others"


def make(key: str, dated: float | None) -> ModelResult:
    mask = draw_landslides(np.random.default_rng(0))
    run = make_run(mask > 0, make_layers(mask), 42)
    if dated is not None:
        run.run.data.metrics[DAYS_AS_INPUT] = dated
    return make_model([run], key)


def describe(*models: ModelResult, reason: str = REASON) -> str:
    campaign: Any = SimpleNamespace(data=SimpleNamespace(tags={DATES_TAG: reason}))
    return describe_dates(campaign, models)


def test_models_that_read_dates_are_named_with_the_audits_result() -> None:
    unet, attention, log_ratio = (
        make("unet", 1.0),
        make("attention_unet", 0.0),
        make("log_ratio_vv", None),
    )
    assert describe(attention, unet, log_ratio) == (
        "VanillaUNet reads the dates of acquisitions; the other networks see their order alone. It may, since the audit found "
        "no date that tells annotated tiles from others."
    )
    assert describe(unet, make("attention_unet", 1.0)).startswith(
        "VanillaUNet, AttentionUNet read the dates of acquisitions; the other networks see their order alone. They may, since"
    )


def test_without_a_model_that_reads_dates_nothing_is_said() -> None:
    assert describe(make("unet", 0.0), make("log_ratio_vv", None)) == ""


def test_a_reason_that_cannot_be_printed_is_left_out() -> None:
    assert describe(make("unet", 1.0), reason="\x1b[2J") == (
        "VanillaUNet reads the dates of acquisitions; the other networks see their order alone."
    )
