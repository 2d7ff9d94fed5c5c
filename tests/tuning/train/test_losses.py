"""Each training loss: values worked out by hand, slopes, and what a batch may hold."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from data.pack import Pack
from tests.support.training import train_rows
from tuning.train.losses import LEAST, LOSSES, bce_dice, make_loss, soft_dice
from tuning.trial import losses as names
from tuning.trial.folder import Config

WEIGHTS = {"bce_weight": 0.5, "pos_weight": 2.0}
EACH = pytest.mark.parametrize("name", LOSSES)


def measure(name: str, logits: Tensor, mask: Tensor, **weights: float) -> Tensor:
    return make_loss({"loss": name, **WEIGHTS, **weights})(logits, mask)


def draw(seed: int = 0, share: float = 0.3) -> tuple[Tensor, Tensor]:
    """Return the logits of three tiles of 4 x 4 px and their labels."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(3, 1, 4, 4, generator=generator)
    return logits, (torch.rand(3, 4, 4, generator=generator) < share).to(torch.uint8)


def test_every_name_has_a_loss() -> None:
    assert LOSSES.keys() == names.LOSSES.keys()


def test_a_config_without_a_loss_has_cross_entropy_and_dice_to_the_bit() -> None:
    logits, mask = draw()
    assert torch.equal(make_loss(WEIGHTS)(logits, mask), bce_dice(logits, mask, 0.5, 2.0))
    assert torch.equal(measure("bce_dice", logits, mask), bce_dice(logits, mask, 0.5, 2.0))


def test_soft_dice_counts_overlap() -> None:
    # four pixels, two labelled, logits so large that probabilities are 0 or 1: one hit, one false alarm,
    # one miss: 1 - (2 * 1 + 1) / (2 + 2 + 1) = 0.4
    logits = torch.tensor([50.0, 50.0, -50.0, -50.0]).view(1, 1, 2, 2)
    mask = torch.tensor([1, 0, 1, 0]).view(1, 2, 2)
    assert float(soft_dice(logits, mask)) == pytest.approx(0.4)


def test_loss_is_the_weighted_sum_of_its_terms() -> None:
    logits, mask = torch.zeros(1, 1, 2, 2), torch.tensor([[[1, 0], [0, 0]]])
    # cross-entropy at p = 1/2 is ln 2 a pixel; the landslide pixel counts threefold: (3 + 3) / 4 ln 2
    assert float(bce_dice(logits, mask, 1.0, 3.0)) == pytest.approx(1.5 * math.log(2))
    # Dice: 1 - (2 * 0.5 + 1) / (2 + 1 + 1) = 0.5
    assert float(bce_dice(logits, mask, 0.0, 3.0)) == pytest.approx(0.5)
    assert float(bce_dice(logits, mask, 0.5, 1.0)) == pytest.approx(0.5 * math.log(2) + 0.25)


def test_focal_loss_weighs_each_pixel_by_how_wrong_it_is() -> None:
    logits, mask = torch.zeros(1, 1, 2, 2), torch.tensor([[[1, 0], [0, 0]]])
    # at p = 1/2 each pixel counts a quarter of ln 2, the landslide pixel threefold: (3 + 3) / 4 * ln 2 / 4
    value = measure("focal_dice", logits, mask, bce_weight=1.0, pos_weight=3.0)
    assert float(value) == pytest.approx(0.375 * math.log(2))
    # p = 0.9 on a landslide: 0.1 ^ 2 * -ln 0.9; p = 0.2 on background: 0.2 ^ 2 * -ln 0.8
    logits, mask = torch.tensor([0.9, 0.2]).logit().view(1, 1, 1, 2), torch.tensor([[[1, 0]]])
    value = measure("focal_dice", logits, mask, bce_weight=1.0, pos_weight=1.0)
    assert float(value) == pytest.approx((-0.01 * math.log(0.9) - 0.04 * math.log(0.8)) / 2)
    value = measure("focal_dice", logits, mask, bce_weight=0.0)
    assert float(value) == pytest.approx(float(soft_dice(logits, mask)))


def test_focal_loss_without_focus_is_cross_entropy_and_dice() -> None:
    logits, mask = draw()
    value = LOSSES["focal_dice"](logits, mask, 0.5, 3.0, focus=0.0)
    assert float(value) == pytest.approx(float(bce_dice(logits, mask, 0.5, 3.0)), rel=1e-6)


def test_tversky_loss_counts_misses_more_than_false_alarms() -> None:
    # probabilities are 0 or 1: one hit, one false alarm, one miss: (0.3 + 0.7) / (1 + 0.3 + 0.7 + 1)
    logits = torch.tensor([50.0, 50.0, -50.0, -50.0]).view(1, 1, 2, 2)
    mask = torch.tensor([1, 0, 1, 0]).view(1, 2, 2)
    assert float(measure("tversky", logits, mask)) == pytest.approx(1 / 3)
    assert float(measure("focal_tversky", logits, mask)) == pytest.approx((1 / 3) ** 0.75)
    # one hit and two misses: 1.4 / (1 + 1.4 + 1)
    mask = torch.tensor([1, 0, 1, 1]).view(1, 2, 2)
    logits[0, 0, 0, 1] = -50.0
    assert float(measure("tversky", logits, mask)) == pytest.approx(1.4 / 3.4)


