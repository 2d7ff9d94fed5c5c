"""Changes weights of a network's ONNX file."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from tuning.metrics.recalibration import Calibration
from tuning.serving.network import CALIBRATION
from tuning.serving.onnx_file import examine_onnx, onnx_error, read_onnx
from tuning.serving.program import Program


def load_uncalibrated(path: Path) -> Program:
    """Load a network's file with the network's own probabilities, for which the limits of the gate were measured.

    Raises:
        FileNotFoundError: If there is no such file.
        OnnxError: If the file is refused, or has no calibration.
    """
    content = read_onnx(path)
    examine_onnx(content, path)  # before onnx parses it
    model = onnx.load_model_from_string(content)
    stored = next((one for one in model.graph.initializer if one.name == CALIBRATION), None)
    if stored is None:
        raise onnx_error(f"A network's file must have the weight {CALIBRATION!r}", "none", path)
    own = np.array(Calibration().values, np.float32)
    stored.CopyFrom(numpy_helper.from_array(own, CALIBRATION))
    return Program(model.SerializeToString(), path)
