"""Networks of segmentation_models_pytorch by a reference."""

import re
import sys
from pathlib import Path

import pytest
import torch

import models
from models import _registry
from models.outside import smp

REFERENCES = ["smp:Unet/resnet18", "smp:DeepLabV3Plus/resnet18", "smp:Segformer/mit_b0"]


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "_added", {})


@pytest.mark.parametrize("reference", REFERENCES)
def test_every_parameter_receives_a_gradient(reference: str) -> None:
    torch.manual_seed(0)
    name = models.add_network(reference)
    network = models.create_model(name, 2, 3, **models.known_good(name))
    logits = network(torch.randn(2, 3, 2, 64, 96))
    assert logits.shape == (2, 1, 64, 96)
    logits.square().mean().backward()
    assert [key for key, one in network.named_parameters() if one.grad is None] == []


def test_network_is_named_by_architecture_and_encoder() -> None:
    name = models.add_network("smp:Unet/resnet18")
    made = models.get_architecture(name)
    assert (name, made.paper_name) == ("smp_unet_resnet18", "Unet resnet18")
    assert (made.reference, made.digest.split()[0]) == ("smp:Unet/resnet18", smp.PACKAGE)
    assert models.add_network("mine=smp:Unet/resnet18") == "mine"


def test_another_version_of_the_package_is_refused_with_both() -> None:
    message = r"have changed: hash segmentation-models-pytorch 0\.1 then, segmentation-models-pyto"
    with pytest.raises(ValueError, match=message):
        models.recall_network("mine", "smp:Unet/resnet18", "segmentation-models-pytorch 0.1")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("smp:Unett/resnet18", "Unknown architecture of smp: 'Unett'. Did you mean 'Unet'? Availa"),
        ("smp:Unet/resnet1", "Unknown encoder of smp: 'resnet1'. Did you mean 'resnet18'? Availab"),
        ("smp:Unet/tu-hf-hub:them/net", "Unknown encoder of smp: 'tu-hf-hub:them/net'."),
        ("smp:Unet/tu-local-dir:/home", "Unknown encoder of smp: 'tu-local-dir:/home'."),
        ("smp:Unet", "Unknown encoder of smp: ''. Available: resnet18, "),
    ],
)
def test_unknown_architecture_or_encoder_is_refused_with_the_list(
    reference: str, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        models.add_network(reference)


def test_unknown_weights_are_refused_with_the_list() -> None:
    name = models.add_network("smp:Unet/resnet18")
    with pytest.raises(ValueError, match=r"for weights: 'imagnet'\. Did you mean 'imagenet'\?"):
        models.create_model(name, 1, 1, weights="imagnet")


def test_missing_package_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(ValueError, match=r"pip install -c constraints\.txt -e '\.\[smp\]' in"):
        models.add_network("smp:Unet/resnet18")


def test_bridge_is_short() -> None:
    assert len(Path(str(smp.__file__)).read_text().splitlines()) <= 120
