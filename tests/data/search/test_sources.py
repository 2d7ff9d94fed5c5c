"""The words of --source."""

from pathlib import Path

import pytest

from data.search.asf import AsfSource
from data.search.folder import FolderSource
from data.search.planetary import PlanetarySource
from data.search.sources import SOURCES, Source, open_source
from data.search.stac import StacSource


def test_words_open_their_catalogues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "a-token")
    (tmp_path / "image.tif").touch()
    opened: dict[str, Source] = {
        word: open_source(word)
        for word in ("planetary", "asf", "stac:https://example.org/v1/", f"folder:{tmp_path}")
    }
    kinds = [type(one) for one in opened.values()]
    assert kinds == [PlanetarySource, AsfSource, StacSource, FolderSource]
    assert [one.word for one in opened.values()] == list(SOURCES)
    assert opened["stac:https://example.org/v1/"].address == "https://example.org/v1"


def test_path_of_a_folder_alone_will_do(tmp_path: Path) -> None:
    (tmp_path / "image.tif").touch()
    assert open_source(str(tmp_path)).address == str(tmp_path)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "planetery",
            r"Unknown --source 'planetery'\. Did you mean 'planetary'\? Available: planetary, asf, stac:URL",
        ),
        ("planetary:x", "Unknown --source 'planetary:x'"),
        ("", "Unknown --source ''"),
        ("stac", "--source stac must have an address, but got stac in --source. Give stac:https"),
        ("folder:", "--source folder must have an address"),
        ("stac:ftp://example.org", "must be http or https"),
        ("stac:https://me:secret@example.org", "must hold no keys"),
        (
            "earthsearch",
            "must have terrain-corrected images, but got earthsearch.*only as GRD.*Take --source planetary",
        ),
    ],
)
def test_other_words_are_refused_with_a_remedy(word: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        open_source(word)
    assert "secret" not in str(caught.value)


def test_missing_folder_is_refused() -> None:
    with pytest.raises(FileNotFoundError, match="must be a folder, but got none at missing"):
        open_source("folder:missing")
