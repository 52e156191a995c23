"""A real Kubernetes for the tests marked `cluster`: whatever KUBECONFIG leads to. See `make test-cluster`."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from platform_cli.cluster.access import Access, read_access
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import NAMESPACE, NODE


@pytest.fixture(scope="session")
def cluster() -> str:
    """Path of the kubeconfig."""
    path = os.environ.get("KUBECONFIG", "")
    if not path or not Path(path).is_file():
        pytest.skip("needs a Kubernetes cluster: set KUBECONFIG")
    return path


@pytest.fixture(scope="session")
def access(cluster: str) -> Access:
    """The way to the cluster."""
    return read_access(cluster, None, os.environ)


@pytest.fixture(scope="session")
def kubernetes(access: Access) -> Kubernetes:
    """The cluster's API."""
    return Kubernetes(access)


@pytest.fixture
def make_namespace(kubernetes: Kubernetes) -> Iterator[Callable[..., str]]:
    """Makes namespaces of a test's own, gone after it: `make_namespace(prefix, **labels)` returns the name."""
    made: list[str] = []

    def make(prefix: str = "test", **labels: str) -> str:
        name = f"{prefix}-{uuid.uuid4().hex[:8]}"
        metadata = {"name": name, "labels": labels}
        kubernetes.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        made.append(name)
        return name

    yield make
    for name in made:
        kubernetes.delete(NAMESPACE, name)


@pytest.fixture(scope="session")
def image(kubernetes: Kubernetes) -> str:
    """An image with Python that the cluster's nodes have, or can pull."""
    held = [
        name
        for node in kubernetes.list(NODE)
        for each in node["status"].get("images") or ()
        for name in each["names"] or ()
    ]
    ours = [name for name in held if "mlops-training" in name or "mlops-step" in name]
    return os.environ.get("MLOPS_TEST_IMAGE") or (ours[0] if ours else "docker.io/library/python:3.11-slim")
