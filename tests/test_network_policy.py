"""Who reaches whom: the policies as each cloud has them, held against what the components need from each other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from own_chart import objects, of_kind
from target_samples import CLOUDS, make_config, make_outputs, select

from platform_cli.cluster.value import build_values

ANYBODY = "anybody"
"""Also those that are no pods: the API server, which asks webhooks, and load balancers."""
GATEWAY = "envoy-gateway-system"
# By namespace and port of the pods there: who needs it, and what for. Port-forwards are not among them: they come from
# the node that the pod is on, which Kubernetes lets through whatever a policy says.
NEEDS: dict[tuple[str, int], tuple[set[str], str]] = {
    ("argo", 2746): ({GATEWAY}, "pages of Argo's server"),
    ("argo", 9090): ({"monitoring"}, "metrics of the controller"),
    ("argocd", 8080): ({GATEWAY, "monitoring"}, "pages of Argo CD, and metrics of its application sets"),
    ("argocd", 8082): ({"monitoring"}, "metrics of the controller"),
    ("argocd", 8083): ({"monitoring"}, "metrics of the server"),
    ("argocd", 8084): ({"monitoring"}, "metrics of the repository server"),
    ("cert-manager", 9402): ({"monitoring"}, "metrics"),
    ("cert-manager", 10250): ({ANYBODY}, "webhook"),
    (GATEWAY, 80): ({ANYBODY}, "requests"),
    (GATEWAY, 443): ({ANYBODY}, "requests"),
    (GATEWAY, 9443): ({ANYBODY}, "webhook"),
    (GATEWAY, 10080): ({ANYBODY}, "requests: Envoy listens 10000 above the listener's port"),
    (GATEWAY, 10443): ({ANYBODY}, "requests"),
    ("external-secrets", 8080): ({"monitoring"}, "metrics"),
    ("external-secrets", 10250): ({ANYBODY}, "webhook"),
    ("keda", 6443): ({ANYBODY}, "metrics that autoscalers ask the API server for"),
    ("keda", 8080): ({"monitoring"}, "metrics of KEDA itself"),
    ("keda", 9443): ({ANYBODY}, "webhook"),
    ("metallb-system", 9120): ({"monitoring"}, "metrics"),
    ("metallb-system", 9443): ({ANYBODY}, "webhook"),
    ("mlflow", 5000): ({"argo", "mlops", "monitoring", GATEWAY}, "steps, storage initializers, metrics, pages"),
    ("mlops", 8080): ({"argo", "monitoring", GATEWAY}, "predictions of steps, metrics, requests"),
    ("mlops", 8443): ({"monitoring"}, "metrics of KServe"),
    ("mlops", 9443): ({ANYBODY}, "KServe's webhook"),
    ("mlops-system", 7070): ({"argo", "mlflow", "mlops"}, "artifacts, the server's store, addresses that it signs"),
    ("monitoring", 3000): ({GATEWAY}, "dashboards"),
    ("monitoring", 9090): ({"keda"}, "request rates"),
    ("monitoring", 10250): ({ANYBODY}, "webhook of the operator"),
}
SEALED = {"argo", "mlflow", "mlops", "mlops-system"}
# By name, the port of the pods that our monitors ask.
METRICS = {
    "mlflow/mlflow": {5000},
    "argo/argo-workflows": {9090},
    "mlops/models": {8080},
    "mlops/kserve": {8443},
    "argocd/argo-cd": {8080, 8082, 8083, 8084},
}
ADDRESS = re.compile(r"[a-z0-9-]+\.([a-z0-9-]+)\.svc(?:\.cluster\.local)?:(\d+)")


def policies(cloud: str, direction: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each rule of that direction with its namespace; ours hold for all pods of it."""
    for item in of_kind(cloud, "NetworkPolicy").values():
        assert item["spec"]["podSelector"] == {}
        for rule in item["spec"].get(direction, ()):
            yield item["metadata"]["namespace"], rule


def ports_of(rule: dict[str, Any]) -> list[int]:
    return [item["port"] for item in rule.get("ports", ())]


