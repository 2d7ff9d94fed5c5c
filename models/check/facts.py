"""Facts of an untrained network that are no laws: whether time matters, its size, its speed and memory."""

import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from models.check.subject import Subject, answer, is_dated, make_days, measure_gap

TILES = 4  # of a batch


def list_facts(subject: Subject) -> Iterator[str]:
    """Yield a sentence for each fact."""
    network = subject.build()
    count = sum(one.numel() for one in network.parameters())
    frozen = sum(one.numel() for one in network.parameters() if not one.requires_grad)
    yield f"{count:,} parameters" + (f", of which {frozen:,} are frozen" if frozen else "")
    yield _describe_order(subject)
    yield from _measure(network, subject)


def _describe_order(subject: Subject) -> str:
    if subject.timesteps < 2:
        return "one acquisition alone: no order of time"
    network, x = subject.build().eval(), subject.draw(1)
    order = [*range(1, subject.timesteps), 0]  # a mirror image could be the same to a difference
    days = make_days(1, subject.timesteps)
    with torch.no_grad():
        gap = measure_gap(answer(network, x, days), answer(network, x[:, order], days))
    what = (
        "another order of the images on the same dates"
        if is_dated(subject)
        else "another order of time"
    )
    return f"{what} changes the answer by {gap:.2g} of its spread" + (
        "" if gap > 1e-3 else ": it does not use the order of time"
    )


def _measure(network: nn.Module, subject: Subject) -> Iterator[str]:
    """Measure a training step and a prediction on this machine, and the bytes kept for the backward pass."""
    side = subject.tile
    x = subject.draw(TILES, side, side)
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network.train()
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        answer(network, x).square().mean().backward()  # type: ignore[no-untyped-call]
    began = time.perf_counter()
    answer(network, x).square().mean().backward()  # type: ignore[no-untyped-call]
    step = time.perf_counter() - began
    network.eval()
    with torch.no_grad():
        answer(network, x)
        began = time.perf_counter()
        answer(network, x)
    predict = time.perf_counter() - began
    yield (
        f"{1e3 * step / TILES:.0f} ms a tile of {side} px in training, {1e3 * predict / TILES:.0f} ms in prediction, on "
        f"{torch.get_num_threads()} threads"
    )
    yield f"{sum(kept.values()) / TILES / 1e6:.1f} MB a tile kept for the backward pass, weights included"
