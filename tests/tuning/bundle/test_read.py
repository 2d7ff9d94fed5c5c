"""A bundle gives back what was put in, and the same results make the same bytes."""

from pathlib import Path

import numpy as np
import pytest

from data.io.safe_json import RefusedError
from tests.support.bundles import (
    SEEDS,
    SPLIT,
    TILES,
    describe_campaign,
    draw_layers,
    edit_campaign,
    list_results,
    tiny_files,
    write_bundle,
    write_tables,
)
from tuning.bundle.read import Bundle, read_bundle
from tuning.bundle.write import make_files
from tuning.objects.object_scores import ObjectCounts
from tuning.report.ranking import make_test_units


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return read_bundle(write_bundle(tmp_path_factory.mktemp("bundle") / "tiny.zip"))


def test_bundle_gives_back_every_count(bundle: Bundle) -> None:
    layers = draw_layers()
    models, _ = list_results(layers)
    for model, read in zip(models, bundle.models, strict=True):
        for run, found in zip(model.runs, read.result.runs, strict=True):
            for name in ("counts", "calibrated", "tiles", "at_half", "at_val", "boundary", "truth"):
                assert np.array_equal(getattr(run, name), getattr(found, name)), name
            assert np.array_equal(ObjectCounts.to_array(run.objects), found.objects.to_array())
            assert (run.seed, run.fold, run.threshold) == (found.seed, found.fold, found.threshold)
            assert run.tiles.dtype == found.tiles.dtype


def test_bundle_names_models_as_the_report_does(bundle: Bundle) -> None:
    models, _ = list_results(draw_layers())
    assert [model.title for model in bundle.models] == [model.title for model in models]
    assert [model.kind for model in bundle.models] == [model.kind for model in models]
    assert [model.origin for model in bundle.models] == ["trained here"] * 2 + ["baseline"]
    assert bundle.models[0].seeds == SEEDS
    assert bundle.models[0].stack("at_val").shape == (len(SEEDS), TILES, 4)
    assert float(bundle.models[0].row["pr_auc_mean"]) == models[0].pr_auc.mean()


def test_bundle_has_tiles_and_their_blocks(bundle: Bundle) -> None:
    layers = draw_layers()
    models, _ = list_results(layers)
    assert bundle.tile_ids == SPLIT.test
    assert bundle.folds == (SPLIT.name,) * TILES
    assert np.array_equal(bundle.positives, layers.mask.sum(axis=(1, 2)))
    assert np.array_equal(bundle.corners, layers.corners)
    expected = make_test_units(models[0], layers, bundle.block_tiles)
    assert np.array_equal(bundle.units.blocks, expected.blocks)
    assert np.array_equal(bundle.units.weights, expected.weights)


def test_same_results_make_the_same_bytes(tmp_path: Path) -> None:
    layers = draw_layers()
    models, vals = list_results(layers)
    again = make_files(describe_campaign(), models, vals, layers, write_tables(models, layers))
    assert again == tiny_files()
    first, second = (write_bundle(tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second


def test_bundle_publishes_no_user_no_host_and_no_missing_number() -> None:
    text = tiny_files()["campaign.json"].decode()
    for private in ("mlflow.user", "somebody", "env.node", "a-host"):
        assert private not in text
    assert '"env.packages.numpy": "2.0"' in text
    assert "NaN" not in text


def test_foreign_run_needs_no_val(tmp_path: Path) -> None:
    def remove_val(content: dict) -> None:  # type: ignore[type-arg]
        for run in content["models"][2]["runs"]:
            run["tags"]["origin"] = "foreign"
            del run["metrics"]["best/val_pr_auc"]

    layers = draw_layers()
    models, vals = list_results(layers)
    vals = {name: val for name, val in vals.items() if not name.startswith("log_ratio")}
    files = make_files(describe_campaign(), models, vals, layers, write_tables(models, layers))
    read = read_bundle(write_bundle(tmp_path / "f.zip", edit_campaign(files, remove_val)))
    foreign = read.models[2]
    assert foreign.origin == "foreign"
    assert np.isnan(foreign.result.val_pr_auc).all()
    assert not foreign.result.runs[0].calibrated.any()


def test_run_that_was_trained_here_needs_val(tmp_path: Path) -> None:
    layers = draw_layers()
    models, vals = list_results(layers)
    del vals["unet42"]
    files = make_files(describe_campaign(), models, vals, layers, write_tables(models, layers))
    with pytest.raises(
        RefusedError, match=r"must have the histogram of val, but got none in runs/0001\.npz"
    ):
        read_bundle(write_bundle(tmp_path / "v.zip", files))
