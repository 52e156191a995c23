"""The platform where somebody else runs Argo and KServe, as a user: ours beside theirs, then only theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from chart_fixtures import assemble_charts
from e2e_fixtures import Session, end_processes
from test_cluster_journey import STEPS, list_cluster

from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, DEPLOYMENT, SECRET, SERVICE_ACCOUNT, Kind
from platform_cli.workflow.argo_api import RUNNER

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), pytest.mark.xdist_group("adopted-platform")]

THEIRS = {
    "argo-workflows": "clusterworkflowtemplates.argoproj.io",
    "kserve-resources": "inferenceservices.serving.kserve.io",
}
TEMPLATE = Kind("argoproj.io/v1alpha1", "WorkflowTemplate", "workflowtemplates", namespaced=True)
IN_THEIR_NAMESPACE = (
    CONFIG_MAP,
    DEPLOYMENT,
    SECRET,
    SERVICE_ACCOUNT,
    TEMPLATE,
    Kind("rbac.authorization.k8s.io/v1", "Role", "roles", namespaced=True),
    Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", namespaced=True),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", namespaced=True),
)


def list_argo(kubernetes: Kubernetes) -> dict[str, Any]:
    """What lies in the namespace of their Argo, and which version of it."""
    found = ((kind, item["metadata"]) for kind in IN_THEIR_NAMESPACE for item in kubernetes.list(kind, "argo"))
    return {f"{kind.kind}/{item['name']}": item.get("generation") or item["resourceVersion"] for kind, item in found}


@pytest.fixture(scope="module")
def user(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    for name, crd in THEIRS.items():
        if not any(item.endswith(crd) for item in list_cluster(kubernetes)):
            pytest.skip(f"needs a cluster on which somebody else runs {name}")
    if kubernetes.get(SERVICE_ACCOUNT, RUNNER, "argo") is not None:
        pytest.skip(f"needs an Argo without the service account {RUNNER}")
    folder = tmp_path_factory.mktemp("adopted")
    charts = assemble_charts(folder / "charts")
    document = {"version": 1, "cloud": "existing", "charts": {"source": "folder", "path": str(charts)}}
    (folder / "platform.yaml").write_text(yaml.safe_dump(document))
    session = Session(folder)
    yield session
    session.mlops("destroy", "--yes", "--delete-crds")
    end_processes(session.project)


def test_runs_and_models_work_beside_what_others_installed_and_only_ours_goes(
    user: Session, kubernetes: Kubernetes
) -> None:
    before, argo = list_cluster(kubernetes), list_argo(kubernetes)
    user.mlops("deploy", "--yes")
    layers = {layer["name"]: layer for layer in user.json("status").documents[0]["layers"]}
    assert all(layers[name]["reason"].startswith("somebody else's") for name in THEIRS)
    assert "is up to date" in user.mlops("deploy", "--yes").out

    ended = user.submit("--no-cache")
    assert [name for name in ended.nodes() if name in STEPS] == STEPS
    assert user.mlops("pipeline", "logs", ended.run, "load-data").out
    user.mlops("model", "deploy", "iris")
    assert user.predict("setosa") == "setosa"

    user.mlops("destroy", "--yes", "--delete-crds")
    assert list_cluster(kubernetes) - before == frozenset()
    after = list_argo(kubernetes)
    assert {name: after.get(name) for name in argo} == argo
    assert set(after) == set(argo)
