"""Champion, challenger and best on a real MLflow database, with versions that have a gate result."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities.model_registry import ModelVersion
from mlflow.tracking import MlflowClient

from tuning.registry.__main__ import main
from tuning.registry.aliases import (
    BEST,
    CHALLENGER,
    CHAMPION,
    CONSIDERED,
    RAPID,
    REFUSED,
    find_version_by_alias,
    restore_previous_champion,
    update_aliases,
    update_best_alias,
)
from tuning.registry.champion_history import list_past_champions, read_history
from tuning.registry.commands import format_versions, promote
from tuning.registry.model_card import GATE_TAG, PASSED
from tuning.registry.names import REGIONS_TAG, list_registered_models
from tuning.registry.resolve import find_model
from tuning.tracking.client import connect

WRITES = (
    "set_registered_model_alias",
    "delete_registered_model_alias",
    "set_registered_model_tag",
    "set_model_version_tag",
)
NAME = "hokkaido-unet"
FACTS = {
    "data_hash": "0123456789ab",
    "split": "blocks",
    "split_hash": "b10c5b10c5b1",
    "channels": "s1asc:VV s1asc:VH",
    "acquisitions": "4 even",
    "regions": "hokkaido",
}
LEAKY = {"split": "seed42", "split_hash": "424242424242"}


class KilledError(Exception):
    """Simulates a killed process."""


class CutClient(MlflowClient):
    """A client whose process is killed before one of its writes."""

    def __init__(self, uri: str, writes: int) -> None:
        super().__init__(uri)
        self.left = writes


def _cut(name: str) -> Callable[..., Any]:
    def write(self: CutClient, *values: Any) -> Any:
        if not self.left:
            raise KilledError
        self.left -= 1
        return getattr(MlflowClient, name)(self, *values)

    return write


for method in WRITES:
    setattr(CutClient, method, _cut(method))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database, made once: that takes seconds."""
    root = tmp_path_factory.mktemp("empty")
    connect(root)
    return root


@pytest.fixture
def client(made: Path, tmp_path: Path) -> MlflowClient:
    for file in made.glob("mlflow.db*"):
        shutil.copy(file, tmp_path)
    return connect(tmp_path)[0]


def add(client: MlflowClient, val: float, name: str = NAME, **tags: str) -> ModelVersion:
    """Add a version that passed its gate."""
    if name not in list_registered_models(client):
        # Hokkaido's models of an earlier release have no tag.
        own = {} if name.startswith("hokkaido") else {REGIONS_TAG: name.split("-")[0]}
        client.create_registered_model(name, own)
    every = {"data": "synthetic", "preset": "quick", GATE_TAG: PASSED, "val_pr_auc": str(val)}
    every |= {"val_pr_auc_mean": str(val), **FACTS, **tags}
    return client.create_model_version(name, "file:///nowhere", tags=every)


def again(client: MlflowClient, version: ModelVersion) -> ModelVersion:
    return client.get_model_version(version.name, str(version.version))


def aliases(client: MlflowClient, name: str = NAME) -> dict[str, int]:
    return {alias: int(of) for alias, of in client.get_registered_model(name).aliases.items()}


def test_champion_is_the_best_by_val_and_challenger_the_next(client: MlflowClient) -> None:
    seen = []
    for val in (0.5, 0.6, 0.55, 0.4, 0.7):
        update_aliases(client, add(client, val))
        seen.append((aliases(client)[CHAMPION], aliases(client).get(CHALLENGER)))
    assert seen == [(1, None), (2, 1), (2, 3), (2, 3), (5, 2)]
    assert [entry[:2] for entry in read_history(client, NAME)] == [
        [1, "report"],
        [2, "report"],
        [5, "report"],
    ]


