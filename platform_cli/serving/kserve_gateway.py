"""The way to models from outside the cluster: the platform's Gateway, and a route of it for each model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from platform_cli.errors import MlopsError
from platform_cli.serving.client import fetch_metadata
from platform_cli.serving.kserve_manifest import GATEWAY, MANAGED, ROUTE, build_route
from platform_cli.tools.kubernetes_error import is_forbidden

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

_OURS = ",".join(f"{key}={value}" for key, value in MANAGED.items())
# The answer is a few hundred bytes: where it takes longer, a forward is the better way.
_PATIENCE_S = 3.0


class Entrance:
    """Routes of one Gateway.

    Args:
        kubernetes: the cluster.
        namespace: of the Gateway and the models.
        gateway: its name; empty when there is none, and then nothing is asked or made.
    """

    def __init__(self, kubernetes: Kubernetes, namespace: str, gateway: str) -> None:
        self._kubernetes = kubernetes
        self._namespace = namespace
        self._gateway = gateway

    @property
    def is_open(self) -> bool:
        """Whether routes can be made: a Gateway is meant, and the cluster knows what a route is."""
        return bool(self._gateway) and self._kubernetes.find_kind(ROUTE.api_version, ROUTE.kind) is not None

    @property
    def trouble(self) -> str:
        """What somebody should know who deploys a model; empty when all is well, or no Gateway is meant."""
        if not self._gateway or self.is_open:
            return ""
        return "the gateway is not on the cluster, so no route is made; mlops deploy installs it, predict works without"

    def is_routed(self, service: Mapping[str, Any]) -> bool:
        """Whether an InferenceService has the route that it should have, if any."""
        return not self.is_open or self._get(service["metadata"]["name"]) is not None

    def route(self, service: Mapping[str, Any]) -> None:
        """Lead requests for a model to its InferenceService, as it was applied."""
        if self.is_open:
            self._kubernetes.apply(build_route(service, self._gateway))

    def find_urls(self, name: str = "") -> Mapping[str, str]:
        """Where the Gateway answers, by the names of the InferenceServices (or of one) that it has accepted routes of.

        Empty as well for those who may not look.
        """
        try:
            gateway = self._kubernetes.get(GATEWAY, self._gateway, self._namespace) if self.is_open else None
            url = find_address(gateway) if gateway else ""
            if not url:
                return {}
            fields = f"metadata.name={name}" if name else ""
            routes = list(self._kubernetes.list(ROUTE, self._namespace, labels=_OURS, fields=fields))
        except MlopsError as error:
            if not is_forbidden(error):
                raise
            return {}
        return {route["metadata"]["name"]: url for route in routes if self._is_accepted(route)}

    def _get(self, name: str) -> Mapping[str, Any] | None:
        return self._kubernetes.get(ROUTE, name, self._namespace)

    def _is_accepted(self, route: Mapping[str, Any]) -> bool:
        parents = (route.get("status") or {}).get("parents") or ()
        ours = (parent for parent in parents if parent["parentRef"]["name"] == self._gateway)
        conditions = (condition for parent in ours for condition in parent.get("conditions") or ())
        return any(item["type"] == "Accepted" and item["status"] == "True" for item in conditions)


def find_address(gateway: Mapping[str, Any]) -> str:
    """The URL of a Gateway's listener, without a slash at its end; empty while it has no address.

    The listener's own host name where it has one, since it answers for no other; of a pattern such as `*.example.com`
    nobody knows which is meant.
    """
    addresses = [item["value"] for item in (gateway.get("status") or {}).get("addresses") or ()]
    listeners = [item for item in gateway["spec"]["listeners"] if item["protocol"] in ("HTTP", "HTTPS")]
    if not addresses or not listeners:
        return ""
    scheme, port = listeners[0]["protocol"].lower(), listeners[0]["port"]
    host = listeners[0].get("hostname") or addresses[0]
    if host.startswith("*"):
        return ""
    place = f"[{host}]" if ":" in host else host
    return f"{scheme}://{place}" + ("" if port == {"http": 80, "https": 443}[scheme] else f":{port}")


def answers(url: str, model: str) -> bool:
    """Whether the model at `url` can be asked from this machine."""
    try:
        return fetch_metadata(url, timeout_s=_PATIENCE_S).name == model
    except MlopsError:
        return False
