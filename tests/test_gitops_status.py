"""What an Application says, as a layer of the status; and what is planned when Argo CD installs the components."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from kubernetes_stand_in import KubernetesStandIn, Reply
from target_samples import make_config, make_outputs, select

from platform_cli.cluster.application import (
    Delegation,
    find_delegated,
    inspect_application,
    inspect_applications,
    read_applications,
)
from platform_cli.cluster.assessment import assess_cluster
from platform_cli.cluster.gitops import delegate, list_bootstrap, render_tree
from platform_cli.cluster.package import open_packages
from platform_cli.cluster.stages import list_removals, list_stages
from platform_cli.cluster.work import ClusterFacts, GeneratedSecrets, GitOpsRoot, Namespaces
from platform_cli.errors import ConfigError
from platform_cli.tools.kubernetes import Kubernetes

GITOPS = {"enabled": True, "repository": "https://git.example/team/platform.git"}


def make_application(name: str = "mlflow", *, chart: str = "mlflow", **status: Any) -> dict[str, Any]:
    spec = {"sources": [{"chart": chart, "targetRevision": "1.11.5"}, {"ref": "values"}]}
    return {"metadata": {"name": name}, "spec": spec, "status": status}


SYNCED = {"status": "Synced", "revisions": ["1.11.5", "0123456789"]}


@pytest.mark.parametrize(
    ("status", "health", "reason"),
    [
        ({"health": {"status": "Healthy"}, "sync": SYNCED}, "ok", "1.11.5, Healthy, Synced"),
        ({"health": {"status": "Healthy"}, "sync": {"status": "OutOfSync"}}, "degraded", "Healthy, OutOfSync"),
        ({"health": {"status": "Progressing"}, "sync": SYNCED}, "degraded", "1.11.5, Progressing, Synced"),
        (
            {"health": {"status": "Degraded", "message": "the pod\nis gone"}, "sync": SYNCED},
            "degraded",
            "the pod (Degraded, Synced)",
        ),
        ({"health": {"status": "Missing"}, "sync": {"status": "OutOfSync"}}, "down", "Missing, OutOfSync"),
        (
            {
                "health": {"status": "Healthy"},
                "sync": {"status": "Unknown"},
                "conditions": [
                    {"type": "OrphanedResourceWarning", "message": "one"},
                    {"type": "ComparisonError", "message": "repository not found"},
                ],
            },
            "degraded",
            "ComparisonError: repository not found (Healthy, Unknown)",
        ),
        (
            {
                "health": {"status": "Missing"},
                "sync": {"status": "OutOfSync"},
                "operationState": {"phase": "Failed", "message": "one or more objects failed to apply"},
            },
            "down",
            "one or more objects failed to apply (Missing, OutOfSync)",
        ),
        ({}, "unknown", "not looked at yet, Unknown"),
    ],
    ids=["well", "drifted", "on-its-way", "degraded", "missing", "no-repository", "refused", "new"],
)
def test_an_application_is_a_layer(status: dict[str, Any], health: str, reason: str) -> None:
    layer = inspect_application("mlflow", make_application(**status))
    assert (layer.name, layer.health) == ("mlflow", health)
    assert layer.reason.removeprefix("1.11.5, ") == reason.removeprefix("1.11.5, ")


def test_what_comes_from_git_alone_tells_its_commit() -> None:
    application = make_application(health={"status": "Healthy"}, sync={"status": "Synced", "revision": "0123456789ab"})
    application["spec"] = {"source": {"path": "gitops/applications"}}
    assert inspect_application("gitops", application).reason == "01234567, Healthy, Synced"


def test_without_a_root_everything_waits_for_it() -> None:
    delegation = delegate(select("aws"), make_config("aws", gitops=GITOPS))
    layers = inspect_applications(delegation, {})
    assert {layer.health for layer in layers} == {"down"}
    assert layers[0].reason == "there is no root application; mlops deploy makes it"
    assert [layer.name for layer in layers[1:]] == [item.name for item in delegation.components]


def test_a_component_that_is_not_in_the_tree_yet_is_told() -> None:
    delegation = delegate(select("aws"), make_config("aws", gitops=GITOPS))
    found = {delegation.root: make_application(health={"status": "Healthy"}, sync=SYNCED)}
    layers = {layer.name: layer for layer in inspect_applications(delegation, found)}
    assert layers["gitops"].health == "ok"
    assert layers["mlflow"].reason == "Argo CD has no application for it yet"


def test_only_our_applications_are_asked_for_in_one_request() -> None:
    kinds = Reply({"resources": [{"name": "applications", "kind": "Application", "namespaced": True, "verbs": []}]})
    path = "/apis/argoproj.io/v1alpha1"
    page = Reply({"items": [make_application()], "metadata": {}})
    with KubernetesStandIn({f"GET {path}": [kinds], f"GET {path}/namespaces/argocd/applications": [page]}) as api:
        assert list(read_applications(Kubernetes(api.access()), "argocd")) == ["mlflow"]
        asked = [seen for seen in api.seen if seen.path.endswith("/applications")]
    assert [seen.query["labelSelector"] for seen in asked] == ["app.kubernetes.io/part-of=mlops"]


def test_a_cluster_without_argo_cd_has_no_applications() -> None:
    with KubernetesStandIn({}) as api:
        assert read_applications(Kubernetes(api.access()), "argocd") == {}


def test_what_argo_cd_installs_gets_its_namespaces_and_secrets_from_us() -> None:
    config, components = make_config("existing", gitops=GITOPS), select("existing")
    delegation = delegate(components, config)
    packages = open_packages(list_bootstrap(components), config, make_outputs("existing"), known=False)
    stages = {stage.name: stage.work for stage in list_stages(packages, delegation=delegation)}
    assert list(stages) == ["namespaces", "crds-argo-cd", "secrets", "platform", "argo-cd", "gitops", "health"]
    assert isinstance(stages["namespaces"], Namespaces)
    assert {"argocd", "argo", "mlflow", "mlops", "monitoring"} <= set(stages["namespaces"].namespaces)
    assert isinstance(stages["secrets"], GeneratedSecrets)
    assert stages["secrets"].secrets == ("monitoring/grafana-admin",)


@pytest.mark.parametrize(
    ("seen", "risk", "reason"),
    [
        (None, "create", "absent"),
        ("", "change", "somebody else applied it"),
        ("of-before", "change", "it is another"),
        ("same", "none", "as it should be"),
    ],
    ids=["absent", "theirs", "another", "same"],
)
def test_the_root_is_applied_when_it_is_not_what_it_should_be(seen: str | None, risk: str, reason: str) -> None:
    assert assess_cluster(GitOpsRoot("same"), ClusterFacts(gitops_root=seen)) == (risk, reason)


def test_the_root_is_the_trees() -> None:
    config, components = make_config("gcp", gitops=GITOPS), select("gcp")
    tree = render_tree(components, config, make_outputs("gcp"))
    found = [yaml.safe_load(tree[name]) for name in ("project.yaml", "root.yaml")]
    assert list(delegate(components, config).objects) == found


def test_a_root_without_repository_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gitops\.repository"):
        delegate(select("aws"), make_config("aws", gitops={"enabled": True}))


def test_without_gitops_nothing_is_left_to_argo_cd() -> None:
    assert delegate(select("aws"), make_config("aws")) == Delegation()


def test_applications_are_drained_after_what_their_controllers_let_go_of() -> None:
    stages = {stage.name: stage for stage in list_removals(select("aws"), keep_data=False)}
    others = {name for name in stages if name.startswith("drain-")} - {"drain-argo-cd"}
    assert others <= set(stages["drain-argo-cd"].needs)
    assert "drain-argo-cd" in stages["remove-kserve-resources"].needs


def test_what_an_application_of_ours_installs_is_ours() -> None:
    assert find_delegated(select("aws"), {"mlflow", "keda", "their-app"}) == ("keda", "mlflow")
