"""The field's networks have the sizes, costs and rules of their sources."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

import models
from models.parts.series import average_sides, weigh_sides
from tests.support.networks import build, run, tile


def count(model: nn.Module) -> int:
    return sum(weights.numel() for weights in model.parameters())


# By channels per acquisition: the counts and GMAC (15 x 2 x 128 x 128) of the data set's own code, measured.
DATA_SET = {
    "utae": ({2: 1_067_811, 3: 1_068_387, 4: 1_068_963, 11: 1_072_995}, 22.4),
    "unet3d": ({2: 6_146_241, 3: 6_147_969, 4: 6_149_697, 11: 6_161_793}, 170.5),
    "convgru": ({2: 886_681, 3: 891_541, 4: 896_401, 11: 930_421}, 217.4),
    "fcn_convlstm": ({2: 3_066_209, 3: 3_066_785, 4: 3_067_361, 11: 3_071_393}, 389.4),
}


@pytest.mark.parametrize("name", DATA_SET)
def test_published_network_has_the_data_set_s_size(name: str) -> None:
    for channels, total in DATA_SET[name][0].items():
        with torch.device("meta"):
            model = models.create_model(name, channels, 15, **models.published(name))
        assert count(model) == total
        assert str(model) == str(models.create_model(name, channels, 15))  # the defaults


@pytest.mark.parametrize("name", DATA_SET)
def test_published_network_has_the_data_set_s_cost(name: str) -> None:
    gmac = models.count_gmac(name, 2, 15, 128, **models.published(name))
    assert gmac == pytest.approx(DATA_SET[name][1], abs=0.05)


@pytest.mark.parametrize("dates", [False, True])
def test_parts_of_utae_have_their_published_sizes(dates: bool) -> None:
    model = models.create_model("utae_dates" if dates else "utae", 2, 15)
    parts = {name: count(part) for name, part in model.named_children()}
    assert parts == {
        "in_conv": 38_400,
        "down_blocks": 567_360,
        "temporal_encoder": 83_200,
        "up_blocks": 378_560,
        "out_conv": 291,
    }


def test_parts_of_the_data_set_s_convlstm_have_their_published_sizes() -> None:
    model = models.create_model("fcn_convlstm", 2, 15)
    parts = {name: count(part) for name, part in model.named_children()}
    assert parts == {"unet": 1_883_232, "convlstm": 1_181_824, "head": 1_153}
    each = models.create_model("fcn_convlstm", 2, 15, step_norm="each")
    assert count(each) == count(model)  # statistics are no parameters


def conv(inputs: int, outputs: int) -> int:
    return 9 * inputs * outputs + outputs


def block(*widths: int) -> int:
    # 3x3 convolutions with bias, each followed by a batch norm of two numbers per channel.
    return sum(conv(i, o) + 2 * o for i, o in pairwise(widths))


def test_siamese_network_has_the_size_of_its_paper() -> None:
    # Figure 1 of the paper for three channels: down 16 16 / 32 32 / 64 64 64 / 128 128 128, each level doubled by a 3x3
    # transposed convolution and joined with as many differences, up 128 128 64 / 64 64 32 / 32 16 / 16, then the classes.
    down = block(3, 16, 16) + block(16, 32, 32) + block(32, 64, 64, 64) + block(64, 128, 128, 128)
    doubled = sum(conv(width, width) for width in (128, 64, 32, 16))
    up = block(256, 128, 128, 64) + block(128, 64, 64, 32) + block(64, 32, 16) + block(32, 16)
    assert down + doubled + up + conv(16, 2) == 1_350_146  # with the paper's two classes
    for channels, total in {2: 1_349_857, 3: 1_350_001, 4: 1_350_145}.items():
        assert count(models.create_model("siamese_diff", channels, 2)) == total
    assert 1_350_146 - conv(16, 1) == 1_350_001


def test_siamese_network_drops_maps_after_every_convolution_but_the_last() -> None:
    layers = list(models.create_model("siamese_diff", 3, 2).modules())
    assert [layer.p for layer in layers if isinstance(layer, nn.Dropout2d)] == [0.2] * 19


def test_equal_images_on_both_sides_have_no_difference() -> None:
    model, x = build("siamese_diff", 2, 2).eval(), tile(1, 1, 2, 32, 32)
    seen: list[torch.Tensor] = []
    model.decoder[3].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:, 8:]))
    for other in (x, x + 1):
        run(model, torch.cat([x, other], dim=1), torch.tensor([[-3.0, 9.0]]))
    assert seen[0].abs().max() == 0 < seen[1].abs().max()


def test_several_acquisitions_of_a_side_count_as_their_mean() -> None:
    x, days = tile(1, 4, 2, 8, 8), torch.tensor([[-20.0, float("nan"), 0.0, 12.0]])
    before, after = average_sides(x, weigh_sides(days))
    torch.testing.assert_close(before, x[:, [0, 2]].mean(1))  # an image at the event is before it
    torch.testing.assert_close(after, x[:, 3])
    nothing, _ = average_sides(x, weigh_sides(days.clamp(min=1)))
    assert nothing.abs().max() == 0


# --- messages ---------------------------------------------------------------------------------------------------------

BUILD_ERRORS: list[tuple[str, dict[str, Any], str]] = [
    (
        "utae",
        {"width": 40},
        r"width must be a multiple of heads = 16, but got width=40\. Pass width=48, or",
    ),
    (
        "utae",
        {"width": 6, "heads": 2},
        r"multiple of groups of the norm = 4, but got width=6\. Pass width=8",
    ),
    (
        "utae",
        {"depth": 6},
        r"depth must be at most 5, but got depth=6\. Pass a smaller value to save",
    ),
    ("utae", {"dates": "yes"}, r"Unknown value for dates: 'yes'\. Available: False, True\."),
    (
        "utae",
        {"decoder_width": 0},
        r"decoder_width must be an integer of 1 or more, but got decoder_width=0",
    ),
    ("unet3d", {"width": 512}, r"width must be at most 256, but got width=512"),
    ("unet3d", {"dropout": 1}, r"dropout must be in \[0, 1\), but got dropout=1\. Pass the share"),
    ("convgru", {"filters": 2.5}, r"filters must be an integer of 1 or more, but got filters=2\.5"),
    (
        "fcn_convlstm",
        {"step_norm": "eech"},
        r"Unknown value for step_norm: 'eech'\. Did you mean 'each'\?",
    ),
    ("siamese_diff", {"dropout": True}, r"dropout must be in \[0, 1\), but got dropout=True"),
    (
        "unet_ltae",
        {"norm": "layer"},
        r"Unknown value for norm: 'layer'\. Available: batch, group\.",
    ),
    (
        "unet_ltae",
        {"width": 10},
        r"width must be a multiple of heads = 4, but got width=10\. Pass width=12",
    ),
]


@pytest.mark.parametrize(("name", "arch", "message"), BUILD_ERRORS)
def test_bad_arch_is_refused_with_a_remedy(name: str, arch: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.create_model(name, 3, 3, **arch)


SERIES_ERRORS = [
    (
        (3, 3, 32, 32),
        (3, 3),
        r"x must have 5 axes \(B, T=1, C=3, H, W\), but got shape \(3, 3, 32, 32\)",
    ),
    ((1, 3, 2, 32, 32), (1, 3), r"but got T=3 and C=2 in shape"),
    (
        (1, 3, 3, 32, 40),
        (1, 3),
        r"H and W must be multiples of 2\*\*depth = \d+, but got H=32, W=4[04]",
    ),
    (
        (1, 0, 3, 32, 32),
        (1, 0),
        r"x must have at least one acquisition, but got T=0 .* the day NaN",
    ),
    (
        (2, 3, 3, 32, 32),
        (2, 4),
        r"days must have shape \(B, T\) = \(2, 3\), .* but got shape \(2, 4\)\. Give",
    ),
]


@pytest.mark.parametrize(("x", "days", "message"), SERIES_ERRORS)
@pytest.mark.parametrize("name", ["siamese_diff", "unet_ltae", "utae_dates"])
def test_bad_series_is_refused_with_a_remedy(
    name: str, x: tuple[int, ...], days: tuple[int, ...], message: str
) -> None:
    if x[-1] == 40 and name == "utae_dates":
        x = (*x[:-1], 44)  # it has a multiple of 8
    with pytest.raises(ValueError, match=message):
        models.apply_network(build(name), torch.zeros(x), torch.zeros(days))


def test_network_that_reads_dates_asks_for_them() -> None:
    with pytest.raises(ValueError, match=r"takes x and days, but got x alone\. Pass the days too"):
        build("utae_dates")(tile(1, 3, 3, 32, 32))
