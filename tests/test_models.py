"""Laws of every network in models/, and of the parts they share."""

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
from models._blocks import AttentionGate, ChannelLayerNorm, Plan, make_conv, make_norm
from models._convlstm import ConvLSTM

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
def test_model_gives_one_logit_per_pixel(name: str, timesteps: int) -> None:
    logits = build(name, timesteps=timesteps)(tile(2, timesteps, 3, 16, 24))
    assert logits.shape == (2, 1, 16, 24)
    assert logits.isfinite().all()


@pytest.mark.parametrize("arch", [models.published, models.known_good], ids=["published", "good"])
@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_gets_a_finite_gradient(
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
def test_known_good_lies_in_the_search_space(name: str) -> None:
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
def test_export_reloads_and_takes_any_batch_and_size(
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
    for _ in range(100):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(model(x)[:, 0], mask).backward()
        optimiser.step()
    found = model(x)[:, 0] > 0
    iou = (found & (mask == 1)).sum() / (found | (mask == 1)).sum()
    assert iou > 0.9


# --- the published networks -----------------------------------------------------------------------


def block(i: int, o: int) -> int:
    # Two separable 3x3 convolutions without bias (9 per input channel, then i * o) and two
    # LayerNorms with a weight and a bias per channel.
    return (9 * i + i * o + 2 * o) + (9 * o + o * o + 2 * o)


def encoder(i: int) -> int:
    # i -> 16 -> 32 -> 64 -> 128 -> 256. With i = 56: 1864 + 2096 + 7264 + 26816 + 102784 = 140824;
    # with i = 14 the first block has 814, in all 139774.
    return block(i, 16) + block(16, 32) + block(32, 64) + block(64, 128) + block(128, 256)


def decoder() -> int:
    # Per level f: transposed convolution 2x2 from 2 f to f with bias, block from 2 f to f; then the
    # 1x1 output with bias. Transposed 131200 + 32832 + 8224 + 2064 = 174320, blocks
    # 53120 + 14272 + 4064 + 1264 = 72720, output 17: 247057.
    levels = sum(4 * 2 * f * f + f + block(2 * f, f) for f in (128, 64, 32, 16))
    return levels + 16 + 1


def gates() -> int:
    # Per level f: theta and phi f -> f with bias, psi f -> 1 with bias:
    # 33153 + 8385 + 2145 + 561 = 44244.
    return sum(2 * (f * f + f) + f + 1 for f in (128, 64, 32, 16))


def bottom() -> int:
    # ConvLSTM 3x3, 256 filters on 256 channels, four gates, on input and state, one bias vector:
    # 2 * 9 * 256 * 1024 + 1024 = 4719616. LayerNorm 512, 1x1 without bias 65536, LayerNorm 512.
    return 2 * 9 * 256 * 1024 + 1024 + 512 + 256 * 256 + 512


PUBLISHED_COUNTS = [
    ("unet", encoder(56) + decoder(), 387_881),
    ("attention_unet", encoder(56) + decoder() + gates(), 432_125),  # the count in the study
    ("unet_convlstm", encoder(14) + bottom() + decoder(), 5_173_007),
]


@pytest.mark.parametrize(("name", "derived", "total"), PUBLISHED_COUNTS)
def test_published_network_has_the_published_size(name: str, derived: int, total: int) -> None:
    model = models.create_model(name, in_channels=14, timesteps=4, **models.published(name))
    assert sum(p.numel() for p in model.parameters()) == derived == total


@pytest.mark.parametrize(("name", "derived", "total"), PUBLISHED_COUNTS)
def test_defaults_are_the_published_network(name: str, derived: int, total: int) -> None:
    # Same texts: same layers, same widths, same dropout and same places of it.
    published = models.create_model(name, 14, 4, **models.published(name))
    assert str(models.create_model(name, 14, 4)) == str(published)


@pytest.mark.parametrize("name", ["unet", "attention_unet"])
def test_published_dropout_follows_the_wide_blocks_only(name: str) -> None:
    # Encoder 64, 128, 256 and decoder 128, 64 channels.
    dropouts = [
        m for m in models.create_model(name, 14, 4).modules() if isinstance(m, nn.Dropout2d)
    ]
    assert [dropout.p for dropout in dropouts] == [0.1] * 5


def test_paper_names_are_those_of_the_published_tables() -> None:
    names = {name: models.paper_name(name) for name in ("unet", "attention_unet", "unet_convlstm")}
    assert names == {
        "unet": "VanillaUNet",
        "attention_unet": "AttentionUNet",
        "unet_convlstm": "TemporalUNet_ConvLSTM",
    }


@pytest.mark.parametrize("name", ["unet", "attention_unet"])
def test_time_folds_variable_major(name: str) -> None:
    model, x = build(name, in_channels=2, timesteps=3).eval(), tile(1, 3, 2, 16, 16)
    order = [x[:, t, c] for c in range(2) for t in range(3)]  # channel c * T + t
    levels = model.encoder(torch.stack(order, dim=1))
    torch.testing.assert_close(model(x), model.decoder(levels))


# --- the parts ------------------------------------------------------------------------------------


def test_channel_layer_norm_is_layer_norm_over_the_channels() -> None:
    norm, reference = ChannelLayerNorm(6), nn.LayerNorm(6, eps=1e-5)
    for layer in (norm, reference):
        layer.load_state_dict({"weight": torch.arange(6.0), "bias": torch.arange(6.0) / 7})
    x = tile(2, 6, 5, 4)
    expected = torch.stack([reference(pixel) for pixel in x.flatten(2).permute(2, 0, 1)], dim=-1)
    torch.testing.assert_close(norm(x), expected.unflatten(2, (5, 4)))


def test_separable_convolution_is_depthwise_then_pointwise() -> None:
    conv, x = make_conv("separable", 4, 6), tile(2, 4, 8, 8)
    depthwise, pointwise = conv.parameters()
    one_by_one = [F.conv2d(x[:, [c]], depthwise[[c]], padding=1) for c in range(4)]
    expected = torch.einsum("bchw,oc->bohw", torch.cat(one_by_one, 1), pointwise[:, :, 0, 0])
    torch.testing.assert_close(conv(x), expected, rtol=1e-4, atol=1e-5)


def test_convolutions_before_a_norm_have_no_bias() -> None:
    for kind in ("separable", "plain"):
        assert all(p.ndim == 4 for p in make_conv(kind, 4, 6).parameters())


def test_convolution_weights_are_he_normal() -> None:
    torch.manual_seed(0)
    (weight,) = make_conv("plain", 64, 128).parameters()
    # Fan-in 9 * 64 = 576, so a standard deviation of sqrt(2 / 576) = 0.0589.
    assert weight.std().item() == pytest.approx(0.0589, rel=0.02)


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 24, 32, 96])
def test_group_norm_groups_divide_the_channels(channels: int) -> None:
    norm = make_norm("group", channels)
    assert isinstance(norm, nn.GroupNorm)
    assert channels % norm.num_groups == 0
    assert channels == 1 or channels // norm.num_groups >= 2


