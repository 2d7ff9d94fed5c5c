"""What every network of models/ keeps to: no more than CONTRIBUTING.md asks of a network."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

import models
from tests.support.networks import NAMES, ORDERLESS, VARIANTS, build, make_days, run, tile

pytestmark = pytest.mark.file_s(150)

DATED = [name for name in VARIANTS if models.reads_dates(build(name))]


@pytest.mark.parametrize("timesteps", [1, 2, 15])
@pytest.mark.parametrize("name", VARIANTS)
def test_model_returns_one_logit_per_pixel(name: str, timesteps: int) -> None:
    logits = run(build(name, timesteps=timesteps), tile(2, timesteps, 3, 32, 64))
    assert logits.shape == (2, 1, 32, 64)
    assert logits.isfinite().all()


@pytest.mark.parametrize(
    "side", [32, 64, 128, *(pytest.param(side, marks=pytest.mark.slow) for side in (256, 512))]
)
@pytest.mark.parametrize("name", VARIANTS)
def test_one_tile_of_any_size_is_enough(name: str, side: int) -> None:
    with torch.no_grad():
        logits = run(build(name, 2, 2).eval(), tile(1, 2, 2, side, side))
    assert logits.shape == (1, 1, side, side)
    assert logits.isfinite().all()


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_parameter_receives_a_finite_gradient(name: str, batch: int) -> None:
    model = build(name, timesteps=4)
    target = (tile(batch, 1, 32, 32, seed=1) > 1).float()
    logits = run(model, tile(batch, 4, 3, 32, 32))
    F.binary_cross_entropy_with_logits(logits, target).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key


@pytest.mark.parametrize("name", VARIANTS)
def test_training_moves_every_weight(name: str) -> None:
    model, x = build(name, timesteps=4), tile(3, 4, 3, 32, 32)
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    optimiser = torch.optim.SGD(model.parameters(), lr=1.0)
    target = (tile(3, 1, 32, 32, seed=1) > 1).float()
    for _ in range(2):  # what follows a scale of zero moves in the second step
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(run(model, x), target).backward()
        optimiser.step()
    still = [key for key, value in model.named_parameters() if torch.equal(value, before[key])]
    # A bias before a batch norm has no effect.
    still = [key for key in still if before[key].ndim > 1]
    assert still == []


@pytest.mark.parametrize("name", VARIANTS)
def test_eval_is_deterministic(name: str) -> None:
    model, x = build(name).eval(), tile(2, 3, 3, 32, 32)
    torch.testing.assert_close(run(model, x), run(model, x), rtol=0, atol=0)


@pytest.mark.parametrize("name", VARIANTS)
def test_samples_do_not_mix_in_eval(name: str) -> None:
    model, x = build(name).eval(), tile(3, 3, 3, 32, 32)
    alone = torch.cat([run(model, sample[None]) for sample in x])
    torch.testing.assert_close(run(model, x), alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in DATED])
def test_order_of_time_changes_the_output_of_networks_that_claim_to_read_it(name: str) -> None:
    model, x = build(name, timesteps=4).eval(), tile(1, 4, 3, 32, 32)
    with torch.no_grad():
        gap = (run(model, x) - run(model, x[:, [3, 0, 2, 1]])).abs().max() / run(model, x).std()
    if name in ORDERLESS:
        assert gap < 1e-4
    else:
        assert gap > 1e-3


@pytest.mark.parametrize("name", DATED)
def test_dates_alone_tell_a_network_that_reads_them_the_order(name: str) -> None:
    model, x, days = build(name).eval(), tile(1, 4, 3, 32, 32), make_days(1, 4)
    moved = [3, 0, 2, 1]
    with torch.no_grad():
        wanted = run(model, x, days)
        both, images = run(model, x[:, moved], days[:, moved]), run(model, x[:, moved], days)
    torch.testing.assert_close(both, wanted, rtol=1e-3, atol=1e-5)
    assert (images - wanted).abs().max() / wanted.std() > 1e-3


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", DATED)
def test_missing_acquisition_has_no_say(name: str, training: bool) -> None:
    model = build(name, dropout=0.0).train(training)
    x, days = tile(2, 4, 3, 32, 32), make_days(2, 4)
    days[:, 1] = float("nan")
    other = x.clone()
    other[:, 1] = 1e4 * tile(2, 3, 32, 32, seed=3)
    other[0, 1, 0, 0, 0] = float("nan")
    torch.testing.assert_close(run(model, other, days), run(model, x, days), rtol=0, atol=0)


@pytest.mark.parametrize("name", DATED)
def test_missing_acquisition_can_be_left_out(name: str) -> None:
    model, x, days = build(name).eval(), tile(2, 5, 3, 32, 32), make_days(2, 5)
    days[:, [0, 3]] = float("nan")
    kept = [1, 2, 4]
    with torch.no_grad():
        wanted = run(model, x[:, kept], days[:, kept])
        torch.testing.assert_close(run(model, x, days), wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("missing", [[0, 1], [2, 3], [0, 1, 2, 3]], ids=["before", "after", "all"])
@pytest.mark.parametrize("name", DATED)
def test_series_without_a_side_has_finite_output_and_gradients(
    name: str, missing: list[int]
) -> None:
    model, x, days = build(name), tile(2, 4, 3, 32, 32), make_days(2, 4)
    days[:, missing] = float("nan")
    logits = run(model, x, days)
    assert logits.isfinite().all()
    logits.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", VARIANTS)
def test_half_precision_stays_finite_and_close(name: str, half: torch.dtype) -> None:
    model, x = build(name, timesteps=4).eval(), 3 * tile(2, 4, 3, 32, 32)
    with torch.no_grad():
        wanted = run(model, x)
        with torch.autocast("cpu", half):
            logits = run(model, x).float()
    assert logits.isfinite().all()
    assert (logits - wanted).abs().max() < 0.1 * wanted.std() + 0.05


@pytest.mark.parametrize("name", VARIANTS)
def test_state_dict_round_trip_gives_the_same_output(name: str) -> None:
    model, x = build(name).eval(), tile(1, 3, 3, 32, 32)
    other = models.create_model(VARIANTS[name][0], 3, 3, **VARIANTS[name][1]).eval()
    assert not torch.equal(run(model, x), run(other, x))
    other.load_state_dict(model.state_dict())
    torch.testing.assert_close(run(model, x), run(other, x), rtol=0, atol=0)


@pytest.mark.parametrize("name", VARIANTS)
def test_same_seed_gives_the_same_weights(name: str) -> None:
    one, two = build(name).state_dict(), build(name).state_dict()
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize("name", VARIANTS)
def test_channels_last_gives_the_same_output(name: str) -> None:
    model, x = build(name).eval(), tile(2, 3, 3, 32, 32)
    expected = run(model, x)
    models.use_channels_last(model)
    torch.testing.assert_close(run(model, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [(name, key, v) for name in NAMES for key, vs in models.search_space(name).items() for v in vs],
)
def test_every_space_value_builds_and_runs(name: str, key: str, value: Any) -> None:
    model = models.create_model(name, 2, 2, **{**models.known_good(name), key: value}).eval()
    with torch.no_grad():
        assert run(model, tile(2, 2, 2, 32, 32)).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_known_good_and_narrow_values_are_in_the_search_space(name: str) -> None:
    space, good = models.search_space(name), models.known_good(name)
    assert good.keys() == space.keys()
    assert all(good[key] in space[key] for key in good)
    narrow, arch = models.narrow(name), models.narrow_arch(name)
    assert narrow.keys() <= space.keys() == arch.keys()
    assert all(arch[key] in narrow[key] for key in narrow)


def synthetic_tile() -> tuple[torch.Tensor, torch.Tensor]:
    """Return speckle-like noise in which two patches brighten with the third of four steps."""
    mask = torch.zeros(1, 32, 32)
    mask[:, 4:12, 5:15], mask[:, 20:29, 17:25] = 1, 1
    x = tile(1, 4, 2, 32, 32)
    x[:, 2:, 0] += 2 * mask
    return x, mask


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_model_overfits_one_synthetic_tile(name: str) -> None:
    model = build(name, 2, 4)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Dropout | torch.nn.Dropout2d):
            layer.p = 0.0
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    x, mask = synthetic_tile()
    best = 0.0
    for _ in range(100):
        logits = run(model, x)[:, 0]
        predicted = logits > 0
        iou = (predicted & (mask == 1)).sum() / (predicted | (mask == 1)).sum()
        if (best := max(best, float(iou))) > 0.9:
            return
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(logits, mask).backward()
        optimiser.step()
    pytest.fail(f"IoU {best:.3f} after 100 steps")
