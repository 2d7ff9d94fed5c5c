"""The report says what the leak audit found."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from data.check.leak import LeakAudit
from data.check.leak_auc import SAME, GroupAuc
from data.check.leak_features import GROUPS, DateShare
from data.check.leak_file import (
    LEAK_FILE,
    describe_leaks,
    read_leak_audit,
    summarise_leaks,
    write_leak_audit,
)
from data.check.leak_text import REMEDY

NONE = LeakAudit(
    "hokkaido", "4 common", 290, 150, 105, tuple(GroupAuc(g, 0.5, 0.5, 0.5, SAME) for g in GROUPS)
)
LEAK = replace(
    NONE,
    region="italy",
    groups=(GroupAuc("dates", 0.9, 0.8, 0.95), *NONE.groups[1:4], GroupAuc("all", 0.9, 0.8, 0.95)),
    differing=(DateShare("s1asc", "2018-09-01", 1.0, 0.0),),
)


def test_a_leak_is_a_warning_with_its_remedy(tmp_path: Path) -> None:
    assert write_leak_audit([NONE, LEAK], tmp_path).name == LEAK_FILE
    assert read_leak_audit(tmp_path) == (NONE, LEAK)
    (text,) = describe_leaks(tmp_path)
    assert text.startswith(
        "warning: The label leaks: annotated tiles of italy are told from others"
    )
    assert "0.900 (95 % interval 0.800 to 0.950)" in text
    assert text.endswith(REMEDY)


def test_without_a_leak_one_sentence_says_what_was_tested(tmp_path: Path) -> None:
    write_leak_audit([NONE, NONE], tmp_path)
    (text,) = describe_leaks(tmp_path)
    assert text.startswith("Leak audit of hokkaido at 4 common acquisitions (150 of 290 tiles")


def test_a_report_without_an_audit_says_nothing(tmp_path: Path) -> None:
    assert describe_leaks(tmp_path) == []


def test_the_campaign_s_run_gets_a_tag_and_metrics() -> None:
    tag, metrics = summarise_leaks([NONE, LEAK])
    assert tag == "italy: dates"
    assert metrics["leak/italy/auc_low"] == 0.8
    assert summarise_leaks([NONE])[0] == "none above chance"


@pytest.mark.parametrize(
    "content", [{}, {"audits": 5}, {"audits": [{}]}, {"audits": [{"region": "x", "groups": 1}]}]
)
def test_a_changed_audit_is_refused(content: object, tmp_path: Path) -> None:
    (tmp_path / LEAK_FILE).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"A leak audit must have the format .*leak_audit\.json"):
        read_leak_audit(tmp_path)
