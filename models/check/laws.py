"""The laws of the contract, each tried on an untrained network; CONTRIBUTING.md, "What a network must offer"."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.check.subject import LawError, Subject, answer, is_dated, make_days, measure_gap

CLOSE = 1e-3  # of the spread of the logits: other kernels round differently


@dataclass(frozen=True)
class Law:
    """A law.

    Attributes:
        text: What a network must do.
        check: Raises an error if the network does not; returns a fact to print, or nothing.
        remedy: What to do.
        dated: Whether it holds for networks that read dates alone.
    """

    text: str
    check: Callable[[Subject], str | None]
    remedy: str
    dated: bool = False


def _check_shape(subject: Subject) -> None:
    network, step = subject.build().eval(), subject.multiple
    sides = sorted({subject.side, subject.side + step, 128})
    for batch in (1, 2, 5):
        for height, width in zip(sides, sides[::-1], strict=True):
            with torch.no_grad():
                logits = answer(network, subject.draw(batch, height, width))
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            if got != (batch, 1, height, width):
                raise LawError(f"for B={batch}, H={height}, W={width} it returned {got}")
            if not logits.isfinite().all():
                raise LawError(f"for B={batch}, H={height}, W={width} it returned NaN or infinity")


def _check_logits(subject: Subject) -> None:
    network, x = subject.build().eval(), subject.draw(2)
    with torch.no_grad():
        logits = torch.cat([answer(network, scale * x) for scale in (1, -50, 50)])
    if logits.std() > 0 and logits.min() >= 0 and logits.max() <= 1:
        raise LawError("whatever the input, its answers are between 0 and 1, as after a sigmoid")


def _check_one(subject: Subject) -> None:
    network = subject.build().train()
    logits = answer(network, subject.draw(1, subject.tile, subject.tile))
    if not logits.isfinite().all():
        raise LawError("it returned NaN or infinity")


def _check_gradients(subject: Subject) -> None:
    network = subject.build().train()
    logits = answer(network, subject.draw(3))
    target = (torch.randn(logits.shape, generator=torch.Generator().manual_seed(2)) > 1).float()
    F.binary_cross_entropy_with_logits(logits, target).backward()  # type: ignore[no-untyped-call]
    for key, one in network.named_parameters():
        if one.requires_grad and one.grad is None:
            raise LawError(f"{key} got none")
        if one.grad is not None and not one.grad.isfinite().all():
            raise LawError(f"that of {key} is NaN or infinite")


def _check_eval(subject: Subject) -> None:
    network, x = subject.build().eval(), subject.draw(2)
    with torch.no_grad():
        first, second = answer(network, x), answer(network, x)
    if not torch.equal(first, second):
        raise LawError(f"two answers differ by {measure_gap(first, second):.2g} of their spread")


def _check_samples(subject: Subject) -> None:
    network, x = subject.build().eval(), subject.draw(3)
    with torch.no_grad():
        together = answer(network, x)
        alone = torch.cat([answer(network, one[None]) for one in x])
    if (gap := measure_gap(together, alone)) > CLOSE:
        raise LawError(f"alone its answer differs by {gap:.2g} of the spread")


def _check_half(subject: Subject) -> None:
    network, x = subject.build().eval(), subject.draw(2)
    for kind in (torch.bfloat16, torch.float16):
        with torch.no_grad(), torch.autocast("cpu", kind):
            logits = answer(network, x)
        if not logits.isfinite().all():
            raise LawError(f"in {kind} it returned NaN or infinity")


def _check_state(subject: Subject) -> None:
    one, other, x = subject.build().eval(), subject.build(seed=1).eval(), subject.draw(1)
    state = one.state_dict()
    if strange := [key for key, value in state.items() if not isinstance(value, Tensor)]:
        raise LawError(f"{strange[0]} of its state is a {type(state[strange[0]]).__name__}")
    with torch.no_grad():
        wanted = answer(one, x)
        if torch.equal(answer(other, x), wanted) and list(one.parameters()):
            raise LawError("another seed gives the same answer, so its weights do not count")
        other.load_state_dict(state)
        if (gap := measure_gap(wanted, answer(other, x))) > CLOSE:
            raise LawError(f"with the same state another one differs by {gap:.2g} of the spread")


def _check_export(subject: Subject) -> None:
    network, dated, step = subject.build().eval(), is_dated(subject), subject.multiple
    auto, side = torch.export.Dim.AUTO, subject.tile
    x = subject.draw(2, side, side + step, max(2, subject.timesteps) if dated else 0)
    times = {1: auto} if dated else {}
    inputs = (x, make_days(*x.shape[:2])) if dated else (x,)
    dims: tuple[dict[int, object], ...] = ({0: auto, 3: auto, 4: auto, **times},)
    with _quiet():
        dims += ({0: auto, 1: auto},) if dated else ()
        loaded: nn.Module = torch.export.export(network, inputs, dynamic_shapes=dims).module()
    for batch, height in ((1, side), (3, side + 2 * step)):
        x = subject.draw(batch, height, side, 1 if dated else 0)
        inputs = (x, make_days(*x.shape[:2])) if dated else (x,)
        with torch.no_grad():
            gap = measure_gap(answer(network, x), loaded(*inputs))
        if not gap <= CLOSE:
            raise LawError(
                f"exported, it differs by {gap:.2g} of the spread at B={batch}, H={height}"
            )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch prints and logs of a graph that cannot be exported from the terminal."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    hidden = io.StringIO()
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            redirect_stdout(hidden),
            redirect_stderr(hidden),
        ):
            yield
    finally:
        logger.setLevel(level)


def _check_times(subject: Subject) -> None:
    network = subject.build().eval()
    for timesteps in (1, 2, subject.timesteps + 3):
        with torch.no_grad():
            logits = answer(network, subject.draw(1, timesteps=timesteps))
        if not logits.isfinite().all():
            raise LawError(f"of {timesteps} acquisitions it makes NaN or infinity")


def _check_missing(subject: Subject) -> None:
    network = subject.build().eval()
    x, days = subject.draw(2, timesteps=3), make_days(2, 3)
    days[:, 1] = float("nan")
    other = x.clone()
    other[:, 1] = 100.0
    with torch.no_grad():
        wanted, got = answer(network, x, days), answer(network, other, days)
        none = answer(network, torch.zeros_like(x), torch.full_like(days, float("nan")))
    if not wanted.isfinite().all() or not none.isfinite().all():
        raise LawError("it returned NaN or infinity")
    if (gap := measure_gap(wanted, got)) > CLOSE:
        raise LawError(f"the values of a missing one change the answer by {gap:.2g} of the spread")


LAWS = (
    Law(
        "maps x (B, T, C, H, W) to finite logits (B, 1, H, W), for any B, H and W",
        _check_shape,
        "Return one logit for each pixel, before any sigmoid, at the input's height and width.",
    ),
    Law(
        "trains on a batch of one",
        _check_one,
        "Give norms more than one number per channel: batch norm after a global pooling has a single one.",
    ),
    Law(
        "gives every parameter a finite gradient",
        _check_gradients,
        "Use each layer in the forward pass, or do not create it; freeze a parameter with requires_grad_(False).",
    ),
    Law(
        "answers the same twice in eval mode",
        _check_eval,
        "Let random numbers and counters depend on self.training.",
    ),
    Law(
        "answers each tile of a batch as if alone, in eval mode",
        _check_samples,
        "Do not normalise over the batch, except by a norm that keeps its own statistics for eval mode.",
    ),
    Law(
        "stays finite in bfloat16 and float16",
        _check_half,
        "Use float32 where numbers exceed 65,504 or are divided by very small ones: x.float().",
    ),
    Law(
        "keeps its state in parameters and buffers",
        _check_state,
        "Register whatever it learns as nn.Parameter or with register_buffer.",
    ),
    Law(
        "can be exported for any B, H and W",
        _check_export,
        "Use PyTorch's own functions, without Python branches or loops that depend on the values of a tensor.",
    ),
    Law(
        "returns logits, not probabilities",
        _check_logits,
        "Leave out the last sigmoid: loss and map apply it.",
    ),
    Law(
        "takes any number of acquisitions",
        _check_times,
        "A network that reads dates must not depend on `timesteps`.",
        dated=True,
    ),
    Law(
        "lets an acquisition whose day is NaN have no say",
        _check_missing,
        "Mask acquisitions by days.isnan(), also if all are missing.",
        dated=True,
    ),
)
