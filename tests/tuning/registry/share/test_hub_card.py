"""The card on the hub: real data is named, synthetic data is not passed off as it, and unknown scores are left out."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.served_fixtures import write_network_files
from tests.support.share_fixtures import FACTS, NAME, SCORES
from tuning.registry.share.hub_card import make_hub_card
from tuning.serving.program import Program, load_program
from tuning.tracking.model_digest import DIGEST

KNOWN = {DIGEST: "a" * 64, "run_id": "r" * 32}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return load_program(write_network_files(tmp_path_factory.mktemp("network")))


def make(program: Program, **tags: str) -> tuple[dict[str, Any], str]:
    """Return a card's metadata and text."""
    known = FACTS | SCORES | tags
    description = "# VanillaUNet\n\n## Load\nfrom a registry"
    names = {"program": program, "repo": "anna/unet", "problem": ""}
    card = make_hub_card(NAME, 3, known, description, KNOWN, **names)
    _, data, text = card.split("---\n", 2)
    return yaml.safe_load(data), text


def test_real_data_is_named(program: Program) -> None:
    data, text = make(program, data="real", regions="hokkaido noto")
    assert data["datasets"] == ["paulhoehn/Sen12Landslides"]
    (result,) = data["model-index"][0]["results"]
    assert result["dataset"]["type"] == "paulhoehn/Sen12Landslides"
    assert result["dataset"]["name"] == (
        "Sen12Landslides, hokkaido, noto (Höhn et al. 2025, doi 10.1038/s41597-025-06167-2); "
        "test of split blocks"
    )
    assert "SYNTHETIC" not in text
    assert "synthetic-data" not in data["tags"]


@pytest.mark.parametrize("data", ["synthetic", "", "Real"])
def test_data_that_is_not_said_to_be_real_is_marked(program: Program, data: str) -> None:
    block, text = make(program, data=data)
    assert "datasets" not in block
    assert "synthetic-data" in block["tags"]
    assert "> **SYNTHETIC.**" in text


def test_scores_that_are_no_numbers_are_left_out(program: Program) -> None:
    data, _ = make(program, pr_auc="nan", f1_dice="high")
    (result,) = data["model-index"][0]["results"]
    assert [one["type"] for one in result["metrics"]] == ["iou"]
    data, _ = make(program, pr_auc="nan", f1_dice="", iou="inf")
    assert "model-index" not in data


def test_card_says_how_to_load_without_the_registry(program: Program, tmp_path: Path) -> None:
    _, text = make(program)
    assert "from a registry" not in text
    assert 'hf_hub_download("anna/unet", "artifacts/model.onnx")' in text
    assert f"`x (B, T={program.timesteps}, C={program.channels}, H, W)`" in text
    assert f"multiples of {program.multiple}" in text
    assert f"| registered as | {NAME} version 3 |" in text
