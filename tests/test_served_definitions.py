"""Definitions count as applied once the API lists what they define: Helm takes kinds that come later for unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubernetes_stand_in import KubernetesStandIn, Reply, refusal

from platform_cli.cluster.component import read_components
from platform_cli.cluster.install import Installer
from platform_cli.cluster.package import Package
from platform_cli.cluster.work import CrdSet
from platform_cli.tools.helm import open_renderer
from platform_cli.tools.kubernetes import Kubernetes

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME = "things.served.test"
LISTED = Reply({"resources": [{"name": "things", "kind": "Thing", "namespaced": True}]})


def make_crd(established: str) -> dict[str, Any]:
    names = {"kind": "Thing", "plural": "things"}
    versions = [{"name": "v1", "served": True, "storage": True}, {"name": "v1alpha1", "served": False}]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME, "resourceVersion": "1"},
        "spec": {"group": "served.test", "names": names, "scope": "Namespaced", "versions": versions},
        "status": {"conditions": [{"type": "Established", "status": established}]},
    }


@pytest.mark.parametrize(
    "late", [(), (refusal(404, "NotFound", "no such group"), Reply({"resources": []}))], ids=["at-once", "late"]
)
def test_definitions_are_applied_when_the_api_lists_their_kinds(late: tuple[Reply, ...]) -> None:
    established = {"type": "MODIFIED", "object": make_crd("True")}
    replies = {
        f"PATCH {CRDS}/{NAME}": [Reply(make_crd("False"))],
        f"GET {CRDS}": [
            Reply({"metadata": {"resourceVersion": "1"}, "items": [make_crd("False")]}),
            Reply([established], stream=True),
        ],
        "GET /apis/served.test/v1": [*late, LISTED],
    }
    component = next(item for item in read_components() if item.name == "kserve-crd")
    package = Package(component=component, chart=Path(), values={}, crds=(make_crd("True"),))
    with KubernetesStandIn(
        {**replies, "GET /api/v1/namespaces/mlops/secrets": [Reply({"metadata": {}, "items": []})]}
    ) as api:
        kubernetes = Kubernetes(api.access())
        installer = Installer(
            kubernetes=kubernetes, helm=open_renderer(), packages={component.name: package}, deadline_s=10
        )
        assert installer.apply_crds(CrdSet(component.name, {})) == "1 applied"
        asked = [seen.path for seen in api.seen if seen.path == "/apis/served.test/v1"]
    assert len(asked) == len(late) + 1
