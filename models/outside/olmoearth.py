"""OlmoEarth's pretrained encoder of Sentinel-1 series (``olmoearth:nano``, ``olmoearth:nano@weights.pth``) with a small head.

Ai2 (2025), OlmoEarth, arXiv:2511.13655; package olmoearth-pretrain-minimal (Apache-2.0), version v1.2 of the model,
whose rotary encoding of time depends on days between acquisitions alone. The days from the event are passed as days of one
January: their differences are exact (in whole days), and every month is January, since the calendar month is not known here.
The input is normalised by the train tiles, mean 0 and deviation 1, and then to OlmoEarth's range: mean ± 2 deviations are 0 to 1.
"""

import hashlib
import logging
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models._architecture import Architecture, make_architecture
from models._checks import unknown_name_error

PACKAGE, VERSION = "olmoearth-pretrain-minimal", "v1.2"
SIZES = {"nano": 128, "tiny": 192}  # numbers of a token
LICENCE = "Encoder: weights of OlmoEarth by Ai2 under the OlmoEarth Artifact License (github.com/allenai/olmoearth_pretrain)."


class OlmoEarthNetwork(nn.Module):
    """The encoder, applied to each orbit's VV and VH; a head compares its tokens before and after the event.

    Args:
        in_channels: Channels, pairs of VV and VH.
        timesteps: Not used: any number of acquisitions is taken.
        size: One of ``SIZES``.
        weights: File with the pretrained weights; empty for random ones.
        frozen: Whether the encoder keeps its weights.
        patch: Edge of a token, px.

    Shape:
        x ``(B, T, C, H, W)``, days ``(B, T)``; logits ``(B, 1, H, W)``; H and W multiples of *patch*.
    """

    reads_dates = True

    def __init__(
        self,
        in_channels: int,
        timesteps: int,
        size: str = "nano",
        weights: str = "",
        frozen: bool = False,
        patch: int = 4,
    ) -> None:
        super().__init__()
        if in_channels % 2:
            raise ValueError(
                f"OlmoEarth reads pairs of VV and VH, but got {in_channels} channels. Use --channels s1, s1asc or s1dsc."
            )
        package = _import()
        self.encoder = package.OlmoEarthPretrain_v1(size, VERSION, ["sentinel1"]).encoder
        self.patch, self.orbits, self.frozen = patch, in_channels // 2, frozen
        if weights:
            _load_weights(self.encoder, Path(weights))
        # Its projection serves the pretraining alone.
        (self.encoder if frozen else self.encoder.project_and_aggregate).requires_grad_(False)
        inputs = self.orbits * (3 * SIZES[size] + 6)
        self.head = nn.Sequential(
            nn.Conv2d(inputs, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 1, 3, padding=1)
        )

    def train(self, mode: bool = True) -> "OlmoEarthNetwork":
        """Set the mode; a frozen encoder stays in eval mode."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def forward(self, x: Tensor, days: Tensor) -> Tensor:
        """Return the logits ``(B, 1, H, W)``."""
        batch, _, channels, height, width = x.shape
        x, days, seen = _fill_missing(x, days)
        pairs = x.reshape(batch, -1, self.orbits, channels // self.orbits, height, width)
        pairs = pairs.transpose(1, 2).flatten(0, 1)  # (B * orbits, T, 2, H, W)
        days, seen = (one.repeat_interleave(self.orbits, 0) for one in (days, seen))
        tokens = self._encode(pairs, days)  # (B * orbits, T, D, H / patch, W / patch)
        coarse = F.interpolate(_compare(tokens, days, seen), scale_factor=float(self.patch))
        maps = torch.cat([coarse, _compare(pairs, days, seen)], dim=1)
        logits: Tensor = self.head(maps.reshape(batch, -1, height, width))
        return logits

    def _encode(self, pairs: Tensor, days: Tensor) -> Tensor:
        types = import_module("olmoearth_pretrain_minimal.olmoearth_pretrain_v1.utils.datatypes")
        whole = days.round()
        january = torch.stack(
            [whole, torch.zeros_like(whole), torch.full_like(whole, 2000)], dim=-1
        )
        images = (pairs / 4 + 0.5).permute(0, 3, 4, 1, 2)  # (B, H, W, T, 2)
        mask = torch.zeros_like(images[..., 0], dtype=torch.long)
        sample = types.MaskedOlmoEarthSample(
            timestamps=january.long(), sentinel1=images, sentinel1_mask=mask
        )
        out = self.encoder(sample, patch_size=self.patch, input_res=10, fast_pass=True)
        tokens: Tensor = out["tokens_and_masks"].sentinel1.mean(4)  # (B, H / p, W / p, T, D)
        return tokens.permute(0, 3, 4, 1, 2)


def _fill_missing(x: Tensor, days: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Replace missing acquisitions by the nearest one: the encoder's exportable pass has no mask. Return who is there.

    One is added at the end, because the graph of a single acquisition would be another one.
    """
    x = torch.cat([x, torch.zeros_like(x[:, :1])], dim=1)
    days = torch.cat([days, torch.full_like(days[:, :1], torch.nan)], dim=1)
    seen = ~days.isnan()
    place = torch.arange(days.shape[1], device=days.device)
    far = (place[:, None] - place).abs() + torch.where(seen, 0, 10_000)[:, None]  # (B, T, T)
    nearest = far.argmin(2)
    rows = torch.arange(days.shape[0], device=days.device)[:, None]
    there = seen.any(1)
    x = torch.where(there[:, None, None, None, None], x[rows, nearest], 0.0)
    return x, torch.nan_to_num(days[rows, nearest]), seen


