"""Whether a model can map what a search has found: known before anything is loaded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from data.io.errors import list_first
from data.pack.channels import MAPS
from data.scene.base import InputSpec, SeriesDates, find_shortage
from data.scene.dates import choose_steps
from data.search.acquisitions import Found
from data.tiles.rules import ORBITS
from tuning.predict.ensemble import Member
from tuning.predict.pick import pick_model


@dataclass(frozen=True)
class PlannedScene:
    """A scene that is not loaded yet.

    Attributes:
        spec: The network's input.
        dates: The acquisitions that were found, and those that the network would read, by modality.
    """

    spec: InputSpec
    dates: dict[str, list[SeriesDates]]

    def find_shortage(self) -> int | None:
        """Return the number of acquisitions after the event if it is less than the network learnt from, else None."""
        return find_shortage(self.spec, self.dates)


def check_found(found: Found, model: str, root: Path, *, ensemble: bool = False) -> str:
    """Refuse to load a scene that the model could not map.

    Args:
        found: What the search has found.
        model: As for :func:`tuning.predict.ensemble.load_members`.
        root: The campaign's output folder.
        ensemble: Whether to map with all seeds.

    Returns:
        A sentence on the version that was picked for so few acquisitions; empty if there was nothing to pick.

    Raises:
        ValueError: If the model is unknown, or reads an orbit, bands or heights that were not found.
        DatesError: If no version of it was trained for the dates that were found.
    """
    return pick_model(model, root, partial(_plan, found), ensemble=ensemble)[2]


def _plan(found: Found, members: Sequence[Member]) -> PlannedScene:
    spec = replace(members[0].spec, event=found.event)
    _check_channels(spec, found)
    dates = {name: [_choose(spec, found, name)] for name in spec.modalities}
    return PlannedScene(spec, dates)


def _check_channels(spec: InputSpec, found: Found) -> None:
    """Raise if the network reads what is not in the catalogue."""
    have = [*found.acquisitions, *(MAPS if found.heights else ())]
    needed = [*spec.modalities, *(name for name in MAPS if name in spec.channels)]
    lacking = [name for name in needed if name not in have]
    if not lacking:
        return
    remedy = "Choose a model that reads less, or another --source."
    if set(lacking) & set(ORBITS):
        remedy = "Choose a model of the other orbit, another --source, or wait for the next pass."
    raise ValueError(
        f"The model reads {list_first(needed, len(needed))}, but {found.source} has no {list_first(lacking, len(lacking))} of this "
        f"place around {found.event}. {remedy}"
    )


def _choose(spec: InputSpec, found: Found, modality: str) -> SeriesDates:
    times = np.array([one.time for one in found.acquisitions[modality]])
    source = f"{found.source} ({modality})"
    steps = choose_steps(times, spec, found.event, modality, source)
    return SeriesDates(spec.list_usable(times), times[steps], found.event)
