"""How Google Cloud counts what a root needs: which quota each pool of nodes and each resource takes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from platform_cli.clouds.terraform.account import Demand, Need, Offer, Pool, sum_needs
from platform_cli.clouds.terraform.offline import Reading
from platform_cli.hcl.module import Assumed
from platform_cli.hcl.value import UNKNOWN

# Machine families with a quota of their own; all others share CPUS.
_OWN = {"n2": "N2_CPUS", "n2d": "N2D_CPUS", "c2": "C2_CPUS", "c2d": "C2D_CPUS", "c3": "C3_CPUS", "a2": "A2_CPUS"}
_SHARED, _SPOT, _EVERYWHERE = "CPUS", "PREEMPTIBLE_CPUS", "CPUS_ALL_REGIONS"
_ALL_GPUS = "GPUS_ALL_REGIONS"
_COUNTED = {"google_compute_network": ("NETWORKS", "networks", "the network")}


def list_pools(reading: Reading) -> tuple[Pool, ...]:
    """Every node pool, from the resources that make them."""
    return tuple(
        _read_pool(resource.values) for resource in reading.resources if resource.type == "google_container_node_pool"
    )


def _read_pool(values: Mapping[str, Any]) -> Pool:
    config, scaling = values["node_config"][0], values["autoscaling"][0]
    return Pool(
        name=str(values["name"]),
        types=(str(config["machine_type"]),),
        least=int(scaling["total_min_node_count"]),
        most=int(scaling["total_max_node_count"]),
        is_spot=bool(config["spot"]),
    )


def list_needs(demand: Demand, offers: Mapping[str, Offer]) -> tuple[Need, ...]:
    """VCPUs by family, in the region and in all regions; GPUs by type; networks."""
    of_pools = (need for pool in demand.pools for need in _list_pool_needs(pool, offers))
    return sum_needs(demand, of_pools, _COUNTED)


def _list_pool_needs(pool: Pool, offers: Mapping[str, Offer]) -> Iterator[Need]:
    kind = pool.candidates[0]
    offer = offers.get(kind)
    if offer is None:
        return
    keys = [_SPOT if pool.is_spot else _OWN.get(kind.partition("-")[0], _SHARED)]
    keys += [] if pool.is_spot else [_EVERYWHERE]
    for key in keys:
        yield _need(pool, key, f"vCPUs ({key})", offer.vcpus)
    if offer.gpus:
        own = f"{offer.family.upper().replace('-', '_')}_GPUS"
        for key in (f"PREEMPTIBLE_{own}" if pool.is_spot else own, _ALL_GPUS):
            yield _need(pool, key, f"GPUs ({key})", offer.gpus)


def _need(pool: Pool, key: str, title: str, each: int) -> Need:
    return Need(key=key, title=title, least=pool.least * each, most=pool.most * each, because=f"pool {pool.name}")


def assume(region: str, account: str) -> Assumed:
    """What the data sources of the root tell; zones are assumed to be the first three, by Google's way of naming."""
    project = account or UNKNOWN
    return {
        "google_client_config": {"project": project, "region": region},
        "google_compute_zones": {"names": [f"{region}-{letter}" for letter in "abc"]},
        "google_project": {"project_id": project},
    }
