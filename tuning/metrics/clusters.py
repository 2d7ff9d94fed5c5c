"""The mean score over events, with an interval for new events: the event is the unit that is resampled.

The tiles of one event share its weather, terrain and labelling, and every fold of a split across events trains anew. So an
event is drawn with all its tiles and seeds (a cluster), and scores of tiles or seeds say nothing about other events. As in
:mod:`tuning.metrics.bootstrap`, the resampled deviations are multiplied by sqrt(E / chi2_{E-1}): a plain bootstrap of few
clusters is too narrow.

Reference:
    Cameron, Gelbach & Miller (2008), Bootstrap-Based Improvements for Inference with Clustered Errors, The Review of
    Economics and Statistics 90(3), doi:10.1162/rest.90.3.414 (few clusters make intervals too narrow).
"""

from dataclasses import dataclass

import numpy as np

from tuning.metrics.bootstrap import DRAWS, percentile_interval

MIN_EVENTS = 5  # with fewer, an interval would rest on less than four deviations


@dataclass(frozen=True)
class EventMean:
    """The mean score over events.

    Attributes:
        mean: Mean over events; each counts the same, whatever its number of tiles.
        low, high: 95 % interval for the mean over new events; with fewer than ``MIN_EVENTS`` events the lowest and the
            highest event; NaN for one event.
        events: Number of events.
    """

    mean: float
    low: float
    high: float
    events: int

    @property
    def is_interval(self) -> bool:
        """Whether *low* and *high* are a confidence interval, not a range over few events."""
        return self.events >= MIN_EVENTS


def estimate_event_mean(
    scores: np.ndarray, rng: np.random.Generator, draws: int = DRAWS
) -> EventMean:
    """Estimate the mean over events of a score from 0 to 1.

    Args:
        scores: Score of each event, mean over its seeds, shape ``(E,)``.
        rng: The only source of randomness.
        draws: Number of resamples.

    Raises:
        ValueError: If there is no event, or a score is NaN.
    """
    events = len(scores)
    if not events or np.isnan(scores).any():
        raise ValueError(
            f"A mean over events needs a score of each, but got {scores.tolist()}. Measure tiles with landslides of "
            "every event."
        )
    mean = float(scores.mean())
    if events == 1:
        return EventMean(mean, float("nan"), float("nan"), 1)
    if events < MIN_EVENTS:
        return EventMean(mean, float(scores.min()), float(scores.max()), events)
    shares = rng.multinomial(events, np.full(events, 1 / events), size=draws) / events
    stretch = np.sqrt(events / rng.chisquare(events - 1, size=draws))
    low, high = percentile_interval(mean + stretch * (shares @ scores - mean))
    return EventMean(mean, max(low, 0.0), min(high, 1.0), events)
