"""What a preflight asks an account of any cloud, and what the root needs of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from platform_cli.clouds.terraform.offline import Reading
from platform_cli.hcl.module import Assumed, HclResource


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose credentials were found: `account` is an account, a subscription or a project, as `kind` says."""

    account: str
    name: str
    kind: str = "account"

    def __str__(self) -> str:
        return f"{self.name} in {self.kind} {self.account}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An instance type that a region has.

    Attributes:
        zones: where in the region.
        vcpus: of one instance.
        gpus: of one instance.
        family: by which the cloud counts its quotas, in the cloud's own words.
    """

    zones: frozenset[str]
    vcpus: int
    gpus: int = 0
    family: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of something an account may have in a region, and how much it has."""

    limit: float
    used: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """How much of a quota is needed on top of what is used.

    Attributes:
        key: the quota's code in the cloud.
        title: what people call it.
        least: without which the platform does not come up.
        most: what it can grow to.
        because: what needs it.
    """

    key: str
    title: str
    least: float
    most: float
    because: str


@dataclass(frozen=True, slots=True)
class Vital:
    """One thing in the cloud and how it is, in the cloud's own word."""

    name: str
    state: str
    is_well: bool


class Use(StrEnum):
    """Who has a name."""

    FREE = "free"
    OURS = "ours"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool of nodes. Any of the `types` may be taken when `is_flexible`, else the first alone."""

    name: str
    types: tuple[str, ...]
    least: int
    most: int
    is_spot: bool
    is_flexible: bool = False

    @property
    def candidates(self) -> tuple[str, ...]:
        """The types that nodes may be of."""
        return self.types if self.is_flexible else self.types[:1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a root needs of an account.

    Attributes:
        zones: how many zones the nodes are spread over.
        new: the resources that are not made yet.
    """

    region: str
    kubernetes_version: str
    zones: int
    pools: tuple[Pool, ...]
    new: tuple[HclResource, ...]

    def count(self, kind: str) -> int:
        """How many new resources of a type."""
        return sum(resource.type == kind for resource in self.new)

    def list_values(self, kind: str, attribute: str) -> tuple[str, ...]:
        """The known values of an attribute of the new resources of a type."""
        found = [resource.values.get(attribute) for resource in self.new if resource.type == kind]
        flat = [item for value in found for item in (value if isinstance(value, list) else [value])]
        return tuple(item for item in flat if isinstance(item, str))


class Account(Protocol):
    """One region of an account. Every method asks the cloud.

    Every method raises PreflightError when libraries or credentials are missing, and ToolError when the cloud refuses
    to tell or cannot be reached.
    """

    def identify(self) -> Identity:
        """Whose credentials these are; PreflightError when there are none that the cloud accepts."""

    def list_denied(self, actions: Collection[str]) -> tuple[str, ...]:
        """Which of these actions the credentials do not allow."""

    def list_offers(self, types: Collection[str]) -> Mapping[str, Offer]:
        """Which of these instance types the region has."""

    def read_quotas(self, keys: Collection[str]) -> Mapping[str, Quota]:
        """These quotas, those that the cloud knows."""

    def list_versions(self) -> tuple[str, ...]:
        """The Kubernetes versions that a new cluster may have, such as `1.35`."""

    def list_networks(self) -> tuple[tuple[str, str], ...]:
        """Name and address range of every network there is."""

    def read_vitals(self, layer: str, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
        """How what makes up a layer (`cluster`, `nodes`, `storage`, `database`) is now; `outputs` are the root's."""

    def find_use(self, kind: str, name: str) -> Use:
        """Who has a name that only one customer of the cloud may have; `kind` is Terraform's resource type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How one cloud is asked, as data and pure functions beside its `Account`.

    Attributes:
        open: the account, for a region.
        assume: what the root's data sources would tell, for a region and an account's id.
        actions: the permissions that resources need, by their type.
        grant: how a missing permission is given, with `{who}`.
        list_pools: the pools of nodes that a root makes or describes.
        list_needs: what the demand takes of quotas, given the instance types' offers.
        raise_quota: how a quota is raised, with `{key}`, `{region}`, `{account}` and `{most}`.
        unique: the attribute that holds a name which must be the only one in the cloud, by resource type.
        networks: the attribute that holds an address range, by resource type.
        log_in: how credentials are had.
    """

    open: Callable[[str], Account]
    assume: Callable[[str, str], Assumed]
    actions: Mapping[str, Sequence[str]]
    grant: str
    list_pools: Callable[[Reading], tuple[Pool, ...]]
    list_needs: Callable[[Demand, Mapping[str, Offer]], tuple[Need, ...]]
    raise_quota: str
    unique: Mapping[str, str]
    networks: Mapping[str, str]
    log_in: str


Counted = tuple[str, str, str]
"""Of a resource that counts one by one: the quota's key, its title, and what takes it."""


def sum_needs(demand: Demand, of_pools: Iterable[Need], counted: Mapping[str, Counted]) -> tuple[Need, ...]:
    """One need for each quota: of what the node pools take, and of the kinds of resources that count one by one."""
    counts = [(row, demand.count(kind)) for kind, row in counted.items()]
    singles = [Need(key=key, title=title, least=n, most=n, because=why) for (key, title, why), n in counts if n]
    sums: dict[str, Need] = {}
    for need in (*of_pools, *singles):
        sums[need.key] = _add(sums[need.key], need) if need.key in sums else need
    return tuple(sums.values())


def _add(one: Need, other: Need) -> Need:
    because = (
        one.because if other.because in one.because else f"{one.because} and {other.because.removeprefix('pool ')}"
    )
    return Need(
        key=one.key,
        title=one.title,
        least=one.least + other.least,
        most=one.most + other.most,
        because=because,
    )
