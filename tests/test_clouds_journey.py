"""The whole platform on each cloud, as a user: Terraform, login, components, pipeline, model, prediction; then nothing.

Terraform works on a stand-in of the cloud (AWS: the real provider on the stand-in's API; Azure and Google: the schema
provider), whose cluster is the real one that KUBECONFIG leads to. The user has no kubeconfig: each command logs in with
the token of the cloud, which the cluster's API server has checked. What pods store lies in the stand-in's S3 on all
three: blobs and Google's objects have no stand-in that pods could use. Charts are those of `test_cluster_journey`.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_fixtures import OVERRIDES, assemble_charts, find_kserve
from cloud_authenticators import User
from cloud_sides import SIDES, STORE_KEYS, STORE_SECRET, Side, find_site
from e2e_fixtures import FLOWERS, Session
from external_secrets_stand_in import ExternalSecretsStandIn
from test_cluster_journey import STEPS, list_cluster

from platform_cli.cluster.access import Access, read_access
from platform_cli.cluster.lease import LEASE_NAME, hold_lease
from platform_cli.cluster.outputs import parse_outputs
from platform_cli.errors import PreflightError, StateError
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import NAMESPACE, POD, Kind

# One platform for each cloud, in this order; the last test takes it down.
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.terraform,
    pytest.mark.timeout(2400),
    pytest.mark.xdist_group("cluster-journey"),
]

SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts", namespaced=True)
SELF = Kind("authentication.k8s.io/v1", "SelfSubjectReview", "selfsubjectreviews", namespaced=False)


@dataclass(frozen=True)
class Journey:
    """A user of one cloud, the cloud, and what was on the cluster before."""

    user: Session
    side: Side
    before: frozenset[str]

    @property
    def outputs(self) -> dict[str, Any]:
        """What Terraform handed on."""
        file = self.user.project / ".mlops" / f"{self.side.name}-dev" / "terraform" / "state" / "terraform.tfstate"
        return {name: item["value"] for name, item in json.loads(file.read_text())["outputs"].items()}


@pytest.fixture(scope="module", params=list(SIDES))
def journey(
    request: pytest.FixtureRequest, access: Access, kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Journey]:
    """The platform on one cloud, with a trained, registered and served model."""
    before = list_cluster(kubernetes)
    foreign = sorted(name for name in before if name.endswith((".argoproj.io", ".serving.kserve.io")))
    if foreign:
        pytest.skip(f"needs a cluster without Argo and KServe, and here is {foreign[0]}")
    if find_kserve() is None:
        pytest.skip("needs KServe's charts in Go's module cache")
    folder, site = tmp_path_factory.mktemp(request.param), find_site()
    with (
        SIDES[request.param](folder, access, site) as side,
        ExternalSecretsStandIn(kubernetes, side.read_entry, {f"argo/{STORE_SECRET}": STORE_KEYS}),
    ):
        user = open_session(folder, side)
        try:
            user.mlops("deploy", "--yes")
            ended = user.submit("--no-cache")
            user.run = ended.run
            user.summaries = {name: event["summary"] for name, event in ended.nodes().items()}
            user.mlops("model", "deploy", "iris")
            yield Journey(user, side, before)
        finally:
            user.mlops("destroy", "--yes", "--delete-crds")


def open_session(folder: Path, side: Side) -> Session:
    """A project on that cloud, whose user has no other way to the cluster than its tokens."""
    project = folder / "project"
    project.mkdir()
    document = {
        "version": 1,
        "cloud": side.name,
        "charts": {"source": "folder", "path": str(assemble_charts(folder / "charts"))},
        "components": {"values": {**OVERRIDES, **side.values}},
        "images": {"registry": "docker.io/library"},
        **side.document,
    }
    (project / "platform.yaml").write_text(yaml.safe_dump(document))
    environment = {**side.environment, "KUBECONFIG": str(folder / "none"), "TF_CLI_CONFIG_FILE": os.devnull}
    return Session(project, environment=environment)


def test_the_cluster_knows_the_user_by_the_token_of_the_cloud(
    journey: Journey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journey.user.mlops("kube", "config", "--file", str(tmp_path / "k.yaml"))
    for name, value in journey.user.environment.items():
        monkeypatch.setenv(name, value)
    review = Kubernetes(read_access(str(tmp_path / "k.yaml"), None, {})).create(
        {"apiVersion": SELF.api_version, "kind": SELF.kind, "metadata": {}}
    )
    assert review["status"]["userInfo"]["username"] == journey.side.user
    asked = journey.side.authenticator.reviews
    assert {user.name for user in asked if isinstance(user, User)} == {journey.side.user}


def test_another_token_opens_nothing(journey: Journey, access: Access) -> None:
    # Never the same: API servers remember for a while what became of a token.
    user = [{"name": "forger", "user": {"token": f"forged-{uuid.uuid4().hex}"}}]
    context = {"name": "forged", "context": {"cluster": access.kubeconfig["clusters"][0]["name"], "user": "forger"}}
    forged = replace(access, kubeconfig={**access.kubeconfig, "users": user, "contexts": [context]}, context="forged")
    with pytest.raises(PreflightError, match="does not accept the credentials"):
        list(Kubernetes(forged).list(NAMESPACE))
    assert isinstance(journey.side.authenticator.reviews[-1], str)


def test_a_second_deploy_changes_nothing(journey: Journey) -> None:
    told = journey.user.mlops("deploy", "--yes").out
    assert "is up to date" in told, told


def test_every_layer_is_ok(journey: Journey) -> None:
    status = journey.user.json("status").documents[0]
    assert (status["health"], [layer for layer in status["layers"] if layer["health"] != "ok"]) == ("ok", [])


def test_the_five_steps_ran_and_their_artifacts_are_in_the_store(journey: Journey) -> None:
    assert [name for name in journey.user.summaries if name in STEPS] == STEPS
    assert any(journey.user.run in key for key in journey.side.list_objects("argo"))
    assert any(key.endswith("/MLmodel") for key in journey.side.list_objects("mlflow"))


def test_the_served_model_predicts(journey: Journey) -> None:
    assert [journey.user.predict(kind) for kind in FLOWERS] == list(FLOWERS)


@pytest.mark.parametrize("component", ["argo-server", "argo-workflow", "kserve", "mlflow"])
def test_an_identity_of_the_cloud_is_a_service_account(
    journey: Journey, kubernetes: Kubernetes, component: str
) -> None:
    """The cloud binds rights to this name; an account of another name has none. Other components are stand-ins."""
    identity = parse_outputs(journey.outputs).identities[component]
    found = kubernetes.get(SERVICE_ACCOUNT, identity.service_account, identity.namespace)
    assert found
    assert identity.annotations.items() <= (found["metadata"].get("annotations") or {}).items()
    pods = [item for item in kubernetes.list(POD, identity.namespace) if account_of(item) == identity.service_account]
    assert [item for item in pods if not identity.pod_labels.items() <= item["metadata"]["labels"].items()] == []


def account_of(pod: dict[str, Any]) -> str:
    return str(pod["spec"]["serviceAccountName"])


def test_another_machines_command_is_respected(journey: Journey, kubernetes: Kubernetes, tmp_path: Path) -> None:
    with hold_lease(kubernetes, LEASE_NAME, home=tmp_path, command="mlops upgrade"):
        refused = journey.user.mlops("destroy", "--yes", code=StateError.exit_code)
    assert f"changed by {getpass.getuser()}@{socket.gethostname()}:{tmp_path}: mlops upgrade" in refused.err
    assert "is up to date" in journey.user.mlops("deploy", "--yes").out


def test_destroy_leaves_nothing_on_either_side(journey: Journey, kubernetes: Kubernetes) -> None:
    ended = journey.user.json("destroy", "--yes", "--delete-crds")
    proof = next(document for document in ended.documents if document["type"] == "Proof")
    assert proof["leftovers"] == []
    assert list_cluster(kubernetes) - journey.before == frozenset()
    assert journey.side.list_left() == {}
    assert journey.user.json("destroy", "--yes").documents[-1]["leftovers"] == []