def test_lovasz_hinge_weighs_each_error_by_the_rise_of_the_jaccard_loss() -> None:
    # errors 1 - logit or 1 + logit: a miss of 2 and a false alarm of 1.5; two pixels are right. The miss raises the Jaccard
    # loss from 0 to 1/2, the false alarm on top of it to 2/3: 2 / 2 + 1.5 / 6
    logits = torch.tensor([2.0, 0.5, -1.0, -3.0]).view(1, 1, 2, 2)
    mask = torch.tensor([1, 0, 1, 0]).view(1, 2, 2)
    assert float(measure("lovasz", logits, mask)) == pytest.approx(1.25)


@pytest.mark.parametrize("seed", range(5))
def test_lovasz_hinge_is_the_jaccard_loss_where_errors_are_none_or_one(seed: int) -> None:
    logits, mask = draw(seed)
    found = (logits.squeeze(1) > 0).long()
    wrong = found != mask
    # logit 0 on wrong pixels is an error of 1; a logit of 1 to the right side is none
    sure = torch.where(wrong, 0.0, 2.0 * mask - 1.0)[:, None]
    jaccard = 1 - float((found & mask).sum()) / float((found | mask).sum())
    assert float(measure("lovasz", sure, mask)) == pytest.approx(jaccard)


@EACH
@pytest.mark.parametrize("share", [0.3, 0.0, 1.0])
def test_slopes_are_those_of_finite_differences(name: str, share: float) -> None:
    logits, mask = draw(share=share)
    logits.requires_grad_()
    (slope,) = torch.autograd.grad(measure(name, logits, mask), logits)
    step, found = 4e-3, torch.zeros_like(logits)
    for at in range(logits.numel()):
        shift = torch.zeros(logits.numel())
        shift[at] = step
        up, down = (measure(name, logits + s * shift.view_as(logits), mask) for s in (1, -1))
        found.view(-1)[at] = (up - down).detach() / (2 * step)
    assert slope.abs().max() > 1e-4
    assert torch.allclose(slope, found, atol=2e-4, rtol=2e-3)


@EACH
@pytest.mark.parametrize("share", [0.3, 0.0])
def test_no_prediction_has_a_lower_loss_than_the_perfect_one(name: str, share: float) -> None:
    _, mask = draw(share=share)
    best = float(measure(name, 40 * (2 * mask.float() - 1)[:, None], mask))
    assert best == pytest.approx(0, abs=LEAST**0.75 + 1e-6)
    for seed in range(50):
        assert float(measure(name, draw(seed)[0], mask)) > best


@EACH
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("share", [0.3, 0.0, 1.0])
@pytest.mark.parametrize("size", [0.0, 1.0, 1e4])
def test_losses_and_slopes_are_finite_in_half_precision(
    name: str, half: torch.dtype, share: float, size: float
) -> None:
    logits, mask = draw(share=share)
    logits = (size * logits).to(half).requires_grad_()
    loss = measure(name, logits, mask)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@EACH
def test_slopes_of_a_perfect_prediction_are_finite(name: str) -> None:
    _, mask = draw()
    logits = (200 * (2 * mask.float() - 1)[:, None]).requires_grad_()
    measure(name, logits, mask).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@EACH
def test_a_batch_is_one_image(name: str) -> None:
    logits, mask = draw()
    whole = measure(name, logits.reshape(1, 1, 12, 4), mask.reshape(1, 12, 4))
    assert float(measure(name, logits, mask)) == pytest.approx(float(whole), rel=1e-6)


@EACH
def test_no_value_is_read_on_the_host(name: str) -> None:
    # tensors without values: reading one, or a shape that depends on one, is an error
    logits = torch.empty(3, 1, 4, 4, device="meta", requires_grad=True)
    loss = measure(name, logits, torch.empty(3, 4, 4, dtype=torch.uint8, device="meta"))
    loss.backward()
    assert loss.shape == ()
    assert logits.grad is not None
    assert logits.grad.shape == logits.shape


@EACH
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_losses_are_captured_in_a_cuda_graph(name: str) -> None:
    logits, mask = (tensor.cuda() for tensor in draw())
    logits.requires_grad_()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        torch.autograd.grad(measure(name, logits, mask), logits)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = measure(name, logits, mask)
        (slope,) = torch.autograd.grad(loss, logits)
    other, labels = (tensor.cuda() for tensor in draw(1))
    with torch.no_grad():
        logits.copy_(other)
    mask.copy_(labels)
    graph.replay()
    expected = measure(name, logits, mask)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    assert torch.allclose(slope, torch.autograd.grad(expected, logits)[0], atol=1e-6)


@EACH
def test_a_network_learns_with_every_loss(
    name: str, config: Config, pack: Pack, tmp_path: Path
) -> None:
    for weight in set(WEIGHTS) - set(names.LOSSES[name]):
        del config[weight]  # a config has only what its loss reads
    rows = train_rows(config | {"loss": name, "lr": 1e-2, "epochs": 6}, pack, tmp_path)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
