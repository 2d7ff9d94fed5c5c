"""A registered model without training, as a campaign registers one."""

from pathlib import Path
from typing import Any

from tests.support.served_fixtures import write_checkpoint
from tuning.registry.aliases import CHAMPION
from tuning.registry.names import REGIONS_TAG, split_name
from tuning.tracking.client import connect
from tuning.tracking.log_model import log_model
from tuning.trial.folder import TrialFolder


def register_network(root: Path, name: str, **changes: Any) -> Path:
    """Register a network with random weights that reads both orbits; return the campaign's folder.

    Args:
        root: Folder of the registry, made by this.
        name: Name of the model; its version 1 is the champion.
        **changes: Entries of its config that differ, such as ``channels``.
    """
    client, experiment = connect(root)
    tags = {"kind": "trial", "stage": "repeat", "campaign": "first", "study": "unet"}
    run = client.create_run(experiment, tags=tags | {"fold": "blocks", "seed": "42"})
    folder = root / "trial"
    folder.mkdir()
    write_checkpoint(folder, **changes)
    facts = {"data": "synthetic", "campaign": "first"}
    uri = log_model(client, experiment, run.info.run_id, TrialFolder(folder), facts, {})
    client.set_tag(run.info.run_id, "model_uri", uri)
    regions = {REGIONS_TAG: split_name(name)[0]}
    client.create_registered_model(name, tags=regions)
    model_id = uri.removeprefix("models:/")
    tags = {"gate": "passed", **regions}
    client.create_model_version(name, uri, run.info.run_id, tags=tags, model_id=model_id)
    client.set_registered_model_alias(name, CHAMPION, "1")
    return root
