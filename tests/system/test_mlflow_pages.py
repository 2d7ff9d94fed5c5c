"""MLflow's own pages in a real browser, on a real server, with a finished campaign."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from data.pack import Pack
from data.splits import Split
from tests.support.mlflow_runs import BASELINE, CAMPAIGN, track_campaign
from tests.support.servers import serve_mlflow
from tuning.report.terminal import PAGES_FILE
from tuning.report.write_report import write_report
from tuning.tracking.client import find_runs
from tuning.tracking.tracker import Tracker
from tuning.tracking.ui_links import LOCAL_UI, run_address
from tuning.trial.folder import Config

pytestmark = [pytest.mark.slow, pytest.mark.file_s(280)]

WAIT_MS = 30_000
LABELS = {  # of the pages that are tables of runs: names that they must show
    "campaigns, best on test first": (CAMPAIGN,),
    "models, best on test first": ("unet", BASELINE),
    "trials, best on val first": ("unet · repeat · blocks · seed 42", BASELINE),
}
NAMES = (
    "unet · search · blocks · #01 · lr 3e-3",
    "unet · search · blocks · #02 · lr 1e-2",
    "unet · search · blocks · #03 · lr 2.5e-4",
    "unet · repeat · blocks · seed 42",
    "unet · repeat · blocks · seed 123",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mlruns")


@pytest.fixture(scope="module")
def tracker(root: Path, base_config: Config, pack: Pack, split: Split) -> Tracker:
    tracker = track_campaign(root, base_config | {"epochs": 2}, pack, split)
    write_report(root)
    return tracker


@pytest.fixture(scope="module")
def server(tracker: Tracker, root: Path) -> Iterator[str]:
    store = f"sqlite:///{root / 'mlflow.db'}"
    with serve_mlflow(store, root / "served", root / "server.log") as address:
        yield address


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One profile for all tests: MLflow's scripts of several MB are loaded and compiled once."""
    opened = browser.new_context(viewport={"width": 1600, "height": 1200})
    opened.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    yield opened
    opened.close()


@pytest.fixture
def visit(context: BrowserContext, server: str) -> Iterator[Callable[[str], Page]]:
    """Open a page of the server, by its path or its full address, as a user who has set nothing up."""

    def go(address: str) -> Page:
        page = context.new_page()
        page.goto(server + address.removeprefix(LOCAL_UI))
        return page

    yield go
    context.clear_cookies()
    for page in context.pages:
        page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
    for page in context.pages:
        page.close()


@pytest.fixture
def pages(root: Path, tracker: Tracker) -> dict[str, str]:
    """The addresses in the report."""
    found: dict[str, str] = json.loads((root / "reports" / CAMPAIGN / PAGES_FILE).read_text())
    return found


def test_runs_are_grouped_as_campaign_study_trial(
    visit: Callable[[str], Page], tracker: Tracker
) -> None:
    page = visit(f"/#/experiments/{tracker.experiment_id}/runs")
    expect(page.get_by_role("link", name=CAMPAIGN, exact=True)).to_be_visible()
    for parent, child in ((CAMPAIGN, "unet"), ("unet", NAMES[3])):
        inside = page.get_by_role("link", name=child, exact=True)
        assert inside.count() == 0  # folded at first
        name = page.get_by_role("link", name=parent, exact=True)
        page.get_by_role("row").filter(has=name).get_by_role("button").first.click()
        expect(inside).to_be_visible()


@pytest.mark.parametrize("label", LABELS)
def test_address_of_runs_opens_on_the_runs(
    visit: Callable[[str], Page], pages: dict[str, str], label: str
) -> None:
    page = visit(pages[label])
    for name in LABELS[label]:
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Runs", exact=True)).to_be_visible()
    assert "workflowType=machine_learning" in page.url
    assert (
        page.get_by_role("link", name="Agent versions").count() == 0
    )  # of the pages for language models