def test_version_that_failed_gets_no_alias(client: MlflowClient) -> None:
    bad = add(client, 0.9, **{GATE_TAG: "failed: flips"})
    update_aliases(client, bad)
    assert aliases(client) == {}
    assert CONSIDERED in again(client, bad).tags
    update_aliases(client, add(client, 0.5))
    update_aliases(client, add(client, 0.4))
    assert aliases(client) == {CHAMPION: 2, CHALLENGER: 3}


def test_rapid_is_the_best_on_val_with_one_acquisition_after_the_event(
    client: MlflowClient,
) -> None:
    seen = []
    for val, early in ((0.5, "0.4"), (0.6, "0.3"), (0.4, "0.5"), (0.7, "nan"), (0.3, "0.45")):
        update_aliases(client, add(client, val, early_val_pr_auc=early))
        seen.append((aliases(client)[CHAMPION], aliases(client)[RAPID]))
    assert seen == [(1, 1), (2, 1), (2, 3), (4, 3), (4, 3)]
    update_aliases(client, add(client, 0.9, early_val_pr_auc="0.9", **LEAKY))
    update_aliases(client, add(client, 0.9, early_val_pr_auc="0.9", **{GATE_TAG: "failed: flips"}))
    assert aliases(client)[RAPID] == 3


def test_a_version_without_early_scores_is_not_rapid(client: MlflowClient) -> None:
    update_aliases(client, add(client, 0.5))
    assert aliases(client) == {CHAMPION: 1}


def test_long_presets_come_first(client: MlflowClient) -> None:
    for val, preset in ((0.6, "quick"), (0.9, "smoke"), (0.3, "paper"), (0.8, "quick")):
        update_aliases(client, add(client, val, preset=preset))
    assert aliases(client) == {CHAMPION: 3, CHALLENGER: 4}


