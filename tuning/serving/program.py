"""A logged network, run by ONNX Runtime.

This module becomes part of every logged model, so it needs only onnxruntime and numpy.
"""

import os
from pathlib import Path

import numpy as np
import onnxruntime

from tuning.serving.onnx_file import examine_onnx, onnx_error, read_onnx

INPUT, DAYS, OUTPUT = "x", "days", "probability"
CALL_PX = 2**16  # larger calls are slower: their maps do not fit into a core's cache
STEP = "multiple_px"  # metadata: height and width are multiples of it
LENGTH = "timesteps"  # metadata: acquisitions of the training
MAX_DAYS = 3660  # from the event to an acquisition: ten years
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# A pixel's result may depend on the whole window where a graph has one of these.
GLOBAL_OPERATORS = frozenset(
    [
        "Attention",
        "Einsum",
        "GlobalAveragePool",
        "GlobalLpPool",
        "GlobalMaxPool",
        "GroupNormalization",
        "InstanceNormalization",
        "MatMul",
        "MeanVarianceNormalization",
        "Softmax",
    ]
)


class Program:
    """A network with its normalisation and calibration inside.

    Shape:
        Input ``(B, T, C, H, W)``, float32, backscatter in dB (heights in m, slopes in degrees), NaN = no data, and for a network
        that reads dates ``days (B, T)``, float32, days from the event to each acquisition, NaN = no acquisition; output
        ``(B, H, W)``, float32, landslide probability. Any B; H and W are any multiples of ``multiple``.

    Args:
        content: The bytes of an ONNX file.
        place: Where they come from, for messages.
        threads: Threads of one call (default: :func:`count_threads`).
        cuda: Whether to run on the GPU; needs a package with ``CUDAExecutionProvider``.

    Attributes:
        reads_dates: Whether it takes *days*.
        timesteps: Acquisitions that it expects, T; if *any_length*, those that it was trained on.
        any_length: Whether it takes any T.
        channels: Channels that it expects, C.
        multiple: Height and width are multiples of it, px.
        metadata: What the file says of itself.
        local: Whether a pixel's probability depends only on its surroundings.

    Raises:
        OnnxError: If the file is refused by :func:`tuning.serving.onnx_file.examine_onnx`, or is no network of a time series.
    """

    def __init__(
        self, content: bytes, place: Path | str, *, threads: int | None = None, cuda: bool = False
    ) -> None:
        facts = examine_onnx(content, place)
        self._session = _open_session(content, place, threads or count_threads(), cuda=cuda)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        names = ([one.name for one in inputs], [one.name for one in outputs])
        ranks = [len(one.shape) for one in (*inputs, *outputs)]
        shape = list(inputs[0].shape)
        self.reads_dates = names[0] == [INPUT, DAYS]
        self.any_length = self.reads_dates and len(shape) > 1 and not isinstance(shape[1], int)
        if (
            names not in (([INPUT], [OUTPUT]), ([INPUT, DAYS], [OUTPUT]))
            or ranks != ([5, 2, 3] if self.reads_dates else [5, 3])
            or not all(isinstance(size, int) for size in shape[1 + self.any_length : 3])
        ):
            rule = (
                f"A network must map {INPUT} (B, T, C, H, W), and {DAYS} (B, T) if it reads dates, to "
                f"{OUTPUT} (B, H, W)"
            )
            raise onnx_error(rule, f"{names[0]} of shape {shape} to {names[1]}", place)
        self.metadata = facts.metadata
        self.channels, self.multiple = int(shape[2]), self._read_number(STEP, 2**12, place)
        self.timesteps = (
            self._read_number(LENGTH, 2**8, place) if self.any_length else int(shape[1])
        )
        self.local = GLOBAL_OPERATORS.isdisjoint(facts.operators)

    def _read_number(self, name: str, most: int, place: Path | str) -> int:
        text = self.metadata.get(name, "")
        if not text.isdecimal() or not 0 < int(text) <= most:
            units = {STEP: "pixels", LENGTH: "acquisitions"}
            raise onnx_error(f"{name} must be a number of {units[name]}", repr(text), place)
        return int(text)

    def __call__(self, x: np.ndarray, days: np.ndarray | None = None) -> np.ndarray:
        """Map ``(B, T, C, H, W)`` to probabilities ``(B, H, W)``.

        Args:
            x: The acquisitions.
            days: Days from the event to each of them, shape ``(B, T)``; a network that does not read dates ignores them.

        Raises:
            ValueError: If a shape is another, or the days are missing.
        """
        length = x.shape[1] if self.any_length and x.ndim == 5 and x.shape[1] else self.timesteps
        check_shape(x.shape, length, self.channels, self.multiple)
        if self.reads_dates:
            days = check_days(days, x.shape)
        size = max(1, CALL_PX // (x.shape[3] * x.shape[4]))
        probs = []
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            probs.append(self._run(x[part], None if days is None else days[part]))
        return probs[0] if len(probs) == 1 else np.concatenate(probs)

    def _run(self, x: np.ndarray, days: np.ndarray | None) -> np.ndarray:
        values = {INPUT: np.ascontiguousarray(x, dtype=np.float32)}
        if self.reads_dates:
            values[DAYS] = np.ascontiguousarray(days, dtype=np.float32)
        probs: np.ndarray = self._session.run([OUTPUT], values)[0]
        return probs


def count_threads() -> int:
    """Return the threads of one call: ``OMP_NUM_THREADS``, else the cores that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _open_session(
    content: bytes, place: Path | str, threads: int, *, cuda: bool
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # its errors are raised
    providers = [CUDA, CPU] if cuda else [CPU]
    try:
        return onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # its exceptions have no common base
        reason = str(error).strip().split("\n")[0]
        raise onnx_error("A network's file must run in ONNX Runtime", reason, place) from error


def check_shape(got: tuple[int, ...], timesteps: int, channels: int, multiple: int) -> None:
    """Refuse an input that a network of *timesteps* acquisitions and *channels* channels cannot take."""
    wanted = f"(B, T={timesteps}, C={channels}, H, W)"
    if len(got) == 4:
        raise ValueError(
            f"The input must be a batch {wanted}, but got one tile {got}. Pass x[None]."
        )
    if len(got) != 5 or got[1:3] != (timesteps, channels) or not got[0]:
        raise ValueError(
            f"The input must have shape {wanted}, but got {got}. Pass the acquisitions and channels that "
            "the model was trained on, in the order of its metadata."
        )
    if any(not size or size % multiple for size in got[3:]):
        raise ValueError(
            f"H and W must be multiples of {multiple}, but got {got[3]} x {got[4]}. Pad with NaN or crop."
        )


def check_days(days: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """Return the days of an input of *shape* ``(B, T, C, H, W)`` as float32, or refuse them."""
    rule = "The network reads dates: days must have shape (B, T), days from the event to each acquisition, NaN = none"
    if days is None:
        raise ValueError(f"{rule}, but got none. Pass them as the second input.")
    if days.shape != shape[:2]:
        raise ValueError(f"{rule}, but got {days.shape} for {shape[:2]}. Pass one for each image.")
    known = days[np.isfinite(days)]
    if np.isinf(days).any() or (np.abs(known) > MAX_DAYS).any():
        worst = days[np.isinf(days) | (np.abs(days) > MAX_DAYS)][0]
        raise ValueError(
            f"{rule}, but got {worst:g} days. Count from the event, not from another date."
        )
    return days.astype(np.float32)


def load_program(path: Path, *, threads: int | None = None, cuda: bool = False) -> Program:
    """Load a network's file.

    Raises:
        FileNotFoundError: If there is no such file.
        OnnxError: If the file is refused.
    """
    return Program(read_onnx(path), path, threads=threads, cuda=cuda)
