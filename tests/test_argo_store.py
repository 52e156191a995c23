"""Artifacts in the store that the platform's chart brings, as a data scientist gets them: by keys and a forward."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from argo_fixtures import become_scientist, list_grants, open_cluster
from own_chart import SCIENTISTS, list_rules

from platform_cli.errors import PreflightError
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import POD, SECRET, Kind
from platform_cli.workflow.argo_cluster import ClusterApi

pytestmark = pytest.mark.cluster
PORT_FORWARD = Kind("v1", "Pod", "pods/portforward", namespaced=True)
# As much of S3 as one download takes; it knows one key, and one object.
STORE = r"""
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.partition("?")[0]
        known = "Credential=the-key/" in self.headers.get("Authorization", "")
        if not known:
            status, body = 403, b"<Error><Code>AccessDenied</Code></Error>"
        elif path == "/argo/run/rows":
            status, body = 200, b"all rows"
        elif path.strip("/") == "argo":
            status, body = 200, b"<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"
        else:
            status, body = 404, b"<Error><Code>NoSuchKey</Code></Error>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.send_header("Last-Modified", "Sat, 21 Nov 2026 12:00:00 GMT")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
    do_HEAD = do_GET
ThreadingHTTPServer(("", 7070), Handler).serve_forever()
"""


def put_store(kubernetes: Kubernetes, namespace: str, image: str) -> None:
    """The store's Service and pod, named and labelled as the chart does it."""
    labels = {"app.kubernetes.io/component": "object-store"}
    metadata = {"name": "object-store", "namespace": namespace, "labels": labels}
    container = {
        "name": "object-store",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", STORE],
        "ports": [{"name": "s3", "containerPort": 7070}],
        "readinessProbe": {"tcpSocket": {"port": "s3"}, "periodSeconds": 1},
    }
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    kubernetes.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    ports = {"selector": labels, "ports": [{"name": "s3", "port": 7070, "targetPort": "s3"}]}
    kubernetes.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": ports})


def put_secret(kubernetes: Kubernetes, namespace: str, name: str) -> None:
    keys = {"access-key": "the-key", "secret-key": "the-secret"}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in keys.items()}
    metadata = {"name": name, "namespace": namespace}
    kubernetes.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


def make_run(store: str) -> dict[str, Any]:
    """A run whose artifacts are in the store on the cluster, as our values configure Argo."""
    s3 = {
        "bucket": "argo",
        "endpoint": f"object-store.{store}.svc.cluster.local:7070",
        "insecure": True,
        "region": "us-east-1",
        "accessKeySecret": {"name": "object-store", "key": "access-key"},
        "secretKeySecret": {"name": "object-store", "key": "secret-key"},
    }
    return {"metadata": {"name": "run"}, "status": {"artifactRepositoryRef": {"artifactRepository": {"s3": s3}}}}


@pytest.fixture
def spaces(make_namespace: Callable[..., str], kubernetes: Kubernetes, image: str) -> tuple[str, str]:
    """Namespaces that stand for `argo` and `mlops-system`."""
    runs, store = make_namespace("artifacts"), make_namespace("store")
    put_store(kubernetes, store, image)
    put_secret(kubernetes, runs, "object-store")
    put_secret(kubernetes, runs, "other")
    return runs, store


def test_a_data_scientist_gets_artifacts_from_the_store_on_the_cluster(
    kubernetes: Kubernetes, spaces: tuple[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("s3fs")
    open_cluster()
    runs, store = spaces
    scientist = become_scientist(kubernetes, runs)
    api = ClusterApi(scientist, runs, environ={})
    artifact = {"name": "rows", "s3": {"key": "run/rows"}}
    with pytest.raises(PreflightError, match="not allowed to get services object-store"):
        api.download(make_run(store), {}, artifact, tmp_path / "rows")
    subject = {"kind": "ServiceAccount", "name": "scientist", "namespace": runs}
    for obj in list_grants({"namespace": store, "name": "scientist"}, list_rules(SCIENTISTS, "mlops-system"), subject):
        kubernetes.apply(obj)
    # The API server learns of new roles a moment later.
    while not scientist.allows("create", PORT_FORWARD, store):
        time.sleep(0.1)
    api.download(make_run(store), {}, artifact, tmp_path / "rows")
    assert (tmp_path / "rows").read_bytes() == b"all rows"
    with pytest.raises(PreflightError, match="not allowed to get secrets other"):
        scientist.get(SECRET, "other", runs)
    with pytest.raises(PreflightError, match="not allowed to delete pods"):
        scientist.delete(POD, "object-store", store)