def peers_of(rule: dict[str, Any], key: str) -> set[str]:
    """The namespaces that a rule names."""
    selectors = [item["namespaceSelector"]["matchLabels"] for item in rule.get(key, ())]
    return {labels["kubernetes.io/metadata.name"] for labels in selectors}


def find_openings(cloud: str) -> dict[tuple[str, int], set[str]]:
    """By namespace and port: who of other namespaces is let in."""
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for space, rule in policies(cloud, "ingress"):
        for port in ports_of(rule):
            found[space, port] |= peers_of(rule, "from") if "from" in rule else {ANYBODY}
    return dict(found)


def find_exits(cloud: str) -> dict[str, set[tuple[str, int]]]:
    """By sealed namespace: which ports of which others are let out to; `ANYBODY` is any address at all."""
    found: dict[str, set[tuple[str, int]]] = defaultdict(set)
    for space, rule in policies(cloud, "egress"):
        for port in ports_of(rule):
            found[space] |= {(peer, port) for peer in (peers_of(rule, "to") if "to" in rule else {ANYBODY})}
    return dict(found)


def spaces_of(cloud: str) -> set[str]:
    return {item["metadata"]["name"] for item in of_kind(cloud, "Namespace").values()}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_those_who_need_a_component_are_let_in_and_nobody_else(cloud: str) -> None:
    spaces = spaces_of(cloud)
    assert find_openings(cloud) == {key: who for key, (who, _) in NEEDS.items() if key[0] in spaces}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_sealed_are_let_out_to_what_they_need_and_no_further(cloud: str) -> None:
    spaces, exits = spaces_of(cloud), find_exits(cloud)
    assert set(exits) == SEALED
    for space in SEALED:
        wanted = {key for key, (who, _) in NEEDS.items() if space in who and key[0] in spaces}
        assert {key for key in exits[space] if key[0] != ANYBODY} == wanted, space


@pytest.mark.parametrize("cloud", CLOUDS)
def test_everyone_reaches_names_the_api_server_and_what_lies_outside(cloud: str) -> None:
    database = {5432} if cloud in ("aws", "azure", "gcp") else set()
    for space, exits in find_exits(cloud).items():
        assert {port for peer, port in exits if peer == ANYBODY} == {53, 80, 443, 6443} | database, space
    free = spaces_of(cloud) - SEALED
    for item in of_kind(cloud, "NetworkPolicy").values():
        if item["metadata"]["namespace"] in free:
            assert item["spec"]["policyTypes"] == ["Ingress"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_pods_of_one_namespace_reach_each_other_on_any_port(cloud: str) -> None:
    for direction, key, wanted in (("ingress", "from", spaces_of(cloud)), ("egress", "to", SEALED)):
        whole = {space for space, rule in policies(cloud, direction) if rule == {key: [{"podSelector": {}}]}}
        assert whole == wanted


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_address_in_the_values_can_be_reached_by_who_is_told_it(cloud: str) -> None:
    config, outputs = make_config(cloud), make_outputs(cloud)
    told = [(item.namespace, yaml.safe_dump(build_values(item, config, outputs))) for item in select(cloud)]
    told += [
        (item["metadata"]["namespace"], yaml.safe_dump(item["data"])) for item in of_kind(cloud, "ConfigMap").values()
    ]
    pairs = {
        (space, target, int(port))
        for space, text in told
        for target, port in ADDRESS.findall(text)
        # Our own chart hands addresses on, and asks nobody itself.
        if space not in (target, "mlops-system")
    }
    assert {("argo", "mlflow", 5000), ("mlops", "mlflow", 5000)} <= pairs
    assert [pair for pair in sorted(pairs) if pair[0] not in NEEDS[pair[1:]][0]] == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_prometheus_is_let_in_to_everything_it_is_told_to_ask(cloud: str) -> None:
    openings = find_openings(cloud)
    monitors = [item for item in objects(cloud) if item["kind"] in ("ServiceMonitor", "PodMonitor")]
    assert len(monitors) >= 3
    for item in monitors:
        space, name = item["metadata"]["namespace"], item["metadata"]["name"]
        for port in METRICS[f"{space}/{name}"]:
            assert "monitoring" in openings[space, port], (space, name)
