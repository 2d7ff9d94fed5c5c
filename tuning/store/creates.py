"""Everything that is created on a tracker, each created once: an answer may be lost after the work is done."""

from collections.abc import Callable, Mapping

from mlflow.entities import LoggedModel, LoggedModelOutput, LoggedModelStatus, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from tuning.store.once import check_id, create_once, do_once


def create_experiment(client: MlflowClient, name: str, artifacts: str | None = None) -> str:
    """Create an experiment unless another process does so at the same time; return its id.

    Args:
        client: MLflow client.
        name: Its name, which is unique on a tracker.
        artifacts: URI of its artifacts; chosen by the server if None.
    """

    def create() -> str:
        return check_id(client.create_experiment(name, artifact_location=artifacts), "experiment")

    def find() -> str | None:
        found = client.get_experiment_by_name(name)
        return None if found is None else str(found.experiment_id)

    return str(create_once(create, find))


def create_run(
    client: MlflowClient,
    experiment_id: str,
    tags: Mapping[str, str],
    began_ms: int | None,
    find: Callable[[], Run | None],
) -> Run:
    """Create a run.

    Args:
        client: MLflow client.
        experiment_id: Its experiment.
        tags: Its tags, by which *find* knows it.
        began_ms: Its start in ms since 1970; default: now.
        find: Looks for the run.
    """

    def create() -> Run:
        run = client.create_run(experiment_id, began_ms, dict(tags))
        check_id(run.info.run_id, "run")
        return run

    return create_once(create, find)


def create_logged_model(
    client: MlflowClient,
    experiment_id: str,
    name: str,
    run_id: str,
    tags: Mapping[str, str],
    params: Mapping[str, str],
) -> LoggedModel:
    """Create the logged model of a run, which has no other unfinished one."""

    def create() -> LoggedModel:
        made = client.create_logged_model(
            experiment_id, name, run_id, tags=dict(tags), params=dict(params)
        )
        check_id(made.model_id, "logged model")
        return made

    def find() -> LoggedModel | None:
        found = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
        return next((one for one in found if one.status == LoggedModelStatus.PENDING), None)

    return create_once(create, find)


def log_output(client: MlflowClient, run_id: str, output: LoggedModelOutput) -> None:
    """Name a logged model as its run's output; MLflow refuses to do so twice."""

    def is_logged() -> bool:
        outputs = client.get_run(run_id).outputs
        models = [] if outputs is None else outputs.model_outputs
        return any(one.model_id == output.model_id for one in models)

    do_once(lambda: client.log_outputs(run_id, [output]), is_logged)


def create_registered_model(
    client: MlflowClient, name: str, tags: Mapping[str, str], description: str
) -> None:
    """Create a registered model unless it exists; names are unique."""

    def exists() -> bool:
        return bool(client.search_registered_models(f"name = '{name}'"))

    if not exists():
        do_once(lambda: client.create_registered_model(name, dict(tags), description), exists)


def create_version(
    client: MlflowClient,
    name: str,
    uri: str,
    run_id: str,
    tags: Mapping[str, str],
) -> ModelVersion:
    """Create a version of a registered model.

    Args:
        client: MLflow client.
        name: Registered model.
        uri: The logged model, ``models:/m-…``.
        run_id: Run that logged it.
        tags: Tags of the version, among them ``run_id``, by which it is found.
    """

    def create() -> ModelVersion:
        model_id = uri.removeprefix("models:/")
        made = client.create_model_version(name, uri, run_id, tags=dict(tags), model_id=model_id)
        check_id(str(made.version or ""), "model version")
        return made

    def find() -> ModelVersion | None:
        query = f"name = '{name}' and tags.run_id = '{run_id}'"
        found = client.search_model_versions(query)
        return min(found, key=lambda version: int(version.version)) if found else None

    return create_once(create, find)
