"""A logged network, run by ONNX Runtime.

This module becomes part of every logged model, so it needs only onnxruntime and numpy.
"""

import os
from pathlib import Path

import numpy as np
import onnxruntime

from tuning.serving.onnx_file import examine_onnx, onnx_error, read_onnx

INPUT, OUTPUT = "x", "probability"
CALL_PX = 2**16  # larger calls are slower: their maps do not fit into a core's cache
STEP = "multiple_px"  # metadata: height and width are multiples of it
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
        Input ``(B, T, C, H, W)``, float32, backscatter in dB (heights in m, slopes in degrees), NaN = no data; output
        ``(B, H, W)``, float32, landslide probability. Any B; H and W are any multiples of ``multiple``.

    Args:
        content: The bytes of an ONNX file.
        place: Where they come from, for messages.
        threads: Threads of one call (default: :func:`count_threads`).
        cuda: Whether to run on the GPU; needs a package with ``CUDAExecutionProvider``.

    Attributes:
        timesteps: Acquisitions that it expects, T.
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
        shape, rank = list(inputs[0].shape), len(outputs[0].shape)
        if (
            names != ([INPUT], [OUTPUT])
            or (len(shape), rank) != (5, 3)
            or not all(isinstance(size, int) for size in shape[1:3])
        ):
            rule = f"A network must map {INPUT} (B, T, C, H, W) to {OUTPUT} (B, H, W)"
            raise onnx_error(rule, f"{names[0]} of shape {shape} to {names[1]}", place)
        self.timesteps, self.channels = int(shape[1]), int(shape[2])
        self.metadata = facts.metadata
        multiple = facts.metadata.get(STEP, "")
        if not multiple.isdecimal() or not 0 < int(multiple) <= 2**12:
            raise onnx_error(f"{STEP} must be a number of pixels", repr(multiple), place)
        self.multiple = int(multiple)
        self.local = GLOBAL_OPERATORS.isdisjoint(facts.operators)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Map ``(B, T, C, H, W)`` to probabilities ``(B, H, W)``.

        Raises:
            ValueError: If the shape is another.
        """
        check_shape(x.shape, self.timesteps, self.channels, self.multiple)
        size = max(1, CALL_PX // (x.shape[3] * x.shape[4]))
        probs = [self._run(x[start : start + size]) for start in range(0, len(x), size)]
        return probs[0] if len(probs) == 1 else np.concatenate(probs)

    def _run(self, x: np.ndarray) -> np.ndarray:
        values = np.ascontiguousarray(x, dtype=np.float32)
        probs: np.ndarray = self._session.run([OUTPUT], {INPUT: values})[0]
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


def load_program(path: Path, *, threads: int | None = None, cuda: bool = False) -> Program:
    """Load a network's file.

    Raises:
        FileNotFoundError: If there is no such file.
        OnnxError: If the file is refused.
    """
    return Program(read_onnx(path), path, threads=threads, cuda=cuda)
