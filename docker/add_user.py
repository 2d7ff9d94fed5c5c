"""Create a user of the MLflow server, or change a password; needs only Python.

``python docker/add_user.py NAME [--change-password]``, with MLFLOW_TRACKING_URI and the administrator's
MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD. The user's password is asked for, or comes from
NEW_USER_PASSWORD.
"""

import argparse
import base64
import getpass
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

EXPERIMENT = "landslide-benchmark"  # of tuning/tracking/client.py
NAMES = {
    "MLFLOW_TRACKING_URI": "the server's address",
    "MLFLOW_TRACKING_USERNAME": "the administrator's name",
    "MLFLOW_TRACKING_PASSWORD": "the administrator's password",
}
ANSWER_S = 30
FOUND, UNAUTHORIZED, MISSING = 200, 401, 404


class RefusedError(Exception):
    """The server refused a request."""


@dataclass(frozen=True)
class Server:
    """An MLflow server and one user's login."""

    uri: str
    name: str
    password: str

    def ask(self, method: str, what: str, **values: str) -> int:
        """Send a request; return the status, which is 200, 401 or 404.

        Raises:
            RefusedError: If there is another answer, or none.
        """
        address = f"{self.uri.rstrip('/')}/api/2.0/mlflow/{what}"
        login = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        body: bytes | None = json.dumps(values).encode()
        if method == "GET":
            address, body = f"{address}?{urllib.parse.urlencode(values)}", None
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        request = urllib.request.Request(address, body, headers, method=method)  # noqa: S310 - checked in main
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            if error.code in (UNAUTHORIZED, MISSING):
                return error.code
            raise RefusedError(f"{self.uri} says {error.code}: {_message(error)}") from error
        except OSError as error:
            raise RefusedError(f"{self.uri} does not answer: {error}. Start the server.") from error


def _message(error: urllib.error.HTTPError) -> str:
    text = error.read(2000).decode(errors="replace")
    try:
        told: Any = json.loads(text)
    except ValueError:
        return text
    return str(told["message"]) if isinstance(told, dict) and "message" in told else text


def add(admin: Server, name: str, password: str, *, change: bool) -> str:
    """Create a user, or change a password; return a sentence about the result.

    The experiment is made first: it belongs to whoever makes it, who may then delete all runs in it.

    Raises:
        RefusedError: If the server refuses, or has such a user with another password.
    """
    there = admin.ask("GET", "experiments/get-by-name", experiment_name=EXPERIMENT)
    if there == UNAUTHORIZED:
        raise RefusedError(
            f"{admin.uri} refuses the password of {admin.name} (401). Set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD to an administrator's."
        )
    if there == MISSING:
        admin.ask("POST", "experiments/create", name=EXPERIMENT)
    if admin.ask("GET", "users/get", username=name) == MISSING:
        admin.ask("POST", "users/create", username=name, password=password)
        return f"Made the user {name}."
    if change:
        admin.ask("PATCH", "users/update-password", username=name, password=password)
        return f"The user {name} has a new password."
    user = Server(admin.uri, name, password)
    if user.ask("GET", "experiments/get-by-name", experiment_name=EXPERIMENT) == FOUND:
        return f"The user {name} is there already."
    raise RefusedError(
        f"There is a user {name} with another password. Give that one, or --change-password."
    )


def main(argv: list[str] | None = None) -> int:
    """Create the user; return 0 if the server has it with this password, 1 if not, 2 if a variable is missing."""
    parser = argparse.ArgumentParser("add_user.py", description=__doc__)
    parser.add_argument("name", help="name of the user")
    parser.add_argument(
        "--change-password", action="store_true", help="change the password of an existing user"
    )
    given = parser.parse_args(argv)
    missing = [f"{key}, {what}" for key, what in NAMES.items() if not os.environ.get(key)]
    if missing:
        print(f"error: To make a user set {'; '.join(missing)}.", file=sys.stderr)
        return 2
    admin = Server(*(os.environ[key] for key in NAMES))
    if not admin.uri.startswith(("http://", "https://")):
        print(f"error: A server is http(s)://HOST:PORT, but got {admin.uri!r}.", file=sys.stderr)
        return 2
    password = os.environ.get("NEW_USER_PASSWORD") or getpass.getpass(f"Password of {given.name}: ")
    try:
        print(add(admin, given.name, password, change=given.change_password))
    except RefusedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
