"""OlmoEarth's encoder with random weights of the real architecture."""

import re
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import models
from models import _registry
from models.outside import olmoearth
from models.outside.olmoearth import OlmoEarthNetwork, _fill_missing


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "_added", {})


def build(reference: str, channels: int = 2, **arch: object) -> nn.Module:
    torch.manual_seed(0)
    name = models.add_network(reference)
    return models.create_model(name, channels, 3, **{**models.known_good(name), **arch})


def make_inputs(channels: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(2, 3, channels, 32, 48, generator=torch.Generator().manual_seed(1))
    return x, torch.tensor([[-12.0, 1.0, 13.0]] * 2)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    state = OlmoEarthNetwork(2, 1).encoder.state_dict()
    torch.save({f"encoder.{key}": value for key, value in state.items()}, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


@pytest.mark.parametrize("channels", [2, 4])
def test_fine_tuned_encoder_learns(channels: int) -> None:
    network = build("olmoearth:nano", channels)
    logits = models.apply_network(network, *make_inputs(channels))
    assert logits.shape == (2, 1, 32, 48)
    logits.square().mean().backward()
    lacking = [
        key for key, one in network.named_parameters() if one.requires_grad and one.grad is None
    ]
    assert lacking == []
    assert any(
        key.startswith("encoder.")
        for key, one in network.named_parameters()
        if one.grad is not None
    )


def test_frozen_encoder_keeps_its_weights_and_stays_in_eval_mode() -> None:
    network = build("olmoearth:nano", frozen=True).train()
    models.apply_network(network, *make_inputs()).square().mean().backward()
    learnt = {
        key.partition(".")[0] for key, one in network.named_parameters() if one.grad is not None
    }
    assert learnt == {"head"}
    assert not any(module.training for module in network.encoder.modules())


def test_days_count_by_their_differences_and_sides_of_the_event() -> None:
    network, (x, days) = build("olmoearth:nano").eval(), make_inputs()
    with torch.no_grad():
        wanted = network(x, days)
        torch.testing.assert_close(network(x, days + 1), wanted, rtol=1e-3, atol=1e-5)
        longer = network(x, torch.tensor([[-12.0, 1.0, 400.0]] * 2))
    assert (longer - wanted).abs().max() > 1e-6


def test_missing_acquisitions_are_replaced_by_the_nearest() -> None:
    x = torch.arange(3.0)[None, :, None, None, None].expand(1, 3, 1, 1, 1)
    filled, days, seen = _fill_missing(x, torch.tensor([[float("nan"), 4.0, 5.0]]))
    assert filled.flatten().tolist() == [1, 1, 2, 2]
    assert (days.tolist(), seen.tolist()) == ([[4, 4, 5, 5]], [[False, True, True, False]])


def test_weights_of_a_file_are_loaded_frozen_and_named_with_their_licence(weights: Path) -> None:
    network = build(f"olmoearth:nano@{weights}")
    saved = torch.load(weights, weights_only=True)
    for key, value in network.encoder.state_dict().items():
        assert torch.equal(value, saved[f"encoder.{key}"])
    made = models.get_architecture("olmoearth_nano")
    assert made.space["frozen"] == [True, False]
    assert made.known_good["frozen"] is True
    assert "OlmoEarth Artifact License" in made.licence
    assert made.digest.startswith(f"{olmoearth.PACKAGE} ")


def test_changed_weights_are_refused_with_both_hashes(weights: Path) -> None:
    made = models.get_architecture(models.add_network(f"olmoearth:nano@{weights}"))
    _registry._added.clear()
    torch.save({}, weights)
    with pytest.raises(ValueError, match=f"have changed: hash {made.digest} then, "):
        models.recall_network(made.name, made.reference, made.digest)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "olmoearth:nanno",
            "Unknown size of olmoearth: 'nanno'. Did you mean 'nano'? Available: n",
        ),
        (
            "olmoearth:nano@/no/file.pth",
            "OlmoEarth's weights must be a file, but got /no/file.pth.",
        ),
    ],
)
def test_bad_reference_is_refused(reference: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        models.add_network(reference)


def test_odd_channels_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"pairs of VV and VH, but got 3 channels\. Use --channels"
    ):
        build("olmoearth:nano", 3)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    torch.save({"encoder.x": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(
        ValueError, match=r"must be those of OlmoEarth v1\.2 of this size, but .+ lacks"
    ):
        build(f"olmoearth:nano@{tmp_path / 'other.pth'}")


def test_missing_package_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "olmoearth_pretrain_minimal", None)
    with pytest.raises(
        ValueError, match=r"pip install -c constraints\.txt -e '\.\[olmoearth\]' in"
    ):
        models.add_network("olmoearth:nano")
