import pytest

from data.splits import (
    SHOTS,
    SPLITS,
    check_split,
    check_splits,
    event_split_name,
    is_cross_validation,
    list_folds,
    make_split,
    survey_catalogue,
)


@pytest.mark.parametrize(
    "name",
    [
        *SPLITS,
        "blocks:5/1",
        "blocks:10/10",
        "file:0123456789ab",
        "events:italy",
        "events:usa_puertorico/20",
    ],
)
def test_check_accepts_every_form_of_name(name: str) -> None:
    check_split(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "block",
            r"Unknown split 'block'\. Did you mean 'blocks'\?.*blocks:K/F, events, events:REGION, events:REGION/SHOTS, file:HASH, FILE\.json, FILE\.csv",
        ),
        ("blocks:five/1", "Unknown split 'blocks:five/1'"),
        ("blocks:11/1", "K of blocks:K/F must be from 2 to 10, but got 11 in 'blocks:11/1'"),
        ("blocks:1/1", "K of blocks:K/F must be from 2 to 10, but got 1 in"),
        (
            "blocks:3",
            "A fold .* must be one of blocks:3/1, blocks:3/2, blocks:3/3, but got 'blocks:3'",
        ),
        ("blocks:3/4", "A fold .* must be one of blocks:3/1, .*, but got 'blocks:3/4'"),
        ("blocks:3/0", "A fold .* must be one of blocks:3/1, .*, but got 'blocks:3/0'"),
        ("blocks:3/01", "A fold .* must be one of blocks:3/1, .*, but got 'blocks:3/01'"),
        ("file:mine.json", "must be file:<12 hexadecimal digits>, but got 'file:mine.json'"),
    ],
)
def test_check_refuses_a_name(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_split(name)
    with pytest.raises(ValueError, match=message):
        make_split(name, survey_catalogue())


def test_fold_names_are_splits() -> None:
    names = list_folds("blocks:5", ["hokkaido"])
    assert names == ("blocks:5/1", "blocks:5/2", "blocks:5/3", "blocks:5/4", "blocks:5/5")
    assert [make_split(name, survey_catalogue()).name for name in names] == list(names)


@pytest.mark.parametrize("name", ["blocks", "blocks:5/1", "seed42", "events:hokkaido/5"])
def test_split_without_folds_is_its_only_fold(name: str) -> None:
    assert list_folds(name, ["hokkaido"]) == (name,)
    assert not is_cross_validation(name)


def test_events_have_a_fold_per_region() -> None:
    regions = ["noto", "hokkaido", "noto"]  # the region of each tile
    assert list_folds("events", regions) == ("events:hokkaido", "events:noto")
    assert list_folds("events/5", regions) == ("events:hokkaido/5", "events:noto/5")
    assert is_cross_validation("events/5")


@pytest.mark.parametrize(("regions", "got"), [(["noto"] * 3, "noto"), ([], "no region")])
def test_events_refuse_one_region(regions: list[str], got: str) -> None:
    rule = f"trains on some regions and tests on another, but got {got} alone. Add a region with --region"
    with pytest.raises(ValueError, match=rule):
        list_folds("events", regions)


@pytest.mark.parametrize("shots", SHOTS)
def test_event_split_name_is_a_split(shots: int) -> None:
    check_split(event_split_name("hokkaido", shots))
    assert list_folds(event_split_name(None, shots), ["noto", "hokkaido"])[1] == event_split_name(
        "noto", shots
    )


def test_event_split_name_refuses_other_shots() -> None:
    with pytest.raises(ValueError, match=r"Shots must be one of 0, 1, 5, 20, but got 3 for noto\."):
        event_split_name("noto", 3)


@pytest.mark.parametrize("name", ["events:noto/0", "events:noto/3", "events/2"])
def test_check_refuses_other_shots(name: str) -> None:
    rule = (
        r"Shots of events.*/SHOTS must be one of 1, 5, 20 \(none: leave it out\), but got 'events"
    )
    with pytest.raises(ValueError, match=rule):
        check_splits(name)


@pytest.mark.parametrize("name", ["events", "events/5", "blocks:5"])
def test_check_of_one_split_refuses_a_cross_validation(name: str) -> None:
    check_splits(name)
    with pytest.raises(
        ValueError, match=r"Unknown split 'events|A fold of blocks:5 must be one of"
    ):
        check_split(name)


@pytest.mark.parametrize("name", ["event", "events:", "events:Noto", "blocks:12"])
def test_check_of_splits_refuses_a_name(name: str) -> None:
    with pytest.raises(ValueError, match=r"Unknown split .event|must be from 2 to 10, but got 12"):
        check_splits(name)
