"""Baselines on Ray, beside the trials: each takes the place of a trial, so that no core waits."""

import logging
from collections.abc import Callable, Sequence

from tuning.baselines.baselines import is_deterministic
from tuning.baselines.work import BaselineWork, measure_work
from tuning.campaign.measure_baselines import measure_baselines, send_measured
from tuning.campaign.start import CampaignSetup
from tuning.cluster.local_tasks import LocalTasks
from tuning.cluster.resources import Resources
from tuning.trial.folder import TrialFolder

logger = logging.getLogger(__name__)

Fail = Callable[[str, Exception], None]
WAIT_S = 0.5  # between two looks at the tasks


class BaselineTasks:
    """The baselines of some campaigns, measured on Ray.

    On a cluster, whose workers need not see this process's folders, they are measured in this process instead, before anything
    else; also where this node has no core for trials.
    """

    def __init__(self, setups: Sequence[CampaignSetup], resources: Resources, fail: Fail) -> None:
        """Submit them, those that learn first, because they take longest.

        Args:
            setups: The campaigns.
            resources: Of a trial; a baseline takes as many cores, and no GPU.
            fail: Called with the name of a campaign and the error of one of its baselines.
        """
        self._fail = fail
        self._tasks = LocalTasks[tuple[CampaignSetup, BaselineWork]](resources.cpus)
        pairs = [(setup, work) for setup in setups for work in send_measured(setup)]
        on_cluster = any(setup.settings.address or setup.settings.storage for setup in setups)
        if pairs and (on_cluster or not self._tasks.fit):
            for setup in setups:
                measure_baselines(setup)
            return
        for setup, work in sorted(pairs, key=lambda pair: is_deterministic(pair[1].key)):
            self._tasks.submit((setup, work), measure_work, work, setup.pack.path)

    def wait_for_slot(self, slots: int) -> None:
        """Wait until fewer are left than *slots*, the trials for which there are cores, so that a trial can begin."""
        while len(self._tasks) >= max(1, slots):
            self._take(WAIT_S)

    def look(self) -> None:
        """Send what has been measured since the last call, without waiting."""
        self._take(0.0)

    def finish(self) -> None:
        """Wait for the rest."""
        self.wait_for_slot(1)

    def _take(self, timeout_s: float) -> None:
        for (setup, work), found in self._tasks.take(timeout_s):
            if isinstance(found, Exception):
                self._fail(setup.settings.campaign, found)
                continue
            for folder in found:
                setup.sender.submit(TrialFolder(folder))
            logger.info("%s: %d runs measured.", work.name, len(found))
