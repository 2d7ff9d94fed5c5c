from collections.abc import Callable
from pathlib import Path

import pytest

from data.splits import survey_catalogue
from data.splits.__main__ import main
from data.splits.audit import Audit, audit_splits, audit_survey, audit_to_dict
from data.splits.audit_map import draw_audit
from data.splits.audit_text import format_audit
from data.splits.leakage import FolderSurvey
from data.tiles import TileError, list_tiles, tile_path
from tests.support.surveys import make_survey
from tests.support.tile_files import unmark

Copy = Callable[[], Path]


def audit(*names: str) -> Audit:
    tiles = {
        **make_survey("italy", 200, clusters=2, zones=2),
        **make_survey("china", 54),
        **survey_catalogue(),
    }
    return audit_survey(Path("tiles"), FolderSurvey(tiles), names or None, synthetic=False)


@pytest.fixture(scope="module")
def audited() -> Audit:
    return audit("blocks", "events", "blocks:2")


def rename(tiles: Path, count: int) -> None:
    """Give the first tiles of a folder to another region."""
    for orbit in ("s1asc", "s1dsc"):
        for file in sorted((tiles / orbit).iterdir())[:count]:
            file.rename(file.with_name(file.name.replace("hokkaido", "noto")))


def test_table_has_rows_per_region(audited: Audit) -> None:
    rows = [line.split() for line in format_audit(audited).splitlines()]
    first = [row[0] if row else "" for row in rows]
    folder, blocks = first.index("all"), first.index("blocks")
    assert [row[0] for row in rows[folder : folder + 4]] == ["all", "china", "hokkaido", "italy"]
    parts = [row[:2] for row in rows[blocks + 1 : blocks + 13]]
    assert [part for part, _ in parts] == [
        *("train", "china", "hokkaido", "italy"),
        *("val", "china", "hokkaido", "italy"),
        *("test", "china", "hokkaido", "italy"),
    ]
    counts = [int(count) for _, count in parts]
    assert all(counts[i] == sum(counts[i + 1 : i + 4]) for i in (0, 4, 8))


def test_a_mixture_of_synthetic_and_real_tiles_is_refused(copy_tiles: Copy) -> None:
    tiles = copy_tiles()
    unmark(tile_path(tiles, list_tiles(tiles)[-1], "s1asc"))
    with pytest.raises(TileError, match=r"is the synthetic twin's and hokkaido_\d+ is real"):
        audit_splits(tiles, progress=False)


def test_ratio_of_a_region_refers_to_the_region(audited: Audit) -> None:
    (blocks,) = audited.splits["blocks"]
    alone = audit_survey(
        Path("tiles"), FolderSurvey(dict(survey_catalogue())), ["blocks"], synthetic=False
    )
    assert blocks.regions["hokkaido"] == alone.splits["blocks"][0].parts


def test_document_has_every_region(audited: Audit) -> None:
    document = audit_to_dict(audited)
    assert [split["name"] for split in document["splits"][:4]] == [
        "blocks",
        "events:china",
        "events:hokkaido",
        "events:italy",
    ]
    held_out = document["splits"][1]["regions"]["china"]
    assert held_out["train"]["tiles"] == held_out["val"]["tiles"] == 0 < held_out["test"]["tiles"]


def test_map_has_a_panel_per_region_and_zone(audited: Audit) -> None:
    axes = draw_audit(audited).axes
    titles = [panel.get_title().split(" (")[0] for panel in axes]
    assert titles[:4] == ["china · blocks", "hokkaido · blocks", *["italy · blocks"] * 2]
    assert titles[4:8] == [
        "china · events:china",
        "hokkaido · events:hokkaido",
        *["italy · events:italy"] * 2,
    ]
    assert titles[8] == "china · blocks:2: test tiles by fold"
    assert [panel.get_xlabel() for panel in axes[:4]] == [
        f"easting (km, UTM {zone})" for zone in ("32N", "54N", "32N", "33N")
    ]
    drawn = [{text.get_text() for text in panel.texts} for panel in axes[8:]]
    assert any({"1", "2"} <= texts for texts in drawn)


def test_map_says_where_no_test_tile_is() -> None:
    axes = draw_audit(audit("events:china")).axes
    assert axes[1].get_title().startswith("hokkaido · events:china (")
    assert axes[1].texts[0].get_text() == "no test tile"


def test_default_splits_are_those_that_the_tiles_can_have() -> None:
    assert list(audit().splits) == ["blocks", "seed42", "s12ls-ld", "blocks:5", "events"]
    few = FolderSurvey(make_survey("china", 12, bare=0.8))
    found = audit_survey(Path("tiles"), few, synthetic=False)
    assert {*found.splits, *found.impossible} == {"blocks", "blocks:5"}
    assert "blocks:5  not possible: Blocks need tiles with landslides" in format_audit(found)


def test_command_audits_hokkaido_and_counts_other_regions(
    copy_tiles: Copy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = copy_tiles()
    rename(tiles, 2)
    assert main([str(tiles), "--split", "blocks", "--map", str(tmp_path / "a.png")]) == 0
    out = capsys.readouterr().out
    assert "Other regions, not audited (--region all): noto (2)" in out
    assert next(line.split()[1] for line in out.splitlines() if line.startswith("  all")) == "10"


def test_command_refuses_a_split_that_the_regions_cannot_have(
    copy_tiles: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = copy_tiles()
    rename(tiles, 12)
    assert main([str(tiles), "--split", "seed42"]) == 2
    assert (
        "error: Split 'seed42' is a published list of Hokkaido's tiles" in capsys.readouterr().err
    )


def test_command_refuses_an_unknown_region(twin: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(twin), "--region", "hokaido"]) == 2
    assert "error: Unknown region 'hokaido'. Did you mean 'hokkaido'?" in capsys.readouterr().err
