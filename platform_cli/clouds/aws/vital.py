"""How a deployment on AWS is now, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from platform_cli.clouds.terraform.account import Use, Vital


class Asker(Protocol):
    """What an account can be asked."""

    def ask(self, service: str, question: Callable[[Any], Any]) -> Any:
        """The answer of a client of this service; None when there is no such thing."""

    def find_use(self, kind: str, name: str) -> Use:
        """See `Account.find_use`."""


def read_vitals(account: Asker, layer: str, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
    """See `Account.read_vitals`."""
    return _LAYERS[layer](account, outputs)


def _read_cluster(account: Asker, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
    name = outputs["cluster_name"]
    found = account.ask("eks", lambda eks: eks.describe_cluster(name=name))
    return (_tell(name, found["cluster"]["status"], "ACTIVE"),) if found else ()


def _read_nodes(account: Asker, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
    cluster = outputs["cluster_name"]
    found = account.ask("eks", lambda eks: eks.list_nodegroups(clusterName=cluster))
    return tuple(_read_group(account, cluster, name) for name in (found or {}).get("nodegroups", ()))


def _read_group(account: Asker, cluster: str, name: str) -> Vital:
    found = account.ask("eks", lambda eks: eks.describe_nodegroup(clusterName=cluster, nodegroupName=name))
    group: dict[str, Any] = found["nodegroup"] if found else {"status": "gone"}
    issues = [issue["code"] for issue in group.get("health", {}).get("issues", ())]
    state = f"{group['status']} ({', '.join(issues)})" if issues else group["status"]
    return Vital(name, state, state == "ACTIVE")


def _read_storage(account: Asker, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
    names = sorted(store["name"] for store in outputs["artifact_stores"].values())
    uses = [account.find_use("aws_s3_bucket", name) for name in names]
    return tuple(_tell(name, use, Use.OURS) for name, use in zip(names, uses, strict=True))


def _read_database(account: Asker, outputs: Mapping[str, Any]) -> tuple[Vital, ...]:
    name = outputs["database"]["host"].partition(".")[0]
    found = account.ask("rds", lambda rds: rds.describe_db_instances(DBInstanceIdentifier=name))
    return tuple(_tell(name, item["DBInstanceStatus"], "available") for item in (found or {}).get("DBInstances", ()))


def _tell(name: str, state: str, well: str) -> Vital:
    return Vital(name, state, state == well)


_LAYERS = {"cluster": _read_cluster, "nodes": _read_nodes, "storage": _read_storage, "database": _read_database}
