"""The manifests of platform/kuberay: valid, without secrets, closed to the outside, and consistent with the project."""

import copy
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.manifests import Manifest, find_errors, list_pods, read_manifests, walk
from tuning.run import parse_arguments
from tuning.settings.presets import get_preset

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / "platform" / "kuberay"
EVERY = [one for file in sorted(FOLDER.glob("*.yaml")) for one in read_manifests(file)]
RAY = [one for one in EVERY if one["apiVersion"].startswith("ray.io/")]
PART = {"app.kubernetes.io/part-of": "landslide-benchmark"}
KINDS = ["ConfigMap", "NetworkPolicy", "PersistentVolumeClaim", "RayCluster", "RayJob"]
Change = Callable[[Manifest], Any]


def find(kind: str) -> Manifest:
    (one,) = [one for one in EVERY if one["kind"] == kind]
    return copy.deepcopy(one)


def cluster_of(manifest: Manifest) -> Manifest:
    spec: Manifest = manifest["spec"]
    return spec if manifest["kind"] == "RayCluster" else spec["rayClusterSpec"]


def test_every_manifest_is_valid() -> None:
    assert sorted(one["kind"] for one in EVERY) == KINDS
    assert {one["kind"]: find_errors(one) for one in EVERY} == {kind: [] for kind in KINDS}


def _head(manifest: Manifest) -> Manifest:
    head: Manifest = cluster_of(manifest)["headGroupSpec"]
    return head


def _container(manifest: Manifest) -> Manifest:
    one: Manifest = _head(manifest)["template"]["spec"]["containers"][0]
    return one


