"""What credentials must be allowed so that Terraform can make, read, change and remove each resource type on Azure."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any


def _all(kind: str, *more: str) -> tuple[str, ...]:
    return tuple(f"{kind}/{action}" for action in ("read", "write", "delete", *more))


_NETWORK = "Microsoft.Network"
_STORAGE = "Microsoft.Storage/storageAccounts"
_DATABASE = "Microsoft.DBforPostgreSQL/flexibleServers"
_JOIN_SUBNET = f"{_NETWORK}/virtualNetworks/subnets/join/action"

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "azurerm_consumption_budget_resource_group": _all("Microsoft.Consumption/budgets"),
    "azurerm_container_registry": _all("Microsoft.ContainerRegistry/registries"),
    "azurerm_federated_identity_credential": _all(
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
    ),
    "azurerm_key_vault": (
        *_all("Microsoft.KeyVault/vaults"),
        "Microsoft.KeyVault/locations/deletedVaults/purge/action",
    ),
    # Entries are data: the role assignment on the vault decides, which the root makes itself.
    "azurerm_key_vault_secret": (),
    "azurerm_kubernetes_cluster": (
        *_all("Microsoft.ContainerService/managedClusters", "listClusterUserCredential/action"),
        "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
        _JOIN_SUBNET,
    ),
    "azurerm_kubernetes_cluster_node_pool": (
        *_all("Microsoft.ContainerService/managedClusters/agentPools"),
        _JOIN_SUBNET,
    ),
    "azurerm_log_analytics_workspace": _all("Microsoft.OperationalInsights/workspaces", "sharedKeys/action"),
    "azurerm_management_lock": _all("Microsoft.Authorization/locks"),
    "azurerm_monitor_diagnostic_setting": _all("Microsoft.Insights/diagnosticSettings"),
    "azurerm_nat_gateway": _all(f"{_NETWORK}/natGateways", "join/action"),
    "azurerm_nat_gateway_public_ip_association": (f"{_NETWORK}/publicIPAddresses/join/action",),
    "azurerm_network_security_group": _all(f"{_NETWORK}/networkSecurityGroups", "join/action"),
    "azurerm_postgresql_flexible_server": _all(_DATABASE),
    "azurerm_postgresql_flexible_server_configuration": (
        f"{_DATABASE}/configurations/read",
        f"{_DATABASE}/configurations/write",
    ),
    "azurerm_postgresql_flexible_server_database": _all(f"{_DATABASE}/databases"),
    "azurerm_private_dns_zone": _all(f"{_NETWORK}/privateDnsZones", "join/action"),
    "azurerm_private_dns_zone_virtual_network_link": (
        *_all(f"{_NETWORK}/privateDnsZones/virtualNetworkLinks"),
        f"{_NETWORK}/virtualNetworks/join/action",
    ),
    "azurerm_private_endpoint": (*_all(f"{_NETWORK}/privateEndpoints"), _JOIN_SUBNET),
    "azurerm_public_ip": _all(f"{_NETWORK}/publicIPAddresses", "join/action"),
    "azurerm_resource_group": _all("Microsoft.Resources/subscriptions/resourceGroups"),
    "azurerm_role_assignment": _all("Microsoft.Authorization/roleAssignments"),
    "azurerm_storage_account": _all(_STORAGE, "listKeys/action"),
    "azurerm_storage_container": _all(f"{_STORAGE}/blobServices/containers"),
    "azurerm_storage_management_policy": _all(f"{_STORAGE}/managementPolicies"),
    "azurerm_subnet": _all(f"{_NETWORK}/virtualNetworks/subnets"),
    "azurerm_subnet_nat_gateway_association": (f"{_NETWORK}/natGateways/join/action",),
    "azurerm_subnet_network_security_group_association": (f"{_NETWORK}/networkSecurityGroups/join/action",),
    "azurerm_user_assigned_identity": _all("Microsoft.ManagedIdentity/userAssignedIdentities"),
    "azurerm_virtual_network": _all(f"{_NETWORK}/virtualNetworks"),
}


def is_allowed(action: str, permissions: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one of the roles that Azure lists grants it and does not take it out again; case does not matter."""
    return any(
        _matches(action, role.get("actions", ())) and not _matches(action, role.get("notActions", ()))
        for role in permissions
    )


def _matches(action: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
