from pathlib import Path

import pytest

from tests.support.leaderboards import (
    Change,
    draw_other_labels,
    make_real,
    use_other_split,
    write_campaign,
)
from tuning.bundle.verify import verify_bundle
from tuning.leaderboard.entries import Entry, load_entries
from tuning.leaderboard.groups import explain_incomparable, make_groups


def load(*files: Path) -> list[Entry]:
    entries, refused = load_entries(files)
    assert refused == []
    return entries


def test_rows_of_the_same_tiles_labels_split_and_input_are_one_family(tmp_path: Path) -> None:
    entries = load(write_campaign(tmp_path, "a"), write_campaign(tmp_path, "b"))
    (group,) = make_groups(entries)
    assert len(group.entries) == 6
    assert len(group.pairs) == 15
    means = [entry.estimate.mean for entry in group.entries]
    assert means == sorted(means, reverse=True)
    between = {(pair.a, pair.b): pair for pair in group.pairs}
    twins = [
        pair for names, pair in between.items() if len({one.split(": ")[1] for one in names}) == 1
    ]
    assert [pair.difference for pair in twins] == [0.0] * 3


def test_verdicts_of_one_campaign_are_those_of_its_own_report(tmp_path: Path) -> None:
    file = write_campaign(tmp_path, "a")
    (group,) = make_groups(load(file))
    own = {frozenset((p.a, p.b)): p for p in verify_bundle(file).ranking.comparisons}
    assert len(own) == len(group.pairs) == 3
    for pair in group.pairs:
        reported = own[frozenset(name.split(": ")[1] for name in (pair.a, pair.b))]
        assert pair.verdict in (
            reported.verdict,
            {"better": "worse", "worse": "better"}.get(reported.verdict),
        )
        assert abs(pair.difference) == pytest.approx(abs(reported.difference))
        assert pair.needs.error == pytest.approx(reported.needs.error)


@pytest.mark.parametrize(
    ("change", "columns", "reason"),
    [
        (make_real, {}, "synthetic against real tiles"),
        (use_other_split, {}, "another split: blocks"),
        (draw_other_labels, {}, "other labels or positions of the same test tiles"),
        (
            dict,
            {"reads_channels": "s1asc:VV"},
            "different input: s1asc:VV s1asc:VH; 4 event against s1asc:VV; 4 event",
        ),
        (dict, {"reads_dates": "8 event"}, "different input"),
        (dict, {"reads_channels": "not stated"}, "the input of VanillaUNet is not stated"),
    ],
)
def test_rows_that_differ_in_one_thing_are_not_compared_and_it_is_said_why(
    tmp_path: Path, change: Change, columns: dict[str, str], reason: str
) -> None:
    a = load(write_campaign(tmp_path, "a"))
    b = load(write_campaign(tmp_path, "b", change, **columns))
    first = next(one for one in b if one.model.title == "VanillaUNet")
    assert reason in explain_incomparable(a[0], first)
    groups = make_groups([*a, *b])
    for group in groups:
        assert len({entry.file for entry in group.entries}) == 1
        assert all(pair.a.split(":")[0] == pair.b.split(":")[0] for pair in group.pairs)


def test_same_runs_in_two_bundles_are_refused_and_changed_numbers_too(tmp_path: Path) -> None:
    whole = write_campaign(tmp_path, "a")
    again = tmp_path / "again.zip"
    again.write_bytes(whole.read_bytes())
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(whole.read_bytes()[:-100])

    def flatter(files: dict[str, bytes]) -> dict[str, bytes]:
        name = "tables/benchmark_master.csv"
        head, row, *rest = files[name].decode().splitlines()
        cells = row.split(",")
        cells[head.split(",").index("pr_auc_mean")] = "0.99"
        return files | {name: "\n".join([head, ",".join(cells), *rest, ""]).encode()}

    flattered = write_campaign(tmp_path, "b", flatter)
    entries, refused = load_entries([whole, again, damaged, flattered])
    assert {entry.file for entry in entries} == {"a.zip"}
    reasons = {one.file: one.reason for one in refused}
    assert "a.zip holds the same runs" in reasons["again.zip"]
    assert "must follow from its counts, but 1 of" in reasons["b.zip"]
    assert set(reasons) == {"again.zip", "damaged.zip", "b.zip"}
