"""A report ends with its page and one address; the others are in pages.json."""

import json
from pathlib import Path

from tuning.report.terminal import PAGES_FILE, first_page, format_places


def test_a_report_ends_with_its_page_and_one_address(tmp_path: Path) -> None:
    pages = {"trials": "http://127.0.0.1:5000/#/a", "charts": "http://127.0.0.1:5000/#/b"}
    (tmp_path / PAGES_FILE).write_text(json.dumps(pages))
    address = first_page(tmp_path)
    text = format_places(tmp_path / "report.html", "sqlite:////x/mlflow.db", address)
    assert text.splitlines() == [
        f"Report:  {tmp_path}/report.html",
        "Runs:    http://127.0.0.1:5000/#/a",
        "         (after: python -m mlflow ui --backend-store-uri sqlite:////x/mlflow.db)",
    ]
    served = format_places(tmp_path / "report.html", "https://u:p@tracker", "https://tracker/#/a")
    assert served.splitlines()[1:] == ["Runs:    https://tracker/#/a"]
