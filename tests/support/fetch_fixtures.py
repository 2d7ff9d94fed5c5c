"""A small data set on the loopback hub, and helpers of the tests of a fetch.

PYTEST_DONT_REWRITE: nothing is asserted here, and the tests import it before pytest loads its fixtures.
"""

import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data.fetch import fetch
from data.fetch.manifest import MANIFEST
from data.tiles import MODALITIES, ORBITS
from tests.support.loopback_hub import LoopbackHub, Member, tar_gz

ASC = [f"data_harmonized/s1asc/part0{part}.tar.gz" for part in (1, 2)]
DSC = "data_harmonized/s1dsc/part01.tar.gz"
S2 = "data_harmonized/s2/part01.tar.gz"

Get = Callable[..., Path]


@pytest.fixture(scope="module")
def tiles(twin: Path) -> dict[str, bytes]:
    """Four tiles of each orbit in the real format, and two placeholders for Sentinel-2, by path."""
    files = {"s2/hokkaido_s2_1.nc": b"S2" * 500, "s2/hokkaido_s2_12.nc": b"S3" * 500}
    for orbit in ORBITS:
        for path in sorted((twin / orbit).glob("*.nc"))[:4]:
            files[f"{orbit}/{path.name}"] = path.read_bytes()
    return files


@pytest.fixture(scope="module")
def archives(tiles: dict[str, bytes]) -> dict[str, bytes]:
    """The data set's files on the hub: two archives of s1asc, one of s1dsc, one of s2."""
    asc, dsc, s2 = (
        [(f"./{n}", c) for n, c in tiles.items() if n.startswith(m)] for m in MODALITIES
    )
    other: list[Member] = [("README.md", b"text"), ("s1asc/italy_s1asc_1.nc", b"x" * 5000)]
    harmless: list[Member] = [
        ("s1asc/._hokkaido_s1asc_1.nc", b"x"),
        ("hokkaido_s1dsc_1.nc.txt", b"x"),
    ]
    return {
        ASC[0]: tar_gz([*other, *asc[:2]]),
        ASC[1]: tar_gz([header("italy_s1asc_2.nc", tarfile.SYMTYPE), *asc[2:], *harmless]),
        DSC: tar_gz([*other, *dsc]),
        S2: tar_gz(s2),
        "data_harmonized/s1asc/README.md": b"text",
        "data_raw/s1asc/part01.tar.gz": tar_gz([("hokkaido_s1asc_1.nc", b"raw")]),
    }


@pytest.fixture
def hub(archives: dict[str, bytes]) -> Iterator[LoopbackHub]:
    """A hub that serves the archives."""
    hub = LoopbackHub(archives)
    yield hub
    hub.stop()


@pytest.fixture
def clean_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run the client without the user's token and without telemetry."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "no token"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)


@pytest.fixture
def get(
    hub: LoopbackHub, tmp_path: Path, clean_client: None, monkeypatch: pytest.MonkeyPatch
) -> Get:
    """Fetch from the loopback hub, without waiting between retries."""
    constants = "huggingface_hub.constants"  # set by HF_ENDPOINT when the client is imported
    monkeypatch.setattr(f"{constants}.ENDPOINT", hub.endpoint)
    monkeypatch.setattr(
        f"{constants}.HUGGINGFACE_CO_URL_TEMPLATE",
        hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr("data.fetch.stream.RETRY_WAITS_S", (0, 0, 0))

    def run(**request: object) -> Path:
        fetch(tmp_path / "real", **request)
        return tmp_path / "real"

    return run


def header(name: str, kind: bytes = tarfile.REGTYPE, link: str = "elsewhere") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def on_disk(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def tiles_of(tiles: dict[str, bytes], *modalities: str) -> dict[str, bytes]:
    return {name: content for name, content in tiles.items() if name.startswith(modalities)}


def fetched_tiles(root: Path) -> dict[str, bytes]:
    files = on_disk(root)
    del files[MANIFEST]
    return files


def manifest_of(root: Path) -> dict:
    return json.loads((root / MANIFEST).read_text())
