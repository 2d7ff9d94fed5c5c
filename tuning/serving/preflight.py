"""A network's export before it is trained: one that no file can hold is refused at once, not after hours of training.

Its untrained network is written, loaded and run as after training. The graph stays cached, so that the trained ones cost
no second trace.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from data.io.disk import says_full
from data.io.errors import format_error
from data.pack.normalisation import Normalisation
from models import apply_network, find_place
from tuning.serving.network import LandslideProgram, make_structure
from tuning.serving.onnx_export import save_program
from tuning.serving.stored_network import read_network, write_network
from tuning.train.checkpoints import make_model
from tuning.trial.networks import describe_outside

BUILD = "be built from its arguments"
SHAPE = "map x (B, T, C, H, W) to one logit for each pixel, (B, 1, H, W)"
EXPORT = "be exportable as an ONNX file"
STORE = "keep its state in parameters and buffers"
REMEDIES = {  # by the rule that broke
    BUILD: "Correct {}, or the values of its KNOWN_GOOD and SPACE (CONTRIBUTING.md).",
    SHAPE: "In {} let the forward pass return a tensor of this shape, before any sigmoid (CONTRIBUTING.md).",
    EXPORT: "In {} write the forward pass with PyTorch's own functions, without Python branches or loops that "
    "depend on the values of a tensor, for any batch size and any height and width that are multiples of some power of 2 "
    "up to 128 px; in eval mode its output must depend on input and weights alone (CONTRIBUTING.md).",
    STORE: "In {} register whatever the network learns as nn.Parameter or with register_buffer (CONTRIBUTING.md).",
}


_SIZES = (32, 64, 128)  # px


class UnservableError(ValueError):
    """An architecture whose networks could be trained, but not served: with the rule that broke, the reason and the remedy."""


def check_network(
    model: str, arch: Mapping[str, Any], channels: Sequence[str], timesteps: int
) -> int:
    """Write an untrained network as after training, load it, and compare it at two batch and tile sizes.

    Args:
        model: Name of the architecture.
        arch: Its arguments.
        channels: Channels of its input, C.
        timesteps: Acquisitions of its input, T.

    Returns:
        The multiple of which height and width must be, px, as found by trying.

    Raises:
        UnservableError: If the network cannot be built, returns another shape, cannot be written as an ONNX graph, or stored as weights, or if the loaded
            file's probabilities differ from the network's.
    """
    config = {
        "model": model,
        **describe_outside(model),
        "arch": dict(arch),
        "channels": list(channels),
        "timesteps": timesteps,
        "steps": "even",
    }
    # Plain statistics: the network gets normalised values, whatever their unit.
    norm = Normalisation(tuple(channels), (0.0,) * len(channels), (1.0,) * len(channels))
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the same weights each time
        with _broken(model, BUILD):
            network = make_model(config).eval()
        with _broken(model, SHAPE):
            _check_shape(network, len(channels), timesteps)
        program = LandslideProgram(network, norm, timesteps, make_structure(config))
        with _broken(model, EXPORT):
            reference = save_program(program, norm, Path(folder) / "model.onnx")
        multiple = int(reference["multiple"])
        with _broken(model, STORE):
            write_network(program, config, norm, multiple, Path(folder))
            read_network(Path(folder)).build()
    return multiple


def _check_shape(network: nn.Module, channels: int, timesteps: int) -> None:
    """Check the shape of a network's output at the first size that it takes; the export tells if there is none."""
    for px in _SIZES:
        x = torch.zeros(2, timesteps, channels, px, 2 * px)
        try:
            with torch.no_grad():
                logits: Any = apply_network(network, x, torch.zeros(2, timesteps))
        except Exception:  # noqa: BLE001, S112 - each network has errors of its own for a wrong size
            continue
        if not isinstance(logits, torch.Tensor) or logits.shape != (2, 1, px, 2 * px):
            got = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
            raise ValueError(f"of x {tuple(x.shape)} it makes {got}")
        return


@contextmanager
def _broken(model: str, rule: str) -> Iterator[None]:
    """Name the rule that breaks in the body, the reason, and the remedy; a full disk is no fault of the network."""
    try:
        yield
    except (Exception, SystemExit) as error:  # each network has errors of its own
        if says_full(error):
            raise
        reason = format_error(error).rstrip(".")
        raise UnservableError(
            f"The network {model} must {rule}, also before it is trained, but: {reason}. {REMEDIES[rule].format(find_place(model))}"
        ) from error
