"""Run a matrix: all its cells as campaigns together, then the report."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tuning.campaign.finish import CampaignOutcome
from tuning.campaign.together import Member, run_together
from tuning.matrix.matrix_run import MatrixRun, format_places
from tuning.matrix.plan import MatrixPlan
from tuning.matrix.saved_matrices import lock_matrix, mark_ended, read_state
from tuning.settings.saved_campaigns import OUTCOME, campaign_folder
from tuning.settings.settings import Settings
from tuning.trial.folder import read_optional_json
from tuning.trial.recipe import SEARCHED

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MatrixOutcome:
    """How a matrix ended.

    Attributes:
        states: How each campaign ended, in words, by name.
        missing: What was asked for and is not done, one sentence each; empty if all is done.
    """

    states: Mapping[str, str]
    missing: tuple[str, ...]


def run_matrix(root: Path, plan: MatrixPlan, cells: Sequence[Settings]) -> MatrixOutcome:
    """Run the cells of a matrix, or resume it; a matrix that has ended is not run again.

    Args:
        root: Output folder.
        plan: The saved plan.
        cells: Settings of its cells' campaigns, in its order.

    Raises:
        ValueError: If another process runs the matrix, or another one on the tracker has its name.
        OSError: If the output folder cannot be used, or the tracker does not answer.
        KeyboardInterrupt: If the user interrupts; the matrix can be resumed.
    """
    with lock_matrix(root, plan.name):
        identity, ended = read_state(root, plan.name)
        if ended:
            logger.info("All %d cells of matrix %s are done.", len(cells), plan.name)
            return MatrixOutcome(dict.fromkeys((one.campaign for one in cells), "done"), ())
        run = MatrixRun(root, plan, identity)
        try:
            outcomes = run_together(root, list_members(plan, root, cells))
            outcome = _summarise(root, plan, outcomes)
            run.close("FAILED" if outcome.missing else "FINISHED", outcome.states)
        except BaseException as error:
            run.close_interrupted("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            raise
        if not outcome.missing:
            mark_ended(root, plan.name)
        return outcome


def list_members(plan: MatrixPlan, root: Path, cells: Sequence[Settings]) -> list[Member]:
    """Return the campaigns that are not done, each with the one whose search it takes over.

    The reference cell stays even if it is done, as long as another one takes over its search.
    """
    reference = cells[0]
    members = [
        Member(one, reference.campaign if takes_over(plan.search, reference, one) else None)
        for one in cells
        if not is_done(root, one.campaign)
    ]
    needed = any(member.searched_in == reference.campaign for member in members)
    if needed and members[0].settings != reference:
        members.insert(0, Member(reference))
    return members


def takes_over(search: str, reference: Settings, cell: Settings) -> bool:
    """Return whether a cell takes its hyperparameters from the search of the reference cell."""
    searched = cell.recipe == reference.recipe == SEARCHED
    return search == "once" and cell != reference and searched


def is_done(root: Path, campaign: str) -> bool:
    """Return whether a campaign has done all that was asked for, and reported it."""
    outcome = read_optional_json(campaign_folder(root, campaign) / OUTCOME) or {}
    return bool(outcome.get("reported")) and not outcome.get("missing")


def _summarise(
    root: Path, plan: MatrixPlan, outcomes: Mapping[str, CampaignOutcome | str]
) -> MatrixOutcome:
    states, missing = {}, []
    for cell in plan.cells:
        name, outcome = cell.campaign, outcomes.get(cell.campaign)
        if outcome is None or (isinstance(outcome, CampaignOutcome) and not outcome.missing):
            states[name] = "done" if is_done(root, name) or outcome is not None else "missing"
            if states[name] == "missing":
                missing.append(f"[{format_places(cell)}] The campaign {name} did not run.")
            continue
        sentences = (outcome,) if isinstance(outcome, str) else outcome.missing
        states[name] = "failed" if isinstance(outcome, str) else "incomplete"
        missing += [f"[{format_places(cell)}] {sentence}" for sentence in sentences]
    return MatrixOutcome(states, tuple(missing))
