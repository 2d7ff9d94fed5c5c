"""How catalogues are asked over HTTP: never without a limit of time, and again after errors of the moment.

Follows urllib3 2 (``Retry``), requests 2 and pystac-client 0.9 (``StacApiIO``).
"""

import logging
import re
from typing import Any, NoReturn

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from data.io.errors import hide_password
from data.search.extra import INSTALL

CONNECT_S, READ_S = 10, 60
TRIES = 4  # after the first
BACKOFF_S = 1.0  # before the second of them; doubled each time
LONGEST_WAIT_S = 120  # also where a server asks for more
AGAIN = (429, 500, 502, 503, 504)

_REMEDIES = {
    401: "The catalogue needs a login or key: see docs/scene.md.",
    403: "The catalogue needs a login or key: see docs/scene.md.",
    404: "Check the address.",
    429: "It has had too many requests: wait some minutes, then run the command again.",
}
_LATER = "Check the address and the network, then run the command again."


class SourceError(Exception):
    """A catalogue that cannot be reached or used; the message says what it answered, and what to do."""


def source_error(rule: str, got: object, address: str, remedy: str) -> SourceError:
    """Return the error for a catalogue, with its answer, its address and the remedy."""
    text = " ".join(str(got).split())[:300] or type(got).__name__
    return SourceError(f"{rule}, but got: {text}, from {address}. {remedy}")


def missing_extra(name: str, error: ImportError) -> SourceError:
    """Return the error for a package of the extra ``scene`` that is not installed."""
    return SourceError(
        f"The package {name} is needed, but cannot be imported ({error}). Install it: {INSTALL}."
    )


def make_retry(again: tuple[int, ...] = AGAIN) -> Retry:
    """Return when to ask again: after 429 (as late as it says), 5xx and dead connections.

    Args:
        again: Status codes after which to ask again.
    """
    return Retry(
        total=TRIES,
        connect=2,
        read=2,
        status_forcelist=again,
        allowed_methods=None,  # also POST: a search changes nothing
        backoff_factor=BACKOFF_S,
        backoff_max=LONGEST_WAIT_S,
        retry_after_max=LONGEST_WAIT_S,
        raise_on_status=False,  # the last answer says why
    )


class LimitedAdapter(HTTPAdapter):
    """Sends requests with a limit of time and with retries.

    Args:
        again: Status codes after which to ask again.
        moved: An address and the one to ask in its place, for libraries whose addresses are fixed; both without a path.
    """

    def __init__(
        self, again: tuple[int, ...] = AGAIN, moved: tuple[str, str] | None = None
    ) -> None:
        self.moved = moved
        # Otherwise each retry is logged; what a catalogue answered at last is said in one sentence.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        super().__init__(max_retries=make_retry(again))

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        """Send a request; a limit of time that the caller gives stays."""
        if self.moved and str(request.url).startswith(self.moved[0]):
            request.url = self.moved[1] + request.url[len(self.moved[0]) :]
        if options.get("timeout") is None:
            options["timeout"] = (CONNECT_S, READ_S)
        return super().send(request, *args, **options)


def make_session() -> requests.Session:
    """Return a session with limits of time and retries."""
    return _limit(requests.Session())


def make_stac_io() -> Any:
    """Return how pystac-client asks an API.

    Raises:
        SourceError: If it is not installed.
    """
    try:
        from pystac_client.stac_api_io import StacApiIO
    except ImportError as error:
        raise missing_extra("pystac-client", error) from error
    asking = StacApiIO(max_retries=None)
    _limit(asking.session)  # a limit of its own would be lost when a client is opened with it
    return asking


def _limit(session: requests.Session) -> requests.Session:
    for scheme in ("http://", "https://"):
        session.mount(scheme, LimitedAdapter())
    return session


def raise_answer(error: Exception, address: str) -> NoReturn:
    """Raise what a catalogue answered, or that it did not, as a SourceError."""
    if isinstance(error, SourceError):
        raise error
    status = getattr(error, "status_code", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )
    text = hide_password(_strip(str(error)))
    got = f"status {status} ({text})" if status else text
    remedy = _REMEDIES.get(status or 0, _LATER)
    raise source_error("The catalogue must answer", got, hide_password(address), remedy) from error


def _strip(text: str) -> str:
    """Return the text of an answer without the marks of HTML."""
    return re.sub(r"<[^<>]*>", " ", text)
