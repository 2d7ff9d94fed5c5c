"""The model that MLflow loads and serves: an array or a tile's path in, probabilities or a mask out.

It is logged as code (`tuning.tracking.log_model` joins it with the modules it needs into one file), so that it loads without
this project and without a pickle.
"""

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel

from data.tiles.map_dates import LearntDates
from tuning.serving.array_input import clean_array, to_numbers
from tuning.serving.program import (
    CUDA,
    DAYS,
    INPUT,
    Program,
    check_days,
    check_shape,
    load_program,
)
from tuning.serving.tile_dates import parse_event
from tuning.serving.tile_input import ModelInput, read_tile
from tuning.serving.tile_rules import TileInputError

logger = logging.getLogger("landslide_model")

SERVING = "_MLFLOW_IS_IN_SERVING_ENVIRONMENT"  # set by `mlflow models serve`
PARAMS = ("mask", "threshold", "event")


class InputError(MlflowException, ValueError):
    """Invalid input; a server responds with status 400 and the message.

    Attributes:
        verdict: Short name of the rule that a tile breaks, such as ``wrong-crs``; empty for other input.
    """

    def __init__(self, message: str, verdict: str = "") -> None:
        super().__init__(message, error_code=INVALID_PARAMETER_VALUE)
        self.verdict = verdict

    def __setattr__(self, name: str, value: Any) -> None:
        # MLflow's server prepends the whole input, possibly megabytes, to the message.
        if name == "message" and str(value).startswith("Failed to predict data"):
            value = str(value).rpartition("\nError: ")[2]
        super().__setattr__(name, value)


