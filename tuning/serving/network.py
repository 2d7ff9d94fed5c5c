"""A trained network as a program: backscatter in dB in, landslide probability out.

A program contains weights, normalisation and calibration. `tuning.serving.onnx_export` writes it to a file, which
`tuning.serving.program` loads.
"""

import json
import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from data.io.safe_arrays import ArraySpec, read_arrays
from data.io.safe_json import refused_error
from data.pack.channels import AROUND_EVENT, CHANNELS, SAR_CHANNELS, select_even_steps
from data.pack.normalisation import Normalisation
from data.tiles import ACQUISITIONS
from models import apply_network, reads_dates
from tuning.metrics.recalibration import Calibration
from tuning.train.checkpoints import Checkpoint
from tuning.trial.folder import Config

logger = logging.getLogger(__name__)

CHECK_PX = 32  # at least
MAX_MULTIPLE = 128  # px
# Of a probability between program and network: other kernels round differently, and a norm over the few channels of one
# pixel, such as U-TAE's, makes a difference of rounding 300 times as large where they are nearly equal.
TOLERANCE = 5e-4
# Config entries that determine the graph.
GRAPH_KEYS = ("model", "arch", "channels", "timesteps", "network_hash")
CALIBRATION = "calibration"  # weight of a program


class LandslideProgram(nn.Module):
    """A network with its normalisation and calibration.

    Shape:
        Input ``x (B, T, C, H, W)``, backscatter in dB (heights in m, slopes in degrees), NaN = no data, of the T acquisitions that
        the network uses, and for a network that reads dates ``days (B, T)``, days from the event to each acquisition, NaN = no
        acquisition; output ``(B, H, W)``, landslide probability. H and W are multiples of :func:`find_multiple`.

    Attributes:
        model: The network: normalised ``(B, T, C, H, W)`` to logits ``(B, 1, H, W)``.
        reads_dates: Whether it takes *days*.
        timesteps: The acquisitions that it was trained on, T.
        structure: Key of the graph: programs with equal keys differ only in weights. Empty if unknown.
    """

    def __init__(
        self,
        model: nn.Module,
        norm: Normalisation,
        timesteps: int,
        structure: str = "",
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__()
        self.model, self.timesteps, self.structure = model, timesteps, structure
        self.reads_dates = reads_dates(model)
        dated = [place for place, name in enumerate(norm.channels) if name in SAR_CHANNELS]
        self._dated = dated or list(range(len(norm.channels)))  # channels with the dates of *days*
        self.register_buffer("norm_mean", torch.tensor(norm.mean)[:, None, None])
        self.register_buffer("norm_std", torch.tensor(norm.std)[:, None, None])
        self.register_buffer(CALIBRATION, torch.tensor((calibration or Calibration()).values))

    @property
    def channels(self) -> int:
        """Channels of the input, C."""
        return len(self.norm_mean)  # type: ignore[arg-type]

    def forward(self, x: Tensor, days: Tensor | None = None) -> Tensor:
        """Map ``(B, T, C, H, W)`` in dB, and days ``(B, T)``, to probabilities ``(B, H, W)``."""
        x = (x - self.norm_mean) / self.norm_std  # type: ignore[operator]
        missing = torch.isnan(x)
        if days is None:
            days = x.new_full(x.shape[:2], math.nan)
        elif self.reads_dates:
            empty = missing[:, :, self._dated].flatten(2).all(dim=2)
            days = torch.where(empty, math.nan, days)
        logits = apply_network(self.model, torch.where(missing, 0.0, x), days).squeeze(1)
        low, high, shift = self.calibration.unbind()  # type: ignore[operator]
        # high * softplus(l) - low * softplus(-l) + shift, with softplus(-l) = softplus(l) - l. ONNX Runtime takes five
        # times as long for its own softplus.
        softplus = logits.relu() + torch.log(1 + torch.exp(-logits.abs()))
        odds = (high - low) * softplus + low * logits + shift
        return odds.sigmoid()


def make_structure(config: Config) -> str:
    """Return the key of the graph of a config's network: networks with equal keys differ in their weights alone."""
    return json.dumps({name: config[name] for name in GRAPH_KEYS if name in config}, sort_keys=True)


def make_program(
    checkpoint: Checkpoint, calibration: Calibration | None = None
) -> LandslideProgram:
    """Wrap a checkpoint's network, on the CPU and in eval mode; without *calibration* its probabilities stay."""
    config = checkpoint.config
    program = LandslideProgram(
        *(checkpoint.model, checkpoint.norm, config["timesteps"]),
        make_structure(config),
        calibration,
    )
    return program.cpu().eval()  # in training mode dropout would be exported


def find_multiple(program: LandslideProgram) -> int:
    """Return the smallest power of 2 px of which height and width must be multiples, by trying sizes of 64 to 256 px.

    Raises:
        ValueError: If the network takes none of the sizes.
    """
    reason = ""
    multiple = 1
    while multiple <= MAX_MULTIPLE:
        height = 64 // multiple * multiple + multiple
        shape = (1, program.timesteps, program.channels, height, height + multiple)
        try:
            with torch.no_grad():
                program(torch.zeros(shape), torch.zeros(shape[:2]))
        except Exception as error:  # noqa: BLE001 - each network has errors of its own for a wrong size
            reason = str(error).strip().split("\n")[0]
        else:
            return multiple
        multiple *= 2
    raise ValueError(
        f"A network must take tiles whose height and width are multiples of some power of 2 up to {MAX_MULTIPLE} px, but "
        f"at {MAX_MULTIPLE} px it said: {reason}"
    )


def takes_any_length(program: LandslideProgram, multiple: int) -> bool:
    """Return whether a network that reads dates takes other numbers of acquisitions than it was trained on, by trying."""
    if not program.reads_dates:
        return False
    side = -(-CHECK_PX // multiple) * multiple
    try:
        with torch.no_grad():
            for length in (1, program.timesteps + 1):
                x = torch.zeros(1, length, program.channels, side, side)
                program(x, torch.zeros(1, length))
    except Exception as error:  # noqa: BLE001 - each network has errors of its own
        logger.info("The network takes %d acquisitions alone: %s", program.timesteps, error)
        return False
    return True


def count_input_dates(config: Config) -> int:
    """Return the number of acquisitions that the served model of a config expects."""
    return int(config["timesteps"]) if config["steps"] in AROUND_EVENT else ACQUISITIONS


def list_input_steps(config: Config) -> list[int]:
    """Return the acquisitions that the network uses, as indices of those that the served model expects."""
    if config["steps"] in AROUND_EVENT:
        return list(range(config["timesteps"]))
    return select_even_steps(config["timesteps"])


def list_check_shapes(multiple: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the batch and pixels of two inputs of other sizes than the exported one's."""
    side = -(-CHECK_PX // multiple) * multiple
    return (1, side), (3, side + multiple)


def make_example(norm: Normalisation, series: int, batch: int, pixels: int) -> np.ndarray:
    """Make a plausible input ``(batch, series, C, pixels, pixels)``, float32, from a fixed seed."""
    shape = (batch, series, len(norm.channels), pixels, pixels)
    noise = np.random.default_rng(0).standard_normal(shape)
    mean, std = (np.array(values)[:, None, None] for values in (norm.mean, norm.std))
    return (mean + std * noise).astype(np.float32)


def make_example_days(series: int, batch: int) -> np.ndarray:
    """Make plausible days from the event ``(batch, series)``, float32: every twelve days, the last one of the batch missing."""
    days = 12.0 * (np.arange(series) - series // 2) + 4
    example = np.tile(days.astype(np.float32), (batch, 1))
    if batch > 1 and series > 1:
        example[-1, -1] = np.nan
    return example


def make_reference(
    program: LandslideProgram, norm: Normalisation, multiple: int
) -> dict[str, np.ndarray]:
    """Record the network's probabilities at two batch and tile sizes, for :func:`check_program`."""
    reference = {
        "mean": np.array(norm.mean),
        "std": np.array(norm.std),
        "series": np.array(program.timesteps),
        "multiple": np.array(multiple),
    }
    for number, (batch, pixels) in enumerate(list_check_shapes(multiple)):
        with torch.no_grad():
            example = make_example(norm, program.timesteps, batch, pixels)
            days = make_example_days(program.timesteps, batch)
            probs = program(torch.from_numpy(example), torch.from_numpy(days))
        reference[f"probs_{number}"] = probs.numpy()
    return reference


def read_reference(file: Path) -> dict[str, np.ndarray]:
    """Read ``reference.npz`` with the probabilities of :func:`make_reference`.

    Raises:
        ValueError: If the file has other arrays; see :mod:`data.io.safe_arrays`.
    """
    stats = {"mean": ArraySpec("float64", (None,)), "std": ArraySpec("float64", (None,))}
    counts = {"series": ArraySpec("int64", ()), "multiple": ArraySpec("int64", ())}
    probs = {f"probs_{number}": ArraySpec("float32", (None, None, None)) for number in range(2)}
    reference = read_arrays(file, {**stats, **probs, **counts})
    mean, std, series = reference["mean"], reference["std"], int(reference["series"])
    if not 0 < len(mean) == len(std) <= len(CHANNELS) or not 1 <= series <= ACQUISITIONS:
        got = f"{series} acquisitions of {len(mean)} and {len(std)} channels"
        raise refused_error("A reference must match a network's input", got, file)
    if not 1 <= (multiple := int(reference["multiple"])) <= MAX_MULTIPLE:
        raise refused_error(
            f"A reference's sizes must be multiples of 1 to {MAX_MULTIPLE} px", multiple, file
        )
    shapes = [(batch, side, side) for batch, side in list_check_shapes(multiple)]
    if (got_shapes := [reference[f"probs_{number}"].shape for number in range(2)]) != shapes:
        raise refused_error(f"A reference must have probabilities {shapes}", got_shapes, file)
    return reference


def check_program(
    loaded: Callable[[np.ndarray, np.ndarray], np.ndarray], reference: Mapping[str, np.ndarray]
) -> None:
    """Compare a reloaded program with the network it was exported from.

    Args:
        loaded: The program as a user loads it: input and days to probabilities.
        reference: Probabilities that :func:`make_reference` recorded in the training process.

    Raises:
        ValueError: If a probability differs by more than ``TOLERANCE``.
    """
    mean, std = (tuple(map(float, reference[name])) for name in ("mean", "std"))
    norm, series = Normalisation(("",) * len(mean), mean, std), int(reference["series"])
    for number, (batch, pixels) in enumerate(list_check_shapes(int(reference["multiple"]))):
        probs, wanted = (
            loaded(make_example(norm, series, batch, pixels), make_example_days(series, batch)),
            reference[f"probs_{number}"],
        )
        gap = float(np.abs(probs - wanted).max()) if probs.shape == wanted.shape else np.inf
        if not gap <= TOLERANCE:
            raise ValueError(
                f"An exported program must equal its network to {TOLERANCE}, but differs by {gap:.2g} "
                f"at batch {batch} and {pixels} px. Do not use this model."
            )
