"""Event-free series: only images before a tile's event, with an event pretended between two of them.

What a model calls landslide on such a series is a false alarm, unless an older landslide happened to fall between the
images; no label is needed to count it. The rule:

1. Only images before the event are read. Every series needs ``MIN_EARLY`` of them, at different times.
2. The event is pretended in the middle of the early images of all series together, moved as little as possible so
   that each series has an image on both sides.
3. The early images fill the places of the whole series in the order of time, evenly; so the model's own choice
   (``even``, ``event``, ``all``) picks from them, and it gets as many images as ever. Images are repeated only where
   there are fewer than it reads.

Early images are about half as many and span about half the time, so pairs are closer in time than the ones that the
model learnt from, and of another season: the number tells models apart on the same tiles rather than that it predicts
the alarms of a year's series.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from data.pack.channels import select_even_steps
from data.pack.pack import Pack
from data.tiles import ACQUISITIONS

_BY_TILE = ("dem", "slope", "moments", "own_events", "corners")
MIN_EARLY = 2  # images of each series before the event: one on each side of the pretended event


def _count_early(series: Sequence[np.ndarray], event: np.datetime64) -> int:
    """Return the number of different images before an event, of the series that has fewest."""
    return min((len(np.unique(times[times <= event])) for times in series), default=0)


def pretend_event(series: Sequence[np.ndarray], event: np.datetime64) -> np.datetime64 | None:
    """Return a time in the middle of the images before the event, with images of every series on both sides of it.

    Args:
        series: Acquisition times of each modality, each of shape ``(T,)``, UTC.
        event: Time of the real event, UTC; an image at this time is before it.

    Returns:
        Half-way between two images, or None if there is no such time.
    """
    early = [np.unique(times[times <= event]) for times in series]
    if min(map(len, early), default=0) < MIN_EARLY:
        return None
    pooled = np.unique(np.concatenate(early))
    first, last = max(times[0] for times in early), min(times[-1] for times in early)
    possible = pooled[
        (pooled >= first) & (pooled < last)
    ]  # the last image before the pretended event
    if not possible.size:
        return None
    middle = pooled[(len(pooled) - 1) // 2]
    before = possible[np.abs(possible - middle).argmin()]
    after = pooled[pooled > before][0]
    pretended: np.datetime64 = before + (after - before) // 2
    return pretended


def spread_images(count: int, steps: str, timesteps: int) -> np.ndarray:
    """Spread the first *count* images of a series over all its places, in their order.

    Args:
        count: Number of images.
        steps: How the model chooses acquisitions, one of ``data.pack.channels.STEPS``.
        timesteps: Number of acquisitions that it reads.

    Returns:
        The image in each place, ascending, shape ``(15,)``, int64. The places that ``even`` picks hold different
        images as far as there are enough.
    """
    places = select_even_steps(timesteps if steps == "even" else ACQUISITIONS)
    images = np.linspace(0, count - 1, len(places))
    return np.interp(np.arange(ACQUISITIONS), places, images).round().astype(np.int64)


@dataclass(frozen=True)
class PlaceboTiles:
    """The tiles of a list that have enough early images, and the others.

    Attributes:
        used: Ids, in the order of the list.
        left_out: Ids with too few images before the event in a series, or without a time common to all series.
    """

    used: tuple[str, ...]
    left_out: tuple[str, ...]


class PlaceboPack(Pack):
    """A pack of event-free series, in which each tile chooses its acquisitions by its own dates."""

    @property
    def regions(self) -> tuple[str, ...]:
        """A name for each tile: pretended events differ, so no dates are shared."""
        return self.tile_ids


def find_placebo_tiles(
    pack: Pack, tile_ids: Sequence[str], steps: str, timesteps: int
) -> PlaceboTiles:
    """Return which tiles have images enough before their event.

    Args:
        pack: The packed tiles.
        tile_ids: The tiles to choose from.
        steps: How the model chooses acquisitions; ``common`` repeats no image, so it needs *timesteps* of them.
        timesteps: Number of acquisitions that it reads.
    """
    least = timesteps if steps == "common" else MIN_EARLY
    pairs = zip(tile_ids, pack.rows(tile_ids).tolist(), strict=True)
    possible = {
        tile: _count_early(list(pack.times[row]), pack.events[row]) >= least
        and pretend_event(list(pack.times[row]), pack.events[row]) is not None
        for tile, row in pairs
    }
    return PlaceboTiles(
        tuple(tile for tile in tile_ids if possible[tile]),
        tuple(tile for tile in tile_ids if not possible[tile]),
    )


def make_placebo_pack(pack: Pack, tile_ids: Sequence[str], steps: str, timesteps: int) -> Pack:
    """Return a pack of event-free series, in memory.

    Args:
        pack: The packed tiles.
        tile_ids: Ids of ``find_placebo_tiles(...).used``; 16 tiles of four bands take about 30 MB.
        steps: How the model chooses acquisitions.
        timesteps: Number of acquisitions that it reads.

    Returns:
        The tiles alone, without landslides, with the pretended events.

    Raises:
        ValueError: If a tile has too few images before its event.
    """
    rows = pack.rows(tile_ids)
    plans = [
        _plan(pack.times[row], pack.events[row], steps, timesteps, tile)
        for tile, row in zip(tile_ids, rows.tolist(), strict=True)
    ]
    images = np.stack([plan.images for plan in plans])  # (B, modalities, 15)
    changed = {
        "event_free": True,
        "tile_ids": tuple(tile_ids),
        "bands": {
            name: values[rows[:, None], images[:, index]]
            for index, (name, values) in enumerate(pack.bands.items())
        },
        "mask": np.zeros_like(pack.mask[rows]),
        "times": np.take_along_axis(pack.times[rows], images, axis=2),
        "events": np.array([plan.event for plan in plans], dtype=pack.events.dtype),
        "crs": tuple(pack.crs[row] for row in rows),
        **{name: getattr(pack, name)[rows] for name in _BY_TILE},
    }
    kept = {one.name: getattr(pack, one.name) for one in fields(pack)}
    return PlaceboPack(**(kept | changed))


@dataclass(frozen=True)
class _Plan:
    """A tile's pretended event, and the image in each place of its series, shape ``(modalities, 15)``."""

    event: np.datetime64
    images: np.ndarray


