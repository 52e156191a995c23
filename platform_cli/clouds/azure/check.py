"""Asks an Azure subscription what a root needs of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from platform_cli.clouds.azure.account import LOG_IN, Rest
from platform_cli.clouds.azure.permission import ACTIONS, is_allowed
from platform_cli.clouds.azure.quota import assume, list_needs, list_pools
from platform_cli.clouds.terraform.account import Identity, Offer, Probe, Quota, Use, Vital
from platform_cli.errors import PreflightError, ToolError

_TAG = "deployment-id"


class _Named(NamedTuple):
    """Where Azure says whether a name is free: path below the subscription, API version, type in the question."""

    path: str
    version: str
    type: str


class _Listed(NamedTuple):
    """Where the things of a layer are listed, and the property that is `well` when they are."""

    path: str
    version: str
    key: str
    well: str


_NAMES = {
    "azurerm_container_registry": _Named(
        "Microsoft.ContainerRegistry/checkNameAvailability", "2023-07-01", "Microsoft.ContainerRegistry/registries"
    ),
    "azurerm_key_vault": _Named("Microsoft.KeyVault/checkNameAvailability", "2023-07-01", "Microsoft.KeyVault/vaults"),
    "azurerm_postgresql_flexible_server": _Named(
        "Microsoft.DBforPostgreSQL/checkNameAvailability", "2024-08-01", "Microsoft.DBforPostgreSQL/flexibleServers"
    ),
    "azurerm_storage_account": _Named(
        "Microsoft.Storage/checkNameAvailability", "2024-01-01", "Microsoft.Storage/storageAccounts"
    ),
}
_CLUSTERS = _Listed("Microsoft.ContainerService/managedClusters", "2024-09-01", "provisioningState", "Succeeded")
_LAYERS = {
    "cluster": _CLUSTERS,
    "nodes": _CLUSTERS,
    "storage": _Listed("Microsoft.Storage/storageAccounts", "2024-01-01", "statusOfPrimary", "available"),
    "database": _Listed("Microsoft.DBforPostgreSQL/flexibleServers", "2024-08-01", "state", "Ready"),
}


def open_probe(subscription: str | None) -> Probe:
    """How Azure is asked about a subscription, or about the one that the environment names."""
    return Probe(
        open=lambda region: AzureAccount(region, Rest(subscription)),
        assume=assume,
        actions=ACTIONS,
        grant="let an owner of the subscription grant {who} the roles in docs/how-to/azure.md",
        list_pools=list_pools,
        list_needs=list_needs,
        raise_quota="ask Azure for {most} of {key} in {region} (Quotas, subscription {account})",
        unique=dict.fromkeys(_NAMES, "name"),
        networks={"azurerm_virtual_network": "address_space"},
        log_in=LOG_IN,
    )


class AzureAccount:
    """One region of a subscription."""

    def __init__(self, region: str, rest: Rest) -> None:
        self._region, self._rest = region, rest

    def identify(self) -> Identity:
        """See `Account.identify`."""
        try:
            found = self._rest.get(self._subscription, "2022-12-01")
        except ToolError as error:
            raise PreflightError(error.message, hint=LOG_IN) from error
        if found is None:
            name = self._rest.subscription_id
            raise PreflightError(f"there is no Azure subscription {name}", hint="correct azure.subscription")
        return Identity(self._rest.subscription_id, self._rest.principal, "subscription")

    def list_denied(self, actions: Collection[str]) -> tuple[str, ...]:
        """See `Account.list_denied`: held against the roles on the whole subscription."""
        roles = list(self._rest.list(f"{self._providers}/Microsoft.Authorization/permissions", "2022-04-01"))
        return tuple(sorted(action for action in actions if not is_allowed(action, roles)))

    def list_offers(self, types: Collection[str]) -> Mapping[str, Offer]:
        """See `Account.list_offers`: without those that Azure keeps from this subscription."""
        found = self._rest.list(
            f"{self._providers}/Microsoft.Compute/skus", "2021-07-01", **{"$filter": f"location eq '{self._region}'"}
        )
        wanted = [item for item in found if item["resourceType"] == "virtualMachines" and item["name"] in types]
        return {item["name"]: _read_offer(item) for item in wanted if not _is_kept(item)}

    def read_quotas(self, keys: Collection[str]) -> Mapping[str, Quota]:
        """See `Account.read_quotas`."""
        place = f"locations/{self._region}/usages"
        computed = self._rest.list(f"{self._providers}/Microsoft.Compute/{place}", "2024-07-01")
        networked = self._rest.list(f"{self._providers}/Microsoft.Network/{place}", "2024-05-01")
        wanted = [item for item in (*computed, *networked) if item["name"]["value"] in keys]
        return {item["name"]["value"]: Quota(float(item["limit"]), float(item["currentValue"])) for item in wanted}

    def list_versions(self) -> tuple[str, ...]:
        """See `Account.list_versions`."""
        path = f"{self._providers}/Microsoft.ContainerService/locations/{self._region}/kubernetesVersions"
        found = self._rest.get(path, "2024-09-01") or {}
        return tuple(item["version"] for item in found.get("values", ()) if not item.get("isPreview"))

    def list_networks(self) -> tuple[tuple[str, str], ...]:
        """See `Account.list_networks`."""
        found = self._rest.list(f"{self._providers}/Microsoft.Network/virtualNetworks", "2024-05-01")
        pairs = [(item["name"], item["properties"]["addressSpace"]["addressPrefixes"]) for item in found]
        return tuple((name, cidr) for name, ranges in pairs for cidr in ranges if ":" not in cidr)

    def find_use(self, kind: str, name: str) -> Use:
        """See `Account.find_use`. Azure does not say whose a name is; a vault's is taken until it is purged."""
        place = _NAMES[kind]
        body = {"name": name, "type": place.type}
        found = self._rest.post(f"{self._providers}/{place.path}", place.version, body)
        return Use.FREE if found.get("nameAvailable") else Use.TAKEN

    def read_vitals(self, layer: str, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
        """See `Account.read_vitals`: of everything with the deployment's tag."""
        place = _LAYERS[layer]
        found = self._rest.list(f"{self._providers}/{place.path}", place.version)
        ours = [item for item in found if item.get("tags", {}).get(_TAG) == outputs["deployment_id"]]
        if layer == "nodes":
            return tuple(vital for item in ours for vital in _read_pools(item["properties"]["agentPoolProfiles"]))
        return tuple(_tell(item["name"], item["properties"], place) for item in ours)

    @property
    def _subscription(self) -> str:
        return f"subscriptions/{self._rest.subscription_id}"

    @property
    def _providers(self) -> str:
        return f"{self._subscription}/providers"


def _read_offer(item: Mapping[str, Any]) -> Offer:
    capabilities = {entry["name"]: entry["value"] for entry in item.get("capabilities", ())}
    zones = {zone for place in item.get("locationInfo", ()) for zone in place.get("zones", ())}
    closed = {
        zone
        for entry in item.get("restrictions", ())
        if entry["type"] == "Zone"
        for zone in entry["restrictionInfo"].get("zones", ())
    }
    return Offer(
        # A region without zones counts as one.
        zones=frozenset(zones - closed) or frozenset({""}),
        vcpus=int(capabilities["vCPUs"]),
        gpus=int(capabilities.get("GPUs", 0)),
        family=item["family"],
    )


def _is_kept(item: Mapping[str, Any]) -> bool:
    return any(entry["type"] == "Location" for entry in item.get("restrictions", ()))


def _read_pools(profiles: Sequence[Mapping[str, Any]]) -> list[Vital]:
    """A pool is well when it is made and switched on."""
    return [_read_pool(profile) for profile in profiles]


def _read_pool(profile: Mapping[str, Any]) -> Vital:
    power = profile.get("powerState", {}).get("code", "Running")
    made = profile["provisioningState"]
    return Vital(profile["name"], made if power == "Running" else power, (made, power) == ("Succeeded", "Running"))


def _tell(name: str, properties: Mapping[str, Any], place: _Listed) -> Vital:
    state = str(properties.get(place.key, "unknown"))
    power = properties.get("powerState", {}).get("code", "Running")
    return Vital(name, state if power == "Running" else power, (state, power) == (place.well, "Running"))
