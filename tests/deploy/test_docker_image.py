"""The image's steps, executed in separate root folders, without a container engine.

pip runs the Dockerfile's own lines against the index that this machine is set to. To take less than a minute instead of
several, the new environment is laid over the packages of the tests' own, which came by the same constraints: pip
resolves everything, and installs what is missing, among it a few packages taken away on purpose, and the project.
INSTALL_EVERYTHING=1 lays it over nothing, so that pip installs all. The base image itself is not had: its place take
this machine's Debian and Python.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.support.pinned_versions import read_pins

pytestmark = [pytest.mark.slow, pytest.mark.file_s(100)]

ROOT = Path(__file__).parents[2]
FRESH = ("tqdm", "psycopg", "xarray")
COMMIT = "0123abc"
LIST = """
import importlib.metadata as m, json
wanted, todo = {}, [("landslide-benchmark", {"cluster"})]
from packaging.requirements import Requirement
seen = set()
while todo:
    name, extras = todo.pop()
    if (name, frozenset(extras)) in seen: continue
    seen.add((name, frozenset(extras)))
    found = m.distribution(name)
    wanted[name] = found.version
    for line in found.requires or []:
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in {"", *extras}):
            todo.append((one.name, set(one.extras)))
print(json.dumps(wanted))
"""
FILES = """
import data, models, os, sys, tuning, json
from data.io import errors
from pathlib import Path
from data.command.version import read_commit
here = Path(data.__file__).parent
print(json.dumps({"where": [m.__file__ for m in (data, models, tuning)],
    "tiles": (here / "tiles" / "hokkaido_tiles.csv").is_file(), "commit": read_commit(here),
    "user": os.getuid(), "code": os.access("/opt/venv/lib", os.W_OK), "shared": os.access("/shared", os.W_OK),
    "artifacts": os.access("/artifacts", os.W_OK), "app": sorted(p.name for p in Path("/app").rglob("*"))}))
"""
CHECKS: dict[str, dict[str, Any]] = {
    "command": {"command": []},  # the image's own
    "versions": {"command": ["python", "-c", LIST]},
    "files": {"command": ["python", "-c", FILES]},
    "imports": {"command": ["python", "-c", "import mlflow.server.auth, psycopg, ray, torch"]},
    "healthy": {"command": ["bash", "/app/docker/healthy.sh"]},
    "odd role": {"command": ["bash", "/app/docker/healthy.sh"], "variables": {"ROLE": "odd"}},
    "server": {"command": ["bash", "/app/docker/mlflow-server.sh"]},
    "node": {"command": ["bash", "/app/docker/ray-node.sh", "head"]},
    "account": {"command": ["python", "/app/docker/add_user.py", "me"]},
}
CAN_MOUNT = "mount -t tmpfs tmpfs /mnt && mkdir /mnt/a /mnt/b /mnt/c && mount -t overlay -o lowerdir=/,upperdir=/mnt/a,workdir=/mnt/b overlay /mnt/c && chroot /mnt/c /bin/true"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The executed steps, and the outputs of the checks in the last stage's root."""
    apart = ["unshare", "--mount", "--propagation", "private"]
    try:
        able = subprocess.run([*apart, "sh", "-c", CAN_MOUNT], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare (util-linux)")
    if able.returncode:
        pytest.skip(f"needs to mount an overlay and to change its root: {able.stderr.decode()}")
    folder = tmp_path_factory.mktemp("image")
    plan = folder / "plan.json"
    (folder / "roots").mkdir()
    everything = os.environ.get("INSTALL_EVERYTHING") == "1"
    plan.write_text(
        json.dumps(
            {
                "dockerfile": str(ROOT / "docker" / "Dockerfile"),
                "context": str(ROOT),
                "hide": str(ROOT),  # the checkout must not be what runs
                "folder": str(folder / "roots"),
                "arguments": {"TORCH_INDEX": find_index(), "SOURCE_COMMIT": COMMIT},
                "seed": None if everything else sysconfig.get_path("purelib"),
                "fresh": FRESH,
                "checks": CHECKS,
            }
        )
    )
    steps = ROOT / "tests" / "support" / "image_steps.py"
    done = subprocess.run(
        [*apart, sys.executable, str(steps), str(plan)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    told: dict[str, Any] = json.loads(plan.with_suffix(".done").read_text())
    return told


def find_index() -> str:
    """Return the package index of this machine's pip, PyPI by default."""
    ask = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    return os.environ.get("PIP_INDEX_URL") or done.stdout.strip() or "https://pypi.org/simple"


def test_every_step_of_every_stage_is_followed(built: dict[str, Any]) -> None:
    steps = [(one["stage"], one["step"].split()[0]) for one in built["steps"]]
    assert {stage for stage, _ in steps} == {"base", "builder", "benchmark"}
    assert sum(name == "RUN" for _, name in steps) >= 5
    assert steps[-1] == ("benchmark", "CMD")


def test_image_holds_the_pinned_version_of_everything_that_it_needs(built: dict[str, Any]) -> None:
    answer = built["answers"]["versions"]
    assert answer["code"] == 0, answer["error"]
    found = {
        canonicalize_name(name): version.split("+")[0]
        for name, version in json.loads(answer["out"]).items()
    }
    del found["landslide-benchmark"]
    pins = read_pins()
    # a build of torch for CUDA brings NVIDIA's packages, each pinned by torch itself
    held = {name for name in found if not name.startswith(("nvidia-", "cuda-", "triton"))}
    assert {name: found[name] for name in held} == {name: pins.get(name) for name in held}
    assert {"torch", "ray", "mlflow", "psycopg-binary", "flask-wtf", "aiohttp-cors", *FRESH} <= held


def test_image_runs_its_command_from_its_own_packages(built: dict[str, Any]) -> None:
    assert "--preset" in built["answers"]["command"]["out"]
    assert built["answers"]["imports"]["code"] == 0, built["answers"]["imports"]["error"]
    answer = built["answers"]["files"]
    files = json.loads(answer["out"] or answer["error"])
    assert all(path.startswith("/opt/venv/lib/") for path in files["where"])
    assert files["tiles"]
    assert files["commit"] == COMMIT


def test_image_s_user_writes_results_and_no_code(built: dict[str, Any]) -> None:
    files = json.loads(built["answers"]["files"]["out"])
    assert files["user"] == 10001
    assert (files["shared"], files["artifacts"], files["code"]) == (True, True, False)
    secret = [name for name in files["app"] if "env" in name]
    assert secret == []


def test_image_s_scripts_refuse_to_start_without_secrets(built: dict[str, Any]) -> None:
    answers = built["answers"]
    assert answers["healthy"]["code"] == 0
    assert "ROLE must be" in answers["odd role"]["error"]
    for name, word in (("server", "PGHOST"), ("node", "RAY_AUTH_TOKEN"), ("account", "MLFLOW_TRA")):
        assert answers[name]["code"] == 2
        assert word in answers[name]["error"]
