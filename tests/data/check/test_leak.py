"""The leak audit finds dates that tell annotated tiles from others, and nothing where they do not."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from data.check.leak import audit_dates, parse_audit
from data.check.leak_auc import BY_CHANCE, SAME, GroupAuc, weighted_auc
from data.check.leak_features import DateTable, compare_dates, make_features
from data.check.leak_text import REMEDY, describe_audits

SIDE = 12  # tiles along one edge of the area
DAYS = np.arange(-7, 8) * 12 - 5
EVENT = np.datetime64("2018-09-05T18:08", "s")
RNG = np.random.default_rng(7)
ANNOTATED = RNG.permutation(np.arange(SIDE**2) % 2 == 0)


def make_table(days: np.ndarray, annotated: np.ndarray = ANNOTATED) -> DateTable:
    """Make tiles on a grid, with dates at these days from the event: shape ``(15,)`` or ``(N, 15)``."""
    count = len(annotated)
    days = np.broadcast_to(days, (count, 15))
    times = EVENT.astype("datetime64[D]") + days * np.timedelta64(1, "D")
    corners = np.stack(np.divmod(np.arange(count), SIDE), axis=1) * 1280.0
    return DateTable(
        times=times.astype("datetime64[s]")[:, None],
        modalities=("s1asc",),
        events=np.full(count, EVENT),
        annotated=annotated,
        corners=corners,
        regions=("hokkaido",) * count,
    )


def move(rows: np.ndarray, places: tuple[int, ...], days: int) -> np.ndarray:
    """Return each tile's days, moved at some places of some tiles."""
    moved = np.tile(DAYS, (len(rows), 1))
    moved[np.ix_(np.flatnonzero(rows), places)] += days
    return moved


def measure(table: DateTable) -> dict[str, GroupAuc]:
    return {group.name: group for group in audit_dates(table, "all 15")[0].groups}


def test_dates_that_all_tiles_share_tell_nothing() -> None:
    (audit,) = audit_dates(make_table(DAYS), "all 15")
    assert {(group.auc, group.note) for group in audit.groups} == {(0.5, SAME)}
    assert not audit.above_chance
    assert not audit.differing
    (text,) = describe_audits([audit])
    assert "no leak, since dates, numbers of acquisitions, tracks and repeated images are" in text
    assert "all 15 acquisitions (72 of 144 tiles annotated, 16 blocks)" in text


def test_dates_around_the_event_of_annotated_tiles_alone_are_found() -> None:
    table = make_table(move(ANNOTATED, (5, 6), 6))
    found = measure(table)
    assert found["dates"].auc == found["all"].auc == 1
    assert found["dates"].above_chance
    assert found["padding"].note == found["acquisitions"].note == SAME
    (text,) = describe_audits(audit_dates(table, "4 even"))
    assert text.startswith("warning: The label leaks: annotated tiles of hokkaido are told from")
    assert "dates with an AUC of 1.000 (95 % interval 1.000 to 1.000)" in text
    assert "Dates that differ: s1asc 2018-08-07 (in 0% of the annotated and 100% of" in text
    assert text.endswith(REMEDY)


def test_a_date_that_most_annotated_tiles_have_is_found() -> None:
    often = np.where(ANNOTATED, 0.8, 0.3) > np.random.default_rng(1).random(SIDE**2)
    dates = measure(make_table(move(often, (6,), 6)))["dates"]
    assert dates.auc == pytest.approx(0.75, abs=0.08)
    assert dates.low is not None
    assert 0.5 < dates.low < dates.auc < (dates.high or 0)


def test_fewer_images_and_their_repeats_are_found_without_the_dates() -> None:
    days = np.tile(DAYS, (SIDE**2, 1))
    days[~ANNOTATED, 13:] = days[~ANNOTATED, 12:13]  # the last one is repeated
    found = measure(make_table(days))
    assert found["padding"].auc == found["acquisitions"].auc == 1


def test_another_track_of_annotated_tiles_is_found() -> None:
    assert measure(make_table(move(ANNOTATED, tuple(range(15)), 5)))["tracks"].auc == 1


@pytest.mark.parametrize("seed", range(4))
def test_permuted_labels_are_not_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = move(rng.random(SIDE**2) < 0.5, (6, 7), 6)
    days[rng.random(SIDE**2) < 0.3, 14] = DAYS[13]
    table = make_table(np.sort(days), rng.permutation(ANNOTATED))
    (audit,) = audit_dates(table, "all 15")
    assert not audit.above_chance
    (text,) = describe_audits([audit])
    assert "none tells annotated tiles from others above chance" in text
    assert BY_CHANCE in text


