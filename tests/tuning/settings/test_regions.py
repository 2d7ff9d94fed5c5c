"""Regions, events and shots of a campaign, from the command line to the saved settings."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from data.tiles import ORBITS, tile_path
from tests.support.settings import make_settings
from tuning.run import main, parse_arguments
from tuning.settings.options import settings_from_options
from tuning.settings.regions import add_shots, check_split_regions, choose_campaign_regions
from tuning.settings.saved_campaigns import find_unfinished, load_settings, save_settings

BOTH = ["--region", "hokkaido", "noto"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tile folder of two regions without Hokkaido; its files are empty."""
    for tile_id in ("italy_1", "italy_2", "noto_1"):
        for orbit in ORBITS:
            file = tile_path(tmp_path / "tiles", tile_id, orbit)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return tmp_path / "tiles"


def read_options(root: Path, words: Sequence[str]) -> dict[str, object]:
    settings = settings_from_options(vars(parse_arguments([*words, "--campaign", "one"])), root)
    return {name: getattr(settings, name) for name in ("regions", "events", "split")}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"regions": ("hokkaido",), "events": {}, "split": "blocks"}),
        (["--region", "all"], {"regions": ("hokkaido", "noto")}),
        (["--region", "noto", "hokkaido", "noto"], {"regions": ("hokkaido", "noto")}),
        ([*BOTH, "--split", "events", "--shots", "5"], {"split": "events/5"}),
        ([*BOTH, "--split", "events:noto", "--shots", "20"], {"split": "events:noto/20"}),
        ([*BOTH, "--split", "events", "--shots", "0"], {"split": "events"}),
        (["--event", "2018-09-05T18:08"], {"events": {"hokkaido": "2018-09-05T18:08:00"}}),
        (
            [*BOTH, "--event", "2020-01-02", "noto=2024-01-01T07:10"],
            {"events": {"hokkaido": "2020-01-02T23:59:59", "noto": "2024-01-01T07:10:00"}},
        ),
        ([*BOTH, "--event", "noto=2024-01-01"], {"events": {"noto": "2024-01-01T23:59:59"}}),
    ],
)
def test_options_become_settings(
    words: list[str], expected: dict[str, object], tmp_path: Path
) -> None:
    assert read_options(tmp_path, words).items() >= expected.items()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--region", "hokaido"], "Unknown region 'hokaido'. Did you mean 'hokkaido'? Available: "),
        (
            ["--split", "events"],
            "'events' trains on some regions and tests on another, but got hok",
        ),
        (["--split", "events:hokkaido"], "tests on another, but got hokkaido alone. Add a region"),
        ([*BOTH, "--split", "events:italy"], "Unknown region 'italy'. Available: hokkaido, noto."),
        (["--split", "events:noto"], "tests on a region that the campaign uses; add it with --reg"),
        ([*BOTH, "--shots", "5"], "got --shots 5 with the split 'blocks', which holds out none."),
        (
            [*BOTH, "--split", "events/1", "--shots", "5"],
            "Shots must be given once, but got --shot",
        ),
        (
            [*BOTH, "--split", "events", "--shots", "3"],
            "Shots must be one of 0, 1, 5, 20, but got 3",
        ),
        (
            ["--region", "noto", "--split", "seed42"],
            "a published list of Hokkaido's tiles, but got",
        ),
        (["--event", "noto=2024-01-01"], "--event must name a region that is used (hokkaido), but"),
        (
            ["--event", "2024-13-01"],
            "A time must look like 2018-09-05 or 2018-09-05T18:08 (UTC), but",
        ),
        (["--event", "2024-01-01", "2024-01-02"], "--event must be given once per region, but got"),
    ],
)
def test_command_refuses_regions_that_do_not_fit(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--root", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "campaigns").exists()


def test_folder_without_hokkaido_asks_for_its_regions(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path), "--data", str(folder)]) == 2
    message = (
        f"got tiles of italy, noto alone in {folder}. Choose with --region, such as --region italy"
    )
    assert message in capsys.readouterr().err
    assert main(["--root", str(tmp_path), "--data", str(folder), "--region", "hokkaido"]) == 2
    assert "Unknown region 'hokkaido'. Available: italy, noto, all." in capsys.readouterr().err
    assert read_options(tmp_path, ["--data", str(folder), "--region", "all"])["regions"] == (
        *("italy", "noto"),
    )


def test_region_needs_a_tile_with_all_files(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tile_path(folder, "noto_1", "s1dsc").unlink()
    assert main(["--root", str(tmp_path), "--data", str(folder), "--region", "all"]) == 2
    assert "Unknown region 'noto'. Available: italy, all." in capsys.readouterr().err


def test_folder_without_tiles_is_named_by_its_layout(tmp_path: Path) -> None:
    assert choose_campaign_regions(["noto"], tmp_path) == ("hokkaido",)
    with pytest.raises(FileNotFoundError, match="A tile folder must hold s1asc/"):
        settings_from_options({"data": str(tmp_path), "region": ["noto"]}, tmp_path)


def test_settings_of_regions_come_back_and_tell_campaigns_apart(tmp_path: Path) -> None:
    events = {"noto": "2024-01-01T07:10:00"}
    both = make_settings(regions=("hokkaido", "noto"), events=events, split="events/5")
    save_settings(tmp_path, both)
    assert load_settings(tmp_path, "first") == both
    trials = tmp_path / "campaigns" / "first" / "trials" / "one"
    trials.mkdir(parents=True)
    (trials / "trial.json").write_text("{}")
    assert find_unfinished(tmp_path, both) == "first"
    for change in ({"regions": ("hokkaido", "noto")}, {"events": events}, {}):
        other = {"regions": ("noto",), "events": {}, "split": "events/5", **change}
        assert find_unfinished(tmp_path, make_settings(**other)) is None


def test_shots_are_part_of_the_split_s_name() -> None:
    assert add_shots("blocks", None) == "blocks"
    assert add_shots("events:usa_puertorico", 1) == "events:usa_puertorico/1"
    with pytest.raises(ValueError, match="--shots 1 with the split 'blocks:5'"):
        add_shots("blocks:5", 1)


def test_splits_that_fit_the_regions_pass() -> None:
    for split in ("blocks", "blocks:5", "file:0123456789ab", "events", "events:noto/5", "seed42"):
        check_split_regions(split, ["hokkaido", "noto"])
