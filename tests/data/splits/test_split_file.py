import json
from pathlib import Path

import pytest

from data.splits import list_parts, make_split, restrict_split, store_split, survey_catalogue
from tests.support.surveys import place_tiles

SMALL = {"train": ["hokkaido_579"], "val": ["hokkaido_1006"], "test": ["hokkaido_7", "hokkaido_5"]}


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_stored_split_is_the_user_s_split(tmp_path: Path) -> None:
    name = store_split(write(tmp_path / "my.json", SMALL), tmp_path / "store")
    split = make_split(
        name,
        place_tiles("hokkaido_579", "hokkaido_1006", "hokkaido_5", "hokkaido_8"),
        tmp_path / "store",
    )
    assert (split.name, split.train, split.val) == (name, ("hokkaido_579",), ("hokkaido_1006",))
    assert (split.test, split.unused, split.missing) == (
        ("hokkaido_5",),
        ("hokkaido_8",),
        ("hokkaido_7",),
    )


def test_stored_split_has_one_name_in_every_format(tmp_path: Path) -> None:
    rows = [f"{part},{tile},x" for part, ids in reversed(SMALL.items()) for tile in ids]
    table = write(tmp_path / "my.csv", "\ufeff" + "\r\n".join(["part,tile_id,note", *rows]))
    first = store_split(write(tmp_path / "my.json", SMALL), tmp_path)
    assert store_split(table, tmp_path) == first
    assert [path.name for path in tmp_path.glob("split-*")] == [f"split-{first[5:]}.json"]


def test_stored_copy_of_a_named_split_has_its_hash(tmp_path: Path) -> None:
    parts = {part: list(ids) for part, ids in list_parts("blocks:4/2", survey_catalogue()).items()}
    name = store_split(write(tmp_path / "my.json", parts), tmp_path)
    assert name == f"file:{make_split(name, survey_catalogue(), tmp_path).hash}"
    assert (
        make_split(name, survey_catalogue(), tmp_path).hash
        == make_split("blocks:4/2", survey_catalogue()).hash
    )


def test_buffer_is_not_unused(tmp_path: Path) -> None:
    apart = {**SMALL, "buffer": ["hokkaido_8", "hokkaido_9"]}
    name = store_split(write(tmp_path / "my.json", apart), tmp_path)
    here = ["hokkaido_579", "hokkaido_1006", "hokkaido_5", "hokkaido_7", "hokkaido_8"]
    split = make_split(name, place_tiles(*here), tmp_path)
    assert split.buffer == ("hokkaido_8",)
    assert split.unused == split.missing == ()
    assert name != store_split(write(tmp_path / "other.json", SMALL), tmp_path)


def test_restricted_split_may_have_an_empty_part() -> None:
    split = restrict_split("mine", SMALL, ["hokkaido_579", "hokkaido_8"])
    assert (split.train, split.val, split.test) == (("hokkaido_579",), (), ())
    assert split.missing == ("hokkaido_1006", "hokkaido_5", "hokkaido_7")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("my.txt", SMALL, r"must end in \.json or \.csv, but got 'my\.txt'"),
        ("my.json", "{", "must be JSON, but got Expecting"),
        ("my.json", [1], "must be a JSON object .* but got a list"),
        (
            "my.json",
            {"train": "hokkaido_1"},
            "must be a JSON object .* but got train: 'hokkaido_1'",
        ),
        ("my.json", {"trian": []}, r"Unknown part 'trian'\. Did you mean 'train'\?.*my\.json"),
        (
            "my.csv",
            "tile_id,part\nhokkaido_1,tests",
            r"Unknown part 'tests'\. Did you mean 'test'\?",
        ),
        ("my.csv", "tile_id,part\nhokkaido_1", "Unknown part 'None'"),
        (
            "my.csv",
            "tile,part\nhokkaido_1,test",
            "must have the columns tile_id,part, but got no tile_id",
        ),
        ("my.csv", "", "must have the columns tile_id,part, but got no tile_id and no part"),
        ("my.json", {**SMALL, "val": []}, "Every part of a split must have a tile, but got no val"),
        ("my.json", {"train": ["hokkaido_1"]}, "must have a tile, but got no val and no test"),
        ("my.json", {**SMALL, "val": [579]}, "must look like hokkaido_579, but got 579"),
        (
            "my.json",
            {**SMALL, "val": ["Chile_1"]},
            "must look like hokkaido_579, but got 'Chile_1'",
        ),
        (
            "my.json",
            {**SMALL, "val": ["hokkaido_7"]},
            "must appear once .* hokkaido_7 in val and test",
        ),
        ("my.json", {**SMALL, "buffer": ["hokkaido_7"]}, "must appear once .* in test and buffer"),
        (
            "my.json",
            {**SMALL, "val": ["hokkaido_1"] * 2},
            "must appear once .* hokkaido_1 twice in val",
        ),
    ],
)
def test_split_file_refuses(tmp_path: Path, file: str, content: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        store_split(write(tmp_path / file, content), tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_split_file_reads_both_lists_of_a_repeated_part(tmp_path: Path) -> None:
    path = write(tmp_path / "my.json", json.dumps(SMALL)[:-1] + ', "val": ["hokkaido_1006"]}')
    with pytest.raises(ValueError, match="hokkaido_1006 twice in val"):
        store_split(path, tmp_path)


def test_split_file_refuses_binary_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "my.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="must be UTF-8 text, but got 'utf-8' codec"):
        store_split(tmp_path / "my.json", tmp_path)
    with pytest.raises(ValueError, match=r"must be readable text, but got .*No such file"):
        store_split(tmp_path / "none.json", tmp_path)


def test_stored_split_refuses_a_changed_copy(tmp_path: Path) -> None:
    name = store_split(write(tmp_path / "my.json", SMALL), tmp_path)
    copy = tmp_path / f"split-{name[5:]}.json"
    copy.write_text(copy.read_text().replace("1006", "1007"))
    with pytest.raises(
        ValueError, match=r"must match its hash, but got another content.*--split FILE"
    ):
        make_split(name, survey_catalogue(), tmp_path)
    store_split(tmp_path / "my.json", tmp_path)
    assert (
        make_split(
            name, place_tiles(*(tile for ids in SMALL.values() for tile in ids)), tmp_path
        ).name
        == name
    )


def test_stored_split_refuses_a_missing_copy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must be stored as split-0123456789ab\.json, but got no"):
        make_split("file:0123456789ab", survey_catalogue(), tmp_path)
    with pytest.raises(ValueError, match="needs the folder that holds it, but got none for"):
        make_split("file:0123456789ab", survey_catalogue())
