"""The platform on a real cluster, with small components of the test's own: install, mend, explain, destroy, prove."""

from __future__ import annotations

import base64
import gzip
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from platform_fixtures import IMAGE, TARGET, Cluster, make_crd, make_deployment, make_object

from platform_cli.cluster.lease import LEASE, hold_lease
from platform_cli.errors import DeadlineError, RefusedError, StateError
from platform_cli.tools.kubernetes_kind import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    NAMESPACE,
    SECRET,
    STATEFUL_SET,
    VALIDATING_WEBHOOK,
)

pytestmark = pytest.mark.cluster


def test_components_are_installed_in_order_then_left_alone_then_gone(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.add("first", make_deployment("one"), health=("deployment/one",))
    cluster.add("second", make_object("ConfigMap", "settings", data={"a": "1"}), needs=("first",))
    plan = cluster.deploy()
    assert [planned.stage.name for planned in plan.changes] == ["namespaces", "first", "second", "health"]
    assert cluster.kubernetes.get(DEPLOYMENT, "one", cluster.space("first"))["status"]["availableReplicas"] == 1
    again = cluster.deploy()
    assert again.changes == ()
    assert [layer.health for layer in cluster.cloud.inspect()][:3] == ["ok", "ok", "ok"]
    proof = cluster.destroy()
    assert proof.leftovers == ()
    assert cluster.kubernetes.get(NAMESPACE, cluster.space("first")) is None
    assert cluster.cloud.inspect() == ()
    assert cluster.destroy().leftovers == ()


def test_only_what_differs_is_changed(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.add("one", make_object("ConfigMap", "a", data={"a": "1"}), make_object("ConfigMap", "b", data={}))
    cluster.deploy()
    cluster.kubernetes.delete(CONFIG_MAP, "b", cluster.space("one"))
    assert [(c.action, c.address) for c in cluster.plan().changes[0].resources] == [
        ("create", f"{cluster.space('one')}/ConfigMap/b")
    ]
    cluster.deploy()
    assert cluster.kubernetes.get(CONFIG_MAP, "b", cluster.space("one")) is not None
    cluster.add("one", make_object("ConfigMap", "a", data={"a": "2"}), version="1.0.1")
    with pytest.raises(RefusedError, match="installed components would get another version; nothing was changed"):
        cluster.deploy()
    planned = cluster.upgrade().changes[1]
    assert planned.reason == "1.0.0 to 1.0.1; 1 to update, 1 to destroy"
    assert cluster.kubernetes.get(CONFIG_MAP, "a", cluster.space("one"))["data"] == {"a": "2"}
    assert cluster.kubernetes.get(CONFIG_MAP, "b", cluster.space("one")) is None


def test_an_image_that_is_missing_is_named_first(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.deadline_s = 20
    cluster.add("one", make_deployment("one", "mlops.test/absent:1"), health=("deployment/one",))
    with pytest.raises(DeadlineError, match=r"^one: image mlops.test/absent:1 cannot be pulled"):
        cluster.deploy()
    cluster.add("one", make_deployment("one"), health=("deployment/one",))
    cluster.deadline_s = 60
    cluster.deploy()
    assert cluster.plan().changes == ()


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        (
            {"resources": {"requests": {"memory": "900Gi"}}},
            r"^one: pod one-\S+ cannot be scheduled: .*Insufficient memory",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]},
            r'^one: container main of pod one-\S+ cannot start: secret "gone" not found',
        ),
        ({"command": ["/absent"]}, r"^one: container main of pod one-\S+ c"),
    ],
    ids=["unschedulable", "missing-secret", "crash"],
)
def test_why_pods_do_not_start_is_said_first(platform_cluster: Cluster, container: dict[str, Any], reason: str) -> None:
    cluster = platform_cluster
    cluster.deadline_s = 8
    cluster.add("one", make_deployment("one", **container), health=("deployment/one",))
    with pytest.raises(DeadlineError, match=reason):
        cluster.deploy()


