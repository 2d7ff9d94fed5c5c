"""Scores and comparisons over events, with intervals for new events: the event is the unit.

The tiles of one event share its weather, terrain and labelling, and every fold of a split across events trains anew. So an
event is drawn with all its tiles and seeds (a cluster), and scores of tiles or seeds say nothing about other events. As in
:mod:`tuning.statistics.bootstrap`, the resampled deviations are multiplied by sqrt(E / chi2_{E-1}): a plain bootstrap of few
clusters is too narrow.

Two models are compared by their difference on each event, which is paired: what an event makes easy or hard for both cancels.
Its interval is Student's, with E - 1 degrees of freedom.

Reference:
    Cameron, Gelbach & Miller (2008), Bootstrap-Based Improvements for Inference with Clustered Errors, The Review of
    Economics and Statistics 90(3), doi:10.1162/rest.90.3.414 (few clusters make intervals too narrow). Schuirmann (1987), A
    Comparison of the Two One-Sided Tests Procedure and the Power Approach, Journal of Pharmacokinetics and
    Biopharmaceutics 15(6), doi:10.1007/BF01068419 (equivalence).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from tuning.statistics.bootstrap import DRAWS, LEVEL, percentile_interval
from tuning.statistics.family import Verdict

MIN_EVENTS = 5  # with fewer, an interval would rest on less than four deviations
FEW_EVENTS = f"fewer than {MIN_EVENTS} events"


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


@dataclass(frozen=True)
class EventComparison:
    """Model *a* against model *b* on new events.

    Attributes:
        a, b: Names.
        difference: Mean over events of the score of *a* minus that of *b*.
        error: Standard error of it; NaN for one event.
        low, high: 95 % interval of it, simultaneous over the pairs of the family; with fewer than ``MIN_EVENTS`` events
            the lowest and the highest difference.
        p: Two-sided p-value over the same family; NaN with fewer than ``MIN_EVENTS`` events.
        events: Number of events.
        verdict: Of *a*: ``better`` or ``worse`` if the interval excludes 0, ``equivalent`` if the 90 % interval lies
            within the margin, else ``undecided``.
        note: Why no other verdict was possible.
    """

    a: str
    b: str
    difference: float
    error: float
    low: float
    high: float
    p: float
    events: int
    verdict: Verdict
    note: str = ""


def compare_events(
    scores_a: np.ndarray,
    scores_b: np.ndarray,
    margin: float,
    names: tuple[str, str] = ("a", "b"),
    pairs: int = 1,
) -> EventComparison:
    """Compare two models over events; a verdict holds for new events of the same kind.

    Args:
        scores_a: Score of the first model on each event, mean over its seeds, shape ``(E,)``.
        scores_b: The same of the second model, in the same order of events.
        margin: Difference below which two models count as equivalent.
        names: Names of the models.
        pairs: Number of pairs in the family; the chance of any false finding among them is 5 % (Bonferroni).

    Raises:
        ValueError: If the events differ in number or there is none, a score is NaN, or *margin* or *pairs* is not positive.
    """
    _check_pair(scores_a, scores_b, margin, names, pairs)
    gaps = np.asarray(scores_a, np.float64) - np.asarray(scores_b, np.float64)
    mean, events = float(gaps.mean()), len(gaps)
    error = float(gaps.std(ddof=1)) / np.sqrt(events) if events > 1 else float("nan")
    if events < MIN_EVENTS:
        ends, none = (float(gaps.min()), float(gaps.max())), float("nan")
        return EventComparison(*names, mean, error, *ends, none, events, "undecided", FEW_EVENTS)
    half = error * float(stdtrit(events - 1, 1 - (1 - LEVEL) / (2 * pairs)))
    within = abs(mean) + error * float(stdtrit(events - 1, LEVEL)) < margin
    verdict: Verdict = "equivalent" if within else "undecided"
    if abs(mean) > half:
        verdict = "better" if mean > 0 else "worse"
    p = 2 * float(stdtr(events - 1, -abs(mean) / error)) if error else float(mean == 0)
    ends = mean - half, mean + half
    return EventComparison(*names, mean, error, *ends, min(1.0, pairs * p), events, verdict)


def _check_pair(
    a: np.ndarray, b: np.ndarray, margin: float, names: tuple[str, str], pairs: int
) -> None:
    if np.shape(a) != np.shape(b) or np.ndim(a) != 1 or not len(a):
        raise ValueError(
            f"A comparison over events needs both scores of every event, but got shapes {np.shape(a)} for {names[0]!r} "
            f"and {np.shape(b)} for {names[1]!r}. Measure both models on the same events."
        )
    for name, scores in zip(names, (a, b), strict=True):
        if np.isnan(scores).any():
            raise ValueError(
                f"A comparison over events needs a score of each, but got {np.asarray(scores).tolist()} for {name!r}. "
                "Measure tiles with landslides of every event."
            )
    if not margin > 0 or pairs < 1:
        raise ValueError(
            f"A margin must be above 0 and a family have 1 pair or more, but got {margin=} and {pairs=}. "
            "State the difference that does not matter, such as 0.02."
        )
