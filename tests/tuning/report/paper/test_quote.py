"""Lines to quote and the campaign's BibTeX entry."""

from pathlib import Path

from tests.support.campaign_facts import FACTS, make_facts, make_table
from tuning.page.html import Code, Folded
from tuning.report.paper.quote import (
    BIBTEX_FILE,
    RESULTS_FILE,
    build_quote_section,
    format_bibtex,
    format_line,
    format_results,
    make_campaign_entry,
    write_quotes,
)


def test_a_line_says_score_spread_interval_tiles_split_and_data() -> None:
    line = format_line(make_table().to_dict("records")[0], FACTS)
    assert line == (
        "VanillaUNet: AP 0.621 ± 0.002 over 3 seeds (95 % CI 0.552 to 0.689 over 24 spatial blocks), F1 0.637 ± 0.003, "
        "IoU 0.468 ± 0.003 at the threshold chosen on val, on 79 test tiles of split blocks (hash 1e2d3c4b5a69), "
        "the synthetic twin of Sen12Landslides, hokkaido."
    )


def test_one_run_without_an_interval_is_said_to_be_so() -> None:
    line = format_line(make_table().to_dict("records")[1], FACTS)
    assert "AP 0.621 of one run (no interval: too few tiles), F1 0.637, IoU 0.468" in line


def test_real_tiles_and_folds_are_named() -> None:
    facts = make_facts(synthetic=False, folds=5, split="blocks:5")
    line = format_line(make_table().to_dict("records")[0], facts)
    assert "on 79 test tiles of 5 folds of split blocks:5" in line
    assert line.endswith("Sen12Landslides, hokkaido.")
    elsewhere = make_facts(synthetic=False, regions=("atlantis",))
    assert "own tiles in the format of Sen12Landslides, atlantis" in elsewhere.tested_on


def test_an_undefined_score_is_said_to_be_so() -> None:
    row = make_table(iou_mean=float("nan")).to_dict("records")[0]
    assert "IoU undefined" in format_line(row, FACTS)


def test_compared_and_exploratory_models_stand_apart_below_their_provenance() -> None:
    lines = format_results(make_table(), FACTS, "They cannot be told apart.").splitlines()
    assert lines[0].startswith("Landslide benchmark 0.1.0, campaign first (2026): commit ccc")
    assert "code 123456789abc, data aabbccddeeff, split blocks 1e2d3c4b5a69" in lines[0]
    assert lines[1] == "They cannot be told apart."
    assert lines[3] == "Compared models:"
    assert lines[6] == "Other models (exploratory):"
    assert lines[7].startswith("LogRatioVV: ")


def test_the_campaign_s_entry_identifies_data_split_and_code() -> None:
    entry = make_campaign_entry(FACTS)
    assert (entry.kind, entry.key) == ("misc", "landslide-benchmark-first-aabbccdd")
    assert "synthetic data" in entry.fields["title"]
    for known in (FACTS.git_commit, FACTS.data_hash, FACTS.split_hash, FACTS.run_id):
        assert known in entry.fields["note"]


def test_the_files_hold_what_the_page_shows(tmp_path: Path) -> None:
    table = make_table()
    write_quotes(table, FACTS, tmp_path, "Undecided.")
    _, short, *folded = build_quote_section(table, FACTS, "Undecided.").blocks
    assert isinstance(short, Code)
    lines, entries = (one.blocks[0] for one in folded if isinstance(one, Folded))
    assert isinstance(lines, Code)
    assert isinstance(entries, Code)
    assert "VanillaUNet: " in short.text
    assert "LogRatioVV: " not in short.text
    assert (tmp_path / RESULTS_FILE).read_text(encoding="utf-8") == lines.text
    assert (tmp_path / BIBTEX_FILE).read_text(encoding="utf-8") == entries.text
    assert entries.text.count("\n@") == format_bibtex(table, FACTS).count("\n@") == 4
    assert "@misc{landslide-benchmark-first-aabbccdd," in entries.text
