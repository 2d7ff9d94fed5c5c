"""A campaign from data to report, or several as one: one queue of trials, while each has its own folder, runs and report."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from data.io.disk import FullDiskError
from data.io.errors import format_error
from data.io.shared_storage import SharedStorage, check_shared_storage
from tuning.campaign.baselines_on_ray import BaselineTasks
from tuning.campaign.check_networks import check_networks
from tuning.campaign.finish import CampaignOutcome, close_interrupted, finish_campaign
from tuning.campaign.initial import check_start
from tuning.campaign.measure_baselines import measure_baselines, send_measured
from tuning.campaign.stages import Stages
from tuning.campaign.start import CampaignSetup
from tuning.campaign.window import settle_window
from tuning.cluster.preflight import check_nodes, get_storage
from tuning.cluster.ray_session import count_slots, start_ray, stop_ray
from tuning.search.run_queue import run_queue
from tuning.settings.lock import lock_campaign
from tuning.settings.saved_campaigns import campaign_folder
from tuning.settings.settings import Settings
from tuning.tracking.client import tracking_uri
from tuning.trial.networks import ship_networks

T = TypeVar("T")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """A campaign among several.

    Attributes:
        settings: Its settings, already saved.
        searched_in: Name of the campaign whose searches choose its hyperparameters; its own if None. It must come before.
        keep_pack: Whether a resumed campaign goes on with its own pack whatever became of its tiles.
    """

    settings: Settings
    searched_in: str | None = None
    keep_pack: bool = False


class Together:
    """Some campaigns while they run.

    Attributes:
        failed: The error that ended a campaign, by its name.
    """

    def __init__(self, root: Path, members: Sequence[Member]) -> None:
        self._root, self._members = root, members
        self._stages: dict[str, Stages] = {}
        self.failed: dict[str, Exception] = {}

    def _try(self, name: str, step: Callable[[], T]) -> T | None:
        """Take a step of one campaign; keep its error, unless it concerns all or there is no other campaign."""
        try:
            return step()
        except (KeyboardInterrupt, FullDiskError):
            raise
        except Exception as error:  # noqa: BLE001 - reported as the campaign's
            self._fail(name, error)
            return None

    def open(self, locks: ExitStack) -> None:
        """Lock the campaigns, check their networks, and prepare their data and runs."""
        for member in self._members:
            lock = lock_campaign(campaign_folder(self._root, member.settings.campaign))
            self._try(member.settings.campaign, partial(locks.enter_context, lock))
        left = [member for member in self._members if member.settings.campaign not in self.failed]
        if left:
            unfit = join_cluster(self._root, left[0].settings)
        for member in left:
            self._try(member.settings.campaign, partial(self._open, member, unfit))

    def _open(self, member: Member, unfit: Mapping[str, str]) -> None:
        source = None
        if member.searched_in is not None:
            source = self._stages.get(member.searched_in)
            if source is None:
                raise ValueError(
                    f"A campaign whose hyperparameters another one searches needs it, but {member.searched_in} was not begun. "
                    "See its own error."
                )
        settings = settle_window(self._root, member.settings)
        check_start(self._root, settings)
        refused = check_networks(self._root, settings, unfit)
        setup = CampaignSetup(self._root, settings, keep_pack=member.keep_pack, refused=refused)
        self._stages[settings.campaign] = Stages(setup, source)

    def run(self) -> None:
        """Measure the baselines and train all trials, as one queue."""
        stages = list(self._stages.values())
        if not any(one.models for one in stages):
            for one in stages:
                self._try(one.settings.campaign, partial(measure_baselines, one.setup))
            return
        on_cluster = any(one.settings.address or one.settings.storage for one in stages)
        if not on_cluster and self._send_done(stages):
            return
        resources = start_ray(stages[0].settings)
        try:
            for one in stages:
                if one.settings.address or one.settings.storage:
                    one.copy_pack()
            tasks = BaselineTasks([one.setup for one in stages], resources, self._fail)
            works = [one.open(resources) for one in stages if one.models]
            tasks.wait_for_slot(count_slots([replace(resources, gpus=0.0)]))
            run_queue(works, stages[0].setup.folder / "ray", tasks.look)
            tasks.finish()
            for one in stages:
                one.winners.send()
        finally:
            stop_ray()

    def _send_done(self, stages: Sequence[Stages]) -> bool:
        """Send what earlier processes have finished; return whether nothing is left, so that Ray need not start."""
        if not all(one.is_done() for one in stages) or any(
            send_measured(one.setup) for one in stages
        ):
            return False
        logger.info("All trials and baselines are done; nothing is left to train.")
        for one in stages:
            one.winners.send()
        return True

    def _fail(self, name: str, error: Exception) -> None:
        """Keep the error of one campaign; raise it if there is no other."""
        if len(self._members) == 1:
            raise error
        logger.error("%s: %s", name, format_error(error))
        self.failed[name] = error

    def finish(self) -> dict[str, CampaignOutcome]:
        """Report each campaign; return what became of it, by name."""
        outcomes = {}
        for name, one in self._stages.items():
            if name not in self.failed:
                finish = partial(finish_campaign, one.setup, one.list_winners(), one.list_ended())
                if (found := self._try(name, finish)) is not None:
                    outcomes[name] = found
            if name in self.failed:
                close_interrupted(one.setup, self.failed[name])
        return outcomes

    def close(self, error: BaseException) -> None:
        """Close the runs of campaigns that an error interrupted."""
        for one in self._stages.values():
            close_interrupted(one.setup, error)


def run_members(
    root: Path, members: Sequence[Member]
) -> tuple[dict[str, CampaignOutcome], dict[str, Exception]]:
    """Run campaigns, or resume them; an error of one does not end the others.

    Args:
        root: Output folder.
        members: The campaigns; resources and cluster are those of the first.

    Returns:
        The outcome of each campaign by name, and the errors of the others.

    Raises:
        Exception: An error of a single campaign, or one that concerns all: of Ray, of the cluster, of the disk.
        KeyboardInterrupt: If the user interrupts; all can be resumed.
    """
    together = Together(root, members)
    with ExitStack() as locks:
        try:
            together.open(locks)
            try:
                together.run()
                return together.finish(), together.failed
            except BaseException as error:
                together.close(error)
                raise
        finally:
            stop_ray()


def run_campaign(root: Path, settings: Settings, *, keep_pack: bool = False) -> CampaignOutcome:
    """Run a campaign from data to report, or resume it.

    Args:
        root: Output folder.
        settings: The user's settings.
        keep_pack: Whether a resumed campaign goes on with its own pack whatever became of its tiles.

    Returns:
        The ranking, and the requested work that was not done.

    Raises:
        ValueError: If the data cannot be used, no network can be exported and there is no baseline, no repeat run was finished,
            or another process runs the campaign.
        OSError: If the output folder cannot be used, or the tracker does not answer.
        KeyboardInterrupt: If the user interrupts; all runs are closed, and the campaign can be resumed.
    """
    outcomes, _ = run_members(root, [Member(settings, keep_pack=keep_pack)])
    return outcomes[settings.campaign]


def run_together(root: Path, members: Sequence[Member]) -> Mapping[str, CampaignOutcome | str]:
    """Run campaigns, or resume them, as :func:`run_members`; return the outcome or the text of the error by name."""
    outcomes, failed = run_members(root, members)
    return {**outcomes, **{name: format_error(error) for name, error in failed.items()}}


def join_cluster(root: Path, settings: Settings) -> dict[str, str]:
    """Check the shared storage, join the cluster and check its nodes, before any data is made.

    Returns:
        Why a network from outside cannot be trained there, by its name.
    """
    if settings.storage:
        check_shared_storage(SharedStorage(settings.storage))
    if (settings.address or settings.storage) and settings.models:
        start_ray(settings)
        networks = ship_networks(settings.models)
        return check_nodes(get_storage(root, settings), tracking_uri(root), networks)
    return {}
