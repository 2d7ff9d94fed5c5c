"""The head of a Ray cluster: whether anything answers at its address, before Ray tries for minutes."""

import os
import socket
import threading
import time
from urllib.parse import urlsplit

from data.io.errors import format_error, hide_password

TIMEOUT_S = 5.0
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306}
_CLUSTER_MUST_ANSWER = (
    "A Ray cluster must answer at {}, but: {} Start it, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH if it requires "
    "a token, or omit --address and unset RAY_ADDRESS."
)
LIMIT_S = 8.0  # to resolve the name, connect and get an answer
_ANSWER_S = 3.0
# The first bytes of an HTTP/2 connection, and an empty frame of settings; a server of gRPC answers with its settings.
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
_SETTINGS = 4  # kind of a frame, its fourth byte


def try_connection(address: str, attempts: int = 2) -> str:
    """Connect to the host and port of a URI; return the error, empty without one."""
    try:
        parts = urlsplit(address)
        port = parts.port or _PORTS.get(parts.scheme.partition("+")[0])
    except ValueError:  # no number
        port = None
    if not port or not parts.hostname:
        return f"it has no host and port: {hide_password(address)}"
    for attempt in range(1, attempts + 1):
        try:
            socket.create_connection((parts.hostname, port), timeout=TIMEOUT_S).close()
            return ""
        except OSError as error:
            if attempt == attempts:
                return f"{parts.hostname}:{port} does not answer ({format_error(error)})"
            time.sleep(1)
    return ""


def check_head(address: str) -> None:
    """Check that a head answers at an address.

    Raises:
        ConnectionError: If none does, within ten seconds.
    """
    if fault := find_head_fault(address):
        raise no_cluster(address, fault)


def no_cluster(address: str, reason: str) -> ConnectionError:
    """Return the error of a cluster that cannot be joined."""
    end = "" if reason.endswith(".") else "."
    return ConnectionError(_CLUSTER_MUST_ANSWER.format(hide_password(address), f"{reason}{end}"))


def find_head_fault(address: str) -> str:
    """Return why no Ray can be joined at an address, within ten seconds; empty if a head answers there.

    Args:
        address: ``HOST:PORT``, ``ray://HOST:PORT``, or ``auto`` for the cluster that Ray finds on this machine.
    """
    try:
        place = _find_address(address)
    except (ConnectionError, ValueError, OSError) as error:
        return format_error(error)
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(_knock(place)), daemon=True)
    thread.start()
    thread.join(LIMIT_S)  # the system's search for a name takes as long as it likes
    return answers[0] if answers else f"{place} does not answer within {LIMIT_S:g} s"


def _find_address(address: str) -> str:
    if address != "auto":
        return address
    from ray._private.services import canonicalize_bootstrap_address_or_die

    return str(canonicalize_bootstrap_address_or_die("auto"))


def _knock(address: str) -> str:
    url = address if "://" in address else f"//{address}"
    if fault := try_connection(url, attempts=1):
        return fault
    if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return ""  # its first bytes are encrypted
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port), _ANSWER_S) as connection:
            connection.sendall(_HELLO)
            answer = connection.recv(9, socket.MSG_WAITALL)
    except OSError as error:
        return f"{address} accepts connections, but does not answer ({format_error(error)})"
    if len(answer) < 9 or answer[3] != _SETTINGS:
        return f"something else than Ray answers at {address}"
    return ""
