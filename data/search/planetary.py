"""Microsoft's Planetary Computer: Sentinel-1 RTC of the whole world at 10 m, and the heights GLO-30.

Follows its STAC API (``/api/stac/v1``, STAC API 1.0.0), the collections ``sentinel-1-rtc`` and ``cop-dem-glo-30``, and its
API for access tokens (``/api/sas/v1/token/ACCOUNT/CONTAINER``) as the package planetary-computer 1.0 does. Tokens expire
within the hour, so an address is signed just before it is read.

Environment:
    LANDSLIDE_STAC_PLANETARY: Address of another catalogue of the same layout, such as a mirror.
    PC_SDK_SAS_URL, PC_SDK_SUBSCRIPTION_KEY: The package's own, for the address of tokens and a key.
"""

import os
from threading import Lock
from urllib.parse import urlparse

from data.search.connection import make_session, missing_extra, raise_answer
from data.search.stac import StacSource

ADDRESS = "https://planetarycomputer.microsoft.com/api/stac/v1"
VARIABLE = "LANDSLIDE_STAC_PLANETARY"
COLLECTION = "sentinel-1-rtc"
RENEW_S = 120  # before a token expires; the package itself would fetch one at 60 s, without a limit of time

_lock = Lock()  # one request for a token, whichever threads need it


class PlanetarySource(StacSource):
    """The catalogue, whose addresses are signed."""

    def __init__(self) -> None:
        super().__init__(os.environ.get(VARIABLE) or ADDRESS, "planetary", (COLLECTION,))

    def sign(self, href: str) -> str:
        """Return an address with an access token; others than of Azure's blob storage are unchanged."""
        return sign_address(href)


def sign_address(href: str) -> str:
    """Sign an address of Azure's blob storage; see :meth:`data.search.sources.Source.sign`."""
    try:
        import planetary_computer
        from planetary_computer.sas import BLOB_STORAGE_DOMAIN
    except ImportError as error:
        raise missing_extra("planetary-computer", error) from error
    if urlparse(href).netloc.endswith(BLOB_STORAGE_DOMAIN):
        with _lock:
            _renew_token(href)
            return str(planetary_computer.sign(href))
    return href


def _renew_token(href: str) -> None:
    """Put a fresh token into the package's cache: its own request would wait for an answer without end."""
    from planetary_computer.sas import TOKEN_CACHE, SASToken
    from planetary_computer.settings import Settings

    settings = Settings.get()
    account = urlparse(href).netloc.partition(".")[0]
    container = urlparse(href).path.strip("/").partition("/")[0]
    address = f"{settings.sas_url}/{account}/{container}"
    token = TOKEN_CACHE.get(address)
    if token is not None and token.ttl() > RENEW_S:
        return
    key = settings.subscription_key
    headers = {"Ocp-Apim-Subscription-Key": key} if key else {}
    try:
        response = make_session().get(address, headers=headers)
        response.raise_for_status()
        TOKEN_CACHE[address] = SASToken(**response.json())
    except Exception as error:  # noqa: BLE001 - of requests, of JSON, of the model
        raise_answer(error, address)
