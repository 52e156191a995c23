"""Searches an Azure subscription for what a deployment left, whatever Terraform's state says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from platform_cli.clouds.terraform.deployment import Deployment
from platform_cli.clouds.terraform.provider import Swept
from platform_cli.clouds.terraform.search import Probe, Search
from platform_cli.errors import PreflightError

_TAG = "deployment-id"
# Resource Manager lists what is gone for a while.
_PATIENCE_S = 120.0
_VERSIONS = {
    "resources": "2021-04-01",
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.Compute": "2023-10-02",
    "Microsoft.KeyVault": "2023-07-01",
    "Microsoft.Network": "2023-11-01",
}
# Of the cluster's own controllers; AKS and the cloud provider in it write them.
_CLUSTER_TAGS = ("aks-managed-cluster-name", "k8s-azure-cluster-name")


def sweep(
    deployment: Deployment,
    subscription: str | None,
    *,
    open_client: Callable[[str], Any] | None = None,
    patience_s: float = _PATIENCE_S,
) -> Swept:
    """Search the subscription by tags, the cluster's node group, role bindings and soft-deleted vaults.

    `open_client` makes a client of Azure's SDK for a subscription, which is the deployment's own unless one is given.
    Without credentials nothing is searched, which is told.
    """
    from azure.core.exceptions import AzureError

    scope = subscription or deployment.scope
    try:
        client = (open_client or _open_client)(scope)
    except PreflightError as error:
        return Swept(unchecked=(f"Azure: {error.message}",))
    place = _Subscription(client, scope, deployment)
    search = Search(errors=(AzureError,), kept=deployment.kept, patience_s=patience_s)
    found = search.run(place.list_probes())
    pending, refused = place.list_pending()
    return replace(found, kept=pending, unchecked=(*found.unchecked, *refused))


def _open_client(subscription: str) -> Any:
    """A client with Azure's own chain of credentials, once they are known to be good.

    Raises:
        PreflightError: the SDK, the subscription or the credentials are missing.
    """
    try:
        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import DefaultAzureCredential
        from azure.mgmt.resource.resources import ResourceManagementClient
    except ImportError as error:
        raise PreflightError("Azure's SDK is not installed", hint="pip install 'mlops[azure]'") from error
    if not subscription:
        raise PreflightError("no subscription is known", hint="set azure.subscription")
    credential = DefaultAzureCredential()
    try:
        credential.get_token("https://management.azure.com/.default")
    except ClientAuthenticationError as error:
        raise PreflightError(error.message.splitlines()[0], hint="az login") from error
    return ResourceManagementClient(credential, subscription)


@dataclass(frozen=True, slots=True)
class _Subscription:
    """One subscription, through the SDK's client: it signs, retries and waits when Azure throttles."""

    client: Any
    id: str
    deployment: Deployment

    def list_probes(self) -> list[Probe]:
        """Every question; what nothing is known of is not asked."""
        return [
            Probe("resource groups", self._list_groups),
            Probe(f"resources with the tag {_TAG}={self.deployment.id}", self._list_tagged),
            Probe("disks of the cluster", lambda: self._list_of_cluster("Microsoft.Compute", "disks")),
            Probe("disk snapshots of the cluster", lambda: self._list_of_cluster("Microsoft.Compute", "snapshots")),
            Probe(
                "public addresses of the cluster",
                lambda: self._list_of_cluster("Microsoft.Network", "publicIPAddresses"),
            ),
            Probe("load balancers of the cluster", lambda: self._list_of_cluster("Microsoft.Network", "loadBalancers")),
            Probe("role bindings", self._list_bindings),
        ]

    def list_pending(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Vaults that Azure itself purges later, or why they could not be listed."""
        from azure.core.exceptions import AzureError

        try:
            vaults = list(self._list("providers/Microsoft.KeyVault/deletedVaults", "Microsoft.KeyVault"))
        except AzureError as error:
            return (), (f"soft-deleted vaults: {' '.join(str(error).split())}",)
        ours = [item for item in vaults if item["properties"].get("tags", {}).get(_TAG) == self.deployment.id]
        return tuple(f"{item['name']}: Azure purges it on {_day(item)}" for item in ours), ()

    def _list_groups(self) -> Iterator[str]:
        """Ours, and the one that AKS makes for a cluster's nodes."""
        for group in self._list("resourcegroups", "resources"):
            if self._is_ours(group) or self._is_node_group(group["name"]):
                yield group["id"]

    def _list_tagged(self) -> Iterator[str]:
        wanted = f"tagName eq '{_TAG}' and tagValue eq '{self.deployment.id}'"
        yield from (item["id"] for item in self._list("resources", "resources", **{"$filter": wanted}))

    def _list_of_cluster(self, provider: str, kind: str) -> Iterator[str]:
        for item in self._list(f"providers/{provider}/{kind}", provider):
            group = item["id"].split("/")[4]
            if self._is_ours(item) or self._is_node_group(group):
                yield item["id"]

    def _list_bindings(self) -> Iterator[str]:
        """Those on what was ours; Azure keeps them when their resource went."""
        if not self.deployment.prefix:
            return
        inside = f"/resourcegroups/{self.deployment.prefix}".lower()
        for item in self._list("providers/Microsoft.Authorization/roleAssignments", "Microsoft.Authorization"):
            scope = item["properties"]["scope"].lower()
            if f"{scope}/".find(f"{inside}/") >= 0 or f"{inside}-" in scope:
                yield item["id"]

    def _is_ours(self, item: Mapping[str, Any]) -> bool:
        tags = item.get("tags") or {}
        cluster = self.deployment.cluster
        return tags.get(_TAG) == self.deployment.id or bool(
            cluster and any(tags.get(name) == cluster for name in _CLUSTER_TAGS)
        )

    def _is_node_group(self, name: str) -> bool:
        """`MC_<group>_<cluster>_<region>`."""
        cluster = self.deployment.cluster
        return bool(cluster) and name.upper().startswith("MC_") and f"_{cluster}_".lower() in name.lower()

    def _list(self, path: str, api: str, **query: str) -> Iterator[Any]:
        """Every item of every page.

        Raises:
            AzureError: Azure refused or could not be reached.
        """
        from azure.core.rest import HttpRequest

        url: str | None = f"/subscriptions/{self.id}/{path}"
        parameters: dict[str, str] | None = {"api-version": _VERSIONS[api], **query}
        while url:
            answer = self.client.send_request(HttpRequest("GET", url, params=parameters))
            answer.raise_for_status()
            page = answer.json()
            yield from page.get("value", ())
            url, parameters = page.get("nextLink"), None


def _day(vault: Mapping[str, Any]) -> str:
    return str(vault["properties"].get("scheduledPurgeDate", "a day it does not tell"))[:10]
