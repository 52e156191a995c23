"""Our own chart as it is installed, and what its roles let people do. The only place that renders it for tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from target_samples import make_config, make_outputs, select

from platform_cli.cluster.chart import find_chart
from platform_cli.cluster.value import build_values
from platform_cli.tools.helm import open_renderer

CHART = Path(__file__).resolve().parent.parent / "infrastructure" / "helm" / "charts" / "platform"
SCIENTISTS, VIEWERS, OPERATORS = "mlops:data-scientists", "mlops:viewers", "mlops:operators"


@cache
def render(cloud: str) -> dict[str, tuple[dict[str, Any], ...]]:
    """What each layer of our chart makes on a cloud."""
    config, outputs, helm = make_config(cloud), make_outputs(cloud), open_renderer()
    return {
        item.name: helm.render(
            find_chart(item, config.charts),
            name=item.release,
            namespace=item.namespace,
            values=build_values(item, config, outputs),
            kube_version="1.35",
        )
        for item in select(cloud)
        if item.is_ours
    }


def objects(cloud: str) -> tuple[dict[str, Any], ...]:
    return tuple(item for layer in render(cloud).values() for item in layer)


def of_kind(cloud: str, kind: str) -> dict[str, dict[str, Any]]:
    """By `namespace/name`."""
    found = [item for item in objects(cloud) if item["kind"] == kind]
    return {f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}": item for item in found}


def list_rules(group: str, namespace: str, cloud: str = "existing") -> list[dict[str, Any]]:
    """All that a group may do in a namespace, from every role that is bound to it there."""
    return [rule for role in _bound_roles(group, namespace, cloud) for rule in role["rules"]]


def _bound_roles(group: str, namespace: str, cloud: str) -> Iterator[dict[str, Any]]:
    roles = {**of_kind(cloud, "ClusterRole"), **of_kind(cloud, "Role")}
    for binding in of_kind(cloud, "RoleBinding").values():
        space, reference = binding["metadata"]["namespace"], binding["roleRef"]
        if space == namespace and group in {subject["name"] for subject in binding["subjects"]}:
            yield roles[f"{space if reference['kind'] == 'Role' else ''}/{reference['name']}"]


def may(group: str, verb: str, resource: str, namespace: str, name: str = "", *, cloud: str = "existing") -> bool:
    """Whether the roles allow it, as the API server judges; `resource` is such as `pods/log` or `jobs.batch`."""
    kind, _, part = resource.partition("/")
    plural, _, api = kind.partition(".")
    wanted = f"{plural}/{part}" if part else plural
    return any(
        {api, "*"} & set(rule["apiGroups"])
        and {wanted, "*"} & set(rule["resources"])
        and {verb, "*"} & set(rule["verbs"])
        and (not rule.get("resourceNames") or name in rule["resourceNames"])
        for rule in list_rules(group, namespace, cloud)
    )
