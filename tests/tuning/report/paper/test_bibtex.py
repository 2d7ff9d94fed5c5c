"""BibTeX entries: escaped values and unique keys."""

from tuning.report.paper.bibtex import Entry, escape_value, format_entries, make_key


def test_a_value_cannot_end_its_field_or_reach_tex() -> None:
    text = escape_value("a} , note = {\\input{x} 50% & $y_1$ #2 ~^\nnext")
    assert "\n" not in text
    assert text.startswith(r"a\} , note = \{\textbackslash{}input\{x\} 50\% \& \$y\_1\$ \#2")
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_an_entry_has_its_fields_in_order() -> None:
    entry = Entry("misc", "key", {"title": "A_B", "doi": "10.1/a_b"})
    expected = "@misc{key,\n  title = {{A\\_B}},\n  doi = {10.1/a_b},\n}\n"
    assert format_entries([entry]) == expected


def test_a_key_has_letters_digits_and_hyphens() -> None:
    assert (
        make_key("landslide-benchmark", "my run.2", "ab/c") == "landslide-benchmark-my-run-2-ab-c"
    )
