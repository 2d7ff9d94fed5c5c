"""The winners of a campaign's searches: chosen on val, sent with their models, found again when the campaign is resumed."""

import logging
from dataclasses import replace
from pathlib import Path

from data.io.disk import format_bytes
from tuning.campaign.start import CampaignSetup
from tuning.trial.disk import drop_checkpoints
from tuning.trial.entry import TrialEntry, list_entries, read_entry, write_entry
from tuning.trial.folder import Config, TrialFolder
from tuning.trial.stage import Stage
from tuning.trial.status import read_score

logger = logging.getLogger(__name__)

Winners = dict[tuple[str, str], Config | None]  # by architecture and fold; None: every trial failed


class WinnerBook:
    """The winners of a campaign's searches, by architecture and fold."""

    def __init__(self, setup: CampaignSetup) -> None:
        self._setup = setup
        self._stages: dict[tuple[str, str], Stage] = {}
        self._chosen: dict[tuple[str, str], Path] = {}  # folders of the winners

    def knows(self, model: str, fold: str, stage: Stage) -> bool:
        """Register a search; return whether it has chosen in an earlier process. Its repeats may have begun, so that stays."""
        self._stages[model, fold] = stage
        best = next((path for path, entry in list_entries(stage).items() if entry.model), None)
        if best is not None:
            self._chosen[model, fold] = best
        return best is not None

    def choose(self, model: str, fold: str) -> None:
        """Choose the best trial of a search that has ended, if any has a score; delete the checkpoints of the others."""
        stage = self._stages[model, fold]
        entries = list_entries(stage)
        scores = {path: read_score(TrialFolder(path)) for path in entries}
        ranked = [
            (-score, entries[path].number, path)
            for path, score in scores.items()
            if score is not None
        ]
        if not ranked:
            return
        best = min(ranked)[2]
        write_entry(TrialFolder(best), replace(entries[best], model=True))
        self._chosen[model, fold] = best
        self._setup.sender.submit(TrialFolder(best))  # with its model
        self._drop(stage, {best})

    def find(self, model: str, fold: str) -> TrialEntry | None:
        """Return the winner for a fold: of its own search, or, where the fold was not searched, of the first fold's."""
        searched = self._setup.scope.searched
        best = self._chosen.get((model, fold if fold in searched else searched[0]))
        return None if best is None else read_entry(TrialFolder(best))

    def send(self) -> None:
        """Send the winners with their models, then delete their checkpoints; one without a model in MLflow keeps its own."""
        sender = self._setup.sender
        for key, best in self._chosen.items():
            folder = TrialFolder(best)
            sender.collect(folder)
            if sender.send_all([best]).unsent or sender.tracker.lacks_model(folder):
                self._drop(self._stages[key], {best})
            else:
                self._drop(self._stages[key], set())
            sender.forget(folder)

    def _drop(self, stage: Stage, kept: set[Path]) -> None:
        """Delete the checkpoints of a search's trials, and its files on shared storage, except those that are kept."""
        paths = [path for path in list_entries(stage) if path not in kept]
        dropped = sum(map(drop_checkpoints, map(TrialFolder, paths)))
        for path in paths:
            self._setup.sender.forget(TrialFolder(path))
        if dropped:  # zero after a resume
            logger.info("%s: dropped %s of checkpoints.", stage.name, format_bytes(dropped))
