import json
from collections.abc import Callable
from pathlib import Path

import pytest

from data.pack.channels import SAR_CHANNELS
from models import list_models
from tests.support.settings import make_settings
from tuning.cluster.resources import NodeResources, Resources, choose_resources
from tuning.run import main
from tuning.settings.choose_models import choose_models
from tuning.settings.saved_campaigns import load_settings, save_settings
from tuning.settings.settings import Settings, check_settings


def refuse(arguments: list[str], root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, expect exit code 2 and one line, and return it."""
    assert main([*arguments, "--root", str(root)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not (root / "campaigns").exists()
    return error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model", "unett"],
            "Unknown model 'unett'. Did you mean 'unet'? Available: attention_unet,",
        ),
        (
            ["--preset", "smok"],
            "Unknown preset 'smok'. Did you mean 'smoke'? Available: smoke, quick,",
        ),
        (["--split", "block"], "Unknown split 'block'. Did you mean 'blocks'? Available: blocks,"),
        (["--split", "blocks:11"], "blocks:11"),
        (["--split", "blocks:5/6"], "blocks:5/6"),
        (["--split", "mine.json"], "mine.json"),
        (["--channels", "s3"], "Unknown channel 's3'. Did you mean 's"),
        (["--channels", "DEM"], "A network needs a band of Sentinel-1, but got DEM."),
        (["--channels", "published"], "The synthetic twin has Sentinel-1 alone, but got a channel"),
        (["--steps", "odd"], "Unknown choice of steps 'odd'."),
        (["--timesteps", "16"], "A tile has 15 acquisitions, but got timesteps=16."),
        (["--steps", "all", "--timesteps", "4"], "Steps 'all' are the 15 acquisitions of a tile"),
        (["--norm", "mine"], "Unknown norm 'mine'."),
        (["--augment", "spin"], "Unknown augmentation 'spin'."),
        (["--trials", "0"], "--trials must be 1 or more, but got 0."),
        (["--seeds", "11"], "--seeds must be 1 to 10, but got 11."),
        (["--stack-seeds", "0"], "--stack-seeds must be 1 or more, but got 0."),
        (["--block-tiles", "0"], "--block-tiles must be 1 or more, but got 0."),
        (["--baseline-trials", "0"], "--baseline-trials must be 1 or more, but got 0."),
        (["--mmu", "-1"], "--mmu must be from 0 to 1,638,400 m2, the area of a tile, but got -1."),
        (
            ["--mmu", "nan"],
            "--mmu must be from 0 to 1,638,400 m2, the area of a tile, but got nan.",
        ),
        (["--margin", "0"], "--margin must be more than 0, but got 0."),
        (["--search", "twice"], "Unknown search 'twice'. Did you mean 'once'?"),
        (["--cpus-per-trial", "0"], "--cpus-per-trial must be more than 0, but got 0."),
        (["--gpus-per-trial", "-1"], "--gpus-per-trial must not be negative, but got -1."),
        (["--data", "/nowhere/tiles"], "/nowhere/tiles"),
        (["--resume"], "--resume continues a campaign, but"),
    ],
)
def test_command_refuses_what_cannot_work(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refuse(arguments, tmp_path, capsys)


@pytest.mark.parametrize(("cpus", "gpus"), [(3, 0), (1, 0.5)])
def test_trial_larger_than_the_machine_is_refused(cpus: float, gpus: float) -> None:
    with pytest.raises(
        ValueError, match=r"must fit into one node, but got .* where a node has 2 cores and 0 GPUs"
    ):
        choose_resources(
            make_settings(cpus_per_trial=cpus, gpus_per_trial=gpus), [NodeResources(2, 0)] * 3
        )


def test_trials_share_the_cores_evenly_by_default() -> None:
    assert choose_resources(make_settings(trials=4, seeds=2), [NodeResources(16, 0)]) == Resources(
        4, 0
    )
    assert choose_resources(make_settings(trials=40, seeds=2), [NodeResources(16, 2)]) == Resources(
        1, 0.5
    )
    assert choose_resources(
        make_settings(trials=1, seeds=1), [NodeResources(4, 0)] * 8
    ) == Resources(4, 0)


def test_all_means_the_networks_of_two_cores_and_every_baseline() -> None:
    networks, baselines = choose_models(["all"], SAR_CHANNELS)
    assert networks == ("attention_unet", "unet", "unet_convlstm", "utae")
    assert {"log_ratio_vv", "logistic_regression", "gradient_boosting"} <= set(baselines)
    assert choose_models(["unet", "unet"], SAR_CHANNELS) == (("unet",), ())
    assert choose_models(["baselines"], SAR_CHANNELS) == ((), baselines)
    assert choose_models(["log_ratio_vv", "unet"], SAR_CHANNELS) == (("unet",), ("log_ratio_vv",))
    assert "log_ratio_vv_dsc" not in choose_models(["all"], SAR_CHANNELS[:2])[1]


def test_field_means_every_network_and_baseline() -> None:
    _, baselines = choose_models(["all"], SAR_CHANNELS)
    assert choose_models(["field"], SAR_CHANNELS) == (tuple(list_models()), baselines)
    assert choose_models(["all", "unet3d"], SAR_CHANNELS)[0][2] == "unet3d"
    with pytest.raises(
        ValueError, match=r"Unknown model 'feild'\. Did you mean 'field'\? .*all, field"
    ):
        choose_models(["feild"], SAR_CHANNELS)


def test_settings_come_back_as_they_were_saved(tmp_path: Path) -> None:
    save_settings(tmp_path, make_settings())
    assert load_settings(tmp_path, None) == make_settings()
    assert load_settings(tmp_path, "first") == make_settings()


def test_campaign_of_another_version_is_not_continued(tmp_path: Path) -> None:
    save_settings(tmp_path, make_settings())
    file = tmp_path / "campaigns" / "first" / "campaign.json"
    content = json.loads(file.read_text())
    del content["steps"]
    file.write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=r"continues with the version that began it, but got .*step"
    ):
        load_settings(tmp_path, "first")


@pytest.mark.parametrize("events", [5, ["noto=2024-01-01"]])
def test_settings_whose_events_are_no_table_are_refused(tmp_path: Path, events: object) -> None:
    save_settings(tmp_path, make_settings())
    file = tmp_path / "campaigns" / "first" / "campaign.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"events": events}))
    with pytest.raises(
        ValueError, match=r"continues with the version that began it, but got .* 'items'"
    ):
        load_settings(tmp_path, "first")


def test_campaign_is_never_overwritten(tmp_path: Path) -> None:
    save_settings(tmp_path, make_settings())
    with pytest.raises(ValueError, match=r"name must be new, but 'first' exists .* --resume first"):
        save_settings(tmp_path, make_settings(seeds=1))
    assert load_settings(tmp_path, None).seeds == 2


def test_resume_refuses_an_unknown_campaign(tmp_path: Path) -> None:
    save_settings(tmp_path, make_settings())
    with pytest.raises(ValueError, match=r"Unknown campaign 'fist'\. Did you mean 'first'\?"):
        load_settings(tmp_path, "fist")


def test_resume_refuses_other_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_settings(tmp_path, make_settings())
    assert main(["--resume", "--seeds", "3", "--root", str(tmp_path)]) == 2
    assert "with its own settings, but also got --seeds. Omit them." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "variable", "address"),
    [
        ([], None, "old:6379"),
        (["--address", "new:6379"], "other:6379", "new:6379"),
        ([], "other:6379", "other:6379"),
        (["--address", "local"], None, None),
    ],
)
def test_resumed_campaign_may_move_to_another_cluster(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    variable: str | None,
    address: str | None,
) -> None:
    seen: list[Settings] = []

    def run(root: Path, settings: Settings, **_: object) -> None:
        seen.append(settings)
        raise ValueError("seen")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if variable:
        monkeypatch.setenv("RAY_ADDRESS", variable)
    monkeypatch.setattr("tuning.campaign.together.run_campaign", run)
    save_settings(tmp_path, make_settings(address="old:6379"))
    assert main(["--root", str(tmp_path), "--resume", *words]) == 1
    assert seen == [make_settings(address=address)]


@pytest.mark.parametrize(
    ("words", "kept", "chosen"),
    [
        ([], 1, 1),
        ([], None, None),
        (["--stack-seeds"], 1, None),
        (["--stack-seeds", "3"], 1, 3),
        (["--stack-seeds", "1"], None, 1),
    ],
)
def test_resumed_campaign_may_stack_its_seeds_or_not(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    kept: int | None,
    chosen: int | None,
) -> None:
    seen: list[Settings] = []

    def run(root: Path, settings: Settings, **_: object) -> None:
        seen.append(settings)
        raise ValueError("seen")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("tuning.campaign.together.run_campaign", run)
    save_settings(tmp_path, make_settings(stack_seeds=kept))
    assert main(["--root", str(tmp_path), "--resume", *words]) == 1
    assert seen == [make_settings(stack_seeds=chosen)]


def test_keeping_a_pack_needs_a_campaign_to_resume(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path), "--keep-pack"]) == 2
    assert "but got no --resume. Add --resume NAME" in capsys.readouterr().err


def test_resume_refuses_a_stack_of_no_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_settings(tmp_path, make_settings())
    assert main(["--root", str(tmp_path), "--resume", "--stack-seeds", "0"]) == 2
    assert "--stack-seeds must be 1 or more, but got 0." in capsys.readouterr().err


def test_campaign_name_cannot_leave_its_folder() -> None:
    with pytest.raises(
        ValueError, match=r"letters, digits, '\.', '_' and '-', but got '\.\./x'\. Choose"
    ):
        check_settings(make_settings(campaign="../x"))


def test_data_without_a_usable_tile_ends_the_run(
    copy_tiles: Callable[[], Path],
    spoil: Callable[[Path, str, str], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tiles = copy_tiles()
    for file in (tiles / "s1asc").iterdir():
        file.write_text("no NetCDF")
    assert main(["--data", str(tiles), "--preset", "smoke", "--root", str(tmp_path / "root")]) == 1
    assert "A pack needs at least one usable tile, but got none of 12" in capsys.readouterr().err


def test_part_without_landslides_ends_the_run(
    twin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(twin), "--preset", "smoke", "--split", "blocks:3/2"]
    assert main([*words, "--root", str(tmp_path / "root")]) == 1
    error = capsys.readouterr().err
    assert "need a landslide pixel, but the 2 test tiles of split 'blocks:3/2' have none" in error


@pytest.mark.parametrize(
    "changes",
    [
        {"campaign": "../../x"},
        {"campaign": "other"},
        {"models": ["../x"]},
        {"models": 7},
        {"baselines": ["os"]},
        {"trials": "2"},
        {"seeds": 10**9},
        {"split": "../x"},
        {"channels": [["s1asc:VV"]]},
        {"augment": {"trun": 1}},
        {"preset": {}},
        {"unheard": 1},
    ],
)
def test_resume_refuses_settings_that_were_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object]
) -> None:
    save_settings(tmp_path, make_settings())
    file = tmp_path / "campaigns" / "first" / "campaign.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    assert main(["--root", str(tmp_path), "--resume"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "Traceback" not in error
    assert [one.name for one in tmp_path.iterdir()] == ["campaigns"]


def test_resume_refuses_settings_without_a_bottom(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_settings(tmp_path, make_settings())
    (tmp_path / "campaigns" / "first" / "campaign.json").write_text("[" * 100_000)
    assert main(["--root", str(tmp_path), "--resume"]) == 2
    assert "error: JSON must not be nested deeply" in capsys.readouterr().err
