"""How AWS counts what a root needs: which quota each pool of nodes and each resource takes from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from platform_cli.clouds.terraform.account import Demand, Need, Offer, Pool, sum_needs
from platform_cli.clouds.terraform.offline import Reading
from platform_cli.hcl.module import Assumed
from platform_cli.hcl.value import UNKNOWN


@dataclass(frozen=True, slots=True)
class Family:
    """Instances that share a quota of vCPUs. `letters` begin the names of their types, up to a digit."""

    title: str
    letters: frozenset[str]
    on_demand: str
    spot: str


# Codes of AWS Service Quotas, service ec2.
FAMILIES = (
    Family("G and VT instances", frozenset({"g", "gr", "vt"}), "L-DB2E81BA", "L-3819A6DF"),
    Family("P instances", frozenset({"p"}), "L-417A185B", "L-7212CCBC"),
    Family("Inf instances", frozenset({"inf"}), "L-1945791B", "L-B5D1601B"),
    Family("Trn instances", frozenset({"trn"}), "L-2C3B7624", "L-6B0D517C"),
    Family("X instances", frozenset({"x"}), "L-7295265B", "L-E3A00192"),
    Family("Standard instances", frozenset("acdhimrtz") | {"im", "is"}, "L-1216C47A", "L-34B43A08"),
)
ADDRESSES, NETWORKS, CLUSTERS = "L-0263D0A3", "L-F678F1CE", "L-1194D53C"
SERVICES = {ADDRESSES: "ec2", NETWORKS: "vpc", CLUSTERS: "eks"}
_COUNTED = {
    "aws_eip": (ADDRESSES, "Elastic IP addresses", "NAT gateways"),
    "aws_vpc": (NETWORKS, "VPCs", "the network"),
    "aws_eks_cluster": (CLUSTERS, "EKS clusters", "the cluster"),
}


def service_of(key: str) -> str:
    """The service that a quota's code belongs to, in Service Quotas' words."""
    return SERVICES.get(key, "ec2")


def find_family(kind: str) -> Family | None:
    """The family of an instance type such as `g6.xlarge`; None for one that we do not know."""
    letters = "".join(itertools.takewhile(str.isalpha, kind))
    return next((family for family in FAMILIES if letters in family.letters), None)


def list_pools(reading: Reading) -> tuple[Pool, ...]:
    """Every pool: those that Karpenter will start take whichever of their types there is."""
    pools: Mapping[str, Mapping[str, Any]] = reading.output("node_pools")
    return tuple(
        Pool(
            name=name,
            types=tuple(pool["instance_types"]),
            least=int(pool["min"]),
            most=int(pool["max"]),
            is_spot=bool(pool["spot"]),
            is_flexible=True,
        )
        for name, pool in sorted(pools.items())
    )


def list_needs(demand: Demand, offers: Mapping[str, Offer]) -> tuple[Need, ...]:
    """VCPUs by family and market, and what is counted one by one."""
    of_pools = (need for pool in demand.pools for need in _list_pool_needs(pool, offers))
    return sum_needs(demand, of_pools, _COUNTED)


def _list_pool_needs(pool: Pool, offers: Mapping[str, Offer]) -> Iterator[Need]:
    """By family: the smallest of its types to start with, the largest at most."""
    families: dict[str, list[Offer]] = {}
    for kind in pool.candidates:
        family = find_family(kind)
        if family is not None and kind in offers:
            families.setdefault(family.title, []).append(offers[kind])
    for family in FAMILIES:
        if family.title in families:
            vcpus = [offer.vcpus for offer in families[family.title]]
            market = "Spot" if pool.is_spot else "On-Demand"
            yield Need(
                key=family.spot if pool.is_spot else family.on_demand,
                title=f"vCPUs of {market} {family.title}",
                least=pool.least * min(vcpus),
                most=pool.most * max(vcpus),
                because=f"pool {pool.name}",
            )


def assume(region: str, account: str) -> Assumed:
    """What the data sources of the root tell; zones are assumed to be three, by AWS' way of naming them."""
    return {
        "aws_availability_zones": {"names": [f"{region}{letter}" for letter in "abc"]},
        "aws_caller_identity": {"account_id": account or UNKNOWN},
        "aws_partition": {"partition": "aws", "dns_suffix": "amazonaws.com"},
        "aws_region": {"id": region, "name": region, "region": region},
    }
