"""A cluster on which others run things as well, a real one: theirs stay as they are, ours go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from platform_fixtures import Cluster, make_crd, make_deployment, make_object, write_chart

from platform_cli.cluster.application import APPLICATION, APPLICATIONS, PART_OF
from platform_cli.cluster.check import check_adoption
from platform_cli.tools.kubernetes_kind import (
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    NAMESPACE,
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    VALIDATING_WEBHOOK,
    Kind,
)

pytestmark = pytest.mark.cluster
WORKFLOW = Kind("argoproj.io/v1alpha1", "Workflow", "workflows", namespaced=True)
CRON_WORKFLOW = Kind("argoproj.io/v1alpha1", "CronWorkflow", "cronworkflows", namespaced=True)
OURS = {"app.kubernetes.io/managed-by": "mlops"}


def make_theirs(cluster: Cluster, name: str) -> str:
    """A namespace that was there before us."""
    space = cluster.space(name)
    cluster.kubernetes.create(make_object("Namespace", space))
    return space


def install_theirs(cluster: Cluster, name: str, *objects: dict[str, Any]) -> str:
    """Somebody else's release, named and placed as ours would be."""
    space = make_theirs(cluster, name)
    add_theirs(cluster, space, name, *objects)
    return space


def add_theirs(cluster: Cluster, space: str, name: str, *objects: dict[str, Any]) -> None:
    chart = write_chart(cluster.folder / "theirs" / name, "9.9.9", objects)
    cluster.platform._sight.helm.apply(chart, name=name, namespace=space, values={})


