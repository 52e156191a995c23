"""Searches a Google Cloud project for what a deployment left, whatever Terraform's state says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from platform_cli.clouds.gcp.account import Rest
from platform_cli.clouds.terraform.deployment import Deployment
from platform_cli.clouds.terraform.provider import Swept
from platform_cli.clouds.terraform.search import Probe, Search
from platform_cli.errors import PreflightError, ToolError

_LABEL = "deployment-id"
_CLUSTER_LABEL = "goog-k8s-cluster-name"
_PATIENCE_S = 60.0
# What one lists over all zones and regions, and what there is one list of.
_AGGREGATED = {
    "instances": "instances",
    "disks": "disks",
    "addresses": "addresses",
    "forwarding rules": "forwardingRules",
    "network endpoint groups": "networkEndpointGroups",
}
_GLOBAL = {
    "disk snapshots": "snapshots",
    "firewall rules": "firewalls",
    "global addresses": "addresses",
    "networks": "networks",
}


def sweep(
    deployment: Deployment, project: str | None, *, rest: Rest | None = None, patience_s: float = _PATIENCE_S
) -> Swept:
    """Search the project by labels and by names. Without credentials nothing is searched, which is told."""
    asked = rest or Rest(project=project or deployment.scope or None)
    try:
        place = _Project(asked, asked.project_id, deployment)
    except PreflightError as error:
        return Swept(unchecked=(f"Google Cloud: {error.message}",))
    search = Search(errors=(ToolError, PreflightError), kept=deployment.kept, patience_s=patience_s)
    return search.run(place.list_probes())


@dataclass(frozen=True, slots=True)
class _Project:
    """One project."""

    rest: Rest
    id: str
    deployment: Deployment

    def list_probes(self) -> list[Probe]:
        """Every question."""
        return [
            *(Probe(title, partial(self._list_aggregated, kind)) for title, kind in _AGGREGATED.items()),
            *(Probe(title, partial(self._list_global, kind)) for title, kind in _GLOBAL.items()),
            Probe("clusters", self._list_clusters),
            Probe("databases", self._list_databases),
            Probe("buckets", self._list_buckets),
            Probe("service accounts", self._list_accounts),
            Probe("role bindings", self._list_bindings),
        ]

    def _list_aggregated(self, kind: str) -> Iterator[str]:
        for _, part in self.rest.list("compute", f"projects/{self.id}/aggregated/{kind}", "items"):
            yield from (_name(item) for item in part.get(kind, ()) if self._is_ours(item))

    def _list_global(self, kind: str) -> Iterator[str]:
        for item in self.rest.list("compute", f"projects/{self.id}/global/{kind}", "items"):
            if self._is_ours(item):
                yield _name(item)

    def _list_clusters(self) -> Iterator[str]:
        found = self.rest.get("container", f"projects/{self.id}/locations/-/clusters") or {}
        for item in found.get("clusters", ()):
            if item["name"] == self.deployment.cluster or self._is_ours(item):
                yield item["name"]

    def _list_databases(self) -> Iterator[str]:
        for item in self.rest.list("sql", f"projects/{self.id}/instances", "items"):
            if item.get("settings", {}).get("userLabels", {}).get(_LABEL) == self.deployment.id:
                yield item["name"]

    def _list_buckets(self) -> Iterator[str]:
        for item in self.rest.list("storage", "b", "items", project=self.id):
            if self._is_ours(item):
                yield item["name"]

    def _list_accounts(self) -> Iterator[str]:
        for item in self.rest.list("iam", f"projects/{self.id}/serviceAccounts", "accounts"):
            if self._begins_as_ours(item["email"]):
                yield item["email"]

    def _list_bindings(self) -> Iterator[str]:
        """Those of our accounts; Google keeps them, marked `deleted:`, when the account went."""
        policy = self.rest.post("resources", f"projects/{self.id}:getIamPolicy", {})
        for binding in policy.get("bindings", ()):
            for member in binding.get("members", ()):
                email = member.removeprefix("deleted:").removeprefix("serviceAccount:")
                if self._begins_as_ours(email) and f"@{self.id}." in email:
                    yield f"{binding['role']} of {member}"

    def _is_ours(self, item: Mapping[str, Any]) -> bool:
        """By its labels; by the network or the name where its kind has none."""
        labels = item.get("labels") or item.get("resourceLabels") or {}
        if labels.get(_LABEL) == self.deployment.id:
            return True
        if self.deployment.cluster and labels.get(_CLUSTER_LABEL) == self.deployment.cluster:
            return True
        network = str(item.get("network", "")).rpartition("/")[2]
        name = str(item.get("name", ""))
        gke = f"gke-{self.deployment.cluster}-"
        return self._begins_as_ours(network) or bool(
            (self.deployment.cluster and name.startswith(gke)) or ("labels" not in item and self._begins_as_ours(name))
        )

    def _begins_as_ours(self, name: str) -> bool:
        prefix = self.deployment.prefix
        return bool(prefix) and (name == prefix or name.startswith(f"{prefix}-"))


def _name(item: Mapping[str, Any]) -> str:
    """With its zone or region, such as `europe-west4-a/disks/pvc-1`."""
    return "/".join(str(item.get("selfLink", item["name"])).split("/")[-3:])