def test_a_place_with_its_own_dates_is_no_leak() -> None:
    # The west has other dates than the east, and as many annotated tiles.
    west = np.arange(SIDE**2) < SIDE**2 // 2
    assert not any(
        group.above_chance for group in measure(make_table(move(west, (3,), 6))).values()
    )


def test_each_region_is_audited_alone() -> None:
    # Noto has other dates and more annotated tiles: its label cannot be told inside the region.
    mostly = np.where(np.arange(SIDE**2) < 72, ANNOTATED, np.arange(SIDE**2) % 6 > 0)
    table = make_table(move(np.arange(SIDE**2) >= 72, (3,), 6), mostly)
    table = replace(table, regions=("hokkaido",) * 72 + ("noto",) * 72)
    audits = audit_dates(table, "all 15")
    assert [(audit.region, audit.tiles) for audit in audits] == [("hokkaido", 72), ("noto", 72)]
    assert not any(audit.above_chance for audit in audits)


@pytest.mark.parametrize(
    ("annotated", "message"),
    [
        (np.ones(144, bool), "all 144 tiles are annotated, and an AUC needs both kinds"),
        (np.zeros(144, bool), "all 144 tiles are without landslides"),
        (np.arange(144) < 9, "an AUC needs 10 tiles of each kind, but 9 are annotated and 135 not"),
    ],
)
def test_what_cannot_be_tested_is_said_in_words(annotated: np.ndarray, message: str) -> None:
    (audit,) = audit_dates(make_table(move(annotated, (6,), 6), annotated), "all 15")
    assert {group.auc for group in audit.groups} == {None}
    assert not audit.above_chance
    assert f"not testable, since {message}" in next(describe_audits([audit]))


def test_one_kind_of_tile_in_one_block_cannot_be_tested() -> None:
    table = make_table(DAYS)
    corner = (table.corners < 4000).all(axis=1)
    near = replace(table, annotated=corner, corners=np.where(corner[:, None], 0, table.corners))
    assert "one kind is in one block" in audit_dates(near, "all 15")[0].groups[0].note


def test_no_tile_gives_no_audit() -> None:
    assert audit_dates(make_table(DAYS).select(np.array([], int)), "all 15") == ()


def test_an_unknown_event_does_not_hide_a_leak() -> None:
    table = make_table(move(ANNOTATED, (6,), 6))
    unknown = replace(table, events=np.full(SIDE**2, np.datetime64("NaT", "s")))
    assert measure(unknown)["dates"].auc == 1


def test_shapes_that_do_not_fit_are_refused() -> None:
    table = make_table(DAYS)
    with pytest.raises(ValueError, match=r"a row for each of its 144 tiles .* but got times \(3,"):
        replace(table, times=table.times[:3])


def test_features_name_days_from_the_event() -> None:
    features = make_features(make_table(DAYS).select(np.array([0])))
    assert features["dates"][0].tolist() == DAYS.tolist()
    assert features["acquisitions"][0].tolist() == [8, 7]
    assert features["all"].shape == (1, 15 + 2 + 6 + 15)


def test_shares_of_differing_dates_are_counted() -> None:
    found = compare_dates(make_table(move(ANNOTATED, (6,), 6)))
    assert [(one.day, one.annotated, one.others) for one in found] == [
        ("2018-08-19", 0, 1),
        ("2018-08-25", 1, 0),
    ]


def test_the_auc_counts_ties_half_and_repeats_by_weight() -> None:
    scores, labels = np.array([0, 1, 1, 2.0]), np.array([False, False, True, True])
    assert weighted_auc(scores, labels, np.ones(4)) == pytest.approx(3.5 / 4)
    assert weighted_auc(scores, labels, np.array([0, 1, 1, 0.0])) == 0.5
    assert np.isnan(weighted_auc(scores, labels, np.array([1, 1, 0, 0.0])))


def test_an_audit_survives_json_and_a_changed_one_is_refused() -> None:
    (audit,) = audit_dates(make_table(move(ANNOTATED, (6,), 6)), "all 15")
    entry = json.loads(json.dumps(asdict(audit)))
    assert parse_audit(entry) == audit
    for wrong in ({"tiles": "many"}, {"groups": []}, {"region": 5}, {"extra": 1}):
        with pytest.raises(ValueError, match=r"another kind|Error"):
            parse_audit(entry | wrong)
