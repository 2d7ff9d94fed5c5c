"""The network under check, and the inputs that it is given."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models._dates import apply_network, reads_dates

MAX_MULTIPLE = TILE_PX = 128


class LawError(Exception):
    """A law that a network breaks, in words."""


@dataclass(frozen=True)
class Subject:
    """A network under check.

    Attributes:
        make: Builds it anew, with weights that depend on torch's random state alone.
        channels: Channels of its input, C.
        timesteps: Acquisitions of its input, T.
        multiple: Height and width are multiples of it, px; 0 before it is found.
    """

    make: Callable[[], nn.Module]
    channels: int
    timesteps: int
    multiple: int = 0

    def build(self, seed: int = 0) -> nn.Module:
        """Build it with the weights of a seed."""
        torch.manual_seed(seed)
        return self.make()

    @property
    def side(self) -> int:
        """Height of a small input, px: a multiple, and at least 32."""
        return max(1, -(-32 // self.multiple)) * self.multiple

    @property
    def tile(self) -> int:
        """Height of an input of about 128 px."""
        return max(1, TILE_PX // self.multiple) * self.multiple

    def draw(self, batch: int, height: int = 0, width: int = 0, timesteps: int = 0) -> Tensor:
        """Return a normalised input of noise, shape ``(B, T, C, H, W)``."""
        shape = (batch, timesteps or self.timesteps, self.channels)
        generator = torch.Generator().manual_seed(1)
        return torch.randn(*shape, height or self.side, width or self.side, generator=generator)


def make_days(batch: int, timesteps: int) -> Tensor:
    """Return days from the event, 12 apart, half of them before it, shape ``(B, T)``."""
    days = 12.0 * (torch.arange(timesteps) - timesteps // 2) + 3
    return days.expand(batch, timesteps).clone()


def answer(network: nn.Module, x: Tensor, days: Tensor | None = None) -> Tensor:
    """Run a network; days are made if it reads them and none are given."""
    return apply_network(network, x, make_days(*x.shape[:2]) if days is None else days)


def find_multiple(subject: Subject) -> int:
    """Return the smallest power of 2 px of which height and width must be multiples, by trying.

    Raises:
        LawError: If the network takes none of the sizes; with its own reason.
    """
    network, reason, multiple = subject.build().eval(), "", 1
    while multiple <= MAX_MULTIPLE:
        height = 64 // multiple * multiple + multiple
        try:
            with torch.no_grad():
                answer(network, subject.draw(1, height, height + multiple))
        except Exception as error:  # noqa: BLE001 - each network has errors of its own for a wrong size
            reason = explain(error)
        else:
            return multiple
        multiple *= 2
    raise LawError(f"at multiples of {MAX_MULTIPLE} px it said: {reason}")


def explain(error: BaseException) -> str:
    """Return an error's type and first line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300] if lines else ''}".rstrip(": ")


def measure_gap(first: Tensor, second: Tensor) -> float:
    """Return the greatest difference of two outputs, relative to the first one's spread."""
    return float((first - second).abs().max() / first.std().clamp(min=1e-6))


@contextmanager
def own_randomness() -> Iterator[None]:
    """Leave torch's random state as it was."""
    with torch.random.fork_rng(devices=[]):
        yield


def is_dated(subject: Subject) -> bool:
    """Return whether the network reads dates."""
    return reads_dates(subject.build())
