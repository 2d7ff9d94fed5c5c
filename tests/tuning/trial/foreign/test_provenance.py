import json
from pathlib import Path

import pytest

from tuning.trial.foreign.names import check_foreign_name, foreign_key, foreign_title, is_foreign
from tuning.trial.foreign.provenance import (
    Provenance,
    empty_provenance,
    load_provenance,
    make_provenance,
    read_provenance_file,
)


def test_foreign_keys_are_known_by_their_form() -> None:
    assert is_foreign(foreign_key("prithvi-2"))
    assert foreign_title("foreign:prithvi-2") == "prithvi-2 (foreign)"
    for other in ("unet", "foreign:", "foreign:../x", "foreign:a b", None, "foreign:" + "x" * 41):
        assert not is_foreign(other)
    with pytest.raises(ValueError, match="starts with a letter or a digit"):
        check_foreign_name("-x")


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (empty_provenance(), "made_by must say who made the predictions, but got ''"),
        ({"made_by": "me", "framwork": "x"}, "Unknown entry 'framwork'. Did you mean 'framework'?"),
        ({"made_by": "me", "saw_test_tiles": "no"}, "must be true, false or null, but got 'no'"),
        ({"made_by": "me", "channels": ["VW"]}, "Unknown channel 'VW'"),
        ({"made_by": "me", "channels": "s1asc:VV"}, "channels must be a list of names, or null"),
        ({"made_by": "me", "code": "a\nb"}, "code must be one line of at most 1000 characters"),
    ],
)
def test_provenance_that_says_nothing_or_something_else_is_refused(
    tmp_path: Path, content: dict[str, object], pattern: str
) -> None:
    file = tmp_path / "provenance.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=pattern):
        read_provenance_file(file)


def test_provenance_of_a_file_is_what_its_maker_states(tmp_path: Path) -> None:
    file = tmp_path / "provenance.json"
    content = empty_provenance() | {"made_by": "me", "saw_test_tiles": False}
    file.write_text(json.dumps(content | {"channels": ["s1asc:VH", "s1asc:VV"]}))
    found = read_provenance_file(file)
    assert found == Provenance("me", saw_test_tiles="no", channels="s1asc:VV s1asc:VH")
    with pytest.raises(ValueError, match="made_by must be one line"):
        make_provenance("  ")


def test_params_of_somebody_else_are_shown_without_control_characters() -> None:
    found = load_provenance({"provenance.made_by": "a\x1b[31m" + "b" * 2000})
    assert found.made_by.startswith("a?[31mb")
    assert len(found.made_by) == 1000
    assert found.code == "not stated"
