"""One campaign from data to report: search each architecture, repeat the winners over seeds, compare."""

from pathlib import Path

from data.io.shared_storage import SharedStorage, check_shared_storage
from tuning.campaign.check_networks import check_networks
from tuning.campaign.finish import CampaignOutcome, close_interrupted, finish_campaign
from tuning.campaign.initial import check_start
from tuning.campaign.stages import Stages
from tuning.campaign.start import CampaignSetup
from tuning.campaign.window import settle_window
from tuning.cluster.preflight import check_nodes, get_storage
from tuning.cluster.ray_session import start_ray, stop_ray
from tuning.settings.lock import lock_campaign
from tuning.settings.saved_campaigns import campaign_folder
from tuning.settings.settings import Settings
from tuning.tracking.client import tracking_uri
from tuning.trial.networks import ship_networks


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
    with lock_campaign(campaign_folder(root, settings.campaign)):
        try:
            unfit = _join_cluster(root, settings)
            settings = settle_window(root, settings)
            check_start(root, settings)
            refused = check_networks(root, settings, unfit)
            setup = CampaignSetup(root, settings, keep_pack=keep_pack, refused=refused)
            try:
                return finish_campaign(setup, *Stages(setup).run())
            except BaseException as error:
                close_interrupted(setup, error)
                raise
        finally:
            stop_ray()


def _join_cluster(root: Path, settings: Settings) -> dict[str, str]:
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
