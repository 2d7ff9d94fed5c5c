"""What trials' folders hold, sent to MLflow: in order, without gaps or duplicates, whenever the tracker is there.

A trial's folder is the spool: whatever its run lacks is sent from it, now or by another process later.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.io.errors import format_error
from tuning.tracking.background import BackgroundSender
from tuning.tracking.payloads import CampaignContext, DataRecord
from tuning.tracking.tracker import Tracker
from tuning.trial.folder import TrialFolder, read_optional_json, write_json
from tuning.trial.stage import TrialEntry, describe_end, is_finished, list_trials, read_entry
from tuning.trial.sync import TrialSync

logger = logging.getLogger(__name__)

_CONTEXT = "context.json"  # file of a campaign's folder
_SENT = "sent"


@dataclass(frozen=True)
class SentCount:
    """What was sent, and what was not.

    Attributes:
        epochs: Epochs sent.
        ended: Trials whose end was sent.
        lacking: Trials of which something is still to be sent.
        reason: Why, empty where nothing is lacking.
    """

    epochs: int
    ended: int
    lacking: int
    reason: str = ""


class MLflowSender:
    """Sends a campaign's trials to MLflow.

    Ray's loop only hands over what is to be sent: a thread of its own sends it, so that trials, which wait
    for that loop at every report, never wait for MLflow. Ray keeps a pickled copy of what holds a delivery,
    so connection and thread are made on first use.

    Attributes:
        root: Output folder.
        context: What every run is tagged with.
        data: What the trials read.
        relay: Storage that the trials' folders travel over; None where every node sees them.
    """

    def __init__(
        self, root: Path, context: CampaignContext, data: DataRecord, relay: TrialSync | None = None
    ) -> None:
        self.root, self.context, self.data, self.relay = root, context, data, relay
        self._start()

    def _start(self) -> None:
        self._tracker: Tracker | None = None
        self._writer = BackgroundSender()
        self._taking = threading.Lock()
        self._running: set[str] = set()  # trials whose run is marked as running

    def __getstate__(self) -> dict[str, Any]:
        """Keep what does not belong to this process."""
        return {name: getattr(self, name) for name in ("root", "context", "data", "relay")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin anew in another process."""
        self.__dict__.update(state)
        self._start()

    def connect(self) -> Tracker:
        """Connect to MLflow, or return the connection that is there.

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

    def collect(self, journal: TrialFolder) -> None:
        """Take what is new of a trial from the storage that it travels over, where there is one."""
        if self.relay is None:
            return
        entry = read_entry(journal)
        with self._taking:
            self.relay.pull(journal.path.name, journal.path, large=bool(entry and entry.model))

    def forget(self, journal: TrialFolder) -> None:
        """Remove what is left on that storage of a trial of which all that is wanted was taken."""
        if self.relay is not None:
            self.relay.clear(journal.path.name)

    def submit(self, journal: TrialFolder) -> None:
        """Hand over a trial that runs or has just ended: whatever its run lacks is sent soon."""
        self._writer.submit(f"trial {journal.path.name}", lambda: self._send(journal))

    def drain(self) -> None:
        """Wait until all that was handed over has been tried."""
        self._writer.drain()

    def abandon(self) -> None:
        """Leave for later what was handed over and has not been tried."""
        self._writer.abandon()

    def _send(self, journal: TrialFolder) -> None:
        if self._is_sent(journal):
            return
        self.collect(journal)
        key = journal.path.name
        if key not in self._running:
            self.tracker.reopen(self.open_trial(journal))
            self._running.add(key)
        self.send(journal)

    def open_trial(self, journal: TrialFolder) -> str:
        """Find or create the run of a trial; return its id.

        Raises:
            ValueError: If the folder has no entry.
        """
        entry = _read(journal)
        study = entry.config["model"]
        return self.tracker.open_run(
            "trial",
            journal.path.name,
            entry.name,
            self.open_study(study),
            entry.tags,
            entry.config,
            self.data.used_by(entry.kind, entry.config["split"]),
            entry.began_ms,
        )

    def open_campaign(self) -> str:
        """Find or create the campaign's run; return its id."""
        return self.tracker.open_run("campaign", "campaign", self.context.campaign)

    def open_study(self, model: str) -> str:
        """Find or create the run of a model's study; return its id."""
        parent = self.open_campaign()
        return self.tracker.open_run("study", f"study/{model}", model, parent, {"study": model})

    def send(self, journal: TrialFolder) -> int:
        """Send what a trial's run lacks; return how many epochs that were."""
        run_id, entry = self.open_trial(journal), _read(journal)
        ended = describe_end(journal, entry.kind)  # before the epochs, which go on
        sent = self.tracker.mirror(run_id, journal)
        if ended is not None:
            over = is_finished(journal, entry.kind)
            self.tracker.finish(run_id, journal, *ended, model=entry.model, final=over)
            journal.write(_SENT, {"campaign": self.open_campaign()})
            self._running.discard(journal.path.name)
        return sent

    def settle(self, folders: Iterable[Path]) -> SentCount:
        """Send all that is lacking of trials, in order; stops where the tracker does not answer.

        Args:
            folders: The trials' folders, such as :func:`tuning.trial.stage.list_trials` lists them.
        """
        self.drain()
        epochs = ended = lacking = 0
        reason, away = "", False
        for journal in map(TrialFolder, folders):
            if not away:
                try:
                    if not self._is_sent(journal):
                        epochs += self.send(journal)
                        ended += journal.read(_SENT) is not None
                    continue
                except Exception as error:  # noqa: BLE001 - whatever it is, the tally says it
                    reason, away = format_error(error), not self._answers()
            lacking += 1
        return SentCount(epochs, ended, lacking, reason)

    def _answers(self) -> bool:
        """Tell whether the tracker is there, and one trial alone cannot be sent."""
        try:
            self.tracker.client.get_run(self.open_campaign())
        except Exception:  # noqa: BLE001 - the caller says what was wrong
            return False
        return True

    def _is_sent(self, journal: TrialFolder) -> bool:
        """Tell whether this very tracker has all of a trial."""
        sent = journal.read(_SENT)
        return sent is not None and sent["campaign"] == self.open_campaign()

    def settle_all(self, campaign: Path) -> SentCount:
        """Send all that is lacking of a campaign's trials."""
        return self.settle(list_trials(campaign / "trials"))

    def close_studies(self, status: Mapping[str, str]) -> None:
        """Close the runs of the studies with the status of each, by model."""
        for model, how in status.items():
            self.tracker.close(self.open_study(model), how)


