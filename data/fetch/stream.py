"""The bytes of one archive on the Hugging Face hub, as a stream that resumes after a lost connection."""

import logging
import time
from collections.abc import Generator, Iterator, Sequence

import httpx2
from huggingface_hub import constants, hf_hub_url, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import build_hf_headers, http_stream_backoff  # type: ignore[attr-defined]

from data.fetch.hub import CONTINUE, REPO, FetchError, HubArchive, get_address, translate_errors

logger = logging.getLogger(__name__)

RETRY_WAITS_S = (1.0, 2.0, 4.0, 8.0, 16.0)  # before each retry; any byte received resets them

_TRANSIENT = (408, 500, 502, 503, 504)


def stream_archive(
    archive: HubArchive,
    commit: str,
    endpoint: str | None = None,
    waits_s: Sequence[float] = RETRY_WAITS_S,
) -> Generator[bytes, None, None]:
    """Yield an archive's ``archive.size`` bytes in order; resume where a connection broke.

    Args:
        archive: The archive.
        commit: The data set's commit.
        endpoint: The hub's address; the client's default if None.
        waits_s: Seconds to wait before each retry.

    Raises:
        FetchError: If the hub sends another number of bytes, or the last retry fails.
    """
    url = hf_hub_url(REPO, archive.path, repo_type="dataset", revision=commit, endpoint=endpoint)
    position, waits = 0, iter(waits_s)
    with translate_errors(endpoint):
        while position < archive.size:
            start, reason = position, "the response ended early"
            try:
                for chunk in _read_from(url, start):
                    position += len(chunk)
                    if position > archive.size:
                        raise _wrong_size(archive, f"more than {archive.size}")
                    yield chunk
            except httpx2.TransportError as error:
                reason = str(error) or type(error).__name__
            except HfHubHTTPError as error:
                reason = f"HTTP {error.response.status_code}"
                if error.response.status_code == 416:  # the file ends before this position
                    raise _wrong_size(archive, str(position)) from error
                if error.response.status_code not in _TRANSIENT:
                    raise
            if position < archive.size:
                waits = iter(waits_s) if position > start else waits
                at = f"at {position / 1e6:.1f} of {archive.size / 1e6:.1f} MB of {archive.path}"
                _wait(next(waits, None), f"{at} ({reason})", endpoint)


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


def _wait(wait_s: float | None, at: str, endpoint: str | None) -> None:
    """Wait before the next retry; raise FetchError if there is none."""
    if wait_s is None:
        raise FetchError(
            f"The connection to {get_address(endpoint)} must last, but got lost {at} in every try. {CONTINUE}"
        )
    logger.warning("Connection lost %s; retrying in %g s", at, wait_s)
    time.sleep(wait_s)


def _wrong_size(archive: HubArchive, got: str) -> FetchError:
    return FetchError(
        f"The hub must send the {archive.size} bytes it lists, but got {got} of {archive.path}. "
        "Try again later, or choose another revision (--revision)."
    )
