"""An untrained network is exported, stored and compared before its first trial."""

import errno
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from data.pack.channels import SAR_CHANNELS
from models import known_good
from tests.support.served_fixtures import ARCH
from tuning.serving import onnx_export, preflight
from tuning.serving.network import make_structure
from tuning.serving.preflight import (
    BUILD,
    EXPORT,
    REMEDIES,
    SHAPE,
    STORE,
    UnservableError,
    check_network,
)
from tuning.serving.reference import TOLERANCE
from tuning.train import checkpoints

S1 = tuple(SAR_CHANNELS)


@pytest.fixture(autouse=True)
def no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_export, "_templates", {})


class Net(nn.Module):
    """A network of one convolution over all acquisitions and channels."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x.flatten(1, 2))


class Branching(Net):
    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x)
        return logits if logits.mean() > 0 else -logits


class Counting(Net):
    """A network that answers differently at each call."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        Counting.calls += 1
        return super().forward(x) + Counting.calls % 97


class Endless(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * float("nan")


class Square(Net):
    """A network for 100 px alone."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.zeros(100, 100)


class Noting(Net):
    """A network whose state is not of tensors alone."""

    def get_extra_state(self) -> dict[str, int]:
        return {"seen": 1}

    def set_extra_state(self, state: object) -> None: ...


class Classes(Net):
    """A network of two classes."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).expand(-1, 2, -1, -1)


class Dictionary(Net):
    def forward(self, x: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"out": super().forward(x)}


def refuse_width(*arguments: Any, **more: Any) -> nn.Module:
    raise ValueError("width must be positive, but got -1.")


def check(monkeypatch: pytest.MonkeyPatch, make: Callable[..., nn.Module]) -> int:
    monkeypatch.setattr(checkpoints, "create_model", lambda *arguments, **more: make())
    return check_network("unet", {}, S1, 2)


@pytest.mark.parametrize(
    ("network", "rule", "reason"),
    [
        (Branching, EXPORT, r"torch\.onnx cannot export the network: .+"),
        (Square, EXPORT, r".+ at 128 px it said: The size of tensor a .+"),
        (
            Counting,
            EXPORT,
            rf"An exported program must equal its network to {TOLERANCE}, but differs .+",
        ),
        (
            Endless,
            EXPORT,
            rf"An exported program must equal its network to {TOLERANCE}, but differs .+",
        ),
        (Noting, STORE, r"A network's state must be tensors, but got: 'dict' object has .+"),
        (Classes, SHAPE, r"of x \(2, 2, 4, 32, 64\) it makes \(2, 2, 32, 64\)"),
        (Dictionary, SHAPE, r"of x \(2, 2, 4, 32, 64\) it makes dict"),
        (sys.exit, BUILD, r"SystemExit"),
        (refuse_width, BUILD, r"width must be positive, but got -1"),
    ],
)
def test_network_that_cannot_be_served_is_refused_with_rule_reason_and_remedy(
    monkeypatch: pytest.MonkeyPatch, network: Callable[..., nn.Module], rule: str, reason: str
) -> None:
    message = (
        f"The network unet must {re.escape(rule)}, also before it is trained, but: {reason}\\. "
    )
    with pytest.raises(UnservableError, match=f"^{message}") as told:
        check(monkeypatch, network)
    assert str(told.value).endswith(REMEDIES[rule].format("models/unet.py"))


def test_full_disk_is_not_the_network_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(preflight, "save_program", fill)
    with pytest.raises(OSError, match="No space left"):
        check(monkeypatch, Net)


class Pooled(Net):
    """A network that needs multiples of 32 px."""

    def forward(self, x: Tensor) -> Tensor:
        small = nn.functional.max_pool2d(super().forward(x), 32)
        return super().forward(x) + nn.functional.interpolate(small, scale_factor=32.0)


@pytest.mark.parametrize(("network", "multiple"), [(Net, 1), (Pooled, 32)])
def test_multiple_of_pixels_is_found_not_assumed(
    monkeypatch: pytest.MonkeyPatch, network: type[nn.Module], multiple: int
) -> None:
    assert check(monkeypatch, network) == multiple


def test_the_graph_is_that_of_later_checkpoints_with_the_same_arguments() -> None:
    state = torch.get_rng_state()
    assert check_network("unet", ARCH, S1, 4) == 8
    assert torch.equal(torch.get_rng_state(), state)
    config = {"model": "unet", "arch": ARCH, "channels": list(S1), "timesteps": 4}
    assert list(onnx_export._templates) == [make_structure({**config, "lr": 1e-3, "seed": 7})]


def test_unknown_arguments_are_refused_by_name() -> None:
    with pytest.raises(UnservableError, match=r"Unknown argument of model 'unet': 'wdth'"):
        check_network("unet", {**known_good("unet"), "wdth": 4}, S1, 4)
