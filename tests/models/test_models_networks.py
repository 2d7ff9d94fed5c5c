"""The networks and their building blocks match their papers and the published study."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import models
from models.parts.blocks import (
    AttentionGate,
    ChannelLayerNorm,
    UNetConfig,
    make_conv,
    make_norm_layer,
)
from models.parts.convlstm import ConvLSTM

SMALL = {"width": 4, "depth": 2}


def build(name: str, in_channels: int = 3, timesteps: int = 3, **arch: Any) -> nn.Module:
    torch.manual_seed(0)
    return models.create_model(name, in_channels, timesteps, **{**SMALL, **arch})


def tile(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


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
    # Same texts: same layers, same widths, same dropout at the same positions.
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


# --- the building blocks ------------------------------------------------------------------------------------


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
    norm = make_norm_layer("group", channels)
    assert isinstance(norm, nn.GroupNorm)
    assert channels % norm.num_groups == 0
    assert channels == 1 or channels // norm.num_groups >= 2


def test_config_doubles_the_width_per_level() -> None:
    assert UNetConfig(width=16, depth=4).widths == [16, 32, 64, 128, 256]


def test_attention_is_between_zero_and_one_and_scales_the_skip() -> None:
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
    reduced = build("unet_convlstm", skip_mode=mode)._reduce_time(level)
    torch.testing.assert_close(reduced, reduce(level, 0))
    assert torch.equal(build("unet_convlstm", skip_mode="last")._reduce_time(level), level[3])


def test_convlstm_alone_depends_on_the_order_of_time() -> None:
    # With mean skips, only the ConvLSTM depends on the order.
    model, x = build("unet_convlstm", skip_mode="mean").eval(), tile(1, 3, 3, 16, 16)
    assert (model(x) - model(x.flip(1))).abs().max() > 1e-4