def test_a_quota_that_is_used_up_is_said_first(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.deadline_s = 8
    quota = make_object("ResourceQuota", "few", spec={"hard": {"pods": "0"}})
    cluster.add("one", quota, make_deployment("one"), health=("deployment/one",))
    with pytest.raises(
        DeadlineError, match=r"^one: quota few is used up: requested: pods=1, used: pods=0, limited: pods=0"
    ):
        cluster.deploy()


def make_webhook(name: str, space: str, group: str, resource: str) -> dict[str, Any]:
    """A webhook whose service has no endpoints."""
    rule = {"apiGroups": [group], "apiVersions": ["*"], "resources": [resource], "operations": ["*"]}
    service = {"namespace": space, "name": "nobody", "path": "/"}
    hook = {
        "name": "guard.mlops.test",
        "rules": [rule],
        "clientConfig": {"service": service},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 2,
    }
    return make_object("ValidatingWebhookConfiguration", name, "admissionregistration.k8s.io/v1", webhooks=[hook])


def test_a_webhook_that_nobody_answers_is_said_first_and_does_not_stop_a_destroy(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.deadline_s = 8
    service = make_object("Service", "nobody", spec={"ports": [{"port": 443}], "selector": {"app": "none"}})
    guard = make_webhook(cluster.space("guard"), cluster.space("one"), "", "pods")
    guard["webhooks"][0]["clientConfig"]["service"]["namespace"] = cluster.space("guard")
    cluster.add("guard", service, guard)
    cluster.add("one", make_deployment("one"), health=("deployment/one",), needs=("guard",))
    with pytest.raises(DeadlineError, match=r"^one: webhook guard.mlops.test refuses the pods of one-\S+: .*nobody"):
        cluster.deploy()
    assert cluster.destroy().leftovers == ()
    assert cluster.kubernetes.get(VALIDATING_WEBHOOK, cluster.space("guard")) is None


def test_resources_that_no_living_controller_clears_are_cleared_and_named(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    group = f"{cluster.prefix}.mlops.test"
    crd = make_crd(group, "Thing", "things")
    # Its controller never comes up, and its webhook refuses every change of its resources.
    guard = make_webhook(cluster.space("guard"), cluster.space("one"), group, "things")
    service = make_object("Service", "nobody", spec={"ports": [{"port": 443}], "selector": {"app": "none"}})
    controller = make_deployment("controller", replicas=0)
    cluster.add("one", service, controller, crds=[crd], owns=(f"things.{group}",), health=("deployment/controller",))
    cluster.deploy()
    thing = make_object("Thing", "stuck", f"{group}/v1")
    thing["metadata"] |= {"namespace": cluster.space("one"), "finalizers": [f"{group}/hold"]}
    cluster.kubernetes.create(thing)
    cluster.add(
        "one",
        service,
        guard,
        make_deployment("controller", "mlops.test/absent:1"),
        crds=[crd],
        owns=(f"things.{group}",),
        health=("deployment/controller",),
    )
    cluster.deadline_s = 5
    with pytest.raises(DeadlineError):
        cluster.deploy()
    proof = cluster.destroy()
    assert proof.leftovers == ()
    assert any(f"Thing {cluster.space('one')}/stuck is cleared of finalizers" in text for text in cluster.said())
    assert any("1 CRDs" in line for line in proof.kept)
    assert cluster.plan().stages[1].reason == "all 1 are there"


def test_what_somebody_else_installed_is_adopted_and_stays(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    group = f"{cluster.prefix}.mlops.test"
    crd = make_crd(group, "Thing", "things")
    cluster.kubernetes.apply(crd)
    cluster.add("one", make_object("ConfigMap", "a"), crds=[crd], owns=(f"things.{group}",))
    cluster.add("two", make_object("ConfigMap", "b"), needs=("one",))
    plan = cluster.deploy()
    reasons = {planned.stage.name: planned.reason for planned in plan.stages}
    assert reasons["one"] == reasons["crds-one"] == f"adopted, not touched: things.{group} is there and not ours"
    assert cluster.kubernetes.get(CONFIG_MAP, "a", cluster.space("one")) is None
    assert cluster.kubernetes.get(CONFIG_MAP, "b", cluster.space("two")) is not None
    assert cluster.deploy().changes == ()
    assert cluster.destroy().leftovers == ()
    assert cluster.kubernetes.get(CUSTOM_RESOURCE_DEFINITION, f"things.{group}") is not None


def test_a_namespace_that_was_there_before_stays_as_it_was(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    space = cluster.space("one")
    theirs = make_object("Namespace", space)
    theirs["metadata"]["labels"] = {"team": "other", "pod-security.kubernetes.io/enforce": "baseline"}
    before = cluster.kubernetes.create(theirs)["metadata"]
    # As the platform's chart has its namespaces: with policies, and kept by Helm.
    ours = make_object("Namespace", space)
    ours["metadata"] |= {
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        "annotations": {"helm.sh/resource-policy": "keep"},
    }
    cluster.add("one", ours, make_object("ConfigMap", "a"))
    assert "somebody else's get our policies until a destroy" in cluster.deploy().stages[0].reason
    assert (
        cluster.kubernetes.get(NAMESPACE, space)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        == "restricted"
    )
    assert cluster.plan().changes == ()
    assert cluster.destroy().leftovers == ()
    assert cluster.kubernetes.get(CONFIG_MAP, "a", space) is None
    after = cluster.kubernetes.get(NAMESPACE, space)["metadata"]
    assert after["labels"] == before["labels"]
    assert not after.get("annotations")


def test_a_namespace_that_something_holds_is_explained_and_destroyed_later(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.removal_s = 5
    cluster.add("one", make_object("ConfigMap", "a"))
    cluster.deploy()
    held = make_object("ConfigMap", "held")
    held["metadata"] |= {"namespace": cluster.space("one"), "finalizers": ["mlops.test/hold"]}
    cluster.kubernetes.create(held)
    proof = cluster.destroy()
    assert len(proof.leftovers) == 1
    assert "mlops.test/hold in 1 resource instances" in proof.leftovers[0]
    cluster.kubernetes.patch(CONFIG_MAP, "held", cluster.space("one"), {"metadata": {"finalizers": None}})
    cluster.removal_s = 60
    assert cluster.destroy().leftovers == ()


def test_what_cannot_be_changed_in_place_is_replaced_only_when_allowed(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    template = make_deployment("db")["spec"]
    stateful = {**template, "serviceName": "db"}
    cluster.add("one", make_object("StatefulSet", "db", "apps/v1", spec=stateful), health=("statefulset/db",))
    cluster.deploy()
    uid = cluster.kubernetes.get(STATEFUL_SET, "db", cluster.space("one"))["metadata"]["uid"]
    other = {**stateful, "serviceName": "other"}
    cluster.add("one", make_object("StatefulSet", "db", "apps/v1", spec=other), health=("statefulset/db",))
    with pytest.raises(RefusedError) as caught:
        cluster.deploy()
    assert caught.value.details == (f"replace {cluster.space('one')}/StatefulSet/db",)
    cluster.deploy(allow_replace=True)
    assert cluster.kubernetes.get(STATEFUL_SET, "db", cluster.space("one"))["metadata"]["uid"] != uid


def test_a_release_that_was_left_pending_is_mended(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.add("one", make_object("ConfigMap", "a", data={"a": "1"}))
    cluster.deploy()
    mark_pending(cluster, "one", revision=1, status="pending-install")
    assert cluster.plan().changes[0].reason == "revision 1 is pending-install: made anew"
    cluster.deploy()
    assert "uninstalled, since no revision of it was ever good" in " ".join(cluster.said())
    cluster.add("one", make_object("ConfigMap", "a", data={"a": "2"}))
    cluster.deploy()
    mark_pending(cluster, "one", revision=2, status="pending-upgrade")
    cluster.deploy()
    assert "rolled back to revision 1" in " ".join(cluster.said())
    assert cluster.kubernetes.get(CONFIG_MAP, "a", cluster.space("one"))["data"] == {"a": "2"}
    assert cluster.plan().changes == ()


def test_a_release_that_another_command_began_moments_ago_is_left_to_it(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.add("one", make_object("ConfigMap", "a"))
    cluster.deploy()
    mark_pending(cluster, "one", revision=1, status="pending-install", age_s=0)
    with pytest.raises(StateError, match="another command may be at it"):
        cluster.deploy()


def mark_pending(cluster: Cluster, name: str, *, revision: int, status: str, age_s: float = 3600) -> None:
    """Make a revision look as a killed Helm leaves it: its status says so inside and outside."""
    secret = f"sh.helm.release.v1.{name}.v{revision}"
    space = cluster.space(name)
    found = cluster.kubernetes.get(SECRET, secret, space)
    inner = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(found["data"]["release"]))))
    inner["info"]["status"] = status
    text = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(inner).encode()))).decode()
    labels = {"status": status, "createdAt": str(int(time.time() - age_s)), "modifiedAt": str(int(time.time() - age_s))}
    cluster.kubernetes.patch(SECRET, secret, space, {"data": {"release": text}, "metadata": {"labels": labels}})


def test_data_that_is_kept_keeps_its_namespace(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    claim = make_object("PersistentVolumeClaim", "data")
    claim["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    claim["spec"] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    cluster.add("one", claim)
    cluster.add("two", make_object("ConfigMap", "a"))
    cluster.deploy()
    proof = cluster.destroy(keep_data=True)
    assert proof.leftovers == ()
    assert proof.kept == (f"volume claim {cluster.space('one')}/data",)
    assert cluster.kubernetes.get(NAMESPACE, cluster.space("two")) is None
    cluster.deploy()
    assert cluster.plan().changes == ()
    assert cluster.destroy().leftovers == ()
    assert cluster.kubernetes.get(NAMESPACE, cluster.space("one")) is None


def test_another_machines_deploy_is_respected_and_a_dead_ones_is_not(platform_cluster: Cluster, tmp_path: Path) -> None:
    cluster = platform_cluster
    cluster.add("one", make_object("ConfigMap", "a"))
    with (
        hold_lease(cluster.kubernetes, cluster.prefix, home=tmp_path / "elsewhere", command="mlops deploy"),
        pytest.raises(StateError, match=r"changed by \S+/elsewhere: mlops deploy \(process \d+\)"),
    ):
        cluster.deploy()
    cluster.deploy()
    past = "2020-01-01T00:00:00.000000Z"
    spec = {"holderIdentity": "dead@elsewhere", "leaseDurationSeconds": 30, "renewTime": past}
    lease = make_object("Lease", cluster.prefix, "coordination.k8s.io/v1", spec=spec)
    lease["metadata"]["namespace"] = "kube-system"
    cluster.kubernetes.create(lease)
    cluster.add("one", make_object("ConfigMap", "b"))
    cluster.deploy()
    assert cluster.kubernetes.get(LEASE, cluster.prefix, "kube-system") is None


def test_an_upgrade_backs_up_and_goes_back_when_the_new_version_does_not_come_up(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    group = f"{cluster.prefix}.mlops.test"
    crd = make_crd(group, "Thing", "things")
    cluster.add("one", make_deployment("one"), crds=[crd], owns=(f"things.{group}",), health=("deployment/one",))
    cluster.deploy()
    assert cluster.upgrade().changes == ()
    thing = make_object("Thing", "kept", f"{group}/v1")
    thing["metadata"]["namespace"] = cluster.space("one")
    cluster.kubernetes.create(thing)
    given = {"crds": [crd], "owns": (f"things.{group}",), "health": ("deployment/one",)}
    cluster.add("one", make_deployment("one", "mlops.test/absent:2"), version="1.1.0", **given)
    cluster.deadline_s = 20
    with pytest.raises(DeadlineError, match=r"^one: image mlops.test/absent:2 cannot be pulled") as caught:
        cluster.upgrade()
    assert "rolled back: one" in caught.value.details
    found = cluster.kubernetes.get(DEPLOYMENT, "one", cluster.space("one"))
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE
    [backup] = cluster.layout.home(TARGET.name).backups.iterdir()
    assert "name: kept" in (backup / f"things.{group}.yaml").read_text()
    cluster.add("one", make_deployment("one", replicas=2), version="1.1.0", **given)
    cluster.deadline_s = 60
    plan = cluster.upgrade()
    assert next(planned.reason for planned in plan.stages if planned.stage.name == "one").startswith("1.0.0 to 1.1.0")
    assert cluster.plan().changes == ()
    cluster.add("one", make_deployment("one"), version="3.0.0", **given)
    with pytest.raises(RefusedError, match=r"would skip a major version: 1\.1\.0 to 3\.0\.0"):
        cluster.upgrade()


@pytest.mark.parametrize("moment", ["namespaces", "one", "two"])
def test_a_deploy_that_is_killed_in_a_stage_is_ended_by_the_next(platform_cluster: Cluster, moment: str) -> None:
    cluster = platform_cluster
    cluster.add("one", make_deployment("one"), health=("deployment/one",))
    cluster.add("two", make_deployment("two"), health=("deployment/two",), needs=("one",))
    assert cluster.deploy_and_die(moment) == -signal.SIGKILL
    cluster.deploy()
    assert cluster.plan().changes == ()
    assert cluster.destroy().leftovers == ()
