"""What an Argo of somebody else's has for runs, and what our own chart then brings beside it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from kubernetes_stand_in import KubernetesStandIn, Reply, refusal
from target_samples import make_config, make_outputs

from platform_cli.cluster.adopted import NOTHING_ADOPTED, Adopted, read_adopted
from platform_cli.cluster.chart import find_chart
from platform_cli.cluster.component import read_components, select_components
from platform_cli.cluster.mark import of_release
from platform_cli.cluster.ownership import Ownership, tell_ownership
from platform_cli.cluster.value import build_values
from platform_cli.target import CloudName
from platform_cli.tools.helm import open_renderer
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.workflow.argo_api import RUNNER

COMPONENTS = select_components(read_components(), make_config("existing"), make_outputs("existing"))
BY_NAME = {component.name: component for component in COMPONENTS}
MAPS = "/api/v1/configmaps"
ACCOUNT = f"/api/v1/namespaces/argo/serviceaccounts/{RUNNER}"
CATALOG = of_release("mlops-system", "platform-catalog")["metadata"]
THEIR_ARGO = [{"metadata": {"name": crd}} for crd in BY_NAME["argo-workflows"].owns]
S3 = "s3: {bucket: theirs}\n"


def config_map(name: str, namespace: str, data: dict[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, **metadata}, "data": data or {}}


def beside_theirs(*maps: dict[str, Any], account: dict[str, Any] | None = None) -> Adopted:
    """What is read where somebody else runs Argo and has these ConfigMaps and this service account."""
    replies = {
        f"GET {MAPS}": [Reply({"items": [{"metadata": item["metadata"]} for item in maps]})],
        f"GET {ACCOUNT}": [Reply(account) if account else refusal(404, "NotFound", "no such account")],
    }
    for item in maps:
        where = item["metadata"]
        replies[f"GET /api/v1/namespaces/{where['namespace']}/configmaps/{where['name']}"] = [Reply(item)]
    with KubernetesStandIn(replies) as api:
        return read_adopted(Kubernetes(api.access()), tell_ownership(COMPONENTS, set(), [], THEIR_ARGO))


def test_where_argo_is_ours_nothing_is_asked() -> None:
    with KubernetesStandIn({}) as api:
        assert read_adopted(Kubernetes(api.access()), Ownership(components=COMPONENTS)) == NOTHING_ADOPTED
        assert api.seen == []


@pytest.mark.parametrize(
    ("metadata", "is_needed"),
    [(None, True), (CATALOG, True), ({}, False), (of_release("argo", "theirs")["metadata"], False)],
    ids=["none", "the-one-that-we-brought", "by-hand", "of-their-chart"],
)
def test_runs_need_an_account_where_nobody_else_has_one(metadata: dict[str, Any] | None, is_needed: bool) -> None:
    account = None if metadata is None else {"metadata": {"name": RUNNER, "namespace": "argo", **metadata}}
    assert beside_theirs(account=account).needs_runner is is_needed


@pytest.mark.parametrize(
    ("maps", "is_needed"),
    [
        ((), True),
        ((config_map("workflow-controller-configmap", "argo"),), True),
        ((config_map("workflow-controller-configmap", "argo", {"config": "parallelism: 5\n"}),), True),
        ((config_map("workflow-controller-configmap", "argo", {"artifactRepository": "archiveLogs: true"}),), True),
        ((config_map("workflow-controller-configmap", "argo", {"artifactRepository": S3}),), False),
        (
            (
                config_map(
                    "theirs-workflow-controller-configmap",
                    "workflows",
                    {"config": "artifactRepository: {gcs: {bucket: b}}"},
                ),
            ),
            False,
        ),
        ((config_map("artifact-repositories", "argo", {"a": S3}),), False),
        ((config_map("artifact-repositories", "argo", {"mlops": S3}, **CATALOG),), True),
        ((config_map("artifact-repositories", "elsewhere", {"a": S3}),), True),
        (
            (
                config_map("artifact-repositories", "workflows", {"a": S3}),
                config_map("workflow-controller-configmap", "workflows"),
            ),
            False,
        ),
    ],
    ids=[
        "nothing",
        "settings-without-a-word",
        "settings-of-something-else",
        "settings-that-only-keep-logs",
        "a-store-in-the-settings",
        "a-store-in-older-settings-elsewhere",
        "theirs-in-the-namespace-of-runs",
        "ours-in-the-namespace-of-runs",
        "of-another-namespace",
        "beside-the-controller",
    ],
)
def test_artifacts_need_a_place_where_nobody_else_names_one(maps: tuple[dict[str, Any], ...], is_needed: bool) -> None:
    assert beside_theirs(*maps).needs_repository is is_needed


def render_catalog(cloud: str, adopted: Adopted) -> dict[str, dict[str, Any]]:
    """What the catalog has in the namespace of runs, by kind and name."""
    config, outputs = make_config(cloud), make_outputs(cloud)
    [catalog] = [item for item in read_components() if item.name == "platform-catalog"]
    values = build_values(catalog, config, outputs, adopted=adopted)
    made = open_renderer().render(
        find_chart(catalog, config.charts), name=catalog.release, namespace=catalog.namespace, values=values
    )
    return {
        f"{item['kind']}/{item['metadata']['name']}": item
        for item in made
        if item["metadata"].get("namespace") == "argo"
    }


def test_an_argo_of_ours_gets_neither() -> None:
    made = render_catalog("existing", NOTHING_ADOPTED)
    assert not {"ServiceAccount/argo-workflow", "ConfigMap/artifact-repositories"} & set(made)


def test_the_account_may_do_what_a_step_reports_and_nothing_else() -> None:
    made = render_catalog("existing", Adopted(needs_runner=True))
    account = made[f"ServiceAccount/{RUNNER}"]
    assert account["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert made["Role/mlops-runner"]["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    ]
    binding = made["RoleBinding/mlops-runner"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": RUNNER, "namespace": "argo"}]
    assert "ConfigMap/artifact-repositories" not in made


@pytest.mark.parametrize("cloud", [cloud.value for cloud in CloudName if cloud is not CloudName.EMBEDDED])
def test_artifacts_go_where_those_of_an_argo_of_ours_would(cloud: str) -> None:
    made = render_catalog(cloud, Adopted(needs_repository=True))["ConfigMap/artifact-repositories"]
    name = made["metadata"]["annotations"]["workflows.argoproj.io/default-artifact-repository"]
    [argo] = [item for item in read_components() if item.name == "argo-workflows"]
    ours = build_values(argo, make_config(cloud), make_outputs(cloud))["artifactRepository"]
    assert yaml.safe_load(made["data"][name]) == ours
