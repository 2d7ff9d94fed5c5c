"""The version is picked by a scene's dates: soon after the event, the one that is best with few images after it."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data.tiles.map_dates import DatesError
from tuning.predict import pick
from tuning.predict.pick import describe_shortage, pick_model

NAME = "hokkaido-unet"


def make_scene(shortage: int | None) -> Any:
    return SimpleNamespace(find_shortage=lambda: shortage)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A registry with the aliases that the test puts into it; a loaded model is its own name."""
    aliases: dict[str, str] = {}
    monkeypatch.setattr(pick, "load_members", lambda model, root, ensemble=False: [model])
    monkeypatch.setattr(pick, "open_registry", lambda root: None)
    monkeypatch.setattr(pick, "find_model", lambda client, name: name)
    monkeypatch.setattr(
        pick, "find_version_by_alias", lambda client, name, alias: aliases.get(alias)
    )
    return aliases


def open_late(members: Sequence[Any]) -> Any:
    return make_scene(None)


def open_short(members: Sequence[Any]) -> Any:
    return make_scene(1)


def open_with_rapid_alone(members: Sequence[Any]) -> Any:
    if "rapid" not in members[0]:
        raise DatesError("there is 1 after it.")
    return make_scene(1)


@pytest.mark.parametrize("model", [NAME, f"models:/{NAME}", f"models:/{NAME}@champion"])
def test_a_scene_with_all_its_dates_is_mapped_by_the_named_version(
    registry: dict[str, str], model: str
) -> None:
    registry["rapid"] = "2"
    members, _, note = pick_model(model, Path("mlruns"), open_late)
    assert (members, note) == ([model], "")


@pytest.mark.parametrize("open_with", [open_short, open_with_rapid_alone])
def test_a_name_alone_picks_rapid_soon_after_the_event(
    registry: dict[str, str], open_with: Any
) -> None:
    registry["rapid"] = "2"
    members, _, note = pick_model(NAME, Path("mlruns"), open_with)
    assert members == [f"models:/{NAME}@rapid"]
    assert note == (
        "The scene has 1 acquisition after the event, fewer than the network reads; the last one is repeated. "
        f"Picked models:/{NAME}@rapid, not @champion."
    )


def test_a_named_version_that_learnt_from_few_dates_maps_and_the_note_names_the_better_one(
    registry: dict[str, str],
) -> None:
    members, _, note = pick_model(f"{NAME}@champion", Path("mlruns"), open_short)
    assert members == [f"{NAME}@champion"]
    assert note.endswith("the last one is repeated.")
    registry["rapid"] = "2"
    assert pick_model(f"{NAME}/1", Path("mlruns"), open_short)[2].endswith(
        f"Best on val with one is models:/{NAME}@rapid."
    )
    assert pick_model(f"{NAME}@rapid", Path("mlruns"), open_short)[2].endswith("is repeated.")


def test_a_version_that_cannot_map_the_dates_is_refused_with_the_one_that_can(
    registry: dict[str, str],
) -> None:
    model = f"models:/{NAME}@champion"
    with pytest.raises(DatesError, match=r"^there is 1 after it\.$"):
        pick_model(model, Path("mlruns"), open_with_rapid_alone)
    registry["rapid"] = "2"
    with pytest.raises(
        DatesError,
        match=r"1 after it\. Or choose --model models:/hokkaido-unet@rapid, which learnt",
    ):
        pick_model(model, Path("mlruns"), open_with_rapid_alone)


def test_a_folder_has_no_other_version(registry: dict[str, str], tmp_path: Path) -> None:
    registry["rapid"] = "2"
    members, _, note = pick_model(str(tmp_path), Path("mlruns"), open_short)
    assert members == [str(tmp_path)]
    assert "rapid" not in note


def test_the_number_of_images_is_said() -> None:
    assert describe_shortage(make_scene(2)).startswith("The scene has 2 acquisitions after")
    assert describe_shortage(make_scene(None)) == ""
