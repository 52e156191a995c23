"""What must be true before the platform is put on a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from platform_cli import doctor
from platform_cli.doctor import Check, Finding
from platform_cli.errors import MlopsError
from platform_cli.tools.kubernetes_kind import CLUSTER_ROLE, CUSTOM_RESOURCE_DEFINITION, NAMESPACE, STORAGE_CLASS

if TYPE_CHECKING:
    from platform_cli.cluster.platform import ClusterPlatform
    from platform_cli.config import Config
    from platform_cli.layout import TargetHome

_OLDEST, _NEWEST = (1, 33), (1, 36)
_RIGHTS = (NAMESPACE, CUSTOM_RESOURCE_DEFINITION, CLUSTER_ROLE)
_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def list_checks(config: Config, home: TargetHome, platform: ClusterPlatform, *, offline: bool) -> tuple[Check, ...]:
    """Every check, the cheapest first; `offline` leaves out those that ask the cluster."""
    here = (
        Check("python", doctor.check_python),
        Check("folder", partial(doctor.check_folder, home.root)),
        Check("kubeconfig", partial(check_kubeconfig, platform)),
    )
    if offline or not config.components.install:
        return here
    asks = (("cluster", check_cluster), ("rights", check_rights), ("storage", check_storage))
    return (*here, *(Check(name, partial(_tell_errors, look, platform)) for name, look in asks))


def check_kubeconfig(platform: ClusterPlatform) -> Finding:
    """Whether there is a kubeconfig, and the context in it."""
    try:
        return Finding(ok=True, found=f"context {platform.access.context} leads to {platform.access.server}")
    except MlopsError as error:
        return Finding(ok=False, found=error.message, fix=error.hint)


def check_cluster(platform: ClusterPlatform) -> Finding:
    """Whether the cluster answers, and is of a version that the components are made for."""
    version = platform.kubernetes.version()
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    fix = f"the components are made for {_OLDEST[0]}.{_OLDEST[1]} to {_NEWEST[0]}.{_NEWEST[1]}"
    return Finding(_OLDEST <= numbers <= _NEWEST, f"Kubernetes {version}", fix, advises=numbers > _NEWEST)


def check_rights(platform: ClusterPlatform) -> Finding:
    """Whether we may make what is not in any namespace."""
    missing = [kind.resource for kind in _RIGHTS if not platform.kubernetes.allows("create", kind)]
    found = f"may not create {', '.join(missing)}" if missing else "may create all that the components need"
    return Finding(not missing, found, "have an administrator bind you to the ClusterRole cluster-admin")


def check_storage(platform: ClusterPlatform) -> Finding:
    """Whether a volume is made for who asks for one without saying which."""
    classes = list(platform.kubernetes.list(STORAGE_CLASS))
    defaults = [
        item["metadata"]["name"]
        for item in classes
        if (item["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
    ]
    names = ", ".join(item["metadata"]["name"] for item in classes) or "none"
    found = f"storage class {defaults[0]}" if defaults else f"no default storage class; there is {names}"
    return Finding(bool(defaults), found, "mark a storage class as default; components keep data on volumes of it")


def _tell_errors(look: Callable[[ClusterPlatform], Finding], platform: ClusterPlatform) -> Finding:
    try:
        return look(platform)
    except MlopsError as error:
        return Finding(ok=False, found=error.message, fix=error.hint)
