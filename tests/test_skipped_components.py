"""Our own chart where components are left out: nothing of it goes into a namespace that nobody makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from target_samples import CLOUDS, OPTIONAL, make_config, make_outputs

from platform_cli.cluster.chart import find_chart
from platform_cli.cluster.component import Component, read_components, select_components
from platform_cli.cluster.stages import list_namespaces
from platform_cli.cluster.value import build_values
from platform_cli.tools.helm import open_renderer

CLUSTERS_OWN = {"", "kube-system"}


def render_without(cloud: str, skip: tuple[str, ...]) -> tuple[tuple[Component, ...], list[dict[str, Any]]]:
    """What is left, and what our chart makes then."""
    enable = [name for name in OPTIONAL[cloud] if name not in skip]
    config = make_config(cloud, components={"skip": list(skip), "enable": enable})
    outputs, helm = make_outputs(cloud), open_renderer()
    left = select_components(read_components(), config, outputs)
    made = [
        found
        for item in left
        if item.is_ours
        for found in helm.render(
            find_chart(item, config.charts),
            name=item.release,
            namespace=item.namespace,
            values=build_values(item, config, outputs),
        )
    ]
    return left, made


def list_omissions(cloud: str) -> Iterator[tuple[str, ...]]:
    """Each component alone, and all of each namespace."""
    everything = select_components(read_components(), make_config(cloud), make_outputs(cloud))
    skippable = [item for item in everything if not item.is_ours]
    yield from ((item.name,) for item in skippable)
    for space in sorted({item.namespace for item in skippable}):
        yield tuple(item.name for item in skippable if item.namespace == space)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_nothing_goes_into_a_namespace_that_nobody_makes(cloud: str) -> None:
    for skip in dict.fromkeys(list_omissions(cloud)):
        left, made = render_without(cloud, skip)
        spaces = {*list_namespaces(left), *CLUSTERS_OWN}
        lost = [
            f"{item['kind']}/{item['metadata']['name']} in {item['metadata']['namespace']}"
            for item in made
            if item["metadata"].get("namespace", "") not in spaces
        ]
        assert lost == [], f"without {', '.join(skip)}"


def test_with_everything_each_namespace_has_what_it_had() -> None:
    _, made = render_without("aws", ())
    found = {f"{item['kind']}/{item['metadata'].get('namespace')}" for item in made}
    wanted = {"PodDisruptionBudget/mlflow", "PodDisruptionBudget/argo", "Gateway/mlops", "PodMonitor/mlops"}
    assert wanted | {"ServiceMonitor/mlflow", "ServiceMonitor/argo"} <= found


def test_no_budget_holds_up_the_drain_of_a_node() -> None:
    _, made = render_without("aws", ())
    budgets = [item["spec"] for item in made if item["kind"] == "PodDisruptionBudget"]
    assert budgets
    assert all(spec.get("maxUnavailable") == 1 and "minAvailable" not in spec for spec in budgets)
