"""The section on compute: sums of hours, machines, and what was not logged."""

from math import isnan
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tuning.page.html import Table, Text
from tuning.report.study.compute import (
    build_compute_section,
    describe_machines,
    list_hours,
    total_hours,
)

MACHINE = {"env.processor": "x86_64", "env.cores": "2", "env.gpu": "None", "env.system": "Linux-6"}
PACKAGES = {"env.python": "3.11.7", "env.packages.torch": "2.13.0"}


def make_model(
    key: str, title: str, hours: list[float | None], tags: dict[str, str] | None = None
) -> Any:
    runs = []
    for value in hours:
        metrics = {} if value is None else {"cost/cpu_hours": value, "cost/gpu_hours": 0.0}
        data = SimpleNamespace(metrics=metrics, tags=tags or {})
        runs.append(SimpleNamespace(run=SimpleNamespace(data=data)))
    return SimpleNamespace(key=key, title=title, runs=runs)


SEARCHES = pd.DataFrame(
    {
        "model": ["unet", "unet", "utae"],
        "cpu_hours": [0.5, float("nan"), 0.25],
        "gpu_hours": [0.0, float("nan"), 0.0],
    }
)


def test_hours_of_searches_and_repeats_add_up() -> None:
    models = [make_model("unet", "VanillaUNet", [1.0, 2.0]), make_model("cusum", "CuSum", [None])]
    unet, cusum, utae, together = list_hours(models, SEARCHES)
    assert unet == ["VanillaUNet", 0.5, 0.0, 3.0, 0.0]
    assert cusum[0] == "CuSum"
    assert all(isnan(value) for value in cusum[1:])
    assert utae[:2] == ["UTAE", 0.25]  # searched, and never repeated
    assert together[1:] == pytest.approx([0.75, 0.0, 3.0, 0.0])
    assert total_hours(models, SEARCHES) == pytest.approx((3.75, 0.0))


def test_a_campaign_that_logged_no_hours_shows_dashes() -> None:
    models = [make_model("unet", "VanillaUNet", [None])]
    text, table = build_compute_section(models, pd.DataFrame()).blocks
    assert isinstance(table, Table)
    assert table.cells[0] == ["VanillaUNet", *["–"] * 4]  # noqa: RUF001
    assert isinstance(text, Text)
    assert text.text.startswith("The runs do not say on which machine they ran")
    assert "Energy and emissions were not measured" in text.text
    assert total_hours(models, pd.DataFrame()) == (0, 0)


def test_machines_and_packages_are_each_named_once() -> None:
    models = [make_model("unet", "VanillaUNet", [1.0, 1.0], MACHINE | PACKAGES)]
    assert describe_machines(models) == (
        "Machine: x86_64, 2 cores, no GPU, Linux-6. Packages: python 3.11.7, torch 2.13.0."
    )


def test_a_forged_tag_cannot_mark_up_the_sentence() -> None:
    forged = MACHINE | {"env.processor": "**x**[y](http://z)\x1b[0m" + "a" * 500}
    text = describe_machines([make_model("unet", "VanillaUNet", [1.0], forged)])
    assert not set("*[]\x1b") & set(text)
    assert len(text) < 250
