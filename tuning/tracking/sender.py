"""Sends trials from their folders to MLflow: in order, without gaps or duplicates, as soon as the tracker answers.

A trial's folder is the queue: whatever its run lacks is sent from it, now or by another process later.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.io.errors import format_error
from tuning.store.background import BackgroundSender
from tuning.tracking.campaign.scores import (
    RepeatScores,
    load_all_scores,
    load_scores,
    log_study_scores,
    summarise_studies,
)
from tuning.tracking.campaign_runs import PARENT
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.tracker import Tracker
from tuning.trial.entry import TrialEntry, list_trials, read_entry
from tuning.trial.folder import TrialFolder
from tuning.trial.status import is_finished, read_end
from tuning.trial.sync import TrialSync

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SentCount:
    """Epochs and ends of trials that were sent, trials that are not completely sent, and the latest error, if any."""

    epochs: int
    ended: int
    unsent: int
    reason: str = ""


class MLflowSender:
    """Sends a campaign's trials to MLflow.

    Ray's event loop only submits trials; a background thread sends them, because a trial waits for that loop at
    every report. Ray pickles objects that hold a sender, so connection and thread are created on first use.

    Attributes:
        root: Output folder.
        context: Tags of every run.
        data: The data set that the trials read.
        sync: Shared storage that the trials' folders are copied over; None if every node sees the folders.
    """

    def __init__(
        self, root: Path, context: CampaignContext, data: DataRecord, sync: TrialSync | None = None
    ) -> None:
        self.root, self.context, self.data, self.sync = root, context, data, sync
        self._start()

    def _start(self) -> None:
        self._tracker: Tracker | None = None
        self._background = BackgroundSender()
        self._download_lock = threading.Lock()
        self._running: set[str] = set()  # keys of trials whose run has the status RUNNING
        self._scores: dict[str, RepeatScores] | None = None  # of ended repeats, by trial key

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the attributes only: connection and thread belong to this process."""
        return {name: getattr(self, name) for name in ("root", "context", "data", "sync")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore the attributes in another process, without connection and thread."""
        self.__dict__.update(state)
        self._start()

    def connect(self) -> Tracker:
        """Connect to MLflow, or return the existing connection.

        Raises:
            ConnectionError: If the tracker does not answer.
        """
        if self._tracker is None:
            self._tracker = Tracker(self.root, self.context)
        return self._tracker

    @property
    def tracker(self) -> Tracker:
        """The connection to MLflow."""
        return self.connect()

    def collect(self, folder: TrialFolder) -> None:
        """Download a trial's new files from shared storage, if there is one."""
        if self.sync is None:
            return
        entry = read_entry(folder)
        with self._download_lock:
            self.sync.pull(folder.path.name, folder.path, large=bool(entry and entry.model))

    def forget(self, folder: TrialFolder) -> None:
        """Delete the trial's files from shared storage, if there is one."""
        if self.sync is not None:
            self.sync.clear(folder.path.name)

    def submit(self, folder: TrialFolder) -> None:
        """Send what the run of a running or just ended trial lacks, in the background."""
        self._background.submit(f"trial {folder.path.name}", lambda: self._send(folder))

    def drain(self) -> None:
        """Wait until every submitted trial has been tried."""
        self._background.drain()

    def cancel(self) -> None:
        """Discard submitted trials that have not been tried; they are sent later from their folders."""
        self._background.cancel()

    def _send(self, folder: TrialFolder) -> None:
        try:
            if self._is_sent(folder):
                return
            self.collect(folder)
            key = folder.path.name
            if key not in self._running:
                self.tracker.reopen(self.open_trial(folder))
                self._running.add(key)
            self.send(folder)
            self._add_scores(folder)
        except Exception:
            if self._tracker is not None:
                self._tracker.forget_runs()  # somebody may have deleted one of them
            raise

    def open_trial(self, folder: TrialFolder) -> str:
        """Find or create the run of a trial; return its id.

        Raises:
            ValueError: If the folder has no ``trial.json``.
        """
        entry = _read(folder)
        return self.tracker.open_run(
            "trial",
            folder.path.name,
            entry.name,
            self.open_study(entry.config["model"]),
            entry.tags,
            entry.config,
            self.data.as_input(entry.kind, entry.config["split"]),
            entry.began_ms,
        )

    def open_campaign(self) -> str:
        """Find or create the campaign's run; return its id."""
        return self.tracker.open_run("campaign", "campaign", self.context.campaign)

    def open_study(self, model: str) -> str:
        """Find or create the run of a model's study; return its id."""
        parent = self.open_campaign()
        return self.tracker.open_run("study", f"study/{model}", model, parent, {"study": model})

    def send(self, folder: TrialFolder) -> int:
        """Send what a trial's run lacks; return the number of epochs sent."""
        run_id, entry = self.open_trial(folder), _read(folder)
        ended = read_end(folder, entry.kind)  # read before the epochs, which may still grow
        sent = self.tracker.send_epochs(run_id, folder)
        if ended is not None:
            final = is_finished(folder, entry.kind)
            self.tracker.finish(run_id, folder, *ended, model=entry.model, final=final)
            self._running.discard(folder.path.name)
        return sent

    def send_all(self, paths: Iterable[Path]) -> SentCount:
        """Send what the runs of some trials' folders lack, in order; stop if the tracker does not answer.

        The tracker is asked what it has: a run that somebody deleted, or that an older copy of the database lacks, is
        made anew from its trial's folder.
        """
        self.drain()
        epochs = ended = unsent = 0
        reason, offline, asked = "", False, False
        for folder in map(TrialFolder, paths):
            if not offline:
                try:
                    if not asked:
                        self.tracker.ask_parents()
                        asked = True
                    if not self._is_sent(folder):
                        epochs += self.send(folder)
                        ended += read_end(folder, _read(folder).kind) is not None
                    continue
                except Exception as error:  # noqa: BLE001 - any error is returned as the reason
                    reason, offline = format_error(error), not self._is_online()
            unsent += 1
        return SentCount(epochs, ended, unsent, reason)

    def _is_online(self) -> bool:
        """Return whether the tracker answers, so that the failure concerns one trial only."""
        try:
            self.tracker.client.get_run(self.open_campaign())
        except Exception:  # noqa: BLE001 - the caller reports the first error
            return False
        return True

    def _is_sent(self, folder: TrialFolder) -> bool:
        """Return whether the trial has ended, and its run on this tracker has all of it."""
        entry = read_entry(folder)
        if entry is None or read_end(folder, entry.kind) is None:
            return False
        run = self.tracker.ask_run(folder.path.name)
        if run is None or not self.tracker.has_whole(run, folder, entry):
            return False
        return run.data.tags.get(PARENT) == self.open_study(entry.config["model"])

    def send_campaign(self, campaign: Path) -> SentCount:
        """Send what the runs of all trials in a campaign's folder lack."""
        return self.send_all(list_trials(campaign / "trials"))

    def _add_scores(self, folder: TrialFolder) -> None:
        """Log the scores of studies and campaign if a repeat trial has ended."""
        scores = load_scores(folder, _read(folder))
        if scores is None:
            return
        if self._scores is None:
            self._scores = load_all_scores(folder.path.parent)
        self._scores[folder.path.name] = scores
        self._log_scores()

    def send_scores(self, campaign: Path) -> None:
        """Log the scores of studies and campaign, from all repeat trials in a campaign's folder."""
        self._scores = load_all_scores(campaign / "trials")
        self._log_scores()

    def _log_scores(self) -> None:
        studies = summarise_studies((self._scores or {}).values(), self.data.profile)
        runs = {one.study: self.open_study(one.study) for one in studies}
        log_study_scores(self.tracker.client, self.open_campaign(), runs, studies)

    def close_studies(self, status: Mapping[str, str]) -> None:
        """Close the studies' runs with the MLflow status of each model."""
        for model, study_status in status.items():
            self.tracker.close(self.open_study(model), study_status)


def _read(folder: TrialFolder) -> TrialEntry:
    entry = read_entry(folder)
    if entry is None:
        raise ValueError(f"A trial's folder must hold trial.json, but {folder.path} has none.")
    return entry
