"""Azure: AKS and what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_cli.clouds.azure.backend import AzureService
from platform_cli.clouds.azure.check import open_probe
from platform_cli.clouds.azure.sweep import sweep
from platform_cli.clouds.terraform import Provider, Retention, TerraformCloud
from platform_cli.clouds.terraform.variable import list_tags

if TYPE_CHECKING:
    from platform_cli.config import Config
    from platform_cli.layout import Layout

_LAYERS = {
    "cluster": frozenset({"azurerm_kubernetes_cluster"}),
    "nodes": frozenset({"azurerm_kubernetes_cluster", "azurerm_kubernetes_cluster_node_pool"}),
    "storage": frozenset({"azurerm_storage_account", "azurerm_storage_container"}),
    "database": frozenset({"azurerm_postgresql_flexible_server"}),
}
_DATA_TYPES = frozenset(
    {
        "azurerm_container_registry",
        "azurerm_key_vault",
        "azurerm_key_vault_secret",
        "azurerm_kubernetes_cluster",
        "azurerm_log_analytics_workspace",
        "azurerm_postgresql_flexible_server",
        "azurerm_postgresql_flexible_server_database",
        "azurerm_resource_group",
        "azurerm_storage_account",
        "azurerm_storage_container",
    }
)
# A locked or purge-protected resource is let go by Terraform itself; nothing has to be changed before.
_RETENTION = Retention(
    types=frozenset(
        {
            "azurerm_container_registry",
            "azurerm_management_lock",
            "azurerm_postgresql_flexible_server",
            "azurerm_postgresql_flexible_server_configuration",
            "azurerm_postgresql_flexible_server_database",
            "azurerm_storage_account",
            "azurerm_storage_container",
            "azurerm_storage_management_policy",
        }
    ),
    shown=frozenset(
        {
            "azurerm_container_registry",
            "azurerm_key_vault",
            "azurerm_postgresql_flexible_server",
            "azurerm_storage_account",
        }
    ),
)


def open_azure(config: Config, layout: Layout) -> TerraformCloud:
    """The target on Azure; nothing is asked before a method is called."""
    wish = config.azure
    environment = {"ARM_SUBSCRIPTION_ID": wish.subscription} if wish.subscription else {}
    provider = Provider(
        variables={"region": wish.region, "subscription_id": wish.subscription},
        environment=environment,
        data_types=_DATA_TYPES,
        probe=open_probe(wish.subscription),
        layers=_LAYERS,
        sweep=lambda deployment: sweep(deployment, wish.subscription),
        retention=_RETENTION,
        states=AzureService(
            subscription=wish.subscription,
            account=wish.state_account,
            group=wish.state_group,
            region=wish.region or "",
            prefix=config.name,
            tags=list_tags(config),
        ),
    )
    return TerraformCloud(config, layout, provider)
