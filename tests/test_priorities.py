"""Who makes room for whom on a full cluster."""

from __future__ import annotations

import re

import pytest
import yaml
from own_chart import CHART, of_kind
from target_samples import CLOUDS

HELM = CHART.parents[1]
MODELS = 0
"""What a pod has that names no class."""


def test_every_class_is_used_and_every_used_one_is_made() -> None:
    made = {item["metadata"]["name"] for item in of_kind("existing", "PriorityClass").values()}
    text = "".join(path.read_text() for path in HELM.rglob("*.yaml"))
    assert set(re.findall(r"riorityClassName: *(mlops-[a-z]+)", text)) == made


def test_runs_make_room_for_models_and_these_for_the_platform() -> None:
    values = {item["metadata"]["name"]: item["value"] for item in of_kind("existing", "PriorityClass").values()}
    defaults = yaml.safe_load((HELM / "common" / "argo-workflows.yaml").read_text())["controller"]["workflowDefaults"]
    run = values[defaults["spec"]["podPriorityClassName"]]
    assert run < MODELS < values["mlops-platform"]
    # The cluster autoscaler's --expendable-pods-priority-cutoff: below it no node is added for a pod.
    assert run >= -10


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_prometheus_may_reach_it_is_told_to_ask(cloud: str) -> None:
    """A port for metrics that is open and never asked is an opening for nothing."""
    asked = {key.partition("/")[0] for kind in ("ServiceMonitor", "PodMonitor") for key in of_kind(cloud, kind)}
    spaces = {key.strip("/") for key in of_kind(cloud, "Namespace")}
    assert asked == {"argo", "argocd", "mlflow", "mlops"} & spaces
    names = {key for kind in ("ServiceMonitor", "PodMonitor") for key in of_kind(cloud, kind)}
    assert {"mlops/kserve", "mlops/models", "argocd/argo-cd"} <= names