def _compare(maps: Tensor, days: Tensor, seen: Tensor) -> Tensor:
    """Return means before and after the event and their difference, ``(B, 3 D, H, W)``, of maps ``(B, T, D, H, W)``."""
    means = []
    for side in (days < 0, days >= 0):
        weights = (side & seen).to(maps.dtype)
        weights = weights / weights.sum(1, keepdim=True).clamp(min=1)
        means.append((maps * weights[:, :, None, None, None]).sum(1))
    return torch.cat([*means, means[1] - means[0]], dim=1)


def _load_weights(encoder: nn.Module, path: Path) -> None:
    state = torch.load(path, map_location="cpu", weights_only=True)
    own = {key.removeprefix("encoder."): value for key, value in state.items()}
    wanted = encoder.state_dict()
    lacking = [key for key, one in wanted.items() if key not in own or own[key].shape != one.shape]
    if lacking:
        raise ValueError(
            f"Weights must be those of OlmoEarth {VERSION} of this size, but {path} lacks {lacking[0]} or has it in another "
            "shape. Download weights.pth of allenai/OlmoEarth-v1_2-Nano from huggingface.co."
        )
    encoder.load_state_dict({key: own[key] for key in wanted})


def load(reference: str, name: str) -> Architecture:
    """Describe the network of ``olmoearth:SIZE`` or ``olmoearth:SIZE@WEIGHTS``; the key is ``olmoearth_SIZE`` without a *name*.

    Raises:
        ValueError: If the package, the size or the file is unknown.
    """
    _import()
    size, _, file = reference.removeprefix("olmoearth:").partition("@")
    if size not in SIZES:
        raise unknown_name_error("size of olmoearth:", size, SIZES)
    digest, path = f"{PACKAGE} {version(PACKAGE)}", Path(file).absolute()
    if file:
        if not path.is_file():
            raise ValueError(
                f"OlmoEarth's weights must be a file, but got {path}. Correct the path."
            )
        digest += f" {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    good = {"size": size, "weights": str(path) if file else "", "frozen": bool(file), "patch": 4}
    facts: Any = type("Facts", (), {"KNOWN_GOOD": good, "PAPER_NAME": f"OlmoEarth {size}"})
    if file:
        facts.SPACE, facts.LICENCE = {"frozen": [True, False]}, LICENCE
    reference = f"olmoearth:{size}@{path}" if file else reference
    found = {"reference": reference, "digest": digest}
    return make_architecture(name or f"olmoearth_{size}", OlmoEarthNetwork, facts, **found)


def _import() -> Any:
    try:
        version(PACKAGE)
        logging.getLogger("olmoearth_pretrain_minimal").setLevel(
            logging.WARNING
        )  # it says its settings
        return import_module("olmoearth_pretrain_minimal")
    except (ImportError, PackageNotFoundError) as error:
        raise ValueError(
            f"A network olmoearth:… needs the package {PACKAGE}, but it cannot be imported: {error}. Install it: "
            "pip install -c constraints.txt -e '.[olmoearth]' in the folder of this project."
        ) from error
