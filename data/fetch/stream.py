"""The connection to the Hugging Face hub: a file's bytes as a stream, and its client's errors as sentences.

All requests go through the hub's own client, so a stored login, ``HF_TOKEN``, ``HF_ENDPOINT`` and proxies work as usual.
What the hub answers is not trusted.
"""

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import constants, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers, http_stream_backoff  # type: ignore[attr-defined]

from data.io.safe_json import show_value

logger = logging.getLogger(__name__)

RETRY_WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)  # before each retry; any byte received resets them
CONTINUE = "Run the same command again: it continues where it stopped."
_OTHER = "choose another revision (--revision)"
_TRANSIENT = (408, 500, 502, 503, 504)


class FetchError(Exception):
    """A transfer from or to the hub that could not be finished; the message names the place and the remedy."""


def stream_file(
    url: str, path: str, size: int, *, again: str = CONTINUE, other: str = _OTHER
) -> Generator[bytes, None, None]:
    """Yield the bytes of a file in order; resume where a connection breaks.

    Args:
        url: Its address on the hub.
        path: Its name, for messages.
        size: Its length in bytes, as the hub lists it.
        again: What to do after a lost connection, a sentence.
        other: What to do if the hub sends another file than it lists, the end of a sentence.

    Raises:
        FetchError: If the hub sends another number of bytes, or the last retry fails.
        HfHubHTTPError: If the hub refuses; :func:`translate_errors` explains it.
    """
    position, waits = 0, iter(RETRY_WAITS_S)
    while position < size:
        start, reason = position, "the response ended early"
        try:
            for chunk in _read_from(url, start):
                position += len(chunk)
                if position > size:
                    raise _size_error(path, size, f"more than {size}", other)
                yield chunk
        except httpx2.TransportError as error:
            reason = str(error) or type(error).__name__
        except HfHubHTTPError as error:
            reason = f"HTTP {error.response.status_code}"
            if error.response.status_code == 416:  # the file ends before this position
                raise _size_error(path, size, str(position), other) from error
            if error.response.status_code not in _TRANSIENT:
                raise
        if position < size:
            waits = iter(RETRY_WAITS_S) if position > start else waits
            at = f"at {position / 1e6:.1f} of {size / 1e6:.1f} MB of {path}"
            _wait(next(waits, None), f"{at} ({reason})", again)


def _read_from(url: str, start: int) -> Iterator[bytes]:
    """Yield a file's bytes from *start*."""
    # The hub lists the stored length, which a compressed response would not have.
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with http_stream_backoff(
        "GET",
        url,
        headers=headers,
        timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        retry_on_exceptions=(),
        retry_on_status_codes=(429,),  # waits as long as the hub asks
    ) as response:
        hf_raise_for_status(response)
        skip = 0 if response.status_code == 206 else start  # 200: the server ignored the range
        for chunk in response.iter_raw():
            if len(chunk) > skip:
                yield chunk[skip:]
            skip = max(0, skip - len(chunk))


def _wait(wait_s: float | None, at: str, again: str) -> None:
    """Wait before the next retry; raise FetchError if there is none."""
    if wait_s is None:
        raise FetchError(
            f"The connection to {constants.ENDPOINT} must last, but got lost {at} in every try. {again}"
        )
    logger.warning("Connection lost %s; retrying in %g s", at, wait_s)
    time.sleep(wait_s)


def _size_error(path: str, size: int, got: str, other: str) -> FetchError:
    return FetchError(
        f"The hub must send the {size} bytes it lists, but got {got} of {path}. Try again later, or {other}."
    )


@contextmanager
def translate_errors(
    explain_status: Callable[[HfHubHTTPError], str],
    act: str = "A fetch",
    again: str = CONTINUE,
) -> Iterator[None]:
    """Turn the client's errors into a FetchError with address and remedy.

    Args:
        explain_status: Returns the sentence for an answer that refuses.
        act: What needs the hub, such as ``A fetch``.
        again: What to do when there is a connection again, a sentence.
    """
    hub = constants.ENDPOINT
    try:
        yield
    except HfHubHTTPError as error:
        raise FetchError(explain_status(error)) from error
    except (httpx2.HTTPError, httpx2.InvalidURL, OfflineModeIsEnabled) as error:
        raise FetchError(
            f"{act} must reach {hub}, but got no connection ({error or type(error).__name__}). "
            f"Check the network, proxy and HF_ENDPOINT. {again}"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # such as a proxy's login page
        raise FetchError(
            f"A hub must answer in its JSON, but got something else from {hub} ({show_value(error)}). "
            "Check proxy and HF_ENDPOINT."
        ) from error
