"""The event of a scene, and the acquisitions around it that a network reads."""

import numpy as np

from data.io.safe_json import refused_error, show_value
from data.scene.base import InputSpec
from data.tiles import ORBITS
from data.tiles.events import read_event_date
from data.tiles.map_dates import DatesError, LearntDates, choose_map_steps
from data.tiles.regions import parse_time

MAX_DATES_SHOWN = 4  # in a message


def find_event(spec: InputSpec, text: str, source: object, notes: list[str]) -> np.datetime64:
    """Return the event of a scene: the user's, its own, or the one that the network learnt from, with a note.

    Args:
        spec: The network's input.
        text: The scene's attribute ``event_date``: a day, whose end counts, or a time, UTC; empty without one.
        source: File of the scene, for messages.
        notes: Receives the note.

    Raises:
        ValueError: If neither names an event, or the network learnt from several.
    """
    if spec.event is not None:
        return spec.event
    if text:
        # A day gets the catalogue's time of day if a region that the network learnt had its event then.
        days = (read_event_date(text, region) for region, _ in (*spec.learnt_events, ("", None)))
        known = [event for event in days if event is not None]
        if known and "T" not in text:
            return min(known)
        try:
            return parse_time(text)
        except ValueError as error:
            rule = "event_date must be a day or a time (UTC)"
            remedy = "Correct it, or give --event."
            raise refused_error(rule, show_value(text), str(source), remedy) from error
    events = dict(spec.learnt_events)
    if len(set(events.values())) != 1:
        got = f"a model that learnt from {', '.join(events) or 'an unknown region'}"
        raise ValueError(
            f"A map needs the time of the event, but got no event_date in {source}, and {got}. Give it with "
            "--event, such as --event 2018-09-05T18:08."
        )
    region, event = next(iter(events.items()))
    text = f"that of {region} is used ({event}), from which the model learnt."
    notes.append(f"The scene names no event; {text}")
    return event


def choose_steps(
    times: np.ndarray, spec: InputSpec, event: np.datetime64, modality: str, source: object
) -> list[int]:
    """Choose a series' acquisitions, as :func:`data.tiles.map_dates.choose_map_steps` explains.

    A scene is one place, whose tiles need not share dates. For ``common`` it is read at the days from the event that the
    network learnt from if it has all of them, as in the region of training; otherwise as for ``event``.

    Args:
        times: Acquisition times, UTC, shape ``(T,)``, ascending.
        spec: The network's input.
        event: Time of the event, UTC.
        modality: Such as ``s1asc``.
        source: File or tile of the series, for the error message.

    Returns:
        ``spec.timesteps`` indices that do not descend; of few images, some repeated.

    Raises:
        DatesError: If the acquisitions are too few, or others than those that the network learnt from.
    """
    times = spec.list_usable(times)
    if spec.placebo is not None and len(times) < spec.timesteps:
        return [int(step) for step in np.linspace(0, len(times) - 1, spec.timesteps).round()]
    learnt = LearntDates() if spec.placebo is not None else spec.list_learnt(modality)
    if learnt.after is None and len(times) < spec.timesteps:
        raise DatesError(
            f"The model reads {spec.timesteps} acquisitions, but got {len(times)} ({format_dates(times)}) in "
            f"{source}. Add dates, or use a model that reads fewer."
        )
    try:
        indices = choose_map_steps(
            *(times, spec.steps, spec.timesteps, event, learnt), by_track=modality in ORBITS
        )
    except DatesError as error:
        raise DatesError(
            f"A landslide map needs acquisitions before and after the event ({format_dates(event)}) like those that the "
            f"network learnt from, but got {format_dates(times)} in {source}: {error}. Add dates, or set another event "
            "with --event."
        ) from error
    chosen = times[indices]
    if not chosen[0] <= event < chosen[-1]:
        raise DatesError(
            f"A landslide map needs acquisitions before and after the event ({format_dates(event)}), "
            f"but got {format_dates(chosen)} in {source}. Add dates, or set another event with --event."
        )
    return indices


def format_dates(times: np.ndarray | np.datetime64) -> str:
    """List dates for a message: all, or the first three and the last."""
    days = [str(day) for day in np.atleast_1d(times).astype("datetime64[D]")]
    return ", ".join(
        days if len(days) <= MAX_DATES_SHOWN else [*days[: MAX_DATES_SHOWN - 1], "…", days[-1]]
    )
