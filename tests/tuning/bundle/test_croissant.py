"""``metadata.json`` is valid Croissant, by the library of that format, and describes every file and table."""

import json
from pathlib import Path
from typing import Any

import mlcroissant
import pandas as pd
import pytest

from tests.support.bundles import QUALITY, SEEDS, tiny_files
from tuning.bundle.archive import hash_bytes
from tuning.bundle.croissant import METADATA, describe_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("croissant")
    for name, content in tiny_files().items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)
    return root


def load(path: Path) -> Any:
    return mlcroissant.Dataset(jsonld=path)


def test_metadata_is_valid_without_warnings(folder: Path) -> None:
    metadata = load(folder / METADATA).metadata
    assert list(metadata.ctx.issues.errors) == []
    assert list(metadata.ctx.issues.warnings) == []


def test_invalid_metadata_is_found(folder: Path) -> None:
    content = json.loads((folder / METADATA).read_text())
    content["recordSet"][0]["field"][0]["source"]["fileObject"]["@id"] = "tables/none.csv"
    broken = folder / "broken.json"
    broken.write_text(json.dumps(content))
    with pytest.raises(mlcroissant.ValidationError):
        load(broken)


def test_metadata_describes_every_file_with_its_hash(folder: Path) -> None:
    files = tiny_files()
    found = {file["@id"]: file for file in json.loads(files[METADATA])["distribution"]}
    assert found.keys() == files.keys() - {METADATA, "manifest.json"}
    for name, file in found.items():
        assert file["sha256"] == hash_bytes(files[name])


def test_tables_are_read_through_the_library(folder: Path) -> None:
    records = list(load(folder / METADATA).records("benchmark_runs"))
    stored = pd.read_csv(folder / "tables" / "benchmark_runs.csv")
    assert len(records) == len(stored) == len(SEEDS) * (len(QUALITY) - 1) + 1
    assert [one["benchmark_runs/tp"] for one in records] == stored["tp"].tolist()
    assert [one["benchmark_runs/pr_auc"] for one in records] == stored["pr_auc"].tolist()
    assert records[0]["benchmark_runs/model"] == b"VanillaUNet"


def test_table_without_rows_or_numbers_is_text() -> None:
    files = {"tables/pairwise.csv": b"a,n,x\n", "tables/other.csv": b"a,n,x\nb,1,\nc,-2,0.5\n"}
    provenance = {"data": "real", "regions": "italy", "split": "blocks", "split_hash": "0" * 12}
    other, pairs = describe_files("c", "2026-01-31T12:00:00Z", provenance, files)["recordSet"]
    assert [field["dataType"] for field in pairs["field"]] == ["sc:Text"] * 3
    assert [field["dataType"] for field in other["field"]] == ["sc:Text", "sc:Integer", "sc:Float"]
