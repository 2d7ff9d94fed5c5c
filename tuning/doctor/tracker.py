"""Check of the MLflow tracker: the database below the output folder, or the server or database that is named."""

import os
import re
from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from data.io import errors
from tuning.doctor.database import check_database
from tuning.doctor.finding import CheckResult, fail, first_line, ok, warn
from tuning.tracking.client import SQLITE, URI_VARIABLE, tracking_uri

ANSWER_S = 5
UNSET = f"or unset {URI_VARIABLE} to use a database below --root"


def check_tracker(root: Path) -> CheckResult:
    """Check the tracker that a campaign below *root* would use."""
    uri = tracking_uri(root)
    if uri.startswith(SQLITE):
        return check_database(Path(uri.removeprefix(SQLITE)), root)
    if uri.startswith(("http://", "https://")):
        return check_server(uri)
    if re.match(r"(postgresql|mysql|mssql)(\+\w+)?://", uri):
        return _check_other_database(uri)
    if uri.startswith("databricks"):
        return _ask_client(uri)
    return fail(
        f"a tracker is http(s)://HOST:PORT, {SQLITE}FILE or a database's address, but {URI_VARIABLE} is {hide_password(uri)}",
        f"Give one of those, {UNSET}.",
    )


def hide_password(uri: str) -> str:
    """Return an address that shows that it holds a login, but not which."""
    return errors.hide_password(uri, "***@")


def check_server(uri: str) -> CheckResult:
    """Check that a server answers as MLflow does, lets us in, and has the client's version."""
    shown = hide_password(uri)
    try:
        status, body = _ask(uri, "POST", "/api/2.0/mlflow/experiments/search", {"max_results": 1})
    except MlflowException as error:
        return _explain_silence(shown, str(error))
    if status == 200 and "experiment" not in body and body.strip() != "{}":
        status = 404  # something answers everything
    if status != 200:
        return _explain_refusal(shown, status, body)
    try:
        status, version = _ask(uri, "GET", "/version")
    except MlflowException:
        status, version = 0, ""
    version = version.strip() if status == 200 and len(version) < 40 else "unknown"
    found = f"{shown} answers, version {version}, client {mlflow.__version__}"
    if version.split(".")[:2] != mlflow.__version__.split(".")[:2]:
        return warn(
            f"{found}; only equal versions are tested",
            f"python -m pip install mlflow=={version}, or renew the server."
            if version != "unknown"
            else "Ask whoever runs the server for its version.",
        )
    return ok(found)


def _ask(
    uri: str, method: str, endpoint: str, content: dict[str, int] | None = None
) -> tuple[int, str]:
    """Ask a server once, with the client's own credentials and certificates; return status and text."""
    answer = http_request(  # type: ignore[no-untyped-call]
        get_default_host_creds(uri),  # type: ignore[no-untyped-call]
        endpoint,
        method,
        max_retries=0,
        timeout=ANSWER_S,
        raise_on_status=False,
        **({} if content is None else {"json": content}),
    )
    return int(answer.status_code), str(answer.text)


def _explain_silence(uri: str, error: str) -> CheckResult:
    """Say why no answer came, from the words of the client's error."""
    start = f"Start it (python -m mlflow server --host HOST --port PORT), {UNSET}."
    for word, why, remedy in (
        ("Connection refused", "refuses connections", start),
        ("timed out", f"did not answer within {ANSWER_S} s", f"Look at the server's log, {UNSET}."),
        ("resolve", "has an unknown host", f"Mend the name in {URI_VARIABLE}, {UNSET}."),
        (
            "CERTIFICATE",
            "has a certificate that is not trusted",
            "MLFLOW_TRACKING_SERVER_CERT_PATH=FILE",
        ),
        ("SSL", "does not speak TLS", f"Write http:// in {URI_VARIABLE}."),
    ):
        if word in error:
            return fail(f"{uri} {why}", remedy)
    return fail(f"{uri} gave no answer: {hide_password(error).splitlines()[0][-200:]}", start)


def _explain_refusal(uri: str, status: int, body: str) -> CheckResult:
    """Say what a status other than 200 means."""
    if status == 401:
        given = (
            "refuses the credentials"
            if os.environ.get("MLFLOW_TRACKING_USERNAME")
            else "wants a login"
        )
        return fail(
            f"{uri} {given} (401)",
            "MLFLOW_TRACKING_USERNAME=NAME MLFLOW_TRACKING_PASSWORD=WORD, or MLFLOW_TRACKING_TOKEN=TOKEN",
        )
    if status == 403 and "host" in body.lower():
        return fail(
            f"{uri} does not serve this host name (403: {first_line(body)[:80]})",
            "Start the server with --allowed-hosts HOST:PORT, the name in the address.",
        )
    if status == 403:
        return fail(
            f"{uri} lets this user in, but not to its experiments (403)",
            "Ask for the permission, or give MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD of another.",
        )
    if status >= 500:
        return fail(f"{uri} is in trouble itself ({status})", "Look at the server's log.")
    return fail(
        f"{uri} answers, but not as MLflow does ({status})",
        f"Mend host, port and path in {URI_VARIABLE}, {UNSET}.",
    )


def _check_other_database(uri: str) -> CheckResult:
    """Check that a database that is named by its address can be reached; MLflow makes its tables."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    shown, wait = hide_password(uri), "timeout" if uri.startswith("mssql") else "connect_timeout"
    try:
        with create_engine(uri, connect_args={wait: ANSWER_S}).connect() as connection:
            connection.execute(text("SELECT 1"))
    except ImportError as error:
        return fail(
            f"{shown} needs a driver: {error}",
            "python -m pip install that one; for PostgreSQL it is 'psycopg[binary]'",
        )
    except SQLAlchemyError as error:
        return fail(
            f"{shown} cannot be reached: {hide_password(first_line(error))}",
            f"Start it or mend the address, {UNSET}.",
        )
    return ok(f"{shown} answers")


def _ask_client(uri: str) -> CheckResult:
    try:
        mlflow.MlflowClient(uri).search_experiments(max_results=1)
    except MlflowException as error:
        return fail(f"{uri}: {first_line(error)}", f"Mend the login, {UNSET}.")
    return ok(f"{uri} answers")
