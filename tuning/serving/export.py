"""Exports a trained network as a program: backscatter in dB in, landslide probability out.

A program contains weights, normalisation, calibration and the selection of acquisitions. Its file holds a graph of operators and raw
weights, no pickle and no code; `tuning.serving.program` loads it.
"""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from data.io.safe_arrays import ArraySpec, read_arrays
from data.io.safe_json import refused_error
from data.pack.channels import AROUND_EVENT, CHANNELS, select_even_steps
from data.pack.normalisation import Normalisation
from data.tiles import ACQUISITIONS
from tuning.metrics.recalibration import Calibration
from tuning.serving.program import Program, load_program
from tuning.serving.pt2_archive import Pt2Error
from tuning.serving.weight_swap import Skeleton, read_skeleton
from tuning.train.checkpoints import Checkpoint
from tuning.trial.folder import Config

logger = logging.getLogger(__name__)

EXAMPLE_PX = 32  # small, because the example is stored with the model
CHECK_SHAPES = (
    (1, EXAMPLE_PX),
    (3, EXAMPLE_PX + 16),
)  # batch and pixels, other than the exported example's
TOLERANCE = 1e-5  # maximum difference of a probability between program and network
# Config entries that determine the graph.
GRAPH_KEYS = ("model", "arch", "channels", "timesteps", "steps")
MAX_SKELETONS = 8  # of about 0.2 MB each

CALIBRATION = "calibration"  # weight of a program; those of earlier versions have none

_skeletons: dict[str, Skeleton] = {}  # by LandslideProgram.structure, oldest first