def _plan(times: np.ndarray, event: np.datetime64, steps: str, timesteps: int, tile: str) -> _Plan:
    pretended = pretend_event(list(times), event)
    if pretended is None:
        raise _too_few_error(list(times), event, tile, "Leave it out of the placebo.")
    images = []
    for one in times:
        early, first = np.unique(one[one <= event], return_index=True)  # repeated images once
        images.append(first[spread_images(len(early), steps, timesteps)])
    return _Plan(pretended, np.stack(images))


def _too_few_error(
    series: Sequence[np.ndarray], event: np.datetime64, place: object, remedy: str
) -> ValueError:
    counts = " and ".join(str(len(np.unique(times[times <= event]))) for times in series)
    return ValueError(
        f"A placebo needs at least {MIN_EARLY} images of each series before the event, and a time with images of all "
        f"series on both sides, but got {counts or 'none'} before {event} in {place}. {remedy}"
    )


@dataclass(frozen=True)
class Placebo:
    """What is wished of a scene's event-free series, and once it is opened, its event.

    Attributes:
        pretended: Time of the pretended event, UTC; None for the one of :func:`pretend_event`.
        event: Time of the real event; None before the scene is opened. Later images are not read.
    """

    pretended: np.datetime64 | None = None
    event: np.datetime64 | None = None

    def settle(
        self, event: np.datetime64, series: Sequence[np.ndarray], source: object
    ) -> tuple["Placebo", np.datetime64]:
        """Return the placebo of a scene, and the time of its pretended event.

        Args:
            event: Time of the real event, UTC.
            series: Acquisition times of each modality, each of shape ``(T,)``, UTC.
            source: The scene, for the error message.

        Raises:
            ValueError: If a series has too few images before the event, or none on one side of the wished time.
        """
        middle = pretend_event(series, event)
        if middle is None:
            remedy = "Add images from before the event, or give a later --event if it had not happened by then."
            raise _too_few_error(series, event, source, remedy)
        wished = self.pretended
        if wished is not None:
            sides = [
                np.array([(t <= wished).sum(), ((t > wished) & (t <= event)).sum()]) for t in series
            ]
            if np.min(sides) < 1:
                counts = " and ".join(
                    f"{before} before and {after} after" for before, after in sides
                )
                raise ValueError(
                    "A pretended event needs images of each series on both sides, all before the real event "
                    f"({event}), but got {counts} it at {wished} in {source}. Leave out --placebo-event to pretend it "
                    f"at {middle}."
                )
        return Placebo(wished, event), middle if wished is None else wished

    def cut(self, times: np.ndarray) -> np.ndarray:
        """Return the ascending times up to the real event."""
        return times if self.event is None else times[times <= self.event]
