"""A resumed campaign reads what it began with, or is refused with what changed by name and the ways out."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from data.pack import Pack, make_pack
from data.splits import Split
from data.tiles import ORBITS, tile_path
from tests.support.settings import make_settings
from tuning.campaign import identity
from tuning.campaign.identity import (
    INPUTS,
    CampaignInputs,
    TileSource,
    check_same_pack,
    check_same_splits,
    describe_change,
    describe_inputs,
    keep_inputs,
    load_kept_pack,
    open_kept_pack,
    read_inputs,
)
from tuning.campaign.prepare_data import prepare_data
from tuning.settings.presets import get_preset

RESUME = "python -m tuning.run --resume one --root mlruns"


@pytest.fixture
def kept(pack: Pack, split: Split) -> CampaignInputs:
    return replace(
        describe_inputs(pack, [split]),
        versions=({"commit": "abc", "code": "1", "packages": {"torch": "2.13"}},),
    )


@pytest.fixture
def packs(pack: Pack, tmp_path: Path) -> Path:
    """A folder with a copy of the pack."""
    shutil.copytree(pack.path, tmp_path / "packs" / pack.path.name)
    return tmp_path / "packs"


def test_a_campaign_goes_on_with_its_own_pack(
    kept: CampaignInputs, twin: Path, packs: Path, pack: Pack
) -> None:
    source = TileSource(twin, ORBITS, pack.tile_ids)
    own = open_kept_pack(kept, source, packs, RESUME)
    assert own is not None
    assert own.path == packs / pack.path.name


def test_other_tiles_are_refused_by_name_with_both_ways_out(
    kept: CampaignInputs, copy_tiles: Callable[[], Path], packs: Path, pack: Pack
) -> None:
    tiles = copy_tiles()
    changed, removed, link = pack.tile_ids[:3]
    with tile_path(tiles, changed, "s1dsc").open("ab") as file:
        file.write(b"\0")
    tile_path(tiles, removed, "s1asc").unlink()
    tile_path(tiles, link, "s1asc").unlink()
    tile_path(tiles, link, "s1asc").symlink_to("/nowhere")
    source = TileSource(tiles, ORBITS, (*pack.tile_ids, "hokkaido_1"))
    with pytest.raises(
        ValueError, match="with the tiles that it began with, but 4 of 12"
    ) as caught:
        open_kept_pack(kept, source, packs, RESUME)
    text = str(caught.value)
    named = f"{changed} (changed), {removed} (removed), {link} (removed), hokkaido_1 (new)"
    assert f"differ in {tiles}: {named}. Put the former files back" in text
    assert f"`{RESUME} --keep-pack`" in text
    assert "begin a new campaign" in text


def test_a_lost_or_damaged_pack_is_built_again_from_the_same_tiles(
    kept: CampaignInputs, twin: Path, packs: Path, pack: Pack, caplog: pytest.LogCaptureFixture
) -> None:
    source = TileSource(twin, ORBITS, pack.tile_ids)
    (packs / pack.path.name / "mask.u8").write_bytes(b"\1" * pack.mask.nbytes)
    assert open_kept_pack(kept, source, packs, RESUME) is None
    assert "built again. A pack's values must be those that were written" in caplog.text
    with pytest.raises(ValueError, match=r"resume it without --keep-pack"):
        load_kept_pack(kept, packs)
    shutil.rmtree(packs)
    assert open_kept_pack(kept, source, packs, RESUME) is None
    check_same_pack(kept, pack)
    with pytest.raises(ValueError, match=rf"began with, {pack.hash}, but .* commit abc"):
        check_same_pack(kept, replace(pack, hash="0" * 12))


def test_a_pack_of_an_earlier_version_is_refused(
    kept: CampaignInputs, twin: Path, packs: Path
) -> None:
    with pytest.raises(ValueError, match=r"format 7, but an earlier .* format 5\. Continue it"):
        open_kept_pack(replace(kept, version=5), TileSource(twin, ORBITS, ()), packs, RESUME)


def test_another_split_is_refused_by_the_tiles_that_moved(
    kept: CampaignInputs, split: Split
) -> None:
    check_same_splits(kept, [split])
    first, *rest = split.train
    moved = replace(split, train=tuple(rest), val=(*split.val, first))
    with pytest.raises(ValueError, match=rf"but tiles belong to other parts now: {first}\. "):
        check_same_splits(kept, [moved])


def test_other_code_and_packages_are_named_and_kept(
    kept: CampaignInputs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(identity, "hash_code", lambda: "1")
    monkeypatch.setattr(identity, "read_versions", lambda: {"torch": "2.13"})
    keep_inputs(tmp_path, kept, "abc")
    assert caplog.text == ""
    monkeypatch.setattr(identity, "hash_code", lambda: "2")
    monkeypatch.setattr(identity, "read_versions", lambda: {"torch": "2.14"})
    keep_inputs(tmp_path, kept, "def")
    assert (
        "THE CODE HAS CHANGED since this campaign last ran: commit abc then, def now" in caplog.text
    )
    assert "PACKAGES HAVE CHANGED since then: torch 2.13 then, 2.14 now." in caplog.text
    again = read_inputs(tmp_path)
    assert again is not None
    assert [version["commit"] for version in again.versions] == ["abc", "def"]
    same = {"code": "1", "packages": {}}
    text = describe_change({**same, "commit": "abc"}, {**same, "commit": "def"})
    assert text == "The commit is another one of the same code: abc then, def now."


def test_what_a_campaign_began_with_is_read_as_it_was_written(
    kept: CampaignInputs, tmp_path: Path, split: Split, pack: Pack
) -> None:
    assert read_inputs(tmp_path) is None
    keep_inputs(tmp_path, kept, "abc")
    again = read_inputs(tmp_path)
    assert again is not None
    assert again.tiles == dict(pack.digests)
    check_same_splits(again, [split])
    (tmp_path / INPUTS).write_text('{"data": 1, "other": 2}')
    with pytest.raises(ValueError, match="inputs must be as they were written"):
        read_inputs(tmp_path)


def test_a_campaign_of_an_earlier_version_is_refused_with_the_ways_out(tmp_path: Path) -> None:
    (tmp_path / "trials" / "key").mkdir(parents=True)
    (tmp_path / "trials" / "key" / "trial.json").write_text("{}")
    with pytest.raises(
        ValueError, match=r"must hold inputs\.json.*earlier version.*tuning\.report"
    ):
        read_inputs(tmp_path)


def test_a_resume_prepares_the_campaign_s_own_data(
    copy_tiles: Callable[[], Path], tmp_path: Path, pack: Pack
) -> None:
    tiles, preset = copy_tiles(), get_preset("smoke")
    settings = make_settings(data=str(tiles), models=(), baselines=("log_ratio_vv",))
    root = tmp_path / "root"
    own, splits = prepare_data(root, settings, preset)
    kept = describe_inputs(own, splits)
    changed = pack.tile_ids[0]
    with tile_path(tiles, changed, "s1asc").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match=re.escape(f"{changed} (changed)")):
        prepare_data(root, settings, preset, kept)
    again, _ = prepare_data(root, settings, preset, kept, keep_pack=True)
    assert again.hash == own.hash
    assert make_pack(tiles, root / "packs").hash != own.hash
