"""The API on a real cluster: the same calls that everything on a cluster is made of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_cli.cluster.access import Access
from platform_cli.cluster.check import list_cluster_checks
from platform_cli.cluster.component import read_components
from platform_cli.errors import MlopsError, NotFoundError, PreflightError, ToolError
from platform_cli.tools.kubernetes import Kind, Kubernetes, status_of
from platform_cli.tools.kubernetes_kind import (
    CONFIG_MAP,
    NAMESPACE,
    NODE,
    POD,
    SECRET,
    SERVICE_ACCOUNT,
    VALIDATING_WEBHOOK,
)

pytestmark = pytest.mark.cluster
PATIENCE_S = 120
COMPONENTS = Path(__file__).parent.parent / "infrastructure" / "helm" / "releases.yaml"


@pytest.fixture
def namespace(make_namespace: Callable[..., str]) -> str:
    return make_namespace("access")


def config_map(namespace: str, name: str = "a", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def names(items: Any) -> list[str]:
    return [each["metadata"]["name"] for each in items]


def as_token(access: Access, token: str) -> Access:
    users = [{"name": "u", "user": {"token": token}}]
    inside = {"cluster": access.kubeconfig["clusters"][0]["name"], "user": "u"}
    contexts = [{"name": "as-token", "context": inside}]
    return Access(
        {**access.kubeconfig, "users": users, "contexts": contexts, "current-context": "as-token"}, "as-token"
    )


@pytest.fixture
def stranger(access: Access, kubernetes: Kubernetes, namespace: str) -> Kubernetes:
    """The API as a service account that may do nothing."""
    meta = {"name": "stranger", "namespace": namespace}
    kubernetes.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    account = SERVICE_ACCOUNT.path(namespace, "stranger")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {**meta, "annotations": {"kubernetes.io/service-account.name": "stranger"}},
    }
    kubernetes.create(secret)
    for _, found in kubernetes.watch(SECRET, namespace, name="stranger", timeout_s=PATIENCE_S):
        if token := (found.get("data") or {}).get("token"):
            import base64

            return Kubernetes(as_token(access, base64.b64decode(token).decode()))
    raise AssertionError(f"{account} got no token")


def test_an_object_lives_and_goes(kubernetes: Kubernetes, namespace: str) -> None:
    assert kubernetes.get(CONFIG_MAP, "a", namespace) is None
    planned = kubernetes.apply(config_map(namespace, x="1"), dry_run=True)
    assert planned["data"] == {"x": "1"}
    assert kubernetes.get(CONFIG_MAP, "a", namespace) is None
    made = kubernetes.apply(config_map(namespace, x="1"))
    assert made["metadata"]["managedFields"][0]["manager"] == "mlops"
    kubernetes.patch(CONFIG_MAP, "a", namespace, {"data": {"y": "2"}})
    assert kubernetes.apply(config_map(namespace, z="3"))["data"] == {"y": "2", "z": "3"}
    assert kubernetes.delete(CONFIG_MAP, "a", namespace)
    assert not kubernetes.delete(CONFIG_MAP, "a", namespace)


def test_fields_of_others_become_ours_when_we_name_them(kubernetes: Kubernetes, namespace: str) -> None:
    kubernetes.create(config_map(namespace, x="theirs"))
    assert kubernetes.apply(config_map(namespace, x="ours"))["data"] == {"x": "ours"}


def test_lists_are_complete_whatever_the_page(kubernetes: Kubernetes, namespace: str) -> None:
    wanted = [f"map-{number}" for number in range(7)]
    for name in wanted:
        made = config_map(namespace, name)
        made["metadata"]["labels"] = {"page": "yes"}
        kubernetes.create(made)
    for limit in (2, 7, 500):
        assert names(kubernetes.list(CONFIG_MAP, namespace, labels="page=yes", limit=limit)) == wanted
    assert names(kubernetes.list(CONFIG_MAP, namespace, fields="metadata.name=map-3")) == ["map-3"]
    assert set(wanted) <= set(names(kubernetes.list(CONFIG_MAP, labels="page=yes", limit=3)))


def test_kinds_are_discovered(kubernetes: Kubernetes) -> None:
    leases = Kind("coordination.k8s.io/v1", "Lease", "leases", namespaced=True)
    assert kubernetes.find_kind("coordination.k8s.io/v1", "Lease") == leases
    assert kubernetes.find_kind("coordination.k8s.io/v1", "Nothing") is None
    assert kubernetes.find_kind("mlops.invalid/v1", "Nothing") is None
    assert kubernetes.version().startswith("v1.")


def test_a_watch_sees_what_happens(kubernetes: Kubernetes, namespace: str) -> None:
    kubernetes.create(config_map(namespace))
    changes = kubernetes.watch(CONFIG_MAP, namespace, name="a", timeout_s=PATIENCE_S)
    assert next(changes)[0] == "ADDED"
    kubernetes.patch(CONFIG_MAP, "a", namespace, {"data": {"x": "1"}})
    kind, changed = next(changes)
    assert (kind, changed["data"]) == ("MODIFIED", {"x": "1"})
    kubernetes.delete(CONFIG_MAP, "a", namespace)
    assert next(changes)[0] == "DELETED"


def test_threads_share_one_api(kubernetes: Kubernetes, namespace: str) -> None:
    made: list[str] = []
    work = [
        threading.Thread(
            target=lambda name=f"t-{number}": made.append(
                kubernetes.apply(config_map(namespace, name))["metadata"]["name"]
            )
        )
        for number in range(12)
    ]
    for each in work:
        each.start()
    for each in work:
        each.join(PATIENCE_S)
    assert sorted(made) == sorted(f"t-{number}" for number in range(12))


# --- refusals ---


def test_credentials_that_are_not_valid_are_told(access: Access) -> None:
    with pytest.raises(PreflightError, match="does not accept the credentials") as caught:
        next(Kubernetes(as_token(access, "not-a-real-token")).list(NAMESPACE))
    assert "log in again" in caught.value.hint
    assert status_of(caught.value) == 401


def test_a_missing_right_names_verb_resource_and_namespace(stranger: Kubernetes, namespace: str) -> None:
    with pytest.raises(PreflightError) as caught:
        next(stranger.list(SECRET, namespace))
    assert f"not allowed to list secrets in {namespace}" in caught.value.message
    assert "stranger" in caught.value.message
    assert not stranger.allows("list", SECRET, namespace)
    assert not stranger.allows("*", Kind("*/*", "", "*", namespaced=False))


def test_a_used_up_quota_names_itself(kubernetes: Kubernetes, namespace: str) -> None:
    meta = {"name": "team", "namespace": namespace}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"count/secrets": "0"}}}
    kubernetes.create(quota)
    kind = kubernetes.find_kind("v1", "ResourceQuota")
    assert kind is not None
    for _, seen in kubernetes.watch(kind, namespace, name="team", timeout_s=PATIENCE_S):
        if seen.get("status", {}).get("hard"):
            break
    with pytest.raises(ToolError, match="quota team is used up") as caught:
        kubernetes.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": namespace}})
    assert "ResourceQuota" in caught.value.hint


@pytest.fixture
def dead_webhook(kubernetes: Kubernetes, namespace: str) -> Iterator[str]:
    """A webhook for ConfigMaps of one namespace whose Service has no pods."""
    meta = {"name": "nobody", "namespace": namespace}
    kubernetes.create(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"ports": [{"port": 443}], "selector": {"a": "b"}},
        }
    )
    webhook = {
        "name": "dead.mlops.test",
        "clientConfig": {"service": meta},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
    }
    kubernetes.create(
        {
            "apiVersion": VALIDATING_WEBHOOK.api_version,
            "kind": VALIDATING_WEBHOOK.kind,
            "metadata": {"name": namespace},
            "webhooks": [webhook],
        }
    )
    yield namespace
    kubernetes.delete(VALIDATING_WEBHOOK, namespace)


def test_a_webhook_that_nobody_answers_is_named(kubernetes: Kubernetes, dead_webhook: str) -> None:
    error: MlopsError | None = None
    # The API server takes a moment to know of a new webhook.
    for number in range(200):
        try:
            kubernetes.create(config_map(dead_webhook, f"try-{number}"))
        except ToolError as caught:
            error = caught
            break
    assert error is not None
    assert "webhook dead.mlops.test" in error.message
    assert "nobody" in error.message
    assert "delete the webhook configuration" in error.hint


def test_invalid_and_unknown_things_are_told(kubernetes: Kubernetes, namespace: str) -> None:
    with pytest.raises(ToolError, match=r"metadata\.name") as caught:
        kubernetes.apply(config_map(namespace, "Not_A_Name"))
    assert status_of(caught.value) == 422
    with pytest.raises(NotFoundError):
        kubernetes.patch(CONFIG_MAP, "nothing", namespace, {})
    with pytest.raises(NotFoundError, match="nothing"):
        list(kubernetes.logs("nothing", namespace, container="main"))


# --- pods ---


def test_a_log_is_told_line_by_line_until_it_ends(kubernetes: Kubernetes, namespace: str, image: str) -> None:
    code = "import time\nfor number in range(4):\n    print('line', number, flush=True)\n    time.sleep(0.3)"
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": ["python3", "-c", code]}
    meta = {"name": "talker", "namespace": namespace}
    spec = {"restartPolicy": "Never", "containers": [container]}
    kubernetes.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    for _, seen in kubernetes.watch(POD, namespace, name="talker", timeout_s=PATIENCE_S):
        if seen["status"].get("phase") in ("Running", "Succeeded"):
            break
    wanted = [f"line {number}" for number in range(4)]
    assert list(kubernetes.logs("talker", namespace, container="main", follow=True)) == wanted
    assert list(kubernetes.logs("talker", namespace, container="main", tail=1)) == wanted[-1:]


# --- checks ---


def test_the_cluster_is_checked(kubernetes: Kubernetes, stranger: Kubernetes) -> None:
    components = read_components(COMPONENTS)
    found = {check.name: check.look() for check in list_cluster_checks(lambda: kubernetes, components)}
    assert list(found) == ["cluster", "rights", "nodes", "storage", "way-in", "adoption"]
    assert kubernetes.version() in found["cluster"].found
    assert found["nodes"].ok == bool(names(kubernetes.list(NODE)))
    assert found["rights"].ok
    bare = {check.name: check.look() for check in list_cluster_checks(lambda: stranger)}
    assert not bare["rights"].ok
    assert "create namespaces" in bare["rights"].found
    assert "not allowed to list nodes" in bare["nodes"].found