class LandslideModel(PythonModel):
    """Predicts landslide probability per pixel from a Sentinel-1 series.

    Attributes:
        program: The network with its normalisation, from arrays ``(B, T, C, H, W)`` of the acquisitions that it uses to
            ``(B, H, W)``.
        threshold: Minimum probability of a landslide pixel, chosen on val.
        spec: Channels and acquisitions of the input.
        series: Acquisitions of the input.
        acquisitions: Those of them that the network uses, as indices.
        device: ``cpu`` or ``cuda``.
        synthetic: Whether the network was trained on the synthetic twin.
    """

    program: Program
    threshold: float
    spec: ModelInput
    series: int
    acquisitions: list[int]
    device: str
    synthetic: bool
    _told: bool = False

    def load_context(self, context: Any) -> None:
        """Load the network onto the device of ``model_config``, such as ``{"device": "cuda"}``.

        Raises:
            OnnxError: If the network's file is refused.
            ValueError: If the device is unknown or not available.
        """
        facts = json.loads(Path(context.artifacts["facts"]).read_text())
        self.threshold = float(facts["threshold"])
        events = dict(word.split("=", 1) for word in facts["events"].split())
        profile = facts.get("profile") or {}
        learnt = {
            name: LearntDates(
                tuple(days),
                profile.get("after", {}).get(name),
                profile.get("least_after", {}).get(name, 1),
            )
            for name, days in profile.get("offsets", {}).items()
        }
        self.spec = ModelInput(
            tuple(facts["channels"]), facts["timesteps"], facts["steps"], events, learnt
        )
        self.synthetic = facts["data"] == "synthetic"
        if self.synthetic:
            logger.warning(
                "This model was trained on SYNTHETIC tiles: its maps say nothing about real places."
            )
        self.series, self.acquisitions = int(facts["series"]), list(facts["acquisitions"])
        self.device = choose_device((context.model_config or {}).get("device", "auto"))
        path = Path(context.artifacts["program"])
        self.program = load_program(path, cuda=self.device == "cuda")

    def predict(
        self, context: Any, model_input: np.ndarray, params: dict[str, Any] | None = None
    ) -> np.ndarray:
        """Predict tiles.

        Args:
            context: Unused.
            model_input: An array or nested lists ``(B, T, C, H, W)``: dB, heights in m, slopes in degrees. No data are NaN, null,
                masked, and what files may hold as such (`data.values`). If the network reads dates, a dictionary of this array
                as ``x`` and ``days (B, T)``, days from the event to each acquisition, NaN or null = none. Or the path of a NetCDF
                tile, with its other modalities in the folders beside it.
            params: ``{"mask": True}`` returns the mask at the threshold chosen on val, ``{"threshold": 0.4}`` the mask
                at another threshold. For a path, ``{"event": "2018-09-05T18:08"}`` is the time of the event in UTC, if
                neither the file nor the model has it.

        Returns:
            Probabilities ``(B, H, W)``, float32; or the mask, uint8, 1 = landslide. Rows of a tile run from north to
            south.

        Raises:
            InputError: If the input or a param is invalid; in a server, also for any path.
        """
        try:
            threshold = read_threshold(params or {}, self.threshold)
            x, days = self._read(model_input, (params or {}).get("event"))
            x, days = self._pick_acquisitions(x, days)
            if not isinstance(model_input, (str, Path)):
                x = clean_array(x, self.spec.channels)
        except (TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            verdict = error.verdict if isinstance(error, TileInputError) else ""
            raise InputError(str(error), verdict) from error
        probs = self.program(x, days)
        return probs if threshold is None else (probs >= threshold).astype(np.uint8)

    def _pick_acquisitions(
        self, x: np.ndarray, days: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Check the input's shape and take the acquisitions that the network uses; of another number, all, if it takes any."""
        own = self.program.any_length and x.ndim == 5 and x.shape[1] not in (0, self.series)
        length = x.shape[1] if own else self.series
        check_shape(x.shape, length, self.program.channels, self.program.multiple)
        days = check_days(days, x.shape) if self.program.reads_dates else None
        if own or len(self.acquisitions) == self.series:
            return x, days
        return x[:, self.acquisitions], None if days is None else days[:, self.acquisitions]

    def _read(self, model_input: Any, event: object) -> tuple[np.ndarray, np.ndarray | None]:
        """Read or convert the input to float32, with its days if it has them."""
        if isinstance(model_input, (str, Path)):
            if os.environ.get(SERVING, "").lower() in ("true", "1"):
                raise InputError("A server accepts arrays, but got a path. Send the tile's values.")
            return self._read_tile(Path(model_input), event)
        if event is not None:
            raise InputError(
                "An event belongs to a tile's path, but got one with an array. Omit it."
            )
        days = None
        if isinstance(model_input, Mapping) or self.program.reads_dates:
            model_input, days = self._take_days(model_input)
        try:
            return to_numbers(model_input), None if days is None else to_numbers(days)
        except (TypeError, ValueError) as error:
            if str(error).startswith("The input must be"):
                raise
            got = type(model_input).__name__
            raise InputError(
                "The input must be an array (B, T, C, H, W) of numbers or the path of a tile, but got "
                f"{got}: {error}."
            ) from error

    def _take_days(self, given: Any) -> tuple[Any, Any]:
        """Return the array and the days of a dictionary."""
        names = (INPUT, DAYS) if self.program.reads_dates else (INPUT,)
        if not isinstance(given, Mapping) or set(given) != set(names):
            got = ", ".join(map(str, given)) if isinstance(given, Mapping) else type(given).__name__
            reads = "The network reads dates: the" if self.program.reads_dates else "The"
            raise InputError(
                f"{reads} input must have {' and '.join(names)}, but got {got or 'nothing'}. Pass "
                f"{{{', '.join(f'{name!r}: …' for name in names)}}}"
                f"{', days from the event to each acquisition, shape (B, T)' if DAYS in names else ''}."
            )
        return given[INPUT], given.get(DAYS)

    def _read_tile(self, path: Path, event: object) -> tuple[np.ndarray, np.ndarray]:
        tile = read_tile(path, self.spec, None if event is None else parse_event(event))
        if tile.synthetic and not self._told:
            self._told = True
            logger.warning("SYNTHETIC tiles, such as %s: this is no map of a real place.", path)
        return tile.x, tile.days


def choose_device(name: str) -> str:
    """Return ``cpu`` or ``cuda``; ``auto`` is the GPU if this ONNX Runtime can use one, else the CPU."""
    can_cuda = CUDA in onnxruntime.get_available_providers()
    if name == "auto":
        return "cuda" if can_cuda else "cpu"
    if name == "cpu" or (name == "cuda" and can_cuda):
        return name
    raise ValueError(
        f"The device must be auto or cpu, or cuda where onnxruntime-gpu is installed, but got {name!r}. Choose another."
    )


def read_threshold(params: Mapping[str, Any], stored: float) -> float | None:
    """Return the threshold of the requested mask, or None if probabilities are requested."""
    for name in params:
        if name not in PARAMS:
            raise ValueError(f"A param must be one of {', '.join(PARAMS)}, but got {name!r}.")
    limit = params.get("threshold")
    if limit is None:
        return stored if params.get("mask") else None
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 <= limit <= 1:
        raise ValueError(f"A threshold must be in [0, 1], but got {limit!r}.")
    return float(limit)