def _read(journal: TrialFolder) -> TrialEntry:
    entry = read_entry(journal)
    if entry is None:
        raise ValueError(f"A trial's folder has a trial.json, but {journal.path} has none.")
    return entry


def write_context(campaign: Path, identity: str, delivery: MLflowSender) -> None:
    """Keep in a campaign's folder what it takes to send its trials without its data."""
    content = {"id": identity, "context": asdict(delivery.context), "data": asdict(delivery.data)}
    write_json(campaign / _CONTEXT, content)


def read_identity(campaign: Path) -> str | None:
    """Read what tells a campaign from another one of its name; None for one that is new."""
    content = read_optional_json(campaign / _CONTEXT)
    return None if content is None else str(content["id"])


def load_sender(campaign: Path) -> MLflowSender:
    """Load what was kept by :func:`write_context`.

    Raises:
        ValueError: If the folder is no campaign's, or its file is damaged.
    """
    try:
        content = read_optional_json(campaign / _CONTEXT)
        context, data = CampaignContext(**content["context"]), DataRecord(**content["data"])
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"A campaign's folder holds {_CONTEXT} and trials/, but {campaign} does not. "
            "Give a folder such as mlruns/campaigns/NAME."
        ) from error
    return MLflowSender(campaign.parents[1], context, data)
