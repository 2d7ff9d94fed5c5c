"""A trained network as a program: backscatter in dB in, landslide probability out.

A program contains weights, normalisation and calibration. `tuning.serving.onnx_export` writes it to a file, which
`tuning.serving.program` loads.
"""

import json
import logging
import math

import torch
from torch import Tensor, nn

from data.pack.channels import SAR_CHANNELS, select_even_steps
from data.pack.normalisation import Normalisation
from data.tiles import ACQUISITIONS
from data.values.window import is_around_event
from models import reads_dates
from tuning.metrics.recalibration import Calibration
from tuning.train.checkpoints import Checkpoint
from tuning.trial.folder import Config

logger = logging.getLogger(__name__)

CHECK_PX = 32  # at least, of the sizes that are tried
MAX_MULTIPLE = 128  # px
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
        known = torch.where(missing, 0.0, x)
        logits: Tensor
        if not self.reads_dates:
            logits = self.model(known).squeeze(1)
        elif days is None:
            raise ValueError(
                "The network reads dates: it takes x and days (B, T), from the event to each acquisition, but got x alone. "
                "Pass the days too."
            )
        else:
            empty = missing[:, :, self._dated].flatten(2).all(dim=2)
            logits = self.model(known, torch.where(empty, math.nan, days)).squeeze(1)
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
    return int(config["timesteps"]) if is_around_event(config["steps"]) else ACQUISITIONS


def list_input_steps(config: Config) -> list[int]:
    """Return the acquisitions that the network uses, as indices of those that the served model expects."""
    if is_around_event(config["steps"]):
        return list(range(config["timesteps"]))
    return select_even_steps(config["timesteps"])
