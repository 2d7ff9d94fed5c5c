"""Normalisation: mean and standard deviation per channel, measured on the train tiles or as published."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from data.io.errors import unknown_name
from data.pack.channels import CHANNELS
from data.pack.pack import Pack
from data.splits import Split
from data.tiles import BANDS

MIN_STD = 0.05  # dB, m or degrees; real SAR varies by 3 to 4 dB, a clipped channel by thousandths
KINDS = ("train", "published")

# Mean and standard deviation of S12LS-LD over all regions, harmonized release: dB, reflectance numbers, m. Repository
# PaulH97/Sen12Landslides, norm.json of S12LS-LD in commits 522ddce (s1asc, with the heights) and 3de511c (s1dsc, s2).
_S2_MEAN = (1492.5, 1668.7, 1583.3, 2063.5, 3109.7, 3443.4, 3550.9, 3642.2, 2272.8, 1509.4)
_S2_STD = (2434.8, 2290.8, 2293.3, 2192.1, 1882.4, 1824.6, 1857.8, 1752.8, 1118.0, 1044.7)
PUBLISHED: dict[str, tuple[float, float]] = {
    "s1asc:VV": (-9.1787, 3.5571),
    "s1asc:VH": (-15.7326, 4.2276),
    "s1dsc:VV": (-9.1259, 3.4018),
    "s1dsc:VH": (-15.6784, 4.1086),
    "DEM": (767.52, 646.22),
    **{
        f"s2:{band}": (mean, std)
        for band, mean, std in zip(BANDS["s2"], _S2_MEAN, _S2_STD, strict=True)
    },
}


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation per channel, shape ``(C,)`` each, in the channel's unit.

    Attributes:
        channels: Names of ``data.pack.channels.CHANNELS``.
        mean: In dB, m, degrees or Sentinel-2's reflectance numbers.
        std: In the same units.
        kind: ``train`` or ``published``.
    """

    channels: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    kind: str = "train"


def make_normalisation(
    kind: str, pack: Pack, train: Sequence[str], channels: Sequence[str]
) -> Normalisation:
    """Return the normalisation of some channels, after checking that they vary.

    Args:
        kind: ``train`` measures it on the train tiles; ``published`` uses the data set's statistics.
        pack: The packed tiles.
        train: Ids of the train tiles.
        channels: Channels of the pack, in the pack's order.

    Raises:
        ValueError: If the kind or a channel is unknown, or a channel is (nearly) constant over the train
            tiles or has no published statistics.
    """
    if kind not in KINDS:
        raise ValueError(unknown_name("norm", kind, KINDS))
    measured = measure_normalisation(pack, train, channels)
    if kind == "train":
        return measured
    if missing := [name for name in channels if name not in PUBLISHED]:
        raise ValueError(
            f"The published norm covers {', '.join(PUBLISHED)}, but got {', '.join(missing)}. "
            "Omit these channels or use --norm train."
        )
    mean, std = zip(*(PUBLISHED[name] for name in channels), strict=True)
    return Normalisation(tuple(channels), mean, std, kind)


def measure_normalisation(
    pack: Pack, train: Sequence[str], channels: Sequence[str]
) -> Normalisation:
    """Return each channel's mean and standard deviation over the train tiles.

    Raises:
        ValueError: If the pack lacks a channel, or one is (nearly) constant over the train tiles.
    """
    for name in channels:
        if name not in pack.channels:
            raise ValueError(unknown_name("channel", name, pack.channels))
    if list(channels) != [name for name in CHANNELS if name in channels]:
        raise ValueError(
            f"Channels must be unique and in the order {', '.join(CHANNELS)}, but got {', '.join(channels)}. "
            "Sort them."
        )
    index = [pack.channels.index(name) for name in channels]
    count, total, squares = pack.moments[pack.rows(train)][:, index].sum(axis=0).T
    mean = total / np.maximum(count, 1)
    std = np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 0.0))
    for name, value in zip(channels, std, strict=True):
        if value < MIN_STD:
            raise ValueError(
                f"A channel must vary over the train tiles, but {name} has a standard deviation of "
                f"{value:.4f} in {pack.path}. Check the unit of the tiles: linear power that is clipped "
                "as if it were dB becomes (nearly) constant."
            )
    return Normalisation(tuple(channels), tuple(map(float, mean)), tuple(map(float, std)))


def save_normalisation(pack: Pack, split: Split, norm: Normalisation) -> None:
    """Write a normalisation into the pack's folder, as ``norm-<kind>-<split hash>.json``."""
    file = pack.path / f"norm-{norm.kind}-{split.hash}.json"
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(
        json.dumps({"split": split.name, "hash": split.hash, **asdict(norm)}, indent=1)
    )
    temporary.replace(file)
