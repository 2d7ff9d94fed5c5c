"""``--init`` from a file or a registered model to the weights of a campaign."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from data.io.shared_storage import SharedStorage
from data.pack import Pack
from data.pack.node_cache import fetch_pack, publish_pack
from tests.support.served_fixtures import ARCH, CONFIG, write_checkpoint, write_network_files
from tests.support.settings import make_settings
from tuning.campaign.check_networks import check_networks
from tuning.campaign.initial import (
    check_start,
    describe_training,
    keep_arch,
    list_files,
    read_start,
    take_init,
)
from tuning.settings.settings import PACKS, Settings
from tuning.train.checkpoints import load_checkpoint
from tuning.trial.initial import list_shapes, read_initial
from tuning.trial.search_space import make_space

pytest_plugins = ["tests.support.share_fixtures"]


def take(root: Path, text: object, **options: Any) -> dict[str, Any]:
    given = {"init": str(text), **options}
    take_init(given, root)
    return given


def start(root: Path, **changes: Any) -> Settings:
    best = write_checkpoint(root / "trial").best
    return make_settings(init=take(root, best)["init"], **changes)


def test_random_weights_are_the_default(tmp_path: Path) -> None:
    assert take(tmp_path, "random") == {}
    assert not any(tmp_path.iterdir())


def test_a_checkpoint_is_stored_and_its_architecture_trained(tmp_path: Path) -> None:
    best = write_checkpoint(tmp_path / "campaigns" / "old" / "trials" / "abc").best
    options = take(tmp_path, best)
    assert options["model"] == ["unet", "baselines"]
    assert options["init"]["model"] == "unet"
    assert options["init"]["origin"] == "old/trials/abc/best.pt"
    found = read_initial(tmp_path / PACKS, options["init"]["digest"])
    assert found.config == CONFIG
    assert found.shapes == list_shapes(load_checkpoint(best).model)


def test_the_user_s_models_stay(tmp_path: Path) -> None:
    best = write_checkpoint(tmp_path / "trial").best
    assert take(tmp_path, best, model=["unet", "log_ratio_vv"])["model"] == ["unet", "log_ratio_vv"]


def test_a_network_s_files_and_folders_are_the_same_weights(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    write_network_files(folder)
    places = (folder / "best.pt", folder / "weights.safetensors", folder)
    assert len({take(tmp_path, place)["init"]["digest"] for place in places}) == 1


def test_a_registered_model_is_named_with_its_version(root: Path) -> None:
    init = take(root, "hokkaido-unet@champion")["init"]
    assert init["origin"] == "hokkaido-unet version 1, trained on hokkaido"
    assert take(root, "hokkaido-unet/1")["init"] == init
    assert read_initial(root / PACKS, init["digest"]).config == CONFIG


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("nowhere/best.pt", FileNotFoundError, r"A checkpoint must be a best\.pt .*nowhere"),
        (
            "other.safetensors",
            FileNotFoundError,
            r"are a trial's best\.pt, or a model's weights\.safetensors .* but got other\.safet",
        ),
        ("hokkaido-unt", FileNotFoundError, r"must hold a campaign's database mlflow\.db"),
        (".", FileNotFoundError, r"Give one of them, their folder, or a registered model"),
    ],
)
def test_what_is_no_network_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, error: type, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        take(tmp_path / "mlruns", text)


def test_an_unknown_model_gets_the_nearest_name(root: Path) -> None:
    with pytest.raises(ValueError, match=r"Unknown registered model 'hokkaido-unt'.*hokkaido-unet"):
        take(root, "hokkaido-unt")


def test_weights_fit_any_number_of_acquisitions_that_keeps_their_shapes(tmp_path: Path) -> None:
    check_start(tmp_path, start(tmp_path))
    check_start(tmp_path, make_settings())  # random


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"channels": ("s1asc:VV",)},
            r"trial/best\.pt read 4 acquisitions of s1asc:VV .* reads 4 acquisitions of s1asc:VV: \S+ 4 x 16 x 3 x 3 instead of",
        ),
        ({"timesteps": 6}, r"the campaign reads 6 acquisitions of .* instead of 4 x 24 x 3 x 3"),
    ],
)
def test_other_channels_and_acquisitions_are_refused_with_what_differs(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_start(tmp_path, start(tmp_path, **changes))


def test_lost_weights_are_named_before_training(tmp_path: Path) -> None:
    settings = start(tmp_path)
    list_files(tmp_path, settings)[0].unlink()
    with pytest.raises(FileNotFoundError, match=r"A training from given weights needs init-"):
        check_start(tmp_path, settings)


def test_the_architecture_of_the_weights_is_not_searched(tmp_path: Path) -> None:
    settings, space = start(tmp_path), make_space("unet")
    kept = keep_arch(space, tmp_path, settings, "unet")
    assert {n: d for n, d in kept.items() if n.startswith("arch.")} == {
        f"arch.{name}": [value] for name, value in ARCH.items()
    }
    assert kept["lr"] == space["lr"]
    assert keep_arch(space, tmp_path, make_settings(), "unet") == space


def test_the_check_before_training_exports_the_architecture_of_the_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []
    monkeypatch.setattr(
        "tuning.campaign.check_networks.check_network",
        lambda model, arch, *rest: tried.append(arch) or 8,
    )
    check_networks(tmp_path, start(tmp_path))
    assert tried == [ARCH]


def test_the_report_names_where_the_weights_come_from(tmp_path: Path) -> None:
    settings = start(tmp_path)
    digest = settings.init["digest"]
    text = describe_training(settings)
    assert f"starting from the weights {digest} (" in text
    assert text.endswith("trial/best.pt)")
    assert (
        describe_training(make_settings()) == "loss bce_dice, all train tiles, labels as they are"
    )


def test_weights_that_may_have_seen_the_test_tiles_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = start(tmp_path)
    settings.init["regions"] = "italy hokkaido"
    check_start(tmp_path, settings)
    assert "learnt from tiles of hokkaido, which may be val or test tiles here" in caplog.text
    assert describe_training(settings).endswith(
        "trial/best.pt; test tiles of hokkaido may have been among its train tiles)"
    )
    settings.init["regions"] = "italy"
    assert "among its train tiles" not in describe_training(settings)


def test_every_node_gets_the_weights_with_the_pack(pack: Pack, tmp_path: Path) -> None:
    root, settings = tmp_path, start(tmp_path)
    assert read_start(root, settings) is not None
    # The pack and the weights lie in one folder.
    (root / PACKS / pack.path.name).symlink_to(pack.path)
    here = replace(pack, path=root / PACKS / pack.path.name)
    source = publish_pack(here, SharedStorage(str(root / "depot")), list_files(root, settings))
    copy = fetch_pack(source, root / "cache")
    assert read_initial(copy.parent, settings.init["digest"]).config == CONFIG
