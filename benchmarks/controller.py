"""Argo's controller with our values beside the same controller with its chart's: five steps that do nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import Any

import yaml

from benchmarks.figure import Figure
from benchmarks.ground import ROOT
from benchmarks.site import CHARTS, IMAGE, WORKFLOW, Site
from platform_cli.cluster.component import read_components
from platform_cli.cluster.outputs import existing_outputs
from platform_cli.cluster.value import build_values
from platform_cli.cluster.wait import wait_ready
from platform_cli.cluster.workload import Workload
from platform_cli.config import Config
from platform_cli.tools.helm import open_renderer
from platform_cli.tools.kubernetes_kind import NAMESPACE

NAME = "argo-workflows-workflow-controller"
_KINDS = ("ServiceAccount", "ConfigMap", "Deployment")
_LIMIT_S = 300.0


def compare_controllers(site: Site, rounds: int) -> list[Figure]:
    """Each controller serves a namespace of its own; the chart, the image and the steps are the same."""
    site.require_argo()
    values = list_values()
    with _open("ours", site, values[0]) as ours, _open("defaults", site, values[1]) as theirs:
        taken: dict[str, list[float]] = {ours: [], theirs: []}
        for turn in range(rounds):
            for namespace in (ours, theirs) if turn % 2 == 0 else (theirs, ours):
                taken[namespace].append(_run(site, namespace))
    what, beside = "five no-op steps on Argo, our controller's values", "the chart's"
    return [Figure(what=what, ours=median(taken[ours]), beside=median(taken[theirs]), beside_name=beside, limit=0.5)]


def list_values() -> tuple[dict[str, Any], dict[str, Any]]:
    """Ours, and the chart's. Where images come from and what pods may is the cluster's matter: both have the same."""
    config = Config.model_validate({"version": 1, "cloud": "existing"})
    component = next(item for item in read_components() if item.name == "argo-workflows")
    # There is no store for logs here.
    ours = {**build_values(component, config, existing_outputs(config)), "artifactRepository": {}}
    kept = {key: ours["controller"][key] for key in ("podSecurityContext", "workflowDefaults")}
    return ours, {**ours, "controller": kept}


@contextmanager
def _open(name: str, site: Site, values: Mapping[str, Any]) -> Iterator[str]:
    """A controller that serves nothing but its own namespace, which is yielded."""
    namespace = f"bench-{name}-{uuid.uuid4().hex[:6]}"
    rendered = open_renderer().render(
        CHARTS / "argo-workflows", name="argo-workflows", namespace=namespace, values=values
    )
    kubernetes = site.kubernetes
    kubernetes.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    try:
        for item in (*rendered, _bind(namespace)):
            if item["kind"] in (*_KINDS, "RoleBinding") and "server" not in item["metadata"]["name"]:
                kubernetes.apply(_place(item, namespace))
        workload = Workload(namespace, "deployment", NAME)
        wait_ready(kubernetes, [workload], what=name, deadline_s=_LIMIT_S, emit=lambda _: None)
        yield namespace
    finally:
        kubernetes.delete(NAMESPACE, namespace)


def _bind(namespace: str) -> dict[str, Any]:
    """Everything, in this namespace only; the chart's own roles are the whole cluster's."""
    group = "rbac.authorization.k8s.io"
    names = (NAME, "argo-workflow")
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "bench"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace} for name in names],
    }


def _place(item: dict[str, Any], namespace: str) -> dict[str, Any]:
    item["metadata"]["namespace"] = namespace
    if item["kind"] == "ConfigMap":
        # Whoever else watches the cluster leaves to us what bears this name.
        item["data"]["config"] += f"\ninstanceID: {namespace}\n"
    elif item["kind"] == "Deployment":
        pod = item["spec"]["template"]["spec"]
        pod["containers"][0]["args"] += ["--namespaced", f"--managed-namespace={namespace}"]
        pod.pop("priorityClassName", None)
    return item


def _run(site: Site, namespace: str) -> float:
    """Seconds from the creation of a workflow until it has succeeded."""
    manifest = yaml.safe_load((ROOT / "benchmarks" / "workflows" / "noop5.yaml").read_text("utf-8"))
    manifest["metadata"] |= {
        "namespace": namespace,
        "labels": {"workflows.argoproj.io/controller-instanceid": namespace},
    }
    manifest["spec"]["serviceAccountName"] = "argo-workflow"
    manifest["spec"]["templates"][1]["container"] |= {"image": IMAGE, "imagePullPolicy": "IfNotPresent"}
    before = time.perf_counter()
    name = site.kubernetes.create(manifest)["metadata"]["name"]
    for _, found in site.kubernetes.watch(WORKFLOW, namespace, name=name, timeout_s=_LIMIT_S):
        phase = (found.get("status") or {}).get("phase", "")
        if phase == "Succeeded":
            return time.perf_counter() - before
        if phase in ("Failed", "Error"):
            raise SystemExit(f"{namespace}/{name}: {phase}: {found['status'].get('message', '')}")
    raise SystemExit(f"{namespace}/{name} has not ended within {_LIMIT_S:g} s")
