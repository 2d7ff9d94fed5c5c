"""The times of a datacube's acquisitions: in UTC, ascending, with the slices of one pass joined."""

import re
from collections.abc import Sequence

import numpy as np
import xarray as xr

from data.io.errors import list_first
from data.io.safe_json import refused_error, show_value
from data.values.nodata import find_fills

# An orbit takes 98.7 minutes, so two images of a place within an hour are slices of one pass, cut every 25 s.
SAME_PASS = np.timedelta64(1, "h")
_UTC = re.compile(r"(Z|[+-]00:?00)$")
_REMEDY = "Write them as dates with units, such as 'days since 1990-01-01'."


def read_times(dataset: xr.Dataset, source: str) -> np.ndarray:
    """Read the times of acquisitions, in the file's order, shape ``(T,)``, datetime64[ns].

    Dates of another calendar and dates as texts are converted.

    Raises:
        ValueError: If they are not dates.
    """
    times: np.ndarray = np.asarray(dataset["time"].values)
    rule = "time must be dates"
    if times.dtype.kind not in "MOUT":
        raise refused_error(rule, f"type {times.dtype}", source, _REMEDY)
    if times.dtype.kind != "M":  # dates of another calendar, or texts
        texts = [time.isoformat() if hasattr(time, "isoformat") else str(time) for time in times]
        try:
            times = np.array([_UTC.sub("", text) for text in texts], "datetime64[ns]")
        except ValueError as error:
            raise refused_error(rule, show_value(texts[0]), source, _REMEDY) from error
    if np.isnat(times).any():
        raise refused_error(rule, "NaT", source, "Remove the acquisitions without a date.")
    return times.astype("datetime64[ns]")


def join_slices(
    times: np.ndarray, indices: Sequence[int], modality: str, notes: list[str]
) -> tuple[np.ndarray, tuple[tuple[int, ...], ...]]:
    """Sort a modality's acquisitions by time, and join those of one pass.

    Args:
        times: Times of all acquisitions in the file, shape ``(T,)``.
        indices: Those of the modality.
        modality: Such as ``s1asc``, for the notes.
        notes: Receives a note if anything was sorted or joined.

    Returns:
        The first time of each pass, ascending; and the indices of its slices in *times*, the first slice first.
    """
    order = sorted(indices, key=lambda index: times[index])
    if order != list(indices):
        notes.append(f"The acquisitions of {modality} were sorted by time.")
    passes: list[list[int]] = []
    for index in order:
        if passes and times[index] - times[passes[-1][0]] <= SAME_PASS:
            passes[-1].append(index)
        else:
            passes.append([index])
    if joined := [one[0] for one in passes if len(one) > 1]:
        days = list_first([str(times[index].astype("datetime64[D]")) for index in joined], 3)
        notes.append(
            f"Several images of {modality} of one pass were joined ({days}): each pixel is the first one's that "
            "has data."
        )
    return times[[one[0] for one in passes]], tuple(map(tuple, passes))


def merge_passes(values: np.ndarray, slices: Sequence[Sequence[int]]) -> np.ndarray:
    """Join the slices of each pass: the first that has data at a pixel; 0 counts as no data, as borders often are.

    Args:
        values: Images as stored, shape ``(N, H, W)``, float32; NaN or a fill = no data.
        slices: For each pass, the indices of its images.

    Returns:
        Shape ``(len(slices), H, W)``, float32.
    """
    merged = values[[one[0] for one in slices]]
    for layer, (_, *others) in zip(merged, slices, strict=True):
        for index in others:
            blank = np.isnan(layer) | (layer == 0) | find_fills(layer) | np.isinf(layer)
            np.copyto(layer, values[index], where=blank & ~np.isnan(values[index]))
    return merged
