"""A report on runs that a stranger wrote into MLflow: refused with a reason, or shown as text, never executed."""

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.pack import Pack
from data.splits import Split
from tests.support.hostile_campaigns import Elements, Hostile
from tests.support.hostile_files import DEEP, write_growing_npz, write_pickled_npz, write_sparse
from tuning.metrics.histogram import BINS
from tuning.page.html import SCRIPT as TRACKER
from tuning.registry.commands import format_versions
from tuning.report.__main__ import main
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import REFERENCE_FILE
from tuning.tracking.client import connect, find_runs, quote

SCRIPT = "<script>alert(1)</script>"
NAMES = (
    *("../../x", "/tmp/x", "..", ".", "a/b", SCRIPT, "it's", 'a"b', "a\nb", "", "\x1b[2J"),
    *("x" * 5000, "x' or tags.kind = 'trial", "$(touch x)", "a`b"),
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, pack: Pack, split: Split) -> Hostile:
    found = Hostile(tmp_path_factory.mktemp("all") / "mlruns", pack, split)
    found.log("good", "good")
    return found


Report = Callable[..., tuple[int, str, str]]


@pytest.fixture
def report(hostile: Hostile, capsys: pytest.CaptureFixture[str]) -> Report:
    """Run the command; return its exit code, output and errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["--root", str(hostile.root), *arguments])
        return code, *capsys.readouterr()

    return call


def check_page(page: str) -> Elements:
    """Check that a page contains no script and form but its own, and no links to other sites."""
    own = TRACKER.read_text(encoding="utf-8")
    assert page.count(f"<script>{own}</script>") == 1
    found = Elements(page.replace(f"<script>{own}</script>", ""))
    forms = [attributes.get("id") for tag, attributes in found.found if tag == "form"]
    assert forms == ["tracker"]
    tags = {tag for tag, _ in found.found}
    acting = {"script", "iframe", "object", "embed", "base", "applet", "svg", "video"}
    assert tags & acting == set()
    assert len([tag for tag, _ in found.found if tag == "style"]) == 1  # its own
    names = {name for _, attributes in found.found for name in attributes}
    assert [name for name in names if name.startswith("on")] == []
    for address in found.addresses():
        assert re.match(
            r"#|data:(?:image/png;base64)?,|http://127\.0\.0\.1:5000(/#/|$)", address
        ), address
    return found


@pytest.mark.slow
def test_campaigns_that_are_no_names_are_passed_over(
    hostile: Hostile, report: Report, caplog: pytest.LogCaptureFixture
) -> None:
    client, _ = connect(hostile.root)
    for name in NAMES:
        tags = {"kind": "campaign", "campaign": name}
        client.create_run(client.search_experiments()[0].experiment_id, tags=tags)
    client.create_run(client.search_experiments()[0].experiment_id, tags={"kind": "campaign"})
    before = hostile.written()
    with caplog.at_level(logging.WARNING):
        code, out, err = report()
    assert code == 0, err
    assert "Report:  " + str(hostile.root / "reports" / "good" / "report.html") in out
    told = [
        record.getMessage() for record in caplog.records if "Skipped run" in record.getMessage()
    ]
    assert len(told) == len(NAMES) + 1
    assert any("'../../x' is not a valid campaign name" in one for one in told)
    assert all("\x1b" not in one and "\n" not in one and len(one) < 300 for one in told)
    new = hostile.written() - before
    assert new
    assert all(name.startswith("mlruns/reports") for name in new)
    check_page((hostile.root / "reports" / "good" / "report.html").read_text())


def test_campaign_asked_for_must_be_a_name(hostile: Hostile, report: Report) -> None:
    before = hostile.written()
    for name in NAMES[:7]:
        code, _, err = report("--campaign", name)
        assert code == 1
        assert err.startswith("error: Unknown campaign ")
    assert hostile.written() == before


def test_texts_of_runs_are_shown_as_text(hostile: Hostile, report: Report) -> None:
    client, campaign, repeat = hostile.log("texts", "good")
    for tag in ("mlflow.runName", "mlflow.note.content", "ended_by", "error"):
        for run_id in (campaign, repeat):
            client.set_tag(run_id, tag, SCRIPT + "'\"\n../../etc")
    client.set_tag(repeat, "acquisitions", f"{SCRIPT} [click](http://evil.example)")
    client.set_tag(repeat, "channels", "s1 <img src=x onerror=alert(1)>")
    client.set_tag(repeat, "git_commit", '"><iframe src=http://evil.example></iframe>')
    for text in (SCRIPT, "' onload='alert(1)", "../../etc", "a\nb", "x" * 5000):
        hostile.search(client, "texts", ended_by=text, key=text, fold=text, seed=text)
    client.log_dict(campaign, {SCRIPT: SCRIPT, "b": [SCRIPT, 7], "c": {}}, "excluded_tiles.json")
    client.log_text(campaign, '{"half": "\\ud800"}', "suspicious_tiles.json")
    before = hostile.written()
    code, _, err = report("--campaign", "texts")
    assert code == 0, err
    assert {name.split("/")[2] for name in hostile.written() - before if name.count("/") > 1} == {
        "texts"
    }
    folder = hostile.root / "reports" / "texts"
    found = check_page((folder / "report.html").read_text(encoding="utf-8"))
    shown = "".join(found.texts)
    for text in (SCRIPT, "onerror=alert(1)", "[click](http://evil.example)", "<iframe"):
        assert text in shown
    assert "evil.example" not in "".join(found.addresses())
    names = [file.name for file in folder.rglob("*")]
    assert [name for name in names if "script" in name or "etc" in name] == []


WRONG_TAGS = [
    ("study", "../../x", "The tag study must be a known model, but got '../../x'"),
    ("study", "os", "The tag study must be a known model, but got 'os'"),
    ("seed", "0; rm -rf", "The tag seed must be a whole number, but got '0; rm -rf'"),
    ("seed", "9" * 5000, "The tag seed must be one line of 300 characters at most"),
    ("fold", "../../etc", "Unknown split '../../etc'"),
    ("fold", "a\nb", "The tag fold must be one line of 300 characters at most, but got 'a\\nb'"),
    ("data", "stolen", "The tag data must be synthetic or real, but got 'stolen'"),
    ("regions", "../../etc", "The tag regions must be names of regions, but got '../../etc'"),
    ("regions", " ", "The tag regions must be names of regions, but got ' '"),
    ("origin", "foreign", "The tag origin must be own for log_ratio_vv, but got 'foreign'"),
    ("split", "x" * 5000, "The tag split must be one line of 300 characters at most"),
    ("git_commit", "\x1b[2J", "The tag git_commit must be one line of 300 characters at most"),
    ("model_uri", "file:///etc/passwd", "The tag model_uri must be a logged model's, but got"),
    ("model_uri", "models:/m-/../x", "The tag model_uri must be a logged model's, but got"),
]


@pytest.mark.parametrize(("tag", "value", "message"), WRONG_TAGS)
def test_repeat_run_of_something_else_is_refused_by_its_id(
    hostile: Hostile, report: Report, tag: str, value: str, message: str
) -> None:
    name = f"tag-{WRONG_TAGS.index((tag, value, message))}"
    client, _, repeat = hostile.log(name, "good")
    client.set_tag(repeat, tag, value)
    before = hostile.written()
    code, _, err = report("--campaign", name, "--partial")
    assert code == 1
    assert message in err
    assert repeat in err or tag == "fold"
    assert "Traceback" not in err
    assert hostile.written() == before


def test_missing_tags_and_endless_scores_are_refused(hostile: Hostile, report: Report) -> None:
    client, _, repeat = hostile.log("lacking", "good")
    client.delete_tag(repeat, "preset")
    code, _, err = report("--campaign", "lacking")
    assert (code, "The tag preset must be one line" in err) == (1, True)
    client.set_tag(repeat, "preset", "smoke")
    client.log_metric(repeat, "test/threshold", float("inf"), step=1)
    code, _, err = report("--campaign", "lacking")
    assert (code, "The metric test/threshold must be from 0 to 1.001, but got 1.79" in err) == (
        1,
        True,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DEEP[:4000], "must not be nested deeply"),
        ("[]", "must be an object, but got a list"),
        ('{"../x": 1}', "Runs must be expected of known models, but got 1 of '../x'"),
        ('{"unet": 1e300}', "Runs must be expected of known models"),
        ("{", "must be JSON"),
    ],
)
def test_expected_runs_are_counts_of_models(
    hostile: Hostile, report: Report, text: str, message: str
) -> None:
    client, experiment_id = connect(hostile.root)
    runs = find_runs(client, experiment_id, kind="campaign", campaign="good")
    before = runs[0].data.tags[EXPECTED_RUNS_TAG]
    client.set_tag(runs[0].info.run_id, EXPECTED_RUNS_TAG, text)
    code, _, err = report("--campaign", "good")
    client.set_tag(runs[0].info.run_id, EXPECTED_RUNS_TAG, before)
    assert code == 1
    assert message in err
    assert runs[0].info.run_id in err


@pytest.mark.parametrize(
    ("tag", "value", "message"),
    [
        ("study", SCRIPT, "The tag study must be a known network, but got '<script>"),
        ("number", "1e9", "The tag number must be a whole number, but got '1e9'"),
    ],
)
def test_search_trial_of_something_else_is_refused(
    hostile: Hostile, report: Report, tag: str, value: str, message: str
) -> None:
    name = f"search-{tag}"
    client, _, _ = hostile.log(name, "good")
    run_id = hostile.search(client, name, **{tag: value})
    code, _, err = report("--campaign", name)
    assert code == 1
    assert message in err
    assert run_id in err


def probs(path: Path, **changes: object) -> Path:
    good = {"tile_ids": np.array(["hokkaido_1"]), "bins": np.zeros((1, 128, 128), np.uint16)}
    np.savez_compressed(path, **(good | changes))  # type: ignore[arg-type]
    return path


WRONG_FILES: list[tuple[str, Callable[[Path], object], str]] = [
    (
        "test_probs.npz",
        lambda f: write_pickled_npz(f, f.parent / "canary", "bins", "tile_ids"),
        "pickled",
    ),
    ("test_probs.npz", lambda f: write_growing_npz(f, "bins", 200), "must hold tile_ids, bins"),
    (
        "test_probs.npz",
        lambda f: f.write_bytes(b"no archive"),
        "must be an .npz file without pickled objects",
    ),
    ("test_probs.npz", lambda f: write_sparse(f, 2**28), "at most 134,217,728 bytes"),
    ("test_probs.npz", probs, "A test tile must be among the campaign's, but got hokkaido_1"),
    (
        "test_probs.npz",
        lambda f: probs(f, tile_ids=np.array(["../../x"])),
        "A tile id must look like hokkaido_579, but got '../../x'",
    ),
    (
        "test_probs.npz",
        lambda f: probs(f, bins=np.full((1, 128, 128), 65535, np.uint16)),
        f"1 tiles must have bins below {BINS}",
    ),
    (
        "test_probs.npz",
        lambda f: probs(f, bins=np.zeros((1, 9, 9), np.uint16)),
        "bins must be uint16 of",
    ),
    ("val_counts.npy", lambda f: np.save(f, np.zeros(5)), "the array must be int64 of shape (2, "),
    (
        "val_counts.npy",
        lambda f: np.save(f, np.full((2, BINS), -1)),
        "A histogram must count pixels",
    ),
]


@pytest.mark.parametrize(("file", "write", "message"), WRONG_FILES)
def test_files_of_a_run_are_refused_and_do_not_act(
    hostile: Hostile,
    report: Report,
    tmp_path: Path,
    file: str,
    write: Callable[[Path], object],
    message: str,
) -> None:
    name = f"file-{[one[2] for one in WRONG_FILES].index(message)}"
    client, _, repeat = hostile.log(name, "good")
    write(tmp_path / file)
    client.log_artifact(repeat, str(tmp_path / file), "trial")
    before = hostile.written()
    code, _, err = report("--campaign", name)
    assert code == 1
    assert message in err
    assert "Traceback" not in err
    assert hostile.written() == before
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("splits.json", DEEP, "must not be nested deeply"),
        ("splits.json", '{"splits": [1]}', "The audit of splits must have the format of"),
        ("excluded_tiles.json", "[]", "must be an object, but got a list"),
        ("suspicious_tiles.json", '{"a":' * 100_000, "must not be nested deeply"),
        (REFERENCE_FILE, "no archive", "must be an .npz file without pickled objects"),
        ("splits.png", "<svg onload=alert(1)>", "An image must be PNG"),
    ],
)
def test_files_of_a_campaign_are_refused(
    hostile: Hostile, report: Report, file: str, text: str, message: str
) -> None:
    name = f"campaign-{len(text)}-{file.split('.')[0]}"
    client, campaign, _ = hostile.log(name, "good")
    client.log_text(campaign, text, file)
    before = hostile.written()
    code, _, err = report("--campaign", name)
    assert code == 1
    assert message in err
    assert "Traceback" not in err
    assert hostile.written() == before


def test_no_value_changes_the_question(hostile: Hostile) -> None:
    client, experiment_id = connect(hostile.root)
    assert quote("a b/c:1") == "'a b/c:1'"
    for text in ("x' or tags.kind = 'trial", 'x"y', "x`y", "x\\"):
        with pytest.raises(ValueError, match="must have no quotes, but got "):
            find_runs(client, experiment_id, campaign=text)


def test_versions_are_listed_on_one_line_each(hostile: Hostile) -> None:
    client, _ = connect(hostile.root)
    client.create_registered_model("hokkaido-forged")
    tags = {"data": "\x1b[2J\nx", "val_pr_auc": SCRIPT, "campaign": "y" * 4000, "gate": "a\rb"}
    client.create_model_version("hokkaido-forged", hostile.root.as_uri(), tags=tags)
    table = format_versions(client)
    assert len(table.splitlines()) == 2
    assert table.replace("\n", "").isprintable()
    assert max(map(len, table.splitlines())) < 400


def test_split_of_a_stranger_is_refused_before_it_is_kept(tmp_path: Path) -> None:
    from data.splits import store_split

    for text, message in ((DEEP, "nested deeply"), (json.dumps({"../x": []}), "Unknown part")):
        (tmp_path / "my.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            store_split(tmp_path / "my.json", tmp_path / "packs")
    write_sparse(tmp_path / "my.csv", 100_000_000)
    with pytest.raises(ValueError, match="at most 8,388,608 bytes"):
        store_split(tmp_path / "my.csv", tmp_path / "packs")
    (tmp_path / "my.csv").write_text("tile_id,part\n" + "x" * 200_000)
    with pytest.raises(ValueError, match="must be CSV, but got field larger"):
        store_split(tmp_path / "my.csv", tmp_path / "packs")
    assert not (tmp_path / "packs").exists()