class LandslideProgram(nn.Module):
    """A network with its normalisation and calibration.

    Shape:
        Input ``(B, T, C, H, W)``, backscatter in dB (heights in m, slopes in degrees), NaN = no data; output
        ``(B, H, W)``, landslide probability. H and W are multiples of ``2**depth``.
        T is 15, from which the program selects its own acquisitions. A network on acquisitions around the event
        expects only those, because their selection needs the dates.

    Attributes:
        structure: Key of the graph: programs with equal keys differ only in weights. Empty if unknown.
    """

    def __init__(
        self,
        model: nn.Module,
        norm: Normalisation,
        timesteps: int,
        steps: str,
        structure: str = "",
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__()
        self.model, self.structure = model, structure
        steps_used = (
            list(range(timesteps)) if steps in AROUND_EVENT else select_even_steps(timesteps)
        )
        self.register_buffer("steps", torch.tensor(steps_used))
        self.register_buffer("mean", torch.tensor(norm.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(norm.std)[:, None, None])
        self.register_buffer(CALIBRATION, torch.tensor((calibration or Calibration()).values))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, T, C, H, W)`` in dB to probabilities ``(B, H, W)``."""
        x = (x.index_select(1, self.steps) - self.mean) / self.std  # type: ignore[arg-type,operator]
        logits: Tensor = self.model(torch.nan_to_num(x, nan=0.0)).squeeze(1)
        low, high, shift = self.calibration.unbind()  # type: ignore[operator]
        odds = high * softplus(logits) - low * softplus(-logits) + shift
        return odds.sigmoid()


def make_program(
    checkpoint: Checkpoint, calibration: Calibration | None = None
) -> LandslideProgram:
    """Wrap a checkpoint's network, on the CPU and in eval mode; without *calibration* its probabilities stay."""
    config = checkpoint.config
    structure = json.dumps({name: config.get(name) for name in GRAPH_KEYS}, sort_keys=True)
    program = LandslideProgram(
        *(checkpoint.model, checkpoint.norm, config["timesteps"], config["steps"], structure),
        calibration,
    )
    return program.cpu().eval()  # in training mode dropout would be exported


def count_input_dates(config: Config) -> int:
    """Return the number of acquisitions that the program of a config expects."""
    return int(config["timesteps"]) if config["steps"] in AROUND_EVENT else ACQUISITIONS


def make_example(
    norm: Normalisation, series: int = ACQUISITIONS, batch: int = 2, pixels: int = EXAMPLE_PX
) -> np.ndarray:
    """Make a plausible input ``(batch, series, C, pixels, pixels)``, float32, from a fixed seed."""
    shape = (batch, series, len(norm.channels), pixels, pixels)
    noise = np.random.default_rng(0).standard_normal(shape)
    mean, std = (np.array(values)[:, None, None] for values in (norm.mean, norm.std))
    return (mean + std * noise).astype(np.float32)


def make_reference(
    program: LandslideProgram, norm: Normalisation, series: int = ACQUISITIONS
) -> dict[str, np.ndarray]:
    """Record the network's probabilities at other batch and tile sizes, for :func:`check_program`."""
    reference = {"mean": np.array(norm.mean), "std": np.array(norm.std), "series": np.array(series)}
    for batch, pixels in CHECK_SHAPES:
        with torch.no_grad():
            probs = program(torch.from_numpy(make_example(norm, series, batch, pixels)))
        reference[f"probs_{batch}_{pixels}"] = probs.numpy()
    return reference


def read_reference(file: Path) -> dict[str, np.ndarray]:
    """Read ``reference.npz`` with the probabilities of :func:`make_reference`.

    Raises:
        ValueError: If the file has other arrays; see :mod:`data.io.safe_arrays`.
    """
    stats = {"mean": ArraySpec("float64", (None,)), "std": ArraySpec("float64", (None,))}
    probs = {f"probs_{b}_{px}": ArraySpec("float32", (b, px, px)) for b, px in CHECK_SHAPES}
    reference = read_arrays(file, {**stats, **probs, "series": ArraySpec("int64", ())})
    mean, std, series = reference["mean"], reference["std"], int(reference["series"])
    if not 0 < len(mean) == len(std) <= len(CHANNELS) or not 1 <= series <= ACQUISITIONS:
        got = f"{series} acquisitions of {len(mean)} and {len(std)} channels"
        raise refused_error("A reference must match a network's input", got, file)
    return reference


def check_program(loaded: Callable[[Tensor], Tensor], reference: Mapping[str, np.ndarray]) -> None:
    """Compare a reloaded program with the network it was exported from.

    Args:
        loaded: The program as a user loads it.
        reference: Probabilities that :func:`make_reference` recorded in the training process.

    Raises:
        ValueError: If a probability differs by more than ``TOLERANCE``.
    """
    mean, std = (tuple(map(float, reference[name])) for name in ("mean", "std"))
    norm, series = Normalisation(("",) * len(mean), mean, std), int(reference["series"])
    for batch, pixels in CHECK_SHAPES:
        with torch.no_grad():
            probs = loaded(torch.from_numpy(make_example(norm, series, batch, pixels))).numpy()
        gap = float(np.abs(probs - reference[f"probs_{batch}_{pixels}"]).max())
        if not gap <= TOLERANCE:
            raise ValueError(
                f"An exported program must equal its network to {TOLERANCE}, but differs by {gap:.2g} "
                f"at batch {batch} and {pixels} px. Do not use this model."
            )


def save_program(
    program: LandslideProgram, reference: Mapping[str, np.ndarray], path: Path
) -> Program:
    """Export a program to a file, load it back and compare it with the network.

    If an earlier program had the same structure, its graph is reused with the new weights, provided that the result is
    correct. Otherwise the network is exported for one shape, which takes a quarter of the time and is correct for all
    shapes unless the network reads its input's size. In that case it is exported again for any shape.

    Args:
        program: The network.
        reference: Its probabilities at other shapes than the exported one, from :func:`make_reference`.
        path: File to write, named ``*.pt2``.

    Returns:
        The program as a user loads it.

    Raises:
        Pt2Error: If the network uses an operator that is not in the list of allowed operators.
        ValueError: If the reloaded program's probabilities differ from the network's.
    """
    if (reused := _reuse_graph(program, reference, path)) is not None:
        return reused
    mean, std = (tuple(map(float, reference[name])) for name in ("mean", "std"))
    example = make_example(Normalisation(("",) * len(mean), mean, std), int(reference["series"]))
    auto = torch.export.Dim.AUTO
    try:
        loaded = _export(program, example, None, reference, path)
    except Pt2Error:
        raise
    except (ValueError, RuntimeError) as error:
        logger.info("Exporting for any shape, because the export for one shape failed: %s", error)
        loaded = _export(program, example, ({0: auto, 3: auto, 4: auto},), reference, path)
    skeleton = read_skeleton(path) if program.structure else None
    if skeleton is not None:
        _skeletons[program.structure] = skeleton
        while len(_skeletons) > MAX_SKELETONS:
            del _skeletons[next(iter(_skeletons))]
    return loaded


def _reuse_graph(
    program: LandslideProgram, reference: Mapping[str, np.ndarray], path: Path
) -> Program | None:
    """Write the program with the graph of an earlier one; return None if no graph fits."""
    skeleton = _skeletons.get(program.structure)
    if skeleton is None:
        return None
    try:
        skeleton.write(program.state_dict(), path)
        loaded = load_program(path)
        check_program(loaded, reference)
    except ValueError as error:
        logger.info(
            "Exporting again, because the graph of an earlier trial does not fit: %s", error
        )
        return None
    return loaded


def _export(
    program: LandslideProgram,
    example: np.ndarray,
    shapes: tuple[dict[int, object]] | None,
    reference: Mapping[str, np.ndarray],
    path: Path,
) -> Program:
    """Export for the example's shape or any shape, without data for compilers and debuggers."""
    exported = torch.export.export(program, (torch.from_numpy(example),), dynamic_shapes=shapes)
    for node in exported.graph.nodes:  # stack traces contain local paths
        node.meta = {name: value for name, value in node.meta.items() if name == "val"}
    exported._example_inputs = None  # would be pickled
    exported._guards_code = []
    exported._module_call_graph = exported.module_call_graph[:1]
    torch.export.save(exported, path)
    loaded = load_program(path)
    check_program(loaded, reference)
    return loaded