@pytest.mark.parametrize("kind", ["campaigns", "models"])
def test_models_and_campaigns_are_sorted_by_their_score_on_test(
    visit: Callable[[str], Page], pages: dict[str, str], kind: str
) -> None:
    page = visit(pages[f"{kind}, best on test first"])
    cells = page.locator("[role='gridcell'][col-id='metrics.`test/pr_auc_mean`']")
    expect(cells.first).to_have_text(re.compile(r"0\.\d+"))
    values = [float(text) for text in cells.all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert len(values) == {"campaigns": 1, "models": 2}[kind]


def test_repeat_run_shows_its_example_tiles(visit: Callable[[str], Page], tracker: Tracker) -> None:
    runs = {run.info.run_name: run for run in tracker.find_trials()}
    address = run_address("", tracker.experiment_id, runs[NAMES[3]].info.run_id)
    page = visit(address.replace("?", "/artifacts/examples.png?"))
    picture = page.locator("img[src*='examples.png'], img[src^='blob:']").first
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 1064


def test_trials_stand_side_by_side_without_configuration(
    visit: Callable[[str], Page], pages: dict[str, str], tracker: Tracker
) -> None:
    page = visit(pages["trials, best on val first"])
    for name in NAMES:
        expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    for column in ("metrics.`test/pr_auc`", "tags.`ended_by`", "params.`weight_decay`"):
        expect(page.locator(f".ag-header-cell[col-id='{column}']")).to_be_visible()
    cells = page.locator("[role='gridcell'][col-id='tags.`ended_by`']")
    expect(cells.filter(has_text="scheduler")).to_have_count(1)
    expect(cells.filter(has_text="last epoch")).to_have_count(5)
    shown = page.locator("[role='gridcell'][col-id='metrics.`best/val_pr_auc`']").all_inner_texts()
    values = [float(re.sub(r"[^\d.]", "", text)) for text in shown]
    assert values == sorted(values, reverse=True)
    assert len(values) == len(NAMES) + 1


@pytest.mark.parametrize(
    ("label", "metric"),
    [
        ("precision over recall on test, overlaid", "pr/test_precision"),
        ("reliability on test, overlaid", "reliability/test_observed"),
    ],
)
def test_curves_of_all_models_are_drawn_into_one_chart(
    visit: Callable[[str], Page], pages: dict[str, str], label: str, metric: str
) -> None:
    page = visit(pages[label])
    for name in (BASELINE, "unet · repeat · blocks · seed"):  # one run of each model
        expect(page.get_by_text(re.compile(rf"{name}.*\({metric}\)"))).to_be_visible()
    expect(page.locator("path.js-line").first).to_be_visible()
    drawn = {line.get_attribute("d") for line in page.locator("path.js-line").all()}
    assert len(drawn) == 2


def test_charts_come_with_curves_parallel_coordinates_and_scatter_plot(
    visit: Callable[[str], Page], pages: dict[str, str]
) -> None:
    page = visit(pages["trials as charts"])
    section = page.get_by_test_id("experiment-view-compare-runs-section-header").first
    expect(section).to_contain_text("Comparison(7)")
    expect(page.locator("path.js-line").first).to_be_visible()
    expect(page.get_by_text("Parallel Coordinates").first).to_be_visible()
    expect(page.get_by_text("lr vs. best/val_pr_auc").first).to_be_visible()


def test_search_trials_are_compared_by_the_score_that_ranks_them(
    visit: Callable[[str], Page], pages: dict[str, str]
) -> None:
    page = visit(pages["search trials compared"])
    expect(page.get_by_role("heading", name="Comparing 3 Runs from 1 Experiment")).to_be_visible()
    expect(page.locator(".parcoords, .js-plotly-plot").first).to_be_visible()
    expect(page.get_by_text("best/val_pr_auc").first).to_be_visible()


def test_trial_shows_its_end_reason_and_its_environment(
    visit: Callable[[str], Page], tracker: Tracker, pack: Pack
) -> None:
    runs = {run.info.run_name: run for run in tracker.find_trials()}
    stopped = runs[NAMES[2]]
    assert stopped.info.status == "KILLED"
    address = f"/#/experiments/{tracker.experiment_id}/runs/{stopped.info.run_id}"
    page = visit(address)
    expect(page.get_by_text("The scheduler stopped it").first).to_be_visible()
    expect(page.get_by_text("hokkaido-twin").first).to_be_visible()
    expect(page.get_by_text(pack.hash).first).to_be_visible()
    expect(page.get_by_text("env.packages.torch").first).to_be_visible()
    page = visit(f"{address}/system-metrics")
    expect(page.get_by_text("process_cpu_percentage").first).to_be_visible()
    repeat = runs[NAMES[3]].info
    page = visit(f"/#/experiments/{tracker.experiment_id}/runs/{repeat.run_id}")
    expect(page.get_by_text("Logged models").first).to_be_visible()


def test_campaign_s_description_holds_the_ranking(
    visit: Callable[[str], Page], tracker: Tracker
) -> None:
    (campaign,) = find_runs(tracker.client, tracker.experiment_id, kind="campaign")
    page = visit(f"/#/experiments/{tracker.experiment_id}/runs/{campaign.info.run_id}")
    expect(page.get_by_role("heading", name="Ranking on test")).to_be_visible()
    expect(page.get_by_role("cell", name="VanillaUNet").first).to_be_visible()
    link = page.get_by_role("link", name="precision over recall on test, overlaid")
    assert "/#/metric?runs=" in (link.get_attribute("href") or "")
