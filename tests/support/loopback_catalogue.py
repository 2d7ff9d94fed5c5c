"""Stand-ins of the public catalogues on the loopback interface, with a simulated and a real place in them.

They answer under the real addresses to a client with `server.environment` (Planetary Computer with its signed storage, ASF
with its login and its redirects), and under `http://127.0.0.1:PORT/stac` as a plain STAC API without a login. By hand:

    python -m tests.support.loopback_catalogue FOLDER    # serves until interrupted; prints what to set and to call
"""

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.loopback_answers import Answer, Asked
from tests.support.loopback_cmr import Cmr
from tests.support.loopback_heights import write_heights
from tests.support.loopback_places import (
    ASCENDING_TRACK,
    WIDE_TRACK,
    Place,
    make_twin_place,
    read_real_place,
)
from tests.support.loopback_products import (
    FOLDERS,
    Oddities,
    find_file,
    write_bursts,
    write_frames,
)
from tests.support.loopback_server import LoopbackServer, Route
from tests.support.loopback_stac import StacApi, answer_json
from tests.support.stac_items import ASF_STORE, make_collection

Json = dict[str, Any]
PLANETARY = "planetarycomputer.microsoft.com"
BLOBS = {
    "sentinel1euwestrtc.blob.core.windows.net": "sentinel1-grd-rtc",
    "elevationeuwest.blob.core.windows.net": "copernicus-dem",
}
CMR, CUMULUS = "cmr.earthdata.nasa.gov", "cumulus.asf.earthdatacloud.nasa.gov"
SIGNED = "d1nklfio7vscoe.cloudfront.net"  # where ASF redirects a reader who has logged in
TOKEN = "a-token-of-earthdata"
# Frames of Noto that are not as usual; the truncated one is the last pass of all.
ODDITIES = Oddities(
    without_vh=(WIDE_TRACK, 4, 0),
    twice=(ASCENDING_TRACK, 6, 1),
    truncated=(ASCENDING_TRACK, 14, 1),
)


class Tokens:
    """Access tokens of Azure's storage: each container has one, which expires.

    Attributes:
        life: Of a token.
        given: How many were given.
    """

    def __init__(self) -> None:
        self.life = timedelta(hours=1)
        self.given = self._revoked = 0

    def give(self, asked: Asked) -> Answer:
        """Return a token for ``…/token/ACCOUNT/CONTAINER``."""
        self.given += 1
        end = f"{datetime.now(UTC) + self.life:%Y-%m-%dT%H:%M:%SZ}"
        account, container = asked.path.split("/")[-2:]
        query = f"se={end}&sp=rl&sr=c&sig={self._sign(account, container)}"
        return answer_json({"msft:expiry": end, "token": query})

    def revoke(self) -> None:
        """Let all tokens that were given expire now, before their time."""
        self._revoked += 1

    def allow(self, asked: Asked, container: str) -> bool:
        """Return whether a request has a valid token."""
        account = asked.host.partition(".")[0]
        return asked.query.get("sig") == self._sign(account, container)

    def _sign(self, account: str, container: str) -> str:
        return hashlib.sha256(f"{account}/{container}/{self._revoked}".encode()).hexdigest()


