"""The functions of `tuning.api` take the options of the commands, and refuse others by name; nothing is trained here."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from tests.support.pages import read_blocks
from tuning import api
from tuning.predict.arguments import command_parser as predict_parser
from tuning.settings.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "python.md"


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What campaigns were started with, in an empty working folder; none runs."""
    found: list[Settings] = []

    def run(root: Path, settings: Settings, **more: Any) -> Any:
        found.append(settings)
        missing = ("unet has 0 of 2 repeat runs.",) if settings.campaign == "lacking" else ()
        return SimpleNamespace(table=pd.DataFrame({"model": ["U"]}), missing=missing)

    monkeypatch.setattr("tuning.campaign.together.run_campaign", run)
    monkeypatch.chdir(tmp_path)
    return found


def test_the_page_s_first_example_starts_that_campaign(started: list[Settings]) -> None:
    first = next(block for block in read_blocks("python.md", PAGE.read_text("utf-8")))
    names: dict[str, Any] = {}
    exec(first.text, names)  # noqa: S102 - of the page
    (settings,) = started
    assert (settings.preset, settings.models, settings.baselines) == (
        "smoke",
        ("unet",),
        ("log_ratio_vv",),
    )
    assert list(names["table"]["model"]) == ["U"]


def test_one_name_is_a_list_and_a_missing_run_is_an_error(started: list[Settings]) -> None:
    words = {"model": "unet", "preset": "smoke", "campaign": "lacking"}
    with pytest.raises(
        api.IncompleteError, match=r"0 of 2 repeat runs.*resume='lacking'"
    ) as caught:
        api.run_campaign("a", **words)
    assert started[0].models == ("unet",)
    assert caught.value.table is not None


def test_an_unknown_option_gets_the_nearest(started: list[Settings]) -> None:
    with pytest.raises(
        ValueError, match=r"Unknown option 'modle'\. Did you mean 'model'\? Available: address,"
    ):
        api.run_campaign("a", modle="unet")
    with pytest.raises(ValueError, match="Unknown option 'root_'"):
        api.predict_scene("unet", "tiles", "map", root_="x")
    assert started == []


def test_a_map_s_options_are_checked_as_the_command_s(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="argument --window: must be a multiple of 16, but got 7"):
        api.predict_scene("unet", "tiles", tmp_path / "map", window=7)
    words = api._write_words(predict_parser(), {"tta": True, "strict": False, "threshold": 0.4})
    assert words == ["--tta", "--threshold", "0.4"]


def test_the_latest_table_or_that_of_a_campaign_is_read(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"must hold the report of a campaign, but .* has none"
    ):
        api.load_table(tmp_path)
    for name in ("first", "second"):
        folder = tmp_path / "reports" / name
        folder.mkdir(parents=True)
        (folder / "benchmark_master.csv").write_text(f"model\n{name}\n")
    assert list(api.load_table(tmp_path, "first")["model"]) == ["first"]
    with pytest.raises(
        ValueError, match=re.escape("Unknown report 'frist'. Did you mean 'first'?")
    ):
        api.load_table(tmp_path, "frist")


def test_a_model_of_a_folder_without_a_registry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"must hold a campaign's database mlflow\.db"):
        api.load_model("unet", tmp_path / "typo")
    assert not (tmp_path / "typo").exists()
