"""Where the first-ranked model errs: areas by tile, their concentration, and the map."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.fold_results import make_layers, make_model
from tuning.page.html import Image, Table, Text
from tuning.report.errors.error_map import (
    TileErrors,
    build_errors_section,
    count_half,
    describe_errors,
    draw_errors,
    find_errors,
)
from tuning.report.ranking import rank_models


@pytest.fixture(scope="module")
def errors() -> TileErrors:
    layers = make_layers(2)
    model = make_model(layers, {0: 1.0, 1: 0.9}, (42, 123))
    return find_errors(rank_models([model], layers), layers)


def test_areas_of_a_tile_are_means_over_seeds(errors: TileErrors) -> None:
    layers = make_layers(2)
    model = make_model(layers, {0: 1.0, 1: 0.9}, (42, 123))
    row, counts = errors.table.iloc[0], model.stack("at_val")[:, 0]  # (S, 4)
    assert row["tile_id"] == "hokkaido_0"
    assert row["missed_km2"] == pytest.approx(counts[:, 2].mean() * 1e-4)
    assert row["false_km2"] == pytest.approx(counts[:, 1].mean() * 1e-4)
    assert row["landslide_km2"] == pytest.approx(layers.mask[0].sum() * 1e-4)


def test_a_tile_without_landslides_has_nothing_to_miss(errors: TileErrors) -> None:
    empty = errors.table[errors.table["landslide_km2"] == 0]
    assert empty["tile_id"].tolist() == ["hokkaido_2", "hokkaido_5"]
    assert (empty["missed_km2"] == 0).all()


def test_half_of_a_sum_is_counted_from_the_largest_on() -> None:
    assert count_half(np.array([1.0, 6.0, 2.0, 1.0])) == 1
    assert count_half(np.array([1.0, 1.0, 1.0, 1.0])) == 2


def test_the_sentences_say_how_concentrated_the_errors_are(errors: TileErrors) -> None:
    first, missed, false = describe_errors(errors)
    assert first.startswith("VanillaUNet is the first-ranked model")
    assert "of 6 test tiles" in missed
    assert "on tiles without any landslide" in false


def test_the_map_says_when_it_lacks_the_other_tiles(errors: TileErrors, tmp_path: Path) -> None:
    figure = draw_errors(errors, tmp_path, tmp_path, synthetic=True)
    _, image, lacks, table = build_errors_section(errors, figure, has_others=False).blocks
    assert isinstance(image, Image)
    assert image.path.stat().st_size > 5000
    assert "grey" not in image.caption
    assert isinstance(lacks, Text)
    assert "lacks train and val tiles" in lacks.text
    assert isinstance(table, Table)
    wrong = [float(row[2]) + float(row[3]) for row in table.cells]
    assert wrong == sorted(wrong, reverse=True)
    assert len(build_errors_section(errors, figure, has_others=True, folds=2).blocks) == 3
