"""Validation of Kubernetes manifests with the schemas of Kubernetes and KubeRay.

The API server drops fields that it does not know without a word; here every one is an error.
"""

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import latest_version
from referencing import Registry, Resource

Manifest = dict[str, Any]


def read_manifests(file: Path) -> list[Manifest]:
    return [one for one in yaml.safe_load_all(file.read_text()) if one]


@cache
def _kuberay() -> Registry[Any]:
    """Load KubeRay's definitions and the Kubernetes definitions that they refer to."""
    schemas = resources.files(kubernetes_validate) / "kubernetes-json-schema"
    core = json.loads((schemas / f"v{latest_version()}-local-strict/_definitions.json").read_text())
    own = json.loads(Path(__file__).with_name("kuberay_schema.json").read_text())
    return Registry().with_resources(
        [(one["$id"], Resource.from_contents(one)) for one in (core, own)]
    )


def find_errors(manifest: Manifest) -> list[str]:
    """List the schema violations of a manifest, each with its path."""
    if manifest["apiVersion"].startswith("ray.io/"):
        schema = {"$ref": f"https://ray.io/kuberay.json#/$defs/{manifest['kind']}"}
        validator = Draft202012Validator(schema, registry=_kuberay())
        return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(manifest)]
    try:
        kubernetes_validate.validate(manifest, latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{error.json_path}: {error.message}"]
    return []


def walk(node: Any) -> Iterator[Manifest]:
    """Yield every mapping within a manifest."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


def list_pods(manifest: Manifest) -> list[Manifest]:
    """List the pod templates within a manifest."""
    return [one for one in walk(manifest) if "containers" in one.get("spec", {})]
