"""Example inputs of a network, and its answers to them, with which a reloaded program is compared."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from data.io.safe_arrays import ArraySpec, read_arrays
from data.io.safe_json import refused_error
from data.pack.channels import CHANNELS
from data.pack.normalisation import Normalisation
from data.tiles import ACQUISITIONS
from tuning.serving.network import CHECK_PX, MAX_MULTIPLE, LandslideProgram

# Of a probability between program and network: other kernels round differently, and a norm over the few channels of one
# pixel, such as U-TAE's, makes a difference of rounding 300 times as large where they are nearly equal.
TOLERANCE = 5e-4


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
