"""How Azure counts what a root needs: which quota each pool of nodes and each resource takes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from platform_cli.clouds.terraform.account import Demand, Need, Offer, Pool, sum_needs
from platform_cli.clouds.terraform.offline import Reading
from platform_cli.hcl.module import Assumed
from platform_cli.hcl.value import UNKNOWN

_REGION, _SPOT = "cores", "lowPriorityCores"
_COUNTED = {
    "azurerm_public_ip": ("StandardSkuPublicIpAddresses", "public IP addresses", "NAT gateways"),
    "azurerm_virtual_network": ("VirtualNetworks", "virtual networks", "the network"),
}


def list_pools(reading: Reading) -> tuple[Pool, ...]:
    """Every node pool, and the cluster's own system pool."""
    found = [_read_system(item.values) for item in reading.resources if item.type == "azurerm_kubernetes_cluster"]
    pools = [item for item in reading.resources if item.type == "azurerm_kubernetes_cluster_node_pool"]
    return (*found, *(_read_pool(item.values) for item in pools))


def _read_system(values: Mapping[str, Any]) -> Pool:
    return _read_pool(values["default_node_pool"][0])


def _read_pool(values: Mapping[str, Any]) -> Pool:
    return Pool(
        name=str(values["name"]),
        types=(str(values["vm_size"]),),
        least=int(values["min_count"]),
        most=int(values["max_count"]),
        is_spot=values.get("priority") == "Spot",
    )


def list_needs(demand: Demand, offers: Mapping[str, Offer]) -> tuple[Need, ...]:
    """VCPUs by family and in the region, spot ones apart; public addresses; networks."""
    of_pools = (need for pool in demand.pools for need in _list_pool_needs(pool, offers))
    return sum_needs(demand, of_pools, _COUNTED)


def _list_pool_needs(pool: Pool, offers: Mapping[str, Offer]) -> Iterator[Need]:
    offer = offers.get(pool.candidates[0])
    if offer is None:
        return
    for key in (_SPOT,) if pool.is_spot else (offer.family, _REGION):
        yield Need(
            key=key,
            title=f"vCPUs ({key})",
            least=pool.least * offer.vcpus,
            most=pool.most * offer.vcpus,
            because=f"pool {pool.name}",
        )


def assume(region: str, account: str) -> Assumed:  # noqa: ARG001 - as of other clouds
    """What the root's data sources would tell, as far as a subscription tells it."""
    return {"azurerm_client_config": {"subscription_id": account or UNKNOWN, "object_id": UNKNOWN}}
