"""The whole platform on an empty cluster, as a user: real commands, Argo, MLflow and KServe; then nothing is left.

Charts that cannot be had are stand-ins (tests/charts/README.md); Argo Workflows, KServe, MLflow, the object store and
everything of ours are real. The cluster's nodes must hold the images, or pull them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_fixtures import OVERRIDES, STAND_IN_IMAGE, assemble_charts, find_kserve
from e2e_fixtures import COLUMNS, FLOWERS, Session, end_processes

from platform_cli.cluster.access import Access
from platform_cli.tools.helm import Release, open_helm
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import CUSTOM_RESOURCE_DEFINITION, DEPLOYMENT, NAMESPACE, Kind

# One platform for all, in this order; the last test takes it down.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), pytest.mark.xdist_group("cluster-journey")]

STEPS = ["load-data", "validate-data", "feature-engineering", "train-model", "register-model"]
CLUSTER_WIDE = (
    NAMESPACE,
    Kind("v1", "PersistentVolume", "persistentvolumes", namespaced=False),
    Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", namespaced=False),
    Kind("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    Kind("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", namespaced=False),
    Kind(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
        namespaced=False,
    ),
    Kind(
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        namespaced=False,
    ),
    CUSTOM_RESOURCE_DEFINITION,
)


@dataclass(frozen=True)
class Journey:
    """A user of a cluster, the same user without one, and what was on the cluster before."""

    cluster: Session
    embedded: Session
    before: frozenset[str]


def list_cluster(kubernetes: Kubernetes) -> frozenset[str]:
    """Everything that belongs to no namespace, by kind and name."""
    found = ((kind, item) for kind in CLUSTER_WIDE for item in kubernetes.list(kind))
    return frozenset(f"{kind.kind}/{item['metadata']['name']}" for kind, item in found)


@pytest.fixture(scope="module")
def journey(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """The platform on the cluster and the embedded one, each with a trained, registered and served model."""
    before = list_cluster(kubernetes)
    foreign = sorted(name for name in before if name.endswith((".argoproj.io", ".serving.kserve.io")))
    if foreign:
        pytest.skip(f"needs a cluster without Argo and KServe, and here is {foreign[0]}")
    if find_kserve() is None:
        pytest.skip("needs KServe's charts in Go's module cache")
    there, here = (_open(tmp_path_factory.mktemp("journey"), cloud) for cloud in ("existing", "embedded"))
    there.mlops("deploy", "--yes")
    for user in (there, here):
        if user is here:
            user.mlops("deploy", "--yes")
        ended = user.submit("--no-cache")
        user.run = ended.run
        user.summaries = {name: event["summary"] for name, event in ended.nodes().items()}
        user.mlops("model", "deploy", "iris")
    yield Journey(there, here, before)
    for user in (there, here):
        user.mlops("destroy", "--yes", *(["--delete-crds"] if user is there else []))
        end_processes(user.project)


def _open(folder: Path, cloud: str) -> Session:
    document: dict[str, Any] = {"version": 1, "cloud": cloud}
    if cloud == "existing":
        charts = assemble_charts(folder / "charts")
        document |= {"charts": {"source": "folder", "path": str(charts)}, "components": {"values": OVERRIDES}}
    (folder / "platform.yaml").write_text(yaml.safe_dump(document))
    return Session(folder)


def test_every_layer_is_ok_and_a_second_deploy_changes_nothing(journey: Journey) -> None:
    status = journey.cluster.json("status").documents[0]
    assert (status["health"], [layer for layer in status["layers"] if layer["health"] != "ok"]) == ("ok", [])
    assert "is up to date" in journey.cluster.mlops("deploy", "--yes").out


def test_the_five_steps_say_on_argo_what_they_say_here(journey: Journey) -> None:
    there, here = journey.cluster.summaries, journey.embedded.summaries
    assert [name for name in there if name in STEPS] == STEPS
    assert {name: there[name] for name in STEPS} == {name: here[name] for name in STEPS}


def test_run_records_have_the_same_shape(journey: Journey) -> None:
    documents = [user.json("pipeline", "get", user.run).documents[0] for user in (journey.cluster, journey.embedded)]
    keys = [set(document) for document in documents]
    assert keys[0] == keys[1]
    pods = [
        {node["templateName"] for node in document["status"]["nodes"].values() if node["type"] == "Pod"}
        for document in documents
    ]
    assert pods[0] == pods[1] == {*STEPS, "record-outcome"}
    listed = [user.json("pipeline", "list").documents[0]["runs"][0] for user in (journey.cluster, journey.embedded)]
    assert set(listed[0]) == set(listed[1])


def test_a_step_shows_its_log(journey: Journey) -> None:
    lines = journey.cluster.json("pipeline", "logs", journey.cluster.run, "load-data").documents
    assert any("sepal width (cm)" in line["text"] for line in lines)


def test_the_same_rows_give_the_same_predictions(journey: Journey) -> None:
    for kind in FLOWERS:
        assert journey.cluster.predict(kind) == journey.embedded.predict(kind) == kind
    row = json.dumps(dict(zip(COLUMNS, FLOWERS["setosa"], strict=True)))
    answers = [user.json("predict", "iris", "--json", row).documents[0] for user in (journey.cluster, journey.embedded)]
    assert answers[0]["rows"] == answers[1]["rows"]


def test_models_are_listed_alike(journey: Journey) -> None:
    users = (journey.cluster, journey.embedded)
    listed = [user.json("model", "list").documents[0] for user in users]
    assert listed[0].keys() == listed[1].keys()
    for part in ("models", "endpoints"):
        assert {key for item in listed[0][part] for key in item} == {key for item in listed[1][part] for key in item}
    got = [user.json("model", "get", "iris").documents[0] for user in users]
    assert got[0].keys() == got[1].keys()
    served = [(one["endpoint"]["name"], one["endpoint"]["state"], one["endpoint"]["reason"]) for one in got]
    assert served == [("iris", "ready", "")] * 2


def test_argo_runs_the_template_that_was_deployed(journey: Journey, kubernetes: Kubernetes) -> None:
    template = Kind("argoproj.io/v1alpha1", "WorkflowTemplate", "workflowtemplates", namespaced=True)
    assert kubernetes.get(template, "ml-training-pipeline", "argo") is not None


def find_release(access: Access, name: str) -> Release:
    return next(release for release in open_helm(access).list() if release.name == name)


def make_older(access: Access, charts: Path, folder: Path) -> None:
    """Have KEDA as an older mlops would have installed it."""
    shutil.copytree(charts / "keda", folder)
    chart = yaml.safe_load((folder / "Chart.yaml").read_text())
    (folder / "Chart.yaml").write_text(yaml.safe_dump({**chart, "version": "2.19.0"}))
    open_helm(access).apply(folder, name="keda", namespace="keda", values={})


def test_a_component_is_upgraded_and_goes_back_when_it_does_not_come_up(
    journey: Journey, access: Access, kubernetes: Kubernetes, tmp_path: Path
) -> None:
    user, charts = journey.cluster, journey.cluster.project / "charts"
    wanted = find_release(access, "keda").version
    make_older(access, charts, tmp_path / "keda")
    older = find_release(access, "keda")
    assert older.version == "2.19.0"
    template = charts / "keda" / "templates" / "workloads.yaml"
    whole = template.read_text()
    template.write_text(whole.replace(STAND_IN_IMAGE, "mlops.test/absent:1"))
    user.environment["MLOPS_COMPONENTS_READY_TIMEOUT_S"] = "20"
    error = user.json("upgrade", "--yes", code=6).error
    assert error["message"].startswith("keda: image mlops.test/absent:1 cannot be pulled")
    assert "rolled back: keda" in error["details"]
    assert find_release(access, "keda").version == "2.19.0"
    found = kubernetes.get(DEPLOYMENT, "keda-operator", "keda")
    assert found is not None
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == STAND_IN_IMAGE
    template.write_text(whole)
    del user.environment["MLOPS_COMPONENTS_READY_TIMEOUT_S"]
    assert f"2.19.0 to {wanted}" in user.mlops("upgrade", "--yes").out
    assert find_release(access, "keda").version == wanted
    assert "is up to date" in user.mlops("deploy", "--yes").out
    assert user.predict("virginica") == "virginica"


def test_destroy_leaves_nothing(journey: Journey, kubernetes: Kubernetes) -> None:
    ended = journey.cluster.json("destroy", "--yes", "--delete-crds")
    proof = next(document for document in ended.documents if document["type"] == "Proof")
    assert proof["leftovers"] == []
    assert list_cluster(kubernetes) - journey.before == frozenset()
    assert journey.cluster.json("destroy", "--yes", "--delete-crds").documents[-1]["leftovers"] == []
