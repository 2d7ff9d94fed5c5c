"""Campaigns of one baseline, as the driver logs them, for tests that tamper with them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from data.pack import Pack
from data.splits import Split
from tuning.baselines.baselines import make_baseline_config
from tuning.baselines.measure import run_baseline
from tuning.report.missing import EXPECTED_RUNS_TAG
from tuning.report.reference_layers import write_reference_layers, write_split_audit
from tuning.tracking.payloads import CampaignContext
from tuning.tracking.tracker import Tracker
from tuning.trial.folder import TrialFolder

BASELINE = "log_ratio_vv"


@dataclass(frozen=True)
class Hostile:
    """A root with campaigns, each of one finished repeat run.

    Attributes:
        root: Output folder; nothing outside it may be written.
        pack: The tiles.
        split: The split.
    """

    root: Path
    pack: Pack
    split: Split

    def log(self, name: str, key: str = "first") -> tuple[MlflowClient, str, str]:
        """Log a campaign; return the client, the campaign's run and the repeat run."""
        context = CampaignContext(
            name,
            "smoke",
            "blocks",
            self.split.hash,
            self.pack.hash,
            "synthetic",
            "s1",
            "2 even",
            "c",
        )
        tracker, files = Tracker(self.root, context), self.root / "files" / key
        expected = {EXPECTED_RUNS_TAG: json.dumps({BASELINE: 1})}
        # Not through the tracker: MLflow cannot search for a name with quotes.
        tags = {"kind": "campaign", "campaign": name, **expected}
        client = tracker.client
        campaign = client.create_run(tracker.experiment_id, tags=tags).info.run_id
        if not files.exists():
            files.mkdir(parents=True)
            write_reference_layers(self.pack, self.split.test, files)
            write_split_audit(self.pack, [self.split], "blocks", files)
            config = make_baseline_config(BASELINE, "blocks", self.pack.hash, 0)
            run_baseline(config, self.pack, self.split, files / "trial")
        for file in files.glob("*.*"):
            client.log_artifact(campaign, str(file))
        tags = {"study": BASELINE, "stage": "repeat", "seed": "0", "fold": "blocks", "key": "0"}
        tags |= {"kind": "trial", **tracker._common_tags()}
        repeat = client.create_run(tracker.experiment_id, tags=tags).info.run_id
        tracker.finish(repeat, TrialFolder(files / "trial"), "last epoch")
        return client, campaign, repeat

    def search(self, client: MlflowClient, name: str, **tags: str) -> str:
        """Log a search trial with additional tags; return its run id."""
        every = {
            "kind": "trial",
            "stage": "search",
            "study": "unet",
            "number": "1",
            "campaign": name,
        }
        experiment = client.search_experiments()[0].experiment_id
        run_id = client.create_run(experiment, tags={**every, **tags}).info.run_id
        values = {"best/val_pr_auc": 0.5, "epochs": 2.0}
        client.log_batch(
            run_id, metrics=[Metric(key, value, 0, 0) for key, value in values.items()]
        )
        client.log_batch(run_id, params=[Param("lr", tags.get("ended_by", "0.1")[:5000])])
        return run_id

    def written(self) -> set[str]:
        """List all files next to the root, and the files in it that neither tracker nor test wrote."""
        own = ("mlflow.db", "artifacts", "files")
        names = (file.relative_to(self.root.parent) for file in self.root.parent.rglob("*"))
        return {
            str(name) for name in names if len(name.parts) < 2 or not name.parts[1].startswith(own)
        }


class Elements(HTMLParser):
    """Elements of a page with their attributes, and its texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def addresses(self) -> Iterator[str]:
        for _, attributes in self.found:
            for name in ("href", "src", "action", "data", "srcset", "formaction"):
                if attributes.get(name):
                    yield str(attributes[name])
