"""The top of the report: warnings, the headline with its numbers, and what they rest on."""

from collections.abc import Iterator

from data.check.leak_file import describe_leaks, read_leak_audit
from tuning.page.html import Table
from tuning.report.ceiling import describe_ceiling
from tuning.report.context import BY_ITSELF, ReportContext, describe_blind_seeds, format_spread
from tuning.report.events import describe_new_events
from tuning.report.fairness import describe_unequal_input, describe_versions
from tuning.report.headline.names import capitalise, name_models
from tuning.report.headline.pairs import MOST_ROWS, describe_pairs, make_pair_table
from tuning.report.ranking import Estimand
from tuning.report.sections.new_events import build_event_pairs, compare_over_events
from tuning.report.sections.verdict import describe_blocks, describe_family, describe_power
from tuning.report.tables import format_ends
from tuning.statistics.clusters import MIN_EVENTS, EventComparison

WHERE: dict[Estimand, str] = {
    "area": "on this area",
    "event": "on this event",
    "events": "on these events",
}
LIMITS: dict[Estimand, str] = {
    "area": "The comparison says nothing about other areas, dates or events.",
    "event": "The event's whole area was tested, fold by fold; it says nothing about other events.",
    "events": "",
}
LEAK = "do not rely on these scores, since the label leaks; as measured"
PARTIAL = "in this partial report"
ELSEWHERE = "the section on the ranking"


def list_warnings(context: ReportContext) -> Iterator[str]:
    """Yield what makes the result void, partial or mixed, one sentence or two each."""
    if has_leak(context):
        for sentence in describe_leaks(context.folder):
            yield sentence.removeprefix("warning: ")
    if context.missing_runs:
        yield "This report is partial: " + " ".join(context.missing_runs)
    yield from context.duplicates
    if versions := describe_versions(context.ranking.models):
        yield versions


def has_leak(context: ReportContext) -> bool:
    """Return whether something else than landslides tells annotated tiles from others."""
    return any(audit.above_chance for audit in read_leak_audit(context.folder))


def describe_result(context: ReportContext) -> Iterator[str]:
    """Yield the headline, then what is compared, on what it rests, and what bears on it."""
    yield make_headline(context)
    yield from _describe_events(context)
    yield from _describe_comparison(context)
    if blind := describe_blind_seeds(context.ranking.models):
        yield f"{' '.join(blind)} Such a seed counts as 0 in every mean."
    if ceiling := describe_ceiling(context.folder):
        yield ceiling
    if context.scope and context.scope.once:
        yield context.searched


def make_headline(context: ReportContext) -> str:
    """Return the result in one sentence; what makes it void or partial comes first in it."""
    first = [LEAK] if has_leak(context) else []
    first += [PARTIAL] if context.missing_runs else []
    return f"{capitalise(', '.join([*first, _describe_models(context)]))}."


def _describe_models(context: ReportContext) -> str:
    ranking = context.ranking
    order = [model.title for model in ranking.models if not model.is_foreign]
    if ranking.primary is None:
        return (
            f"{name_models(order[:1])} is the only model of this campaign, so nothing is compared"
        )
    order = [title for title in order if title in ranking.places]
    where = WHERE[ranking.estimand]
    pairs = compare_events(context)
    if pairs and pairs[0].events >= MIN_EVENTS:
        by_mean = _sort_by_events(pairs, order)
        return describe_pairs(pairs, by_mean, ranking.margin, "on new events")
    text = describe_pairs(ranking.comparisons, order, ranking.margin, where)
    if not pairs:
        return text
    events = "1 event" if pairs[0].events == 1 else f"{pairs[0].events} events"
    return f"{events} cannot show which model is better on new events ({MIN_EVENTS} are needed); {text}"


def _sort_by_events(pairs: list[EventComparison], order: list[str]) -> list[str]:
    """Sort models by their mean over events: by the sum of their differences from all others."""
    gains = dict.fromkeys(order, 0.0)
    for pair in pairs:
        gains[pair.a] += pair.difference
        gains[pair.b] -= pair.difference
    return sorted(order, key=lambda name: -gains[name])


def compare_events(context: ReportContext) -> list[EventComparison]:
    """Return the verdicts on new events of every pair of the primary family; none unless the split is across events."""
    if not len(context.events):
        return []
    ranking = context.ranking
    return compare_over_events(context.events, list(ranking.places), ranking.margin)


def make_numbers(context: ReportContext) -> Table:
    """Return the table below the headline: the pairs of the primary family, or the score of an only model."""
    if (pairs := compare_events(context)) and pairs[0].events >= MIN_EVENTS:
        return build_event_pairs(pairs)
    if context.ranking.primary:
        where = WHERE[context.ranking.estimand]
        return make_pair_table(context.ranking.primary, where, MOST_ROWS, ELSEWHERE)
    own = [model.title for model in context.ranking.models if not model.is_foreign]
    row = context.table[context.table["model"].isin(own)].iloc[0]
    interval = format_ends(row["pr_auc_low"], row["pr_auc_high"])
    return Table(
        ["model", "AP", "95 % interval"],
        [[row["model"], format_spread(row, "pr_auc"), interval]],
        f"Test AP, mean and standard deviation over seeds. {capitalise(BY_ITSELF)}.",
    )


def _describe_events(context: ReportContext) -> Iterator[str]:
    if not len(context.events):
        return
    ranking, models = context.ranking, context.ranking.models
    for kind in (False, True):  # the best network, then the best baseline
        own = (model for model in models if not model.is_foreign)
        if best := next((model for model in own if model.is_baseline == kind), None):
            yield describe_new_events(context.events, best.title)
    if (pairs := compare_events(context)) and pairs[0].events >= MIN_EVENTS:
        order = [model.title for model in models if model.title in ranking.places]
        where = f"{WHERE[ranking.estimand]} alone"
        yield f"{capitalise(describe_pairs(ranking.comparisons, order, ranking.margin, where))}."


def _describe_comparison(context: ReportContext) -> Iterator[str]:
    ranking = context.ranking
    if ranking.primary is None:
        return
    yield f"{describe_family(ranking)} {LIMITS[ranking.estimand]}".strip()
    unequal = describe_unequal_input(context.table, list(ranking.places))
    rests_on = f"{describe_blocks(ranking)} {describe_power(ranking.primary)}".strip()
    yield from filter(None, (unequal, rests_on))
