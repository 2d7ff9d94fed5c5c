"""Ready-made studies: the axes and common options of ``python -m tuning.matrix STUDY``, for each length."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Study:
    """A question that a matrix answers.

    Attributes:
        about: The question, in words.
        vary: Axes and their levels, by length of the campaigns (``smoke``, ``quick`` or ``paper``).
        options: Options of every campaign, by length; what the user gives comes first.
    """

    about: str
    vary: Mapping[str, tuple[str, ...]]
    options: Mapping[str, Mapping[str, Any]]


_LEARNING = "gradient_boosting_windows"  # the strongest baseline that learns


def _options(*more: str, **others: Any) -> dict[str, dict[str, Any]]:
    """Return the common options by length: what two cores can train in minutes, and what the published study compares.

    Args:
        *more: Models of ``quick`` and ``paper``, beside those of every study.
        **others: Further options.
    """
    models = {
        "smoke": ["unet", "log_ratio_vv"],
        "quick": ["unet", "log_ratio_vv", *more],
        "paper": ["unet", "utae", "log_ratio_vv", *more, _LEARNING],
    }
    trials = {"smoke": 1, "quick": 2}
    return {
        length: {"model": list(dict.fromkeys(names)), **others}
        | (
            {"trials": trials[length], "baseline_trials": trials[length]}
            if length in trials
            else {}
        )
        for length, names in models.items()
    }


STUDIES: dict[str, Study] = {
    "ablation": Study(
        "which inputs help: polarisations, orbits, terrain",
        {
            "smoke": ("channels=s1,VV",),
            "quick": ("channels=s1,VV,VH,s1asc,s1dsc,s1+DEM",),
            "paper": (
                "channels=s1,VV,VH,s1asc,s1dsc,s1+DEM,s1+slope,s1+DEM+slope",
                "norm=train,published",
            ),
        },
        _options(),
    ),
    "rapid": Study(
        "how good the map is after one acquisition of each orbit and track after the event, two, three",
        {
            "smoke": ("window=pre:all/post:1..2",),
            "quick": ("window=pre:4/post:1..4",),
            "paper": ("window=pre:all/post:1..7",),
        },
        _options("dist_s1", replay=True),
    ),
    "labels": Study(
        "how many labelled tiles are needed, and how wrong labels may be",
        {
            "smoke": ("train=0.5,1", "label_noise=0,0.5"),
            "quick": ("train=0.1,0.25,0.5,1", "label_noise=0,0.1,0.3"),
            "paper": ("train=0.05,0.1,0.25,0.5,1", "label_noise=0,0.05,0.1,0.2,0.4"),
        },
        _options(_LEARNING),
    ),
    "transfer": Study(
        "how well a network maps an event that it has not seen, and how many of its labels help",
        {
            "smoke": ("shots=0,5", "transfer=pairs"),
            "quick": ("shots=0,1,5,20", "transfer=pairs"),
            "paper": ("shots=0,1,5,20", "transfer=pairs"),
        },
        _options("unet_ltae"),
    ),
}
