"""Laws of every network in models/."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models

NAMES = models.list_models()
SMALL = {"width": 4, "depth": 2}


def build(name: str, in_channels: int = 3, timesteps: int = 3, **arch: Any) -> nn.Module:
    torch.manual_seed(0)
    return models.create_model(name, in_channels, timesteps, **{**SMALL, **arch})


def tile(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# --- every architecture ---------------------------------------------------------------------------


@pytest.mark.parametrize("timesteps", [1, 15])
@pytest.mark.parametrize("name", NAMES)
def test_model_returns_one_logit_per_pixel(name: str, timesteps: int) -> None:
    logits = build(name, timesteps=timesteps)(tile(2, timesteps, 3, 16, 24))
    assert logits.shape == (2, 1, 16, 24)
    assert logits.isfinite().all()


@pytest.mark.parametrize("arch", [models.published, models.known_good], ids=["published", "good"])
@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_receives_a_finite_gradient(
    name: str, arch: Callable[[str], dict[str, Any]]
) -> None:
    model = models.create_model(name, 3, 3, **{**arch(name), "width": 4})
    model(tile(2, 3, 3, 32, 32)).square().mean().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


@pytest.mark.parametrize("name", NAMES)
def test_eval_is_deterministic(name: str) -> None:
    model = build(name, dropout=0.5).eval()
    x = tile(2, 3, 3, 16, 16)
    torch.testing.assert_close(model(x), model(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_dropout_is_active_in_training(name: str) -> None:
    model = build(name, dropout=0.5, norm="layer").train()
    x = tile(2, 3, 3, 16, 16)
    assert not torch.equal(model(x), model(x))


@pytest.mark.parametrize("norm", ["layer", "batch", "group"])
@pytest.mark.parametrize("name", NAMES)
def test_samples_do_not_mix_in_eval(name: str, norm: str) -> None:
    model = build(name, norm=norm).eval()
    x = tile(3, 3, 3, 16, 16)
    alone = torch.cat([model(sample[None]) for sample in x])
    torch.testing.assert_close(model(x), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_order_of_time_changes_the_output(name: str) -> None:
    model = build(name).eval()
    x = tile(1, 3, 3, 16, 16)
    assert (model(x) - model(x[:, [1, 0, 2]])).abs().max() > 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_round_trip_gives_the_same_output(name: str) -> None:
    model, other = build(name).eval(), models.create_model(name, 3, 3, **SMALL).eval()
    x = tile(1, 3, 3, 16, 16)
    assert not torch.equal(model(x), other(x))
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(model(x), other(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_gives_the_same_weights(name: str) -> None:
    one, two = build(name).state_dict(), build(name).state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [(name, key, v) for name in NAMES for key, vs in models.search_space(name).items() for v in vs],
)
def test_every_space_value_builds_and_runs(name: str, key: str, value: Any) -> None:
    model = models.create_model(name, 2, 2, **{"width": 8, key: value})
    assert model(tile(2, 2, 2, 32, 32)).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_known_good_is_in_the_search_space(name: str) -> None:
    space, good = models.search_space(name), models.known_good(name)
    assert good.keys() == space.keys()
    assert all(good[key] in space[key] for key in good)


@pytest.mark.parametrize("name", NAMES)
def test_search_space_is_a_copy(name: str) -> None:
    models.search_space(name)["width"].append(-1)
    models.known_good(name)["width"] = models.published(name)["width"] = -1
    assert -1 not in models.search_space(name)["width"]
    assert models.known_good(name)["width"] > 0 < models.published(name)["width"]


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_gives_the_same_output(name: str) -> None:
    model, x = build(name).eval(), tile(2, 3, 3, 16, 16)
    expected = model(x)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.testing.assert_close(model(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("arch", [models.published, models.known_good], ids=["published", "good"])
@pytest.mark.parametrize("name", NAMES)
def test_exported_model_accepts_any_batch_and_size(
    name: str, arch: Callable[[str], dict[str, Any]], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = models.create_model(name, 2, 3, **{**arch(name), **SMALL}).eval()
    auto = torch.export.Dim.AUTO
    shapes = ({0: auto, 3: auto, 4: auto},)
    program = torch.export.export(model, (tile(2, 3, 2, 32, 48),), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    for batch, height, width in [(2, 32, 48), (1, 32, 32), (1, 64, 32), (5, 48, 128)]:
        x = tile(batch, 3, 2, height, width)
        torch.testing.assert_close(loaded(x), model(x), rtol=1e-4, atol=1e-5)


def synthetic_tile() -> tuple[torch.Tensor, torch.Tensor]:
    """Return speckle-like noise in which two patches brighten with the third of four steps."""
    mask = torch.zeros(1, 64, 64)
    mask[:, 8:24, 10:30], mask[:, 40:58, 35:50] = 1, 1
    x = tile(1, 4, 2, 64, 64)
    x[:, 2:, 0] += 2 * mask
    return x, mask


@pytest.mark.slow
@pytest.mark.parametrize("arch", [models.published, models.known_good], ids=["published", "good"])
@pytest.mark.parametrize("name", NAMES)
def test_model_overfits_one_synthetic_tile(
    name: str, arch: Callable[[str], dict[str, Any]]
) -> None:
    torch.manual_seed(0)
    model = models.create_model(name, 2, 4, **{**arch(name), "width": 8, "dropout": 0.0})
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    x, mask = synthetic_tile()
    for _ in range(60):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(model(x)[:, 0], mask).backward()
        optimiser.step()
    predicted = model(x)[:, 0] > 0
    iou = (predicted & (mask == 1)).sum() / (predicted | (mask == 1)).sum()
    assert iou > 0.9


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
    model = models.create_model(fourth, 3, 2, **models.known_good(fourth))
    assert model(torch.ones(1, 2, 3, 4, 4)).tolist() == torch.full((1, 1, 4, 4), 2.0).tolist()


def test_files_with_an_underscore_are_no_models() -> None:
    assert {"attention_unet", "unet", "unet_convlstm"} <= set(NAMES)
    assert not [name for name in NAMES if name.startswith("_")]


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


INPUT_ERRORS = [
    ((3, 3, 16, 16), "x must have 5 axes (B, T=3, C=3, H, W), but got shape (3, 3, 16, 16). Add"),
    ((1, 4, 3, 16, 16), "x must have shape (B, T=3, C=3, H, W), but got T=4 and C=3"),
    ((1, 3, 2, 16, 16), "or build it with in_channels=2, timesteps=3."),
    ((1, 3, 3, 16, 18), "H and W must be multiples of 2**depth = 4, but got H=16, W=18. Pad or"),
]


@pytest.mark.parametrize(("shape", "message"), INPUT_ERRORS)
@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_refused_with_a_remedy(
    name: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        build(name)(tile(*shape))
