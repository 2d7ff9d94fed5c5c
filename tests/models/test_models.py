"""Names, arguments and messages of the networks in models/."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import models
from tests.support.networks import NAMES, VARIANTS, build, run, tile

WITH_DROPOUT = [name for name, (_, arch) in VARIANTS.items() if "dropout" in arch]


@pytest.mark.parametrize("name", WITH_DROPOUT)
def test_dropout_is_active_in_training(name: str) -> None:
    model = build(name, dropout=0.5).train()
    x = tile(2, 3, 3, 32, 32)
    assert not torch.equal(run(model, x), run(model, x))


@pytest.mark.parametrize("norm", ["layer", "batch", "group"])
@pytest.mark.parametrize("name", ["unet", "attention_unet", "unet_convlstm"])
def test_samples_do_not_mix_with_any_norm(name: str, norm: str) -> None:
    model = build(name, norm=norm).eval()
    x = tile(3, 3, 3, 16, 16)
    alone = torch.cat([model(sample[None]) for sample in x])
    torch.testing.assert_close(model(x), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_search_space_is_a_copy(name: str) -> None:
    key = next(iter(models.search_space(name)))
    models.search_space(name)[key].append(-1)
    models.narrow(name)[key].append(-1)
    models.known_good(name)[key] = models.published(name)[key] = -1
    assert -1 not in (*models.search_space(name)[key], *models.narrow(name)[key])
    assert models.known_good(name)[key] > 0 < models.published(name)[key]


def test_narrow_networks_are_those_of_two_cores() -> None:
    small = {"width": 8, "depth": 3, "dropout": 0.1, "conv": "plain", "norm": "batch"}
    assert models.narrow_arch("unet") == models.narrow_arch("attention_unet") == small
    assert models.narrow_arch("unet_convlstm") == small | {"skip_mode": "mean"}
    utae = models.create_model("utae", 2, 15, **models.narrow_arch("utae"))
    assert (utae.in_conv[1][0].out_channels, utae.up_blocks[-1].conv2[0].out_channels) == (8, 8)
    assert (utae.temporal_encoder.heads, utae.temporal_encoder.inner) == (4, 32)


def test_nearest_number_replaces_a_value_that_is_not_among_the_choices() -> None:
    assert models.move_into(16, [8, 24]) == 8
    assert models.move_into(20, [8, 24]) == 24
    assert models.move_into("plain", ["separable"]) == "separable"
    assert models.move_into("plain", ["separable", "plain"]) == "plain"


def test_channels_last_is_for_2d_convolutions_alone() -> None:
    model = models.use_channels_last(build("unet3d"))
    assert all(weight.is_contiguous() for weight in model.parameters())
    weight = models.use_channels_last(build("unet")).encoder.blocks[1][0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


# --- names and messages ---------------------------------------------------------------------------

FOURTH = '''"""A fourth architecture."""

from torch import Tensor, nn


class Mean(nn.Module):
    def __init__(self, in_channels: int, timesteps: int, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x.mean((1, 2))[:, None]


build = Mean
SPACE = {"scale": [1.0, 2.0]}
KNOWN_GOOD = PUBLISHED = {"scale": 2.0}
PAPER_NAME = "Mean"
'''


@pytest.fixture
def fourth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "fourth.py").write_text(FOURTH)
    (tmp_path / "_parts.py").write_text("")
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    yield "fourth"
    sys.modules.pop("models.fourth", None)
    vars(models).pop("fourth", None)


def test_one_file_adds_an_architecture(fourth: str) -> None:
    assert models.list_models() == sorted([*NAMES, fourth])
    assert models.search_space(fourth) == {"scale": [1.0, 2.0]}
    assert models.paper_name(fourth) == "Mean"
    assert models.narrow(fourth) == {}
    assert models.narrow_arch(fourth) == {"scale": 2.0}
    model = models.create_model(fourth, 3, 2, **models.known_good(fourth))
    assert model(torch.ones(1, 2, 3, 4, 4)).tolist() == torch.full((1, 1, 4, 4), 2.0).tolist()


def test_files_with_an_underscore_are_no_models() -> None:
    assert {"attention_unet", "unet", "unet_convlstm"} <= set(NAMES)
    assert not [name for name in NAMES if name.startswith("_") or name == "parts"]


AVAILABLE = f"Available: {', '.join(NAMES)}."
BUILD_ERRORS: list[tuple[str, dict[str, Any], str]] = [
    ("unett", {}, f"Unknown model 'unett'. Did you mean 'unet'? {AVAILABLE}"),
    ("_blocks", {}, f"Unknown model '_blocks'. {AVAILABLE}"),
    (
        "unet",
        {"widht": 8},
        "Unknown argument of model 'unet': 'widht'. Did you mean 'width'? Available: width, depth, d",
    ),
    ("unet", {"skip_mode": "last"}, "Unknown argument of model 'unet': 'skip_mode'. Available: wi"),
    (
        "unet",
        {"conv": "separble"},
        "Unknown value for conv: 'separble'. Did you mean 'separable'? Available: separable, plain",
    ),
    ("unet", {"norm": "none"}, "Unknown value for norm: 'none'. Available: layer, batch, group."),
    ("unet_convlstm", {"skip_mode": "first"}, "Unknown value for skip_mode: 'first'. "),
    ("unet", {"width": 0}, "width must be an integer of 1 or more, but got width=0. Pass wi"),
    ("unet", {"depth": 2.5}, "depth must be an integer of 1 or more, but got depth=2.5. "),
    ("unet", {"dropout": 1.0}, "dropout must be in [0, 1), but got dropout=1.0. Pass the share"),
]


@pytest.mark.parametrize(("name", "arch", "message"), BUILD_ERRORS)
def test_bad_arch_is_refused_with_a_remedy(name: str, arch: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        models.create_model(name, 3, 3, **arch)


@pytest.mark.parametrize("name", NAMES)
def test_no_timesteps_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"timesteps must be .* Pass timesteps=1 or a larger"):
        models.create_model(name, in_channels=3, timesteps=0)


MULTIPLE = {"convgru": 1, "unet3d": 4, "fcn_convlstm": 4, "fcn_convlstm-shared": 4}  # else 8
UNDATED = [name for name in VARIANTS if not models.reads_dates(build(name))]
INPUT_ERRORS = [
    ((3, 3, 16, 16), "x must have 5 axes (B, T=3, C=3, H, W), but got shape (3, 3, 16, 16). Add"),
    ((1, 4, 3, 16, 16), "x must have shape (B, T=3, C=3, H, W), but got T=4 and C=3"),
    ((1, 3, 2, 16, 16), "or build it with in_channels=2, timesteps=3."),
    ((1, 3, 3, 16, 18), "H and W must be multiples of 2**depth = {}, but got H=16, W=18. Pad or"),
]


@pytest.mark.parametrize(("shape", "message"), INPUT_ERRORS)
@pytest.mark.parametrize("name", UNDATED)
def test_bad_input_is_refused_with_a_remedy(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    multiple = MULTIPLE.get(name, 8)
    if multiple == 1 and "{}" in message:
        assert run(build(name), tile(*shape)).shape == (1, 1, 16, 18)
        return
    with pytest.raises(ValueError, match=re.escape(message.format(multiple))):
        build(name)(tile(*shape))