def make_claim(space: str, name: str, **labels: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    claim = make_object("PersistentVolumeClaim", name, spec=spec)
    claim["metadata"] |= {"namespace": space, "labels": labels}
    return claim


def add_job(cluster: Cluster, space: str, name: str, **labels: str) -> Kind:
    """Something of a kind whose controller stops what it runs: as Argo's CronWorkflow, of a group of the test's own."""
    group = f"{cluster.prefix}.mlops.test"
    cron = make_object("Job", name, f"{group}/v1", spec={})
    cron["metadata"] |= {"namespace": space, "labels": labels}
    cluster.kubernetes.create(cron)
    return Kind(f"{group}/v1", "Job", "jobs", namespaced=True)


def test_a_release_of_somebody_else_under_our_name_is_neither_changed_nor_removed(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    space = install_theirs(cluster, "one", make_object("ConfigMap", "theirs", data={"a": "1"}))
    component = cluster.add("one", make_object("ConfigMap", "ours"), health=("deployment/one",))
    cluster.add("two", make_object("ConfigMap", "b"), needs=("one",))
    finding = check_adoption(cluster.kubernetes, [component])
    assert finding.found == f"one: release {space}/one is there and not ours"
    before = cluster.kubernetes.get(NAMESPACE, space)["metadata"]
    reasons = {planned.stage.name: planned.reason for planned in cluster.deploy().stages}
    assert reasons["one"] == f"adopted, not touched: release {space}/one is there and not ours"
    assert cluster.deploy().changes == ()
    assert cluster.kubernetes.get(CONFIG_MAP, "ours", space) is None
    assert cluster.destroy(delete_crds=True).leftovers == ()
    assert cluster.kubernetes.get(CONFIG_MAP, "theirs", space)["data"] == {"a": "1"}
    after = cluster.kubernetes.get(NAMESPACE, space)["metadata"]
    assert (after["labels"], after.get("annotations")) == (before["labels"], before.get("annotations"))
    assert cluster.kubernetes.get(NAMESPACE, cluster.space("two")) is None


def test_data_and_resources_of_others_survive_in_a_namespace_that_we_use(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    space = make_theirs(cluster, "one")
    crd = make_crd(f"{cluster.prefix}.mlops.test", "Job", "jobs")
    cluster.kubernetes.apply(crd)
    name = crd["metadata"]["name"]
    cluster.add("one", make_object("ConfigMap", "a"), crds=[crd], owns=(name,))
    database = {**make_deployment("db", replicas=0)["spec"], "serviceName": "db"}
    stateful = make_object("StatefulSet", "db", "apps/v1", spec=database)
    cluster.add("two", make_object("ConfigMap", "b"), stateful, namespace=space, health=("statefulset/db",))
    cluster.deploy()
    theirs = add_job(cluster, space, "theirs")
    add_job(cluster, space, "ours", **OURS)
    mine = {"app.kubernetes.io/instance": "two"}
    for claim in (make_claim(space, "theirs"), make_claim(space, "ours", **mine), make_claim(space, "data-db-0")):
        cluster.kubernetes.create(claim)
    assert cluster.destroy(delete_crds=True).leftovers == ()
    assert [item["metadata"]["name"] for item in cluster.kubernetes.list(theirs)] == ["theirs"]
    claims = cluster.kubernetes.list(PERSISTENT_VOLUME_CLAIM, space)
    assert [item["metadata"]["name"] for item in claims] == ["theirs"]
    assert cluster.kubernetes.get(CONFIG_MAP, "b", space) is None


def test_a_release_of_ours_in_somebody_elses_namespace_stays_ours(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    space = make_theirs(cluster, "one")
    cluster.add("one", make_object("ConfigMap", "a"))
    assert cluster.deploy_and_die("one") != 0
    cluster.deploy()
    assert cluster.plan().changes == ()
    assert cluster.destroy().leftovers == ()
    assert cluster.kubernetes.get(CONFIG_MAP, "a", space) is None
    assert not cluster.kubernetes.get(NAMESPACE, space)["metadata"].get("annotations")


def test_what_an_mlops_that_claimed_nothing_installed_stays_ours(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.add("one", make_object("ConfigMap", "a"))
    cluster.deploy()
    forgotten = {"metadata": {"annotations": {"mlops.io/release.one": None}}}
    cluster.kubernetes.patch(NAMESPACE, cluster.space("one"), None, forgotten)
    assert cluster.plan().changes == ()
    assert cluster.destroy().leftovers == ()
    assert cluster.kubernetes.get(NAMESPACE, cluster.space("one")) is None


def test_definitions_that_are_to_go_are_waited_for_and_told_when_they_stay(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    cluster.removal_s = 15
    crd = make_crd(f"{cluster.prefix}.mlops.test", "Thing", "things")
    name = crd["metadata"]["name"]
    cluster.add("one", make_object("ConfigMap", "a"), crds=[crd], owns=(name,))
    cluster.deploy()
    thing = make_object("Thing", "elsewhere", f"{cluster.prefix}.mlops.test/v1")
    thing["metadata"] |= {"namespace": make_theirs(cluster, "other"), "finalizers": ["mlops.test/hold"]}
    cluster.kubernetes.create(thing)
    held = ["mlops.test/hold", "customresourcecleanup.apiextensions.k8s.io"]
    cluster.kubernetes.patch(CUSTOM_RESOURCE_DEFINITION, name, None, {"metadata": {"finalizers": held}})
    proof = cluster.destroy(delete_crds=True)
    assert [line.partition(":")[0] for line in proof.leftovers] == [f"CRD {name}"]
    assert proof.kept == ()
    assert any("Thing" in text and "is cleared of finalizers" in text for text in cluster.said())
    cluster.kubernetes.patch(CUSTOM_RESOURCE_DEFINITION, name, None, {"metadata": {"finalizers": None}})
    assert cluster.destroy(delete_crds=True).leftovers == ()


def test_a_dead_webhook_beside_a_living_controller_does_not_hold_resources(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    group = f"{cluster.prefix}.mlops.test"
    crd = make_crd(group, "Thing", "things")
    service = make_object("Service", "nobody", spec={"ports": [{"port": 443}], "selector": {"app": "none"}})
    rule = {"apiGroups": [group], "apiVersions": ["*"], "resources": ["things"], "operations": ["DELETE"]}
    hook = {
        "name": "guard.mlops.test",
        "rules": [rule],
        "clientConfig": {"service": {"namespace": cluster.space("one"), "name": "nobody", "path": "/"}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 2,
    }
    guard = make_object(
        "ValidatingWebhookConfiguration", cluster.space("guard"), "admissionregistration.k8s.io/v1", webhooks=[hook]
    )
    cluster.add(
        "one",
        service,
        guard,
        make_deployment("controller"),
        crds=[crd],
        owns=(crd["metadata"]["name"],),
        health=("deployment/controller",),
    )
    cluster.deploy()
    thing = make_object("Thing", "held", f"{group}/v1")
    thing["metadata"]["namespace"] = cluster.space("one")
    cluster.kubernetes.create(thing)
    assert cluster.destroy(delete_crds=True).leftovers == ()
    answer = f"is removed, since no pod answers it behind service {cluster.space('one')}/nobody"
    assert any(answer in text for text in cluster.said())
    assert cluster.kubernetes.get(VALIDATING_WEBHOOK, cluster.space("guard")) is None


@pytest.fixture
def applications(platform_cluster: Cluster) -> Iterator[Kind]:
    """Argo CD's kind, for a moment, on a cluster that has no Argo CD."""
    kubernetes = platform_cluster.kubernetes
    if kubernetes.get(CUSTOM_RESOURCE_DEFINITION, APPLICATIONS) is not None:
        pytest.skip("needs a cluster without Argo CD")
    kubernetes.apply(make_crd("argoproj.io", "Application", "applications", version="v1alpha1"))
    for _, found in kubernetes.watch(CUSTOM_RESOURCE_DEFINITION, name=APPLICATIONS, timeout_s=30):
        conditions = (found.get("status") or {}).get("conditions") or ()
        if any(item["type"] == "Established" and item["status"] == "True" for item in conditions):
            break
    yield APPLICATION
    kubernetes.delete(CUSTOM_RESOURCE_DEFINITION, APPLICATIONS)


def test_definitions_that_argo_cd_left_are_known_later(platform_cluster: Cluster, applications: Kind) -> None:
    cluster = platform_cluster
    crd = make_crd(f"{cluster.prefix}.mlops.test", "Thing", "things")
    name = crd["metadata"]["name"]
    cluster.kubernetes.apply(crd)
    space = make_theirs(cluster, "argo-cd")
    for item, labels in (("one", PART_OF), ("theirs", {})):
        application = make_object("Application", item, "argoproj.io/v1alpha1", spec={"syncPolicy": {"automated": {}}})
        application["metadata"] |= {"namespace": space, "labels": dict(labels)}
        cluster.kubernetes.create(application)
    cluster.add("argo-cd", make_object("ConfigMap", "a"), owns=(APPLICATIONS,))
    cluster.add("one", make_object("ConfigMap", "a"), crds=[crd], owns=(name,))
    proof = cluster.destroy()
    assert proof.leftovers == ()
    assert proof.kept == (f"1 CRDs, such as {name}; --delete-crds removes them as well",)
    [left] = cluster.kubernetes.list(applications, space)
    assert left["metadata"]["name"] == "theirs"
    assert left["spec"] == {"syncPolicy": {"automated": {}}}
    reasons = {planned.stage.name: planned.reason for planned in cluster.deploy().stages}
    assert not reasons["one"].startswith("adopted")
    assert cluster.destroy(delete_crds=True).leftovers == ()
    assert cluster.kubernetes.get(CUSTOM_RESOURCE_DEFINITION, name) is None


def test_workflows_of_others_run_on(platform_cluster: Cluster) -> None:
    cluster = platform_cluster
    for kind in (WORKFLOW, CRON_WORKFLOW):
        if cluster.kubernetes.find_kind(kind.api_version, kind.kind) is None:
            pytest.skip("needs a cluster on which somebody else runs Argo")
    space = make_theirs(cluster, "argo-workflows")
    spec = {"entrypoint": "wait", "templates": [{"name": "wait", "suspend": {}}]}
    theirs = make_object("Workflow", "theirs", WORKFLOW.api_version, spec=spec)
    theirs["metadata"]["namespace"] = space
    cluster.kubernetes.create(theirs)
    for name, labels in (("theirs", {}), ("ours", OURS)):
        yearly = {"schedules": ["0 0 1 1 *"], "workflowSpec": spec}
        cron = make_object("CronWorkflow", name, CRON_WORKFLOW.api_version, spec=yearly)
        cron["metadata"] |= {"namespace": space, "labels": labels}
        cluster.kubernetes.create(cron)
    cluster.add("argo-workflows", make_object("ConfigMap", "a"), owns=(WORKFLOW.resource, CRON_WORKFLOW.resource))
    assert cluster.destroy(delete_crds=True).leftovers == ()
    assert "shutdown" not in cluster.kubernetes.get(WORKFLOW, "theirs", space)["spec"]
    [left] = cluster.kubernetes.list(CRON_WORKFLOW, space)
    assert left["metadata"]["name"] == "theirs"
    assert not left["spec"].get("suspend")


def test_a_secret_that_we_made_up_goes_with_us(platform_cluster: Cluster) -> None:
    cluster, name = platform_cluster, "kube-prometheus-stack"
    space = make_theirs(cluster, name)
    cluster.add(name, make_object("ConfigMap", "a"))
    cluster.deploy()
    assert cluster.kubernetes.get(SECRET, "grafana-admin", space) is not None
    assert cluster.destroy().leftovers == ()
    assert cluster.kubernetes.get(SECRET, "grafana-admin", space) is None
    cluster.add("b", make_object("ConfigMap", "b"))
    add_theirs(cluster, space, name, make_object("ConfigMap", "theirs"))
    cluster.deploy()
    assert cluster.kubernetes.get(SECRET, "grafana-admin", space) is None
