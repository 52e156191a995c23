"""What must be true of a cluster before the platform is put on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from platform_cli.doctor import Check, Finding
from platform_cli.errors import MlopsError
from platform_cli.tools.kubernetes_kind import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    DEPLOYMENT,
    INGRESS_CLASS,
    MUTATING_WEBHOOK,
    NAMESPACE,
    NETWORK_POLICY,
    NODE,
    PERSISTENT_VOLUME_CLAIM,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    STORAGE_CLASS,
    VALIDATING_WEBHOOK,
    Kind,
)

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.tools.kubernetes import Kubernetes

Open = Callable[[], "Kubernetes"]
Look = Callable[["Kubernetes"], Finding]

# KServe 0.20 asks for the oldest; the newest is what the components' releases were tested with.
_OLDEST, _NEWEST = (1, 32), (1, 36)
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_EVERYTHING = Kind("*/*", "", "*", namespaced=False)
_POD_LOG = Kind("v1", "Pod", "pods/log", namespaced=True)
_POD_FORWARD = Kind("v1", "Pod", "pods/portforward", namespaced=True)
_GATEWAY_CLASS = ("gateway.networking.k8s.io/v1", "GatewayClass")
_AT_ONCE = 8


class Right(NamedTuple):
    """Something that we must be allowed to do, in all namespaces."""

    verb: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.verb} {self.kind.resource}"


# What the charts make, what follows runs, and what brings dashboards here.
RIGHTS = (
    *(
        Right("create", kind)
        for kind in (
            NAMESPACE,
            CUSTOM_RESOURCE_DEFINITION,
            CLUSTER_ROLE,
            CLUSTER_ROLE_BINDING,
            MUTATING_WEBHOOK,
            VALIDATING_WEBHOOK,
            DEPLOYMENT,
            STATEFUL_SET,
            SERVICE,
            SERVICE_ACCOUNT,
            SECRET,
            CONFIG_MAP,
            NETWORK_POLICY,
            PERSISTENT_VOLUME_CLAIM,
            _POD_FORWARD,
        )
    ),
    Right("get", _POD_LOG),
    Right("delete", NAMESPACE),
    Right("escalate", CLUSTER_ROLE),
)


def list_cluster_checks(
    kubernetes: Open, components: Sequence[Component] = (), forced: Collection[str] = ()
) -> tuple[Check, ...]:
    """Every check, in the order in which people read them.

    Args:
        kubernetes: opens the API; called when a check looks.
        components: what is to be installed, held against what somebody else runs there.
        forced: those of them that are installed nevertheless.
    """
    looks: Mapping[str, Look] = {
        "cluster": check_version,
        "rights": check_rights,
        "nodes": check_nodes,
        "storage": check_storage,
        "way-in": check_way_in,
        "adoption": lambda api: check_adoption(api, components, forced),
    }
    return tuple(Check(name, _tell_errors(look, kubernetes)) for name, look in looks.items())


def check_version(kubernetes: Kubernetes) -> Finding:
    """Whether the cluster answers, and is of a version that the components run on."""
    version = kubernetes.version()
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    oldest, newest = (".".join(map(str, bound)) for bound in (_OLDEST, _NEWEST))
    found = f"Kubernetes {version} at {kubernetes.access.server}"
    fix = f"the components are made for {oldest} to {newest}"
    return Finding(_OLDEST <= numbers <= _NEWEST, found, fix, advises=numbers > _NEWEST)


def check_rights(kubernetes: Kubernetes) -> Finding:
    """Whether we may do what a deploy does. Whoever may do everything is asked one question only."""
    if kubernetes.allows("*", _EVERYTHING):
        return Finding(ok=True, found="you may do everything on this cluster")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        allowed = pool.map(lambda right: kubernetes.allows(right.verb, right.kind), RIGHTS)
        missing = [str(right) for right, is_allowed in zip(RIGHTS, allowed, strict=True) if not is_allowed]
    if missing:
        fix = "ask whoever runs the cluster for them (cluster-admin has them all)"
        return Finding(ok=False, found=f"you may not: {', '.join(missing)}", fix=fix)
    return Finding(ok=True, found=f"you may do all {len(RIGHTS)} things that a deploy does")


def check_nodes(kubernetes: Kubernetes) -> Finding:
    """Whether any node takes pods."""
    nodes = list(kubernetes.list(NODE))
    usable = [node for node in nodes if _takes_pods(node)]
    return Finding(bool(usable), f"{len(usable)} of {len(nodes)} nodes take pods", "add a node, or uncordon one")


def check_storage(kubernetes: Kubernetes) -> Finding:
    """Whether volumes that name no storage class get one."""
    classes = list(kubernetes.list(STORAGE_CLASS))
    names = [item["metadata"]["name"] for item in classes]
    default = [item["metadata"]["name"] for item in classes if _is_default(item)]
    if default:
        return Finding(ok=True, found=f"default storage class {', '.join(default)}")
    if not names:
        return Finding(ok=False, found="there is no storage class", fix="install a CSI driver with a default class")
    fix = f"kubectl annotate storageclass {names[0]} {_DEFAULT_CLASS}=true"
    return Finding(ok=False, found=f"no storage class is the default; there are: {', '.join(names)}", fix=fix)


def check_way_in(kubernetes: Kubernetes) -> Finding:
    """Whether anything routes requests from outside; without it, forwards do, so this only advises."""
    gateway = kubernetes.find_kind(*_GATEWAY_CLASS)
    gateways = [f"gateway class {item['metadata']['name']}" for item in (kubernetes.list(gateway) if gateway else ())]
    ingresses = [f"ingress class {item['metadata']['name']}" for item in kubernetes.list(INGRESS_CLASS)]
    found = ", ".join([*gateways, *ingresses])
    fix = "components.enable: [gateway] installs one; mlops port-forward and mlops predict work without"
    return Finding(bool(found), found or "no gateway class and no ingress class", fix, advises=True)


def check_adoption(kubernetes: Kubernetes, components: Sequence[Component], forced: Collection[str] = ()) -> Finding:
    """Whether somebody else runs components of ours here: they are used as they are, so this only advises."""
    from platform_cli.cluster.remains import look_for_ours

    foreign = look_for_ours(kubernetes, components, forced).foreign if components else {}
    if not foreign:
        return Finding(ok=True, found="nobody else runs a component of ours here")
    found = "; ".join(f"{name}: {why}" for name, why in foreign.items())
    fix = "they are used as they are and not touched; name them in components.skip to say so"
    return Finding(ok=False, found=found, fix=fix, advises=True)


def _tell_errors(look: Look, kubernetes: Open) -> Callable[[], Finding]:
    """A cluster that does not answer is a finding like others."""

    def tell() -> Finding:
        try:
            return look(kubernetes())
        except MlopsError as error:
            return Finding(ok=False, found=error.message, fix=error.hint)

    return tell


def _takes_pods(node: Mapping[str, Any]) -> bool:
    conditions: Iterable[Mapping[str, Any]] = node.get("status", {}).get("conditions") or ()
    is_ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
    return is_ready and not node["spec"].get("unschedulable")


def _is_default(item: Mapping[str, Any]) -> bool:
    return (item["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
