"""Asks a Google project what a root needs of it."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from platform_cli.clouds.gcp.account import LOG_IN, Rest
from platform_cli.clouds.gcp.permission import ACTIONS
from platform_cli.clouds.gcp.quota import assume, list_needs, list_pools
from platform_cli.clouds.terraform.account import Identity, Offer, Probe, Quota, Use, Vital
from platform_cli.errors import PreflightError, ToolError

# As many as one call takes.
_CHUNK = 100


def open_probe(project: str | None) -> Probe:
    """How Google Cloud is asked about a project, or about the one that the environment names."""
    return Probe(
        open=lambda region: GcpAccount(region, Rest(project)),
        assume=assume,
        actions=ACTIONS,
        grant="let an owner of the project grant {who} the roles in docs/how-to/gcp.md",
        list_pools=list_pools,
        list_needs=list_needs,
        raise_quota="ask Google for {most} of {key} in {region} (IAM & Admin, Quotas, project {account})",
        unique={"google_storage_bucket": "name"},
        networks={"google_compute_subnetwork": "ip_cidr_range"},
        log_in=LOG_IN,
    )


class GcpAccount:
    """One region of a project."""

    def __init__(self, region: str, rest: Rest) -> None:
        self._region, self._rest = region, rest

    def identify(self) -> Identity:
        """See `Account.identify`."""
        project = self._rest.project_id
        try:
            found = self._rest.get("resources", f"projects/{project}")
        except ToolError as error:
            raise PreflightError(error.message, hint=LOG_IN) from error
        if found is None:
            raise PreflightError(f"there is no Google project {project}", hint="correct gcp.project")
        return Identity(project, self._rest.principal, "project")

    def list_denied(self, actions: Collection[str]) -> tuple[str, ...]:
        """See `Account.list_denied`."""
        path = f"projects/{self._rest.project_id}:testIamPermissions"
        allowed: set[str] = set()
        for chunk in _split(sorted(actions), _CHUNK):
            allowed |= set(self._rest.post("resources", path, {"permissions": chunk}).get("permissions", ()))
        return tuple(sorted(set(actions) - allowed))

    def list_offers(self, types: Collection[str]) -> Mapping[str, Offer]:
        """See `Account.list_offers`."""
        wanted = " OR ".join(f'(name = "{kind}")' for kind in sorted(types))
        found: dict[str, dict[str, Any]] = {}
        zones: dict[str, set[str]] = {}
        for zone in self._list_zones():
            path = f"{self._project}/zones/{zone}/machineTypes"
            for item in self._rest.list("compute", path, "items", filter=wanted):
                found[item["name"]] = item
                zones.setdefault(item["name"], set()).add(zone)
        return {name: _read_offer(item, frozenset(zones[name])) for name, item in found.items()}

    def read_quotas(self, keys: Collection[str]) -> Mapping[str, Quota]:
        """See `Account.read_quotas`: those of the region and those of the project."""
        places = (self._project, f"{self._project}/regions/{self._region}")
        found = [item for place in places for item in (self._rest.get("compute", place) or {}).get("quotas", ())]
        wanted = [item for item in found if item["metric"] in keys]
        return {item["metric"]: Quota(float(item["limit"]), float(item["usage"])) for item in wanted}

    def list_versions(self) -> tuple[str, ...]:
        """See `Account.list_versions`."""
        found = self._rest.get("container", f"{self._location}/serverConfig") or {}
        minors = (version.rpartition("-gke")[0].rpartition(".")[0] for version in found.get("validMasterVersions", ()))
        return tuple(dict.fromkeys(minors))

    def list_networks(self) -> tuple[tuple[str, str], ...]:
        """See `Account.list_networks`: every subnetwork's ranges, since a network has none of its own."""
        found: list[tuple[str, str]] = []
        for _, group in self._rest.list("compute", f"{self._project}/aggregated/subnetworks", "items"):
            for item in group.get("subnetworks", ()):
                ranges = (item["ipCidrRange"], *(extra["ipCidrRange"] for extra in item.get("secondaryIpRanges", ())))
                found += [(item["name"], cidr) for cidr in ranges]
        return tuple(found)

    def find_use(self, kind: str, name: str) -> Use:  # noqa: ARG002 - buckets are all there is
        """See `Account.find_use`: a bucket that we may not look into is somebody else's."""
        try:
            found = self._rest.get("storage", f"b/{name}")
        except ToolError:
            return Use.TAKEN
        return Use.FREE if found is None else Use.OURS

    def read_vitals(self, layer: str, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
        """See `Account.read_vitals`."""
        return {
            "cluster": self._read_cluster,
            "nodes": self._read_nodes,
            "storage": self._read_storage,
            "database": self._read_database,
        }[layer](outputs)

    @property
    def _project(self) -> str:
        return f"projects/{self._rest.project_id}"

    @property
    def _location(self) -> str:
        return f"{self._project}/locations/{self._region}"

    def _list_zones(self) -> list[str]:
        found = self._rest.get("compute", f"{self._project}/regions/{self._region}")
        if found is None:
            raise ToolError(f"Google Cloud has no region {self._region}", hint="correct gcp.region")
        return [zone.rpartition("/")[2] for zone in found.get("zones", ())]

    def _find_cluster(self, outputs: Mapping[str, Any]) -> dict[str, Any] | None:
        return self._rest.get("container", f"{self._location}/clusters/{outputs['cluster_name']}")

    def _read_cluster(self, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
        found = self._find_cluster(outputs)
        return (_tell(found, "status", "RUNNING"),) if found else ()

    def _read_nodes(self, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
        found = self._find_cluster(outputs) or {}
        return tuple(_tell(pool, "status", "RUNNING") for pool in found.get("nodePools", ()))

    def _read_storage(self, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
        names = sorted(store["name"] for store in outputs["artifact_stores"].values())
        uses = [self.find_use("google_storage_bucket", name) for name in names]
        return tuple(Vital(name, use, use is Use.OURS) for name, use in zip(names, uses, strict=True))

    def _read_database(self, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
        host = outputs["database"]["host"]
        found = self._rest.list("sql", f"{self._project}/instances", "items")
        ours = [item for item in found if any(at.get("ipAddress") == host for at in item.get("ipAddresses", ()))]
        return tuple(_tell(item, "state", "RUNNABLE") for item in ours)


def _read_offer(item: Mapping[str, Any], zones: frozenset[str]) -> Offer:
    gpus = item.get("accelerators", ())
    return Offer(
        zones=zones,
        vcpus=int(item["guestCpus"]),
        gpus=sum(int(gpu["guestAcceleratorCount"]) for gpu in gpus),
        family=gpus[0]["guestAcceleratorType"] if gpus else str(item["name"]).partition("-")[0],
    )


def _tell(item: Mapping[str, Any], key: str, well: str) -> Vital:
    return Vital(item["name"], item[key], item[key] == well)


def _split(items: list[str], size: int) -> Iterator[list[str]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
