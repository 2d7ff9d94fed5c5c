"""The sections on what the page shows beyond scores, and their places among the others."""

from collections.abc import Mapping, Sequence

from tuning.page.blocks import Section, list_anchors
from tuning.report.context import ReportContext
from tuning.report.errors import confusion, error_map
from tuning.report.errors.confusion import build_confusion_section
from tuning.report.errors.error_map import build_errors_section
from tuning.report.paper import checklist, quote, scope
from tuning.report.paper.checklist import build_checklist_section
from tuning.report.paper.quote import build_quote_section
from tuning.report.paper.scope import build_scope_section
from tuning.report.study import all_runs, compute, hyperparameters, learning_curves
from tuning.report.study.all_runs import build_runs_section
from tuning.report.study.compute import build_compute_section, total_hours
from tuning.report.study.details import CURVES, ERRORS, MATRICES, Details
from tuning.report.study.hyperparameters import build_hyperparameters_section
from tuning.report.study.learning_curves import build_learning_section

# Titles of new sections by that of the section before them; sections that the page lacks leave theirs at its end.
PLACES: Mapping[str, tuple[str, ...]] = {
    "What the comparison rests on": (scope.TITLE,),
    "Curves and calibration": (confusion.TITLE,),
    "Scores by terrain and landslide size": (error_map.TITLE,),
    "Search": (hyperparameters.TITLE, learning_curves.TITLE),
    "Cost": (compute.TITLE,),
    "MLflow": (all_runs.TITLE,),
    "Provenance and excluded tiles": (quote.TITLE, checklist.TITLE),
}


def add_details(
    context: ReportContext, sections: Sequence[Section], headline: str = ""
) -> list[Section]:
    """Return a page's sections with those on searches, training, errors, scope and citation among them.

    Args:
        context: Content of the page.
        sections: The other sections.
        headline: The verdict in a sentence, which the lines to quote repeat.
    """
    if context.details is None:
        return list(sections)
    titles = order_titles([section.title for section in sections])
    addresses = {
        title: f"#{anchor}" for title, anchor in zip(titles, list_anchors(titles), strict=True)
    }
    built = [
        *sections,
        *build_error_sections(context, context.details),
        *build_study_sections(context, context.details),
        *build_paper_sections(context, context.details, addresses, headline),
    ]
    by_title = {section.title: section for section in reversed(built)}
    return [by_title[title] for title in titles]


def order_titles(titles: Sequence[str]) -> list[str]:
    """Return the titles of a page with the new ones at their places; those whose place is not there come last."""
    ordered = [title for old in titles for title in (old, *PLACES.get(old, ()))]
    missing = [new for old, news in PLACES.items() if old not in titles for new in news]
    return [*ordered, *missing]


def build_error_sections(context: ReportContext, details: Details) -> list[Section]:
    """Build the sections on errors: confusion matrices, and the map."""
    models, figures = context.ranking.models, details.figures
    return [
        build_confusion_section(models, figures[MATRICES]),
        build_errors_section(
            details.errors,
            figures[ERRORS],
            has_others=details.places_known,
            folds=context.folds,
        ),
    ]


def build_study_sections(context: ReportContext, details: Details) -> list[Section]:
    """Build the sections on searches and training: hyperparameters, learning curves, compute, all runs."""
    models, records = context.ranking.models, details.records
    return [
        build_hyperparameters_section(details.searches, context.searched),
        build_learning_section(records.histories, details.figures.get(CURVES), context.folds),
        build_compute_section(models, context.searches),
        build_runs_section(models, records.histories, context.ui),
    ]


def build_paper_sections(
    context: ReportContext, details: Details, addresses: Mapping[str, str], headline: str = ""
) -> list[Section]:
    """Build the sections for readers who write: scope, lines to quote, checklist.

    Args:
        context: Content of the page.
        details: What the page shows beyond scores.
        addresses: Address of each section of the page, by its title.
        headline: The verdict in a sentence.
    """
    ranking, facts = context.ranking, details.facts
    hours = total_hours(ranking.models, context.searches)
    return [
        build_scope_section(
            facts,
            ranking,
            details.searches,
            details.records.histories,
            context.folder,
            context.missing_runs,
        ),
        build_quote_section(context.table, facts, headline),
        build_checklist_section(facts, ranking, details.searches, hours, addresses),
    ]
