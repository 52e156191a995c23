"""GitOps on an empty cluster, as a user: we install Argo CD, it installs the rest, and status tells what it says.

Argo CD is a stand-in (argo_cd_stand_in.py): it makes Applications from the tree and cascades, but applies no chart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from argo_cd_stand_in import ArgoCdStandIn
from chart_fixtures import assemble_charts
from e2e_fixtures import Session, end_processes

from platform_cli.cluster.application import APPLICATION
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, NAMESPACE, SECRET

# One platform for all, in this order; the last test takes it down.
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600), pytest.mark.xdist_group("cluster-journey")]


@dataclass(frozen=True)
class GitOpsJourney:
    """A user whose components come from a repository."""

    user: Session
    kubernetes: Kubernetes

    @property
    def tree(self) -> Path:
        return self.user.project / "gitops"

    def layers(self, code: int = 0) -> dict[str, tuple[str, str]]:
        document = self.user.json("status", code=code).documents[0]
        return {layer["name"]: (layer["health"], layer["reason"]) for layer in document["layers"]}

    def wait_for(self, health: str) -> dict[str, tuple[str, str]]:
        """The layers, once Argo CD's look like that."""
        wanted = len(list(self.tree.glob("applications/*"))) + 1
        for _ in self.kubernetes.watch(APPLICATION, "argocd", timeout_s=120):
            states = [self.state(item) for item in self.kubernetes.list(APPLICATION, "argocd")]
            if len(states) == wanted and "" not in states and health in states:
                break
        return self.layers(code=0 if health == "Healthy" else 8)

    @staticmethod
    def state(application: dict[str, Any]) -> str:
        return ((application.get("status") or {}).get("health") or {}).get("status", "")


@pytest.fixture(scope="module")
def journey(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitOpsJourney]:
    for version, kind in (("argoproj.io/v1alpha1", "Workflow"), ("serving.kserve.io/v1beta1", "InferenceService")):
        if kubernetes.find_kind(version, kind) is not None:
            pytest.skip(f"needs a cluster without Argo and KServe, and here is {kind}")
    folder = tmp_path_factory.mktemp("gitops")
    charts = {"source": "folder", "path": str(assemble_charts(folder / "charts"))}
    gitops = {"enabled": True, "repository": "https://git.example/team/platform.git"}
    document = {"version": 1, "name": "shop", "cloud": "existing", "charts": charts, "gitops": gitops}
    (folder / "platform.yaml").write_text(yaml.safe_dump(document))
    user = Session(folder)
    user.mlops("deploy", "--yes")
    # What was not served before is asked for anew.
    yield GitOpsJourney(user, Kubernetes(kubernetes.access))
    user.mlops("destroy", "--yes", "--delete-crds")
    end_processes(folder)


@pytest.fixture
def argo_cd(journey: GitOpsJourney) -> Iterator[ArgoCdStandIn]:
    with ArgoCdStandIn(journey.kubernetes, "argocd", journey.tree) as found:
        yield found


def test_we_install_argo_cd_and_what_it_needs_alone(journey: GitOpsJourney) -> None:
    stages = journey.user.json("plan").documents[0]["stages"]
    assert [stage["name"] for stage in stages] == ["namespaces", "secrets", "platform", "argo-cd", "gitops", "health"]
    assert "is up to date" in journey.user.mlops("deploy", "--yes").out
    # Charts that Argo CD installs name what only we can make up.
    assert journey.kubernetes.get(SECRET, "grafana-admin", "monitoring") is not None
    layers = journey.layers(code=8)
    assert layers["argo-cd"][0] == "ok"
    assert layers["gitops"] == ("unknown", "not looked at yet, Unknown")
    assert layers["mlflow"] == ("down", "Argo CD has no application for it yet")


def test_a_root_that_somebody_deleted_comes_back(journey: GitOpsJourney) -> None:
    journey.kubernetes.delete(APPLICATION, "shop", "argocd")
    assert journey.layers(code=8)["gitops"] == ("down", "there is no root application; mlops deploy makes it")
    assert "1 created" in journey.user.mlops("deploy", "--yes").out
    assert journey.kubernetes.get(APPLICATION, "shop", "argocd") is not None


def test_status_tells_what_argo_cd_says(journey: GitOpsJourney, argo_cd: ArgoCdStandIn) -> None:
    journey.user.mlops("gitops", "render")
    layers = journey.wait_for("Healthy")
    assert {health for health, _ in layers.values()} == {"ok"}
    assert layers["gitops"][1] == "01234567, Healthy, Synced"
    assert layers["mlflow"][1].endswith(", Healthy, Synced")
    assert layers["platform-catalog"][0] == "ok"
    argo_cd.broken["mlflow"] = 'Deployment "mlflow" exceeded its progress deadline'
    layers = journey.wait_for("Degraded")
    assert layers["mlflow"] == (
        "degraded",
        'Deployment "mlflow" exceeded its progress deadline (Degraded, Synced)',
    )
    assert {health for name, (health, _) in layers.items() if name != "mlflow"} == {"ok"}


@pytest.mark.usefixtures("argo_cd")
def test_destroy_lets_argo_cd_take_its_components_along(journey: GitOpsJourney) -> None:
    assert journey.kubernetes.get(CONFIG_MAP, "chart-mlflow", "mlflow") is not None
    ended = journey.user.json("destroy", "--yes", "--delete-crds")
    proof = next(document for document in ended.documents if document["type"] == "Proof")
    assert proof["leftovers"] == []
    finished = {document["stage"]: document for document in ended.documents if document["type"] == "StageFinished"}
    assert finished["suspend-gitops"]["detail"] == f"{len(list(journey.tree.glob('applications/*'))) + 1} suspended"
    assert list(finished).index("drain-argo-cd") > list(finished).index("drain-kserve-resources")
    assert journey.kubernetes.get(NAMESPACE, "mlflow") is None
    assert journey.user.json("destroy", "--yes").documents[-1]["leftovers"] == []
