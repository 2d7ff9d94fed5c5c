"""The parts of the field's networks keep to their papers."""

import pytest
import torch
from torch import nn

from models.fcn_convlstm import RecurrentNorm
from models.parts.ltae import SeriesGroupNorm, encode_days, resize_attention, weigh_groups
from models.unet3d import stretch_time
from tests.support.networks import build, make_days, tile

# --- L-TAE ------------------------------------------------------------------------------------------------------------


def test_days_are_encoded_as_the_sinusoids_of_the_paper() -> None:
    code = encode_days(torch.tensor([[-36.0, 0.0, 7.0]]), 16)
    assert code.shape == (1, 3, 16)
    for place in range(16):
        wave = torch.sin if place % 2 == 0 else torch.cos
        angle = torch.tensor([-36.0, 0.0, 7.0]) / 1000 ** (2 * (place // 2) / 16)
        torch.testing.assert_close(code[0, :, place], wave(angle), rtol=1e-4, atol=1e-5)


def test_series_norm_is_group_norm_over_time_and_channels() -> None:
    norm, x = SeriesGroupNorm(4, 8), tile(2, 5, 8, 3, 3)
    nn.init.normal_(norm.weight)
    pixels = x.permute(0, 3, 4, 2, 1).flatten(0, 2)  # (B * H * W, C, T)
    wanted = nn.GroupNorm.forward(norm, pixels).unflatten(0, (2, 3, 3)).permute(0, 4, 3, 1, 2)
    torch.testing.assert_close(norm(x), wanted, rtol=1e-4, atol=1e-5)
    present = torch.ones(2, 5, dtype=torch.bool)
    torch.testing.assert_close(norm(x, present), wanted, rtol=1e-4, atol=1e-5)
    present[:, 3] = False
    kept = [0, 1, 2, 4]
    torch.testing.assert_close(norm(x, present)[:, kept], norm(x[:, kept]), rtol=1e-4, atol=1e-5)


def test_attention_adds_up_to_one_and_passes_over_missing_acquisitions() -> None:
    ltae, x = build("utae_dates", 2, 4).eval().temporal_encoder, 3 * tile(1, 4, 16, 4, 4)
    present = torch.tensor([[True, False, True, True]])
    _, attention = ltae(x, make_days(1, 4), present)
    assert attention.shape == (1, 4, 4, 4, 4)
    torch.testing.assert_close(attention.sum(1), torch.ones(1, 4, 4, 4))
    assert attention[:, 1].abs().max() == 0
    assert attention.std() > 0.01


def test_skips_are_weighed_by_the_attention_of_their_group() -> None:
    maps, attention = tile(1, 3, 4, 8, 8), torch.zeros(1, 3, 2, 4, 4)
    attention[:, 1, 0], attention[:, 2, 1] = 1, 1
    chosen = weigh_groups(maps, resize_attention(attention, 2))
    torch.testing.assert_close(chosen, torch.cat([maps[:, 1, :2], maps[:, 2, 2:]], dim=1))


# --- other rules ------------------------------------------------------------------------------------------------------


def test_time_is_stretched_linearly_between_its_ends() -> None:
    x = torch.arange(6.0)[None, None, :, None, None]
    assert stretch_time(x, 6) is x
    wanted = nn.functional.interpolate(x, (7, 1, 1), mode="trilinear", align_corners=True)
    torch.testing.assert_close(stretch_time(x, 7), wanted)
    assert stretch_time(x[:, :, :2], 1).flatten().tolist() == [0]


def test_recurrent_norm_keeps_the_statistics_of_its_steps() -> None:
    shared, each = RecurrentNorm(2, 1), RecurrentNorm(2, 3)
    for step in range(3):
        for norm in (shared, each):
            norm(tile(4, 2, 8, 8, seed=step) + 10 * step, step)
    assert shared.running_mean.shape == (1, 2)
    assert each.running_mean.mean(1).tolist() == pytest.approx([0, 1, 2], abs=0.1)
    assert shared.weight.tolist() == pytest.approx([0.1, 0.1])
    assert [name for name, _ in shared.named_parameters()] == ["weight"]


def test_gru_keeps_its_state_where_the_update_gate_is_closed() -> None:
    model = build("convgru", 2, 2)
    with torch.no_grad():
        model.input_conv.bias[: model.filters] = -100.0
        state, step = tile(1, 8, 8, 8), model.input_conv(tile(1, 2, 8, 8))
        torch.testing.assert_close(model._update(step, state), state)
        model.input_conv.bias[: model.filters] = 100.0
        assert model._update(model.input_conv(tile(1, 2, 8, 8)), state).abs().max() <= 1
