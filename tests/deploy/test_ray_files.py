"""The cluster's files: valid in Ray's schema, consistent, without secrets; the packages they install and the files they upload."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.utils import canonicalize_name

from tests.support.pinned_versions import read_pins

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "platform" / "ray"
FILES = ["onprem.yaml", "aws.yaml"]
# vCPUs and GPUs of the machines named, from https://aws.amazon.com/ec2/instance-types/
MACHINES = {"m6i.xlarge": (4, 0), "g5.2xlarge": (8, 1), "c6i.4xlarge": (16, 0)}
SECRET = re.compile(r"(?i)(password|secret|token|access_key)\w*\s*[=:]\s*[^\s~]|AKIA|[0-9a-f]{32}")


def read(name: str) -> dict[str, Any]:
    found = yaml.safe_load((FOLDER / name).read_text())
    assert isinstance(found, dict)
    return found


def commands(config: dict[str, Any]) -> list[str]:
    return [one for key, value in config.items() if key.endswith("_commands") for one in value]


def starts(config: dict[str, Any]) -> list[str]:
    return [one for one in commands(config) if "ray start" in one]


@pytest.mark.parametrize("name", FILES)
def test_file_follows_ray_s_schema(name: str) -> None:
    import ray.autoscaler

    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    jsonschema.validate(read(name), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(read(name) | {"worker_nodes": 2}, schema)


def test_ray_itself_accepts_the_file_on_premises() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepared := prepare_config(read("onprem.yaml")))
    node = prepared["available_node_types"]["local.cluster.node"]
    assert (node["min_workers"], node["max_workers"], prepared["max_workers"]) == (2, 2, 2)


@pytest.mark.parametrize("name", FILES)
def test_nodes_start_with_a_token_and_nothing_public(name: str) -> None:
    head, worker = starts(read(name))
    for one in (head, worker):
        assert "RAY_AUTH_MODE=token ray start" in one
        assert "--disable-usage-stats" in one
        assert one.startswith("unset OMP_NUM_THREADS; ")
    assert "--dashboard-host=127.0.0.1" in head
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in head
    assert "--address=$RAY_HEAD_IP:6379" in worker
    assert "--port=6379" in head


@pytest.mark.parametrize("name", FILES)
def test_options_of_ray_start_exist(name: str) -> None:
    from ray.scripts.scripts import start

    known = {option for parameter in start.params for option in parameter.opts}
    for one in starts(read(name)):
        words = shlex.split(one.partition("ray start ")[2])
        assert {word.partition("=")[0] for word in words} - known == set()


@pytest.mark.parametrize("name", FILES)
def test_file_holds_no_secret(name: str) -> None:
    for line in (FOLDER / name).read_text().splitlines():
        assert not SECRET.search(line.replace("RAY_AUTH_MODE=token", "")), line
    assert "MLFLOW" not in (FOLDER / name).read_text()


def test_what_a_secret_looks_like_is_known() -> None:
    for line in ("MLFLOW_TRACKING_PASSWORD=x", "RAY_AUTH_TOKEN: abc", "aws_secret_access_key = k"):
        assert SECRET.search(line)


@pytest.mark.parametrize("name", FILES)
def test_token_is_carried_and_closed_to_others(name: str) -> None:
    config = read(name)
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    assert "chmod 600 ~/.ray/auth_token" in config["initialization_commands"][0]


@pytest.mark.parametrize("name", FILES)
def test_all_that_is_installed_and_hashed_is_mounted(name: str) -> None:
    config = read(name)
    mounts = {key: value for key, value in config["file_mounts"].items() if "auth_token" not in key}
    for there, here in mounts.items():
        assert (ROOT / here).exists(), here
        assert there == f"~/landslide-benchmark/{here}"
    hashed = re.search(r"HASHED = \((.*?)\)", (FOLDER / "submit.py").read_text())
    assert hashed is not None
    assert set(re.findall(r'"(.*?)"', hashed[1])) <= set(mounts.values())
    project = (ROOT / "pyproject.toml").read_text()
    for file in ("README.md", "LICENSE"):
        assert file in project
        assert file in mounts.values()
    assert config["rsync_exclude"] == ["__pycache__", "*.pyc"]


def test_both_files_bring_and_install_the_same() -> None:
    onprem, aws = read("onprem.yaml"), read("aws.yaml")
    for key in ("file_mounts", "setup_commands", "worker_start_ray_commands", "rsync_exclude"):
        assert onprem[key] == aws[key], key


def test_machines_of_aws_have_what_is_claimed() -> None:
    config = read("aws.yaml")
    nodes = config["available_node_types"]
    assert config["head_node_type"] == "head"
    for name, node in nodes.items():
        cpus, gpus = MACHINES[node["node_config"]["InstanceType"]]
        assert node["resources"].get("CPU") in ({0} if name == "head" else {cpus})
        assert node["resources"].get("GPU", 0) == gpus
        spot = node["node_config"].get("InstanceMarketOptions") == {"MarketType": "spot"}
        assert spot == (name != "head")
    workers = [node for name, node in nodes.items() if name != "head"]
    assert all(node["min_workers"] <= node["max_workers"] for node in workers)
    assert sum(node["min_workers"] for node in workers) >= 1  # a campaign asks for what is there
    assert config["max_workers"] <= sum(node["max_workers"] for node in workers)


def test_no_port_of_ray_is_public_on_aws() -> None:
    from ray.autoscaler._private.aws.config import _create_default_inbound_rules

    group = read("aws.yaml")["provider"]["security_group"]
    rules = _create_default_inbound_rules(["sg-own"], group.get("IpPermissions", []))
    public = [rule for rule in rules if rule.get("IpRanges")]
    assert [(rule["FromPort"], rule["ToPort"]) for rule in public] == [(22, 22)]
    others = [rule for rule in rules if not rule.get("IpRanges")]
    assert [pair["GroupId"] for rule in others for pair in rule["UserIdGroupPairs"]] == ["sg-own"]


def test_commands_of_the_readme_are_accepted() -> None:
    from tuning.run import parse_arguments

    text = (FOLDER / "README.md").read_text().replace("\\\n", " ")
    found = re.findall(r"submit\.py -- (.*)", text) + re.findall(r"-m tuning\.run (.*)", text)
    assert len(found) >= 4
    for line in found:
        words = re.sub(r"--code \S+ \S+ --fingerprint\)|--nodes \d+", "", line.partition("#")[0])
        assert parse_arguments(shlex.split(words.rstrip("`'")))


def install_command() -> str:
    (command,) = (one for one in read("onprem.yaml")["setup_commands"] if "pip install" in one)
    return command


@pytest.mark.slow
def test_setup_installs_exactly_the_lock_file(tmp_path: Path) -> None:
    """Run the shipped command with --dry-run; each required package has the version in the lock file."""
    report = tmp_path / "report.json"
    command = install_command().replace("~/landslide-benchmark", str(ROOT))
    command = command.replace("~/landslide-venv/bin/pip", f"{sys.executable} -m pip")
    command = command.replace("https://download.pytorch.org/whl/cu130", tmp_path.as_uri())
    command, _, noted = command.rpartition(" && ")
    assert noted == "cp constraints.txt ~/landslide-installed.txt"
    command = command.replace("pip install", f"pip install --dry-run --report {report}")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    more = [one["metadata"]["name"] for one in json.loads(report.read_text())["install"]]
    assert more == ["landslide-benchmark"]
    line = re.compile(r"Requirement already satisfied: ([A-Za-z0-9._-]+).*\(([^()]+)\)$")
    lines = [line.match(one) for one in done.stdout.splitlines()]
    wanted = {canonicalize_name(one[1]): one[2].partition("+")[0] for one in lines if one}
    assert {"torch", "ray", "mlflow", "psycopg", "opencensus", "flask-wtf"} <= wanted.keys()
    pins = read_pins()
    assert {name: pins.get(name) for name in wanted} == wanted


def fill(folder: Path) -> None:
    """Copy the checkout, and add the other files of a working one."""
    large = shutil.ignore_patterns(".git", ".venv", "mlruns", "*cache*", "*.egg-info", "build")
    shutil.copytree(ROOT, folder, ignore=large)
    for name in (
        ".git/objects/pack",
        ".venv/lib/torch.so",
        "mlruns/mlflow.db",
        "mlruns/data/twin/a.nc",
        "tiles/s1asc/hokkaido_s1asc_1.nc",
        "tuning/__pycache__/run.pyc",
        ".env",
        "build/lib/tuning/run.py",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * 1000)


def test_job_uploads_the_code_and_nothing_else(tmp_path: Path) -> None:
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import create_package

    fill(folder := tmp_path / "checkout")
    package = tmp_path / "package.zip"
    excluded = get_runtime_env_default_excludes()
    create_package(str(folder), package, include_gitignore=True, excludes=excluded)
    names = [name for name in zipfile.ZipFile(package).namelist() if not name.endswith("/")]
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"data", "models", "tuning", "platform", "pyproject.toml", "constraints.txt"}
    code = {str(one.relative_to(ROOT)) for one in (ROOT / "tuning").glob("*.*")}
    assert code <= set(names)
    assert [name for name in names if name.endswith((".pyc", ".nc", ".db"))] == []
    assert package.stat().st_size < 6_000_000
    unpacked = tmp_path / "unpacked"
    zipfile.ZipFile(package).extractall(unpacked)
    ask = [sys.executable, "-m", "tuning.run", "--help"]
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run(ask, cwd=unpacked, env=clean, capture_output=True, check=True)
    shared = [sys.executable, "platform/ray/submit.py", "--fingerprint"]
    prints = [subprocess.check_output(shared, cwd=place) for place in (folder, unpacked)]
    assert prints[0] == prints[1]  # so --code works for jobs as well
