from dataclasses import replace
from pathlib import Path

import pytest

from data.splits import make_split, survey_catalogue
from data.splits.audit import audit_splits
from data.splits.audit_map import draw_audit
from data.splits.split_map import Panel, TileGroup, draw_map, save_map
from data.tiles import list_tiles
from tests.support.surveys import survey_tiles


def test_map_draws_every_tile_of_every_part() -> None:
    tiles, split = survey_catalogue(), make_split("seed42", survey_catalogue())
    groups = tuple(
        TileGroup(part, "#336699", split.part(part)) for part in ("train", "val", "test")
    )
    outlined = split.test[:20]
    (axes,) = draw_map("SYNTHETIC", [Panel("a", "b", groups, outlined)], tiles).axes
    drawn = [(str(squares.get_label()), len(squares.get_paths())) for squares in axes.collections]
    slides = "inner square: landslide share"
    assert drawn == [
        ("train", 232),
        (slides, 120),
        ("val", 29),
        (slides, 15),
        ("test", 29),
        (slides, 15),
        ("test tile that touches train", 20),
    ]


def test_map_draws_positions_and_shares_to_scale() -> None:
    tile = replace(
        survey_catalogue()["hokkaido_579"],
        west_m=580_480.0,
        north_m=4_736_000.0,
        annotated_px=128 * 128 // 4,
    )
    group = TileGroup("test", "#D55E00", ("hokkaido_1",))
    (axes,) = draw_map("", [Panel("a", "b", (group,))], {"hokkaido_1": tile}).axes
    whole, slides, _ = (squares.get_paths() for squares in axes.collections)
    assert whole[0].get_extents().extents == pytest.approx([580.48, 4734.72, 581.76, 4736.0])
    assert slides[0].get_extents().extents == pytest.approx([580.8, 4735.04, 581.44, 4735.68])


def test_map_is_labelled(twin: Path, tmp_path: Path) -> None:
    figure = draw_audit(audit_splits(twin, ["blocks", "blocks:2"]))
    assert "SYNTHETIC" in figure.texts[0].get_text()
    blocks, folds = figure.axes
    assert (
        blocks.get_title()
        == f"blocks ({make_split('blocks', survey_tiles(list_tiles(twin))).hash})"
    )
    assert blocks.texts[0].get_text() == "0 of 4 test tiles touch train"
    assert [text.get_text() for text in folds.texts] == ["0 of 12 test tiles touch train", "1", "2"]
    save_map(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 60_000
