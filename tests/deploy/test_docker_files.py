"""The files of docker/ pass their linters and schema, and the project's own rules."""

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.dockerfiles import list_copied, read_stages

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
FILES = (DOCKER / "compose.yaml", DOCKER / "compose.gpu.yaml")
SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|_KEY$")
PINNED = re.compile(r"[a-z/.-]+:[\w.-]*\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}")
OWN_IMAGES = {"landslide-benchmark:cpu", "landslide-benchmark:cuda"}


def find_program(name: str) -> str:
    """Find a linter next to this Python, or on the PATH."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    assert found, f"{name} must be installed: pip install -c constraints.txt -e '.[test]'"
    return found


def lint(name: str, *words: object) -> "subprocess.CompletedProcess[str]":
    call = [find_program(name), *map(str, words)]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def read_services(path: Path = FILES[0]) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["services"]
    return services


SERVICES = read_services()
NAMES = sorted(SERVICES)


def read_example() -> list[str]:
    """Return the names without a value in docker/.env.example."""
    lines = (DOCKER / ".env.example").read_text().splitlines()
    return [line[:-1] for line in lines if re.fullmatch(r"[A-Z_]+=", line)]


def test_hadolint_finds_nothing(tmp_path: Path) -> None:
    done = lint("hadolint", DOCKER / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")
    spoilt = tmp_path / "Dockerfile"
    spoilt.write_text("FROM python\nRUN cd /tmp && pip install x\n")
    assert "DL3006" in lint("hadolint", spoilt).stdout


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    scripts = sorted(DOCKER.glob("*.sh"))
    assert len(scripts) == 6
    done = lint("shellcheck", *scripts)
    assert (done.returncode, done.stdout) == (0, "")
    spoilt = tmp_path / "spoilt.sh"
    spoilt.write_text("#!/usr/bin/env bash\nrm -r $1/*\n")
    assert "SC2086" in lint("shellcheck", spoilt).stdout
    for script in scripts:
        assert script.stat().st_mode & stat.S_IXUSR
        assert "\nset -euo pipefail\n" in script.read_text()


def test_compose_files_follow_the_specification(tmp_path: Path) -> None:
    schema = (
        "--builtin-schema",
        "vendor.compose-spec",
    )  # comes with the package, nothing is fetched
    done = lint("check-jsonschema", *schema, *FILES)
    assert done.returncode == 0, done.stdout
    spoilt = tmp_path / "compose.yaml"
    spoilt.write_text(FILES[0].read_text().replace("restart:", "restrat:"))
    assert lint("check-jsonschema", *schema, spoilt).returncode == 1


def test_images_of_others_are_pinned_by_digest() -> None:
    stages = read_stages(DOCKER / "Dockerfile")
    own = {stage.name for stage in stages}
    foreign = [stage.base for stage in stages if stage.base not in own]
    foreign += [one["image"] for one in SERVICES.values() if "build" not in one]
    assert len(foreign) == 2
    assert [image for image in foreign if not PINNED.fullmatch(image)] == []
    built = [one for path in FILES for one in read_services(path).values() if "build" in one]
    assert {one["image"] for one in built} == OWN_IMAGES


def test_image_is_built_apart_and_runs_as_nobody_special() -> None:
    base, builder, last = read_stages(DOCKER / "Dockerfile")
    assert builder.base == last.base == base.name
    assert [one.options["from"] for one in last.find("COPY") if one.options] == ["builder"]
    (user,) = last.find("USER")
    assert user.text == "10001:10001"
    assert len(last.find("HEALTHCHECK")) == 1
    assert not any("pip" in one.text for one in last.find("RUN"))


def test_build_takes_torch_from_an_index_of_choice_and_the_rest_as_pinned() -> None:
    _, builder, _ = read_stages(DOCKER / "Dockerfile")
    assert [one.text.split("=")[0] for one in builder.find("ARG")] == ["TORCH_INDEX"]
    installs = re.findall(r"pip install[^&]*", " ".join(one.text for one in builder.find("RUN")))
    assert len(installs) == 3
    assert all("constraints.txt" in one for one in installs)
    assert ["$TORCH_INDEX" in one for one in installs] == [True, False, False]


@pytest.mark.parametrize("name", NAMES)
def test_service_publishes_no_port_beyond_loopback(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert isinstance(port, str)
        assert port.startswith("127.0.0.1:")
        assert re.sub(r"\$\{[^}]*\}", "1", port).count(":") == 2
    assert SERVICES[name].get("network_mode") is None


@pytest.mark.parametrize("name", NAMES)
def test_service_has_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].split(":")[0] not in ("", "0", "root")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & set(service)
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        assert source in ("database", "artifacts", "shared") or (
            volume.endswith(":ro") and (DOCKER / source).is_file()
        )


@pytest.mark.parametrize("name", NAMES)
def test_service_that_serves_tells_its_health(name: str) -> None:
    service = SERVICES[name]
    check = service["healthcheck"]
    ends = name == "account"  # a task
    assert check.get("disable", False) is ends
    assert ends or check["test"][0] == "CMD"
    assert ends or "restart" in service or service["profiles"] == ["job"]
    for other, how in service.get("depends_on", {}).items():
        wanted = "service_completed_successfully" if other == "account" else "service_healthy"
        assert how == {"condition": wanted}
        assert other in SERVICES


def test_no_secret_has_a_value_or_a_default() -> None:
    text = "\n".join(path.read_text() for path in FILES)
    for name, rest in re.findall(r"\$\{(\w+)([^}]*)\}", text):
        assert bool(SECRET.search(name)) == rest.startswith(":?"), f"{name}{rest}"
        assert not rest.startswith(":?") or "make_secrets.sh" in rest
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not SECRET.search(name) or value.startswith("${"), name
    assert not re.search(r"PASSWORD|SECRET|TOKEN", (DOCKER / "Dockerfile").read_text())
    assert "password" not in re.sub(
        r"^;.*$", "", (DOCKER / "basic_auth.ini").read_text(), flags=re.MULTILINE
    )


def test_example_names_every_secret_that_compose_wants() -> None:
    wanted = set(re.findall(r"\$\{(\w+):\?", FILES[0].read_text()))
    assert sorted(wanted) == sorted(read_example())
    settings = set(re.findall(r"\$\{(\w+):-", "".join(path.read_text() for path in FILES)))
    shown = set(
        re.findall(r"^# ([A-Z_]+)=", (DOCKER / ".env.example").read_text(), flags=re.MULTILINE)
    )
    assert settings - {"SOURCE_COMMIT"} == shown


def test_database_is_reached_by_mlflow_alone() -> None:
    networks = yaml.safe_load(FILES[0].read_text())["networks"]
    assert networks["database"] == {"internal": True}
    inside = [name for name in NAMES if "database" in SERVICES[name]["networks"]]
    assert inside == ["mlflow", "postgres"]
    assert SERVICES["postgres"]["networks"] == ["database"]
    assert "ports" not in SERVICES["postgres"]


def test_workers_hold_no_password_of_mlflow() -> None:
    for name in ("ray-head", "ray-worker"):
        assert not any(key.startswith("MLFLOW") for key in SERVICES[name]["environment"])
        assert SERVICES[name]["environment"]["RAY_AUTH_MODE"] == "token"
        assert "shared:/shared" in SERVICES[name]["volumes"]
    assert "shared:/shared" in SERVICES["benchmark"]["volumes"]


def test_scripts_that_services_run_are_in_the_image() -> None:
    last = read_stages(DOCKER / "Dockerfile")[-1]
    held = {f"/app/{path}" for path in list_copied(last)}
    for service in SERVICES.values():
        words = [*service.get("entrypoint", []), *service.get("command", [])]
        words += service["healthcheck"].get("test", [])
        assert {word for word in words if word.startswith("/app/")} <= held
    assert all((ROOT / path).exists() for path in list_copied(last))


def test_context_lets_in_what_is_copied_and_no_secret() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {path for stage in read_stages(DOCKER / "Dockerfile") for path in list_copied(stage)}
    assert let_in == {path.split("/")[0] for path in copied}
    assert {"docker/.env", "**/__pycache__"} <= set(rules[-4:])  # after what lets docker/ in
    assert "/docker/.env" in (ROOT / ".gitignore").read_text().splitlines()


def test_gpu_file_changes_the_workers_alone() -> None:
    services = read_services(FILES[1])
    assert list(services) == ["ray-worker"]
    (device,) = services["ray-worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert services["ray-worker"]["image"] != SERVICES["ray-worker"]["image"]


def test_database_allows_all_connections_that_mlflow_may_open() -> None:
    script = (DOCKER / "mlflow-server.sh").read_text()
    size, overflow, workers = (
        int(re.findall(rf"{name}:-(\d+)", script)[0])
        for name in ("POOL_SIZE", "MAX_OVERFLOW", "MLFLOW_WORKERS")
    )
    allowed = int(SERVICES["postgres"]["command"][-1].split("=")[1])
    stores = 3  # tracking, registry, accounts
    assert workers * stores * (size + overflow) <= allowed - 3  # kept for administrators


def test_secrets_are_made_once_at_random_for_their_owner_alone(tmp_path: Path) -> None:
    texts = []
    for number in range(2):
        file = tmp_path / f"{number}.env"
        done = lint("bash", DOCKER / "make_secrets.sh", file)
        assert done.returncode == 0, done.stderr
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        texts.append(file.read_text())
    values = re.findall(r"^([A-Z_]+)=([0-9a-f]{64})$", texts[0] + texts[1], flags=re.MULTILINE)
    assert [name for name, _ in values] == read_example() * 2
    assert len({value for _, value in values}) == len(values)
    again = lint("bash", DOCKER / "make_secrets.sh", tmp_path / "0.env")
    assert again.returncode == 1
    assert "0.env is there" in again.stderr
    assert (tmp_path / "0.env").read_text() == texts[0]
    assert len(list(tmp_path.iterdir())) == 2
