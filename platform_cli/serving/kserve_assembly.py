"""KServe with what else of the platform is on its cluster."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from platform_cli.cluster.forward_service import DASHBOARDS
from platform_cli.errors import MlopsError
from platform_cli.serving.kserve_serving import KServeServing
from platform_cli.tools.kubernetes_error import is_forbidden
from platform_cli.tools.kubernetes_kind import SERVICE

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes
    from platform_cli.tools.mlflow import Registry

GATEWAY = "platform"
"""The Gateway that the platform's own chart makes in the models' namespace."""


def open_serving(kubernetes: Kubernetes, registry: Registry, components: Collection[str]) -> KServeServing:
    """What serves models on a cluster for which these components are selected."""
    has_prometheus = "kube-prometheus-stack" in components
    return KServeServing(
        kubernetes,
        registry,
        prometheus=partial(find_prometheus, kubernetes) if has_prometheus else str,
        gateway=GATEWAY if "gateway" in components else "",
    )


def find_prometheus(kubernetes: Kubernetes) -> str:
    """The URL of the platform's Prometheus for pods of its cluster; empty when it is not there, or we may not look."""
    prometheus = DASHBOARDS["prometheus"]
    # The first name is that of our own; another one would not scrape the models.
    name, namespace = prometheus.candidates[0], prometheus.namespace
    try:
        found = kubernetes.get(SERVICE, name, namespace)
    except MlopsError as error:
        if not is_forbidden(error):
            raise
        return ""
    return f"http://{name}.{namespace}.svc.cluster.local:{prometheus.port}" if found else ""
