"""A logged network as a torch module: ``weights.safetensors``, and ``config.json`` with what its class needs.

For training on, and for a GPU; on a CPU `tuning.serving.program` is faster.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import load, save

from data.io.safe_json import is_number, is_safe_name, read_json, refused_error, show_value
from data.pack.normalisation import Normalisation
from models import use_channels_last
from tuning.metrics.recalibration import Calibration
from tuning.serving.network import MAX_MULTIPLE, LandslideProgram
from tuning.serving.onnx_export import ExportError
from tuning.serving.program import check_days
from tuning.train.checkpoints import make_model
from tuning.trial.config import BUILD, OUTSIDE, check_config
from tuning.trial.folder import Config

WEIGHTS, NETWORK = "weights.safetensors", "config.json"
MAX_WEIGHT_BYTES = 2**30


@dataclass(frozen=True)
class StoredNetwork:
    """A network's weights and the arguments of its class.

    Attributes:
        config: Architecture, its arguments, channels and acquisitions.
        norm: Normalisation of its input.
        calibration: Of its probabilities.
        multiple: Height and width of its input are multiples of it, px.
        weights: Content of ``weights.safetensors``.
        place: Its folder, for messages.
    """

    config: Config
    norm: Normalisation
    calibration: Calibration
    multiple: int
    weights: bytes
    place: Path

    def build(self) -> LandslideProgram:
        """Create the network with its weights, on the CPU and in eval mode.

        Raises:
            ValueError: If the architecture is unknown here, or the weights are not those of it.
        """
        model = make_model(self.config)
        path = self.place / WEIGHTS
        try:
            model.load_state_dict(load(self.weights))
        except safetensors.SafetensorError as error:
            rule = "A network's weights must be a whole safetensors file"
            raise refused_error(rule, error, path) from error
        except RuntimeError as error:
            rule = f"The weights must be those of {self.config['model']} with the arguments of {NETWORK}"
            raise refused_error(rule, " ".join(str(error).split()), path) from error
        program = LandslideProgram(
            model, self.norm, self.config["timesteps"], calibration=self.calibration
        )
        return program.eval()


def write_network(
    program: LandslideProgram, config: Config, norm: Normalisation, multiple: int, folder: Path
) -> None:
    """Write a network's weights and the arguments of its class into a folder.

    Raises:
        ExportError: If its state is not of tensors alone.
    """
    (folder / WEIGHTS).write_bytes(pack_weights(program))
    write_config(program, config, norm, multiple, folder)


def pack_weights(program: LandslideProgram) -> bytes:
    """Return the content of a network's ``weights.safetensors``.

    Raises:
        ExportError: If its state is not of tensors alone.
    """
    state = program.model.state_dict()
    try:  # tied weights share memory, which the format cannot hold
        content: bytes = save({name: value.contiguous().clone() for name, value in state.items()})
    except Exception as error:
        raise ExportError(f"A network's state must be tensors, but got: {error}") from error
    return content


def write_config(
    program: LandslideProgram, config: Config, norm: Normalisation, multiple: int, folder: Path
) -> None:
    """Write the arguments of a network's class, and what its input is like, into a folder."""
    content = {
        **{name: config[name] for name in (*BUILD, *OUTSIDE) if name in config},
        "mean": list(norm.mean),
        "std": list(norm.std),
        "norm": norm.kind,
        "calibration": np.asarray(program.calibration, np.float64).tolist(),
        "multiple_px": multiple,
        "unit": "dB",
    }
    (folder / NETWORK).write_text(json.dumps(content, indent=1))


def read_network(folder: Path) -> StoredNetwork:
    """Read what :func:`write_network` wrote; the network is built later.

    Raises:
        FileNotFoundError: If a file is missing.
        RefusedError: If a file is too large, or an entry invalid.
    """
    path, weights = folder / NETWORK, folder / WEIGHTS
    content = read_json(path)
    given = {name: content[name] for name in (*BUILD, *OUTSIDE) if name in content}
    if not is_safe_name(model := given.pop("model", None)):  # only who builds it needs its class
        raise refused_error("model must be the name of an architecture", show_value(model), path)
    rest = tuple(name for name in BUILD if name != "model")
    config = {"model": model, **check_config(given, path, rest)}
    if (size := weights.stat().st_size) > MAX_WEIGHT_BYTES:
        rule = f"A network's weights must have at most {MAX_WEIGHT_BYTES / 1e6:,.0f} MB"
        raise refused_error(rule, f"{size / 1e6:,.0f} MB", weights)
    count = len(config["channels"])
    mean, std = (_read_numbers(content, name, count, path) for name in ("mean", "std"))
    calibration = Calibration(*_read_numbers(content, "calibration", 3, path))
    multiple = content.get("multiple_px")
    if multiple is None or not is_number(multiple, 1, MAX_MULTIPLE, whole=True):
        raise refused_error("multiple_px must be a number of pixels", show_value(multiple), path)
    if min(std) <= 0:
        raise refused_error("std must be positive", show_value(list(std)), path)
    norm = Normalisation(tuple(config["channels"]), mean, std)
    return StoredNetwork(config, norm, calibration, int(multiple), weights.read_bytes(), folder)


def _read_numbers(content: dict[str, Any], name: str, count: int, path: Path) -> tuple[float, ...]:
    values = content.get(name)
    if (
        not isinstance(values, list)
        or len(values) != count
        or not all(is_number(value, -1e9, 1e9) for value in values)
    ):
        raise refused_error(f"{name} must be {count} numbers", show_value(values), path)
    return tuple(map(float, values))


class TorchProgram:
    """A network on a torch device, called as :class:`tuning.serving.program.Program` is: arrays in, arrays out.

    Args:
        network: The stored network.
        device: Where it runs.
    """

    def __init__(self, network: StoredNetwork, device: torch.device) -> None:
        self._device = device
        self._module = use_channels_last(network.build()).to(device)

    @torch.inference_mode()
    def __call__(self, x: np.ndarray, days: np.ndarray | None = None) -> np.ndarray:
        """Map ``(B, T, C, H, W)``, and days ``(B, T)`` if the network reads dates, to probabilities ``(B, H, W)``."""
        dated = check_days(days, x.shape) if self._module.reads_dates else None
        given = [one for one in (x, dated) if one is not None]
        tensors = [torch.from_numpy(np.ascontiguousarray(one, dtype=np.float32)) for one in given]
        probs = self._module(*(tensor.to(self._device) for tensor in tensors))
        values: np.ndarray = probs.float().cpu().numpy()
        return values
