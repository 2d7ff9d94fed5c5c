"""Tests of campaigns that are cells of a matrix: their settings, checked and saved."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.settings import make_settings
from tuning.settings.cell import check_cell, format_cell
from tuning.settings.saved_campaigns import load_settings, save_settings
from tuning.settings.settings import check_settings

CELL = make_settings(
    campaign="first-channels-vv",
    matrix="first",
    places=("channels=VV", "train=0.5"),
    modalities=("s1asc", "s1dsc"),
)


def test_a_saved_cell_is_loaded_as_it_was(tmp_path: Path) -> None:
    save_settings(tmp_path, CELL)
    assert load_settings(tmp_path, CELL.campaign) == CELL


def test_a_campaign_packs_the_modalities_of_its_channels_unless_told_otherwise() -> None:
    asc = make_settings(channels=("s1asc:VV",))
    assert asc.packed == ("s1asc",)
    assert replace(asc, modalities=("s1asc", "s1dsc")).packed == ("s1asc", "s1dsc")


def test_the_places_of_a_cell_are_one_text() -> None:
    assert format_cell(CELL.places) == "channels=VV; train=0.5"


@pytest.mark.parametrize(
    ("matrix", "places", "message"),
    [
        ("", ("train=1",), r"A cell must name its matrix and its places, but got the matrix ''"),
        ("first", (), r"A cell must name its matrix and its places, but got the matrix 'first'"),
        ("first", ("train",), r"A place of a cell must be AXIS=LEVEL, but got 'train'"),
        ("../x", ("train=1",), r"A matrix's name must have at most 100 letters"),
    ],
)
def test_a_cell_that_contradicts_itself_is_refused(
    matrix: str, places: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_cell(matrix, places)


def test_packed_modalities_must_hold_those_of_the_channels() -> None:
    with pytest.raises(ValueError, match="but s1asc lack s1dsc"):
        check_settings(replace(CELL, modalities=("s1asc",)))
    with pytest.raises(ValueError, match=r"Unknown modality 's3'\. Did you mean"):
        check_settings(replace(CELL, modalities=("s3",)))