MISTAKES: dict[str, tuple[Change, str]] = {
    "misspelt field of the cluster": (lambda m: cluster_of(m).update(rayversion="1"), "rayversion"),
    "misspelt field of the head": (lambda m: _head(m).update(servicetype="x"), "servicetype"),
    "misspelt field of a pod": (lambda m: _container(m).update(volumeMount=[]), "volumeMount"),
    "misspelt field of a probe": (
        lambda m: _container(m)["readinessProbe"].update(periodSecond=5),
        "periodSecond",
    ),
    "text for a number": (
        lambda m: cluster_of(m)["workerGroupSpecs"][0].update(maxReplicas="8"),
        "maxReplicas",
    ),
    "number for a text": (lambda m: _head(m)["rayStartParams"].update({"num-cpus": 0}), "num-cpus"),
    "wrong type in a pod": (lambda m: _container(m).update(env={"A": "b"}), "env"),
    "unknown way of authentication": (
        lambda m: cluster_of(m).update(authOptions={"mode": "password"}),
        "mode",
    ),
    "no pod template": (lambda m: _head(m).pop("template"), "template"),
    "no name of a group": (
        lambda m: cluster_of(m)["workerGroupSpecs"][1].pop("groupName"),
        "groupName",
    ),
    "a label that the operator drops": (
        lambda m: _head(m)["template"]["metadata"].update(ownerReferences=[]),
        "ownerReferences",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("kind", ["RayCluster", "RayJob"])
def test_mistake_in_ray_s_kinds_is_refused(kind: str, mistake: str) -> None:
    manifest, (change, name) = find(kind), MISTAKES[mistake]
    change(manifest)
    errors = find_errors(manifest)
    assert len(errors) >= 1
    assert name in " ".join(errors)


@pytest.mark.parametrize(
    ("kind", "change", "name"),
    [
        ("RayJob", lambda m: m["spec"].update(entryPoint="x"), "entryPoint"),
        ("RayJob", lambda m: m["spec"].update(submissionMode="Mail"), "submissionMode"),
        ("PersistentVolumeClaim", lambda m: m["spec"].update(accessMode="x"), "accessMode"),
        ("NetworkPolicy", lambda m: m["spec"].update(ingres=[]), "ingres"),
        (
            "NetworkPolicy",
            lambda m: m["spec"].pop("podSelector") and m["spec"].update(podSelector=[]),
            "",
        ),
        ("ConfigMap", lambda m: m["data"].update(uri=5), "uri"),
    ],
)
def test_mistake_in_other_kinds_is_refused(kind: str, change: Change, name: str) -> None:
    manifest = find(kind)
    change(manifest)
    assert any(name in error for error in find_errors(manifest))


def test_no_manifest_holds_a_secret() -> None:
    for manifest in EVERY:
        assert manifest["kind"] != "Secret"
        for node in walk(manifest):
            secret = re.search("PASSWORD|USERNAME|TOKEN|SECRET", str(node.get("name", "")))
            assert not (secret and "value" in node), node


def test_tracker_s_password_is_the_driver_s_alone() -> None:
    for manifest in RAY:
        holders = [
            (pod["spec"]["containers"][0]["name"], one["valueFrom"]["secretKeyRef"])
            for pod in list_pods(manifest)
            for one in pod["spec"]["containers"][0].get("env", [])
            if one["name"].startswith("MLFLOW_TRACKING_") and "secretKeyRef" in one["valueFrom"]
        ]
        wanted = [{"name": "landslide-mlflow", "key": key} for key in ("username", "password")]
        assert holders == [("ray-head", one) for one in wanted]


def test_versions_are_the_project_s() -> None:
    pinned = re.search(r"^ray==(.+)$", (PROJECT / "constraints.txt").read_text(), re.MULTILINE)
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert pinned is not None
    for manifest in RAY:
        assert cluster_of(manifest)["rayVersion"] == pinned[1]
        images = {one["image"] for one in walk(manifest) if "image" in one}
        assert images == {f"landslide-benchmark:{project['version']}"}


def test_job_has_the_cluster_of_the_other_manifest() -> None:
    assert cluster_of(find("RayJob")) == cluster_of(find("RayCluster"))


def test_every_pod_is_without_privileges() -> None:
    pods = [pod for manifest in RAY for pod in list_pods(manifest)]
    assert len(pods) == 7
    for pod in pods:
        rights = pod["spec"]["securityContext"]
        assert rights["runAsNonRoot"] is True
        assert rights["runAsUser"] > 0
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
        for one in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
            assert one["securityContext"]["allowPrivilegeEscalation"] is False
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_every_mount_has_its_volume_and_every_volume_its_claim() -> None:
    claim = find("PersistentVolumeClaim")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    for pod in [pod for manifest in RAY for pod in list_pods(manifest)]:
        volumes = {one["name"]: one for one in pod["spec"].get("volumes", [])}
        mounts = [m for one in pod["spec"]["containers"] for m in one.get("volumeMounts", [])]
        assert {one["name"] for one in mounts} == set(volumes)
        for one in volumes.values():
            assert one["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_every_container_asks_for_processor_and_memory_and_has_a_limit() -> None:
    for pod in [pod for manifest in RAY for pod in list_pods(manifest)]:
        for one in pod["spec"]["containers"]:
            assert set(one["resources"]) == {"requests", "limits"}
            assert all({"cpu", "memory"} <= set(some) for some in one["resources"].values())


def test_gpu_group_asks_for_a_gpu_and_the_others_for_none() -> None:
    for manifest in RAY:
        gpus = {
            group["groupName"]: group["template"]["spec"]["containers"][0]["resources"][
                "limits"
            ].get("nvidia.com/gpu")
            for group in cluster_of(manifest)["workerGroupSpecs"]
        }
        assert gpus == {"cpu": None, "gpu": "1"}
        for group in cluster_of(manifest)["workerGroupSpecs"]:
            assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"] <= 8


def test_nothing_is_open_to_the_outside() -> None:
    for node in [node for manifest in EVERY for node in walk(manifest)]:
        assert not {"hostPort", "hostNetwork", "nodePort", "externalIPs"} & set(node)
        assert node.get("type") not in ("LoadBalancer", "NodePort")
        assert node.get("enableIngress") in (None, False)
    for manifest in RAY:
        assert _head(manifest)["serviceType"] == "ClusterIP"
        assert cluster_of(manifest)["authOptions"] == {"mode": "token"}


def test_network_policy_covers_every_pod_and_lets_only_them_and_the_operator_in() -> None:
    policy = find("NetworkPolicy")["spec"]
    assert policy["podSelector"] == {"matchLabels": PART}
    for pod in [pod for manifest in RAY for pod in list_pods(manifest)]:
        assert pod["metadata"]["labels"].items() >= PART.items()
    own, operator = policy["ingress"]
    assert own == {"from": [{"podSelector": {"matchLabels": PART}}]}
    assert operator["ports"] == [{"protocol": "TCP", "port": 8265}]
    (sender,) = operator["from"]
    assert set(sender) == {"namespaceSelector", "podSelector"}  # in one entry: both must hold


def test_probes_ask_what_needs_no_token() -> None:
    for manifest in RAY:
        probes = [
            node[f"{kind}Probe"]
            for node in walk(manifest)
            for kind in ("readiness", "liveness")
            if f"{kind}Probe" in node
        ]
        assert len(probes) == 6
        assert all(one["httpGet"] == {"path": "/api/healthz", "port": 52365} for one in probes)


def test_entrypoint_is_a_command_that_the_benchmark_takes() -> None:
    job = find("RayJob")
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[:3] == ["python", "-m", "tuning.run"]
    given = vars(parse_arguments(words[3:]))
    assert given["address"] == "auto"
    get_preset(given["preset"])
    (mount,) = _container(job)["volumeMounts"]
    assert given["root"].is_relative_to(mount["mountPath"])
    gpu = cluster_of(job)["workerGroupSpecs"][1]["template"]["spec"]["containers"][0]["resources"]
    assert given["gpus_per_trial"] <= int(gpu["limits"]["nvidia.com/gpu"])
    assert given["cpus_per_trial"] <= int(gpu["limits"]["cpu"])


def test_every_command_of_the_readme_names_files_that_are_there() -> None:
    text = (FOLDER / "README.md").read_text()
    named = re.findall(r"platform/kuberay/[\w.-]+\.yaml", text)
    assert {FOLDER.joinpath(Path(one).name) for one in named} == set(FOLDER.glob("*.yaml"))
    for words in re.findall(r"python -m tuning\.run ([^'\n`]+)", text):
        parse_arguments(shlex.split(words))