def test_plan_doubles_the_width_per_level() -> None:
    assert Plan(width=16, depth=4).widths == [16, 32, 64, 128, 256]


def test_attention_lies_between_zero_and_one_and_scales_the_skip() -> None:
    gate, skip, up = AttentionGate(4), tile(2, 4, 8, 8), tile(2, 4, 8, 8, seed=1)
    weights = gate.weights(skip, up)
    assert weights.shape == (2, 1, 8, 8)
    assert 0 < weights.min() < weights.max() < 1
    torch.testing.assert_close(gate(skip, up), skip * weights)


def test_convlstm_equals_a_step_by_step_reference() -> None:
    torch.manual_seed(0)
    lstm, steps = ConvLSTM(3, 5), tile(4, 2, 3, 6, 7)  # (T, B, C, H, W)
    h, c = torch.zeros(2, 5, 6, 7), torch.zeros(2, 5, 6, 7)
    for x in steps:
        of_input = F.conv2d(x, lstm.input_conv.weight, padding=1)
        z = of_input + F.conv2d(h, lstm.state_conv.weight, padding=1)
        z = z + lstm.input_conv.bias[None, :, None, None]
        i, f, o, g = z[:, :5], z[:, 5:10], z[:, 10:15], z[:, 15:]
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
    torch.testing.assert_close(lstm(steps), h, rtol=1e-4, atol=1e-6)


def test_convlstm_starts_with_a_forget_bias_of_one() -> None:
    bias = ConvLSTM(3, 2).input_conv.bias
    assert bias.tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(("mode", "reduce"), [("mean", torch.mean), ("max", torch.amax)])
def test_skips_reduce_over_time(mode: str, reduce: Callable[..., torch.Tensor]) -> None:
    level = tile(4, 2, 3, 6, 6)  # (T, B, C, H, W)
    reduced = build("unet_convlstm", skip_mode=mode)._over_time(level)
    torch.testing.assert_close(reduced, reduce(level, 0))
    assert torch.equal(build("unet_convlstm", skip_mode="last")._over_time(level), level[3])


def test_convlstm_alone_sees_the_order_of_time() -> None:
    # With mean skips, only the ConvLSTM can tell one order from another.
    model, x = build("unet_convlstm", skip_mode="mean").eval(), tile(1, 3, 3, 16, 16)
    assert (model(x) - model(x.flip(1))).abs().max() > 1e-4


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


def test_model_file_is_the_whole_change(fourth: str) -> None:
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
    ("unet", {"width": 0}, "width must be a whole number of 1 or more, but got width=0. Pass wi"),
    ("unet", {"depth": 2.5}, "depth must be a whole number of 1 or more, but got depth=2.5. "),
    ("unet", {"dropout": 1.0}, "dropout must lie in [0, 1), but got dropout=1.0. Pass the share"),
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
