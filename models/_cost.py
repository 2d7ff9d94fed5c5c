"""The cost of a network's forward pass, counted without computing it."""

import logging
import math
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from models._dates import apply_network
from models._registry import create_model

logger = logging.getLogger(__name__)


def count_gmac(name: str, in_channels: int, timesteps: int, side: int, **arch: Any) -> float:
    """Count the multiply-accumulates of one tile's forward pass, in billions: those of convolutions and matrix products.

    The network is built and run on torch's meta device, where tensors have a shape and no values, so this costs neither
    memory nor a draw of random numbers. Two operations of `FlopCounterMode` are one multiply-accumulate.

    Args:
        name: Architecture, one of `models.list_models`.
        in_channels: Channels per acquisition, C.
        timesteps: Acquisitions, T.
        side: Height and width of the tile, px.
        **arch: Arguments of the architecture.

    Returns:
        Billions of multiply-accumulates; NaN, with a line in the log, for a network that cannot be run without values.
    """
    try:
        with torch.device("meta"), torch.no_grad():
            network = create_model(name, in_channels, timesteps, **arch).eval()
            x = torch.empty(1, timesteps, in_channels, side, side)
            with FlopCounterMode(display=False) as counter:
                apply_network(network, x, torch.empty(1, timesteps))
    except Exception as error:  # noqa: BLE001 - a network from outside has errors of its own
        logger.warning(
            "The cost of %s per tile is unknown, since torch's meta device cannot run it: %s",
            name,
            error,
        )
        return math.nan
    return float(counter.get_total_flops()) / 2e9
