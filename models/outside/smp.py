"""Networks of segmentation_models_pytorch (``smp:Unet/resnet34``): acquisitions and channels become the image's channels.

Iakubovskii (2019), Segmentation Models PyTorch, MIT licence, https://github.com/qubvel-org/segmentation_models.pytorch.
"""

from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from models._architecture import Architecture, make_architecture
from models._checks import unknown_name_error
from models.outside.locate import make_slug

PACKAGE = "segmentation-models-pytorch"
NONE = "none"  # value of ``weights``: fresh ones


class StackedNetwork(nn.Module):
    """A network for images, given a series ``(B, T, C, H, W)`` as images of T * C channels; logits ``(B, 1, H, W)``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits ``(B, 1, H, W)`` of ``x (B, T, C, H, W)``."""
        image = x.flatten(1, 2)
        if (
            self.training and len(x) == 1
        ):  # batch norm of one number per channel, after a global pooling
            image = image.expand(2, -1, -1, -1)
        logits: Tensor = self.network(image)
        return logits[: len(x)] if self.training else logits


def load(reference: str, name: str) -> Architecture:
    """Describe the network of ``smp:ARCHITECTURE/ENCODER``; without a *name*, its key is made from the reference.

    Raises:
        ValueError: If the package is not installed, or has no such architecture or encoder.
    """
    smp = _import()
    kind, _, encoder = reference.removeprefix("smp:").partition("/")
    kinds = sorted(one.__name__ for one in smp.MODEL_ARCHITECTURES_MAPPING.values())
    if kind not in kinds:
        raise unknown_name_error("architecture of smp:", kind, kinds)
    encoders = smp.encoders.get_encoder_names()
    timm = [f"tu-{one}" for one in import_module("timm").list_models()]
    if encoder not in encoders and encoder.partition(".")[0] not in timm:
        # Another name, such as tu-hf-hub:…, would let a stranger's config download or read files.
        raise unknown_name_error("encoder of smp:", encoder, encoders)

    def build(in_channels: int, timesteps: int, weights: str = NONE) -> nn.Module:
        chosen = _check_weights(smp, encoder, weights)
        options: dict[str, Any] = {"encoder_name": encoder, "encoder_weights": chosen}
        return StackedNetwork(
            getattr(smp, kind)(in_channels=in_channels * timesteps, classes=1, **options)
        )

    return make_architecture(
        name or f"smp_{make_slug(kind)}_{make_slug(encoder)}",
        build,
        _Facts(f"{kind} {encoder}"),
        reference=reference,
        digest=f"{PACKAGE} {version(PACKAGE)}",
    )


class _Facts:
    def __init__(self, title: str) -> None:
        self.PAPER_NAME = title
        self.KNOWN_GOOD = {"weights": NONE}


def _check_weights(smp: ModuleType, encoder: str, weights: str) -> str | None:
    """Return the encoder's weights as the package names them; None for fresh ones."""
    known = smp.encoders.encoders.get(encoder, {}).get("pretrained_settings") or {"imagenet": {}}
    if weights not in (NONE, *known):
        raise unknown_name_error("value for weights:", weights, [NONE, *known])
    return None if weights == NONE else weights


def _import() -> ModuleType:
    """Import the package.

    Raises:
        ValueError: If it is not installed, with the command that installs it.
    """
    try:
        version(PACKAGE)
        return _import_beside_cpu()
    except ImportError as error:
        raise ValueError(
            f"A network smp:… needs the package {PACKAGE}, but it cannot be imported: {error}. Install it: "
            "pip install -c constraints.txt -e '.[smp]' in the folder of this project."
        ) from error


def _import_beside_cpu() -> ModuleType:
    """Import it, also where a torchvision for CUDA stands beside a torch for the CPU.

    That torchvision cannot load its operators, and then cannot be imported, because it describes the shapes of two of
    them. No network here calls them, so their names suffice.
    """
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for operator in ("nms", "qnms"):
            signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{operator}", signature)
    return import_module("segmentation_models_pytorch")