def test_a_leaky_campaign_does_not_take_the_alias_although_its_val_score_is_higher(
    client: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    update_aliases(client, add(client, 0.5))
    leaky = add(client, 0.9, **LEAKY)
    update_aliases(client, leaky)
    assert aliases(client) == {CHAMPION: 1}  # nor is it the challenger
    reason = again(client, leaky).tags[REFUSED]
    assert reason == (
        "Val AP of different splits cannot be compared: hokkaido-unet version 2 was measured on split seed42 "
        "(424242424242); hokkaido-unet version 1 on split blocks (b10c5b10c5b1). The champion stays. Promote by hand with "
        "`python -m tuning.registry promote hokkaido-unet 2`."
    )
    assert f"Not promoted: {reason}" in caplog.text
    update_aliases(client, add(client, 0.4))
    assert aliases(client) == {CHAMPION: 1, CHALLENGER: 3}
    update_aliases(client, add(client, 0.6))
    assert aliases(client) == {CHAMPION: 4, CHALLENGER: 1}
    promote(client, NAME, 2)  # a person may
    assert aliases(client) == {CHAMPION: 2, CHALLENGER: 4, BEST: 2}
    update_aliases(
        client, add(client, 0.95)
    )  # the better version of the former split must be promoted, too
    assert aliases(client)[CHAMPION] == 2


@pytest.mark.parametrize("tag", FACTS)
def test_versions_that_differ_in_one_fact_do_not_compete(client: MlflowClient, tag: str) -> None:
    update_aliases(client, add(client, 0.5))
    update_aliases(client, add(client, 0.9, **{tag: "other"}))
    assert aliases(client) == {CHAMPION: 1}


def test_a_version_without_its_facts_competes_with_none(client: MlflowClient) -> None:
    old = add(client, 0.5)
    client.delete_model_version_tag(NAME, "1", "data_hash")
    update_aliases(client, again(client, old))
    assert aliases(client) == {CHAMPION: 1}  # the first version of a model needs no comparison
    new = add(client, 0.9)
    update_aliases(client, new)
    assert aliases(client) == {CHAMPION: 1}
    assert "hokkaido-unet version 1 has no tag data_hash" in again(client, new).tags[REFUSED]


def test_champion_without_gate_result_is_replaced(client: MlflowClient) -> None:
    add(client, 0.9, **{GATE_TAG: "not known"})
    client.set_registered_model_alias(NAME, CHAMPION, "1")
    update_aliases(client, add(client, 0.5))
    assert aliases(client) == {CHAMPION: 2}
    with pytest.raises(ValueError, match="that passed its gate, but hokkaido-unet has none"):
        restore_previous_champion(client, NAME)


@pytest.mark.parametrize("way", ["promote", "rollback"])
def test_manual_choice_survives_a_second_report(client: MlflowClient, way: str) -> None:
    versions = [add(client, val) for val in (0.5, 0.6)]
    for version in versions:
        update_aliases(client, version)
    assert aliases(client) == {CHAMPION: 2, CHALLENGER: 1}
    promote(client, NAME, 1) if way == "promote" else restore_previous_champion(client, NAME)
    for version in versions:
        update_aliases(client, again(client, version))
    assert aliases(client)[CHAMPION] == 1
    assert aliases(client)[CHALLENGER] == 2
    update_aliases(client, add(client, 0.7))  # but a new version competes
    assert aliases(client)[CHAMPION] == 3


def test_version_promoted_before_it_was_considered_can_be_rolled_back(client: MlflowClient) -> None:
    update_aliases(client, add(client, 0.5))
    better = add(client, 0.9)
    promote(client, NAME, 2)
    restore_previous_champion(client, NAME)
    update_aliases(client, again(client, better))
    assert aliases(client)[CHAMPION] == 1


def test_rollback_goes_back_champion_by_champion(client: MlflowClient) -> None:
    for val in (0.5, 0.6, 0.7):
        update_aliases(client, add(client, val))
    assert restore_previous_champion(client, NAME) == (3, 2)
    assert aliases(client) == {CHAMPION: 2, CHALLENGER: 3}
    assert restore_previous_champion(client, NAME) == (2, 1)
    with pytest.raises(ValueError, match=r"earlier champion that passed its gate, but .* none\."):
        restore_previous_champion(client, NAME)
    assert [entry[0] for entry in read_history(client, NAME)] == [1, 2, 3, 2, 1]
    promote(client, NAME, 3)
    assert restore_previous_champion(client, NAME) == (3, 1)


def test_rollback_skips_a_deleted_version(client: MlflowClient) -> None:
    for val in (0.5, 0.6, 0.7):
        update_aliases(client, add(client, val))
    client.delete_model_version(NAME, "2")  # by hand, in MLflow
    assert restore_previous_champion(client, NAME) == (3, 1)


def test_rollback_knows_a_champion_that_was_set_by_hand(client: MlflowClient) -> None:
    for val in (0.5, 0.4, 0.3):
        update_aliases(client, add(client, val))
    client.set_registered_model_alias(NAME, CHAMPION, "2")
    promote(client, NAME, 3)
    assert restore_previous_champion(client, NAME) == (3, 2)


def test_rolled_back_champions_are_not_past_champions() -> None:
    history = [[1, "report", ""], [2, "report", ""], [1, "promote", ""], [3, "report", ""]]
    assert list_past_champions(history) == [1, 2, 1, 3]
    assert list_past_champions([*history, [1, "rollback", ""]]) == [1, 2, 1]
    assert list_past_champions(
        [*history, [1, "rollback", ""], [2, "rollback", ""], [4, "report", ""]]
    ) == [
        1,
        2,
        4,
    ]


@pytest.mark.parametrize("act", ["consider", "promote", "rollback"])
def test_kill_between_any_two_steps_is_repaired_by_the_next_call(
    client: MlflowClient, tmp_path: Path, act: str
) -> None:
    def do(who: MlflowClient, name: str) -> None:
        if act == "consider":
            update_aliases(who, client.get_model_version(name, "3"))
        elif act == "promote":
            promote(who, name, 3)
        elif aliases(client, name)[CHAMPION] == 2:  # a person checks before a second rollback
            restore_previous_champion(who, name)

    def prepare(name: str) -> None:
        for val in (0.5, 0.6):
            update_aliases(client, add(client, val, name))
        add(client, 0.7, name)

    prepare("hokkaido-whole")
    do(client, "hokkaido-whole")
    update_best_alias(client)
    expected = aliases(client, "hokkaido-whole")
    expected.pop(BEST)
    for writes in range(20):
        name = f"hokkaido-{writes}"
        prepare(name)
        try:
            do(CutClient(f"sqlite:///{tmp_path}/mlflow.db", writes), name)
            break
        except KilledError:
            do(client, name)
        found = aliases(client, name)
        found.pop(BEST, None)
        assert found == expected, writes
        marked = {1, 2} if act == "rollback" else {1, 2, 3}
        versions = [client.get_model_version(name, str(number)) for number in (1, 2, 3)]
        assert {v.version for v in versions if CONSIDERED in v.tags} == marked
        assert len(read_history(client, name)) == 3, writes
    assert writes > 3


def test_best_is_held_by_one_model_alone(client: MlflowClient) -> None:
    assert update_best_alias(client) == {}
    names = ("hokkaido-a", "hokkaido-b")
    for name, val in zip(names, (0.5, 0.6), strict=True):
        update_aliases(client, add(client, val, name))
        client.set_registered_model_alias(name, BEST, "1")  # an earlier release gave each one
    best = update_best_alias(client)["hokkaido"]
    assert best.name == "hokkaido-b"
    assert [find_version_by_alias(client, name, BEST) is not None for name in names] == [
        False,
        True,
    ]


def test_best_follows_the_champions(client: MlflowClient) -> None:
    update_aliases(client, add(client, 0.5, "hokkaido-a"))
    for val in (0.4, 0.6):
        update_aliases(client, add(client, val, "hokkaido-b"))
    update_best_alias(client)
    assert aliases(client, "hokkaido-b") == {CHAMPION: 2, CHALLENGER: 1, BEST: 2}
    restore_previous_champion(client, "hokkaido-b")
    update_best_alias(client)
    assert aliases(client, "hokkaido-b") == {CHAMPION: 1, CHALLENGER: 2}
    assert aliases(client, "hokkaido-a") == {CHAMPION: 1, BEST: 1}


def test_best_compares_architectures_by_their_mean_over_seeds(client: MlflowClient) -> None:
    update_aliases(client, add(client, 0.70, "hokkaido-lucky", val_pr_auc_mean="0.55"))
    update_aliases(client, add(client, 0.65, "hokkaido-steady", val_pr_auc_mean="0.60"))
    best = update_best_alias(client)["hokkaido"]
    assert best.name == "hokkaido-steady"


def test_best_stays_where_the_other_architecture_learnt_from_another_split(
    client: MlflowClient,
) -> None:
    update_aliases(client, add(client, 0.5, "hokkaido-a"))
    update_best_alias(client)
    update_aliases(client, add(client, 0.9, "hokkaido-b", **LEAKY))
    update_aliases(client, add(client, 0.4, "hokkaido-c"))
    assert update_best_alias(client)["hokkaido"].name == "hokkaido-a"
    assert aliases(client, "hokkaido-b") == {CHAMPION: 1}
    update_aliases(client, add(client, 0.6, "hokkaido-c"))
    assert update_best_alias(client)["hokkaido"].name == "hokkaido-c"


def test_best_moves_with_the_champion_of_its_model(client: MlflowClient) -> None:
    for name, val in (("hokkaido-a", 0.5), ("hokkaido-b", 0.4)):
        update_aliases(client, add(client, val, name))
    update_best_alias(client)
    add(client, 0.8, "hokkaido-a", **LEAKY)
    update_aliases(client, add(client, 0.9, "hokkaido-c", **LEAKY))
    promote(client, "hokkaido-a", 2)
    assert aliases(client, "hokkaido-c") == {
        CHAMPION: 1,
        BEST: 1,
    }  # the best on the promoted version's split


def test_each_region_has_its_own_best(client: MlflowClient) -> None:
    for name, val in (("hokkaido-unet", 0.5), ("noto-unet", 0.9), ("noto-lucky", 0.8)):
        update_aliases(client, add(client, val, name))
    best = update_best_alias(client)
    assert {region: version.name for region, version in best.items()} == {
        "hokkaido": "hokkaido-unet",
        "noto": "noto-unet",
    }
    assert aliases(client, "hokkaido-unet") == {CHAMPION: 1, BEST: 1}
    assert aliases(client, "noto-lucky") == {CHAMPION: 1}


def test_a_model_is_found_without_its_region_only_where_one_region_has_it(
    client: MlflowClient,
) -> None:
    add(client, 0.5)
    assert find_model(client, "unet") == find_model(client, "VanillaUNet") == NAME
    add(client, 0.5, "usa_puertorico-unet")
    add(client, 0.5, "multi-attention-unet")
    assert find_model(client, "usa_puertorico-unet") == "usa_puertorico-unet"
    assert find_model(client, "attention_unet") == "multi-attention-unet"
    message = "got 'unet', which stands for hokkaido-unet and usa_puertorico-unet. Choose one"
    with pytest.raises(ValueError, match=message):
        find_model(client, "unet")
    with pytest.raises(ValueError, match="Did you mean 'usa_puertorico-unet'"):
        find_model(client, "usa_puertorrico-unet")


def test_foreign_models_are_left_alone(client: MlflowClient) -> None:
    for name in ("churn", "tokyo-unet"):
        client.create_registered_model(name)
        client.create_model_version(name, "file:///nowhere", tags={GATE_TAG: PASSED})
        client.set_registered_model_alias(name, BEST, "1")
    update_aliases(client, add(client, 0.5))
    update_best_alias(client)
    for name in ("churn", "tokyo-unet"):
        assert aliases(client, name) == {BEST: 1}
        assert name not in format_versions(client)


def test_rollback_command_prints_champion_and_challenger(
    client: MlflowClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for val in (0.5, 0.6):
        update_aliases(client, add(client, val))
    assert main(["rollback", "unet", "--root", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert (
        output
        == f"{NAME} version 1 is the champion again, after version 2. Version 2 is its challenger.\n"
    )
    assert aliases(client) == {CHAMPION: 1, CHALLENGER: 2, BEST: 1}
    assert main(["promote", "unet", "2", "--root", str(tmp_path)]) == 0
    assert "version 2 is the champion now. Version 1 is its challenger." in capsys.readouterr().out


def test_champion_can_be_promoted_again(client: MlflowClient) -> None:
    for val in (0.5, 0.6):
        update_aliases(client, add(client, val))
    before = read_history(client, NAME)
    assert "version 2 is the champion now" in promote(client, NAME, 2)
    assert read_history(client, NAME) == before
    assert aliases(client) == {CHAMPION: 2, CHALLENGER: 1, BEST: 2}


def test_list_of_an_empty_registry_says_so(client: MlflowClient) -> None:
    assert format_versions(client) == "No model is registered. Run `python -m tuning.run`."


def test_every_version_is_listed_however_many_pages_there_are(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuning.registry.aliases._PAGE", 3)
    monkeypatch.setattr("tuning.registry.names._PAGE", 3)
    for number in range(11):
        add(client, number / 1000)
    for name in "abcd":
        add(client, 0.5, f"hokkaido-{name}")
    lines = format_versions(client).splitlines()
    mine = [line.split() for line in lines if line.startswith(NAME)]
    assert [row[1] for row in mine] == [str(1 + number) for number in range(11)]
    assert mine[-1][3] == "0.010"
    assert len(lines) == 1 + 4 + 11