class LoopbackCatalogue:
    """The catalogues, their server and what they hold.

    Attributes:
        folder: The files.
        places: ``twin`` and ``real``.
        items: STAC items, under their producers' addresses.
        granules: OPERA's granules of the twin's place.
        tokens: Access tokens of Planetary Computer's storage.
        server: Log, faults and the variables for clients.
        redirects: Whether ASF redirects readers to signed addresses.
    """

    def __init__(self, folder: Path, places: dict[str, Place], odd: Oddities = ODDITIES) -> None:
        self.folder, self.places = folder, places
        self.redirects = True
        self.items: list[Json] = []
        self.granules: list[Json] = []
        for place in places.values():
            self.items += write_frames(place, folder, odd if place.synthetic else Oddities())
            self.items += write_heights(place, folder)
        for place in places.values():
            if place.synthetic:
                self.granules += write_bursts(place, folder, (WIDE_TRACK, ASCENDING_TRACK))
        self.tokens = Tokens()
        self.server = LoopbackServer(self._list_routes(), folder / "certificates")
        self.stac = f"{self.server.url}/stac"
        self._own = StacApi(self.stac, self._list_collections(), self.items, self.place)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a command that reaches all catalogues here, with an Earthdata login."""
        return {**self.server.environment, "EARTHDATA_TOKEN": TOKEN}

    def place(self, href: str) -> str:
        """Return where the plain API of the server has an asset."""
        try:
            return f"{self.server.url}/assets/{find_file(href)}"
        except ValueError:
            return href  # not a file of this catalogue, such as a tile service

    def calm(self) -> None:
        """Let the server forget log and faults, and all be as usual again."""
        self.server.calm()
        self.tokens.life, self.tokens.given = timedelta(hours=1), 0
        self.redirects = True

    def _list_collections(self) -> Sequence[Json]:
        return [make_collection(name) for name in ("sentinel-1-rtc", "cop-dem-glo-30")]

    def _list_routes(self) -> dict[str, Route]:
        root = f"https://{PLANETARY}/api/stac/v1"
        self._planetary = StacApi(root, self._list_collections(), self.items)
        routes: dict[str, Route] = {"": self._answer_own, PLANETARY: self._answer_planetary}
        routes |= {host: partial(self._answer_blob, container) for host, container in BLOBS.items()}
        routes |= {CMR: Cmr(self.granules).answer, CUMULUS: self._answer_asf}
        return routes | {SIGNED: self._answer_signed}

    def _answer_own(self, asked: Asked) -> Answer:
        if asked.path.startswith("/assets/"):
            return self._send(asked.path.removeprefix("/assets/"))
        return self._own.answer(asked, asked.path.removeprefix("/stac"))

    def _answer_planetary(self, asked: Asked) -> Answer:
        if asked.path.startswith("/api/sas/v1/token/"):
            return self.tokens.give(asked)
        return self._planetary.answer(asked, asked.path.removeprefix("/api/stac/v1"))

    def _answer_blob(self, container: str, asked: Asked) -> Answer:
        if not self.tokens.allow(asked, container):
            return Answer(b"<Error><Code>AuthenticationFailed</Code></Error>", 403)
        return self._send(find_file(f"https://{asked.host}{asked.path}"))

    def _answer_asf(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Answer(b"HTTP Basic: Access denied.", 401)
        if not self.redirects:
            return self._send(find_file(f"https://{asked.host}{asked.path}"))
        return Answer(status=303, headers={"Location": f"https://{SIGNED}{asked.path}?Signature=1"})

    def _answer_signed(self, asked: Asked) -> Answer:
        """Answer as a storage that refuses two ways of authorisation at once."""
        if "authorization" in asked.headers or asked.query.get("Signature") != "1":
            return Answer(b"<Error><Code>InvalidArgument</Code></Error>", 400)
        store = ASF_STORE.partition("/OPERA/")[0]
        return self._send(find_file(f"{store}{asked.path}"))

    def _send(self, name: str) -> Answer:
        file = (self.folder / name).resolve()
        inside = any(file.is_relative_to(self.folder.resolve() / part) for part in FOLDERS.values())
        if not inside or not file.is_file():
            return Answer(b"<Error><Code>BlobNotFound</Code></Error>", 404)
        content = file.read_bytes()
        etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "image/tiff"}
        return Answer(content, headers=headers, ranges=True)


Build = Callable[[], dict[str, Place]]


def make_places() -> dict[str, Place]:
    """Return both places."""
    return {"twin": make_twin_place(), "real": read_real_place()}


@contextmanager
def serve_catalogue(
    folder: Path, build: Build = make_places, odd: Oddities = ODDITIES
) -> Iterator[LoopbackCatalogue]:
    """Write the catalogue's files below a folder, and serve them until the end."""
    catalogue = LoopbackCatalogue(folder, build(), odd)
    try:
        yield catalogue
    finally:
        catalogue.server.stop()


def main() -> None:
    """Serve until interrupted."""
    with serve_catalogue(Path(sys.argv[1])) as catalogue:
        place = catalogue.places["twin"]
        words = " ".join(map(str, place.inner_box()))
        print(json.dumps({"url": catalogue.server.url}))
        print(f"python -m data.scene --bbox {words} --event {place.event} \\")
        print(f"    --source stac:{catalogue.stac} --to scene.zarr", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
