"""What we made on a cluster beside Helm's releases, written on the cluster itself: any machine can take it down.

One ConfigMap holds it; each entry is a key, so that stages that run at the same time do not overwrite each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platform_cli.cluster.secret import MANAGED_BY
from platform_cli.cluster.stages import SYSTEM_NAMESPACE
from platform_cli.tools.kubernetes_kind import CONFIG_MAP, NAMESPACE

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

NAME = "mlops-inventory"
_NAMESPACE, _CRD = "namespace.", "crd."


class Inventory:
    """The entries on one cluster. Read once when it is made; later changes are written through."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self._kubernetes = kubernetes

    def read(self) -> dict[str, str]:
        """Every entry; none when nothing was ever made here."""
        found = self._kubernetes.get(CONFIG_MAP, NAME, SYSTEM_NAMESPACE)
        return dict((found or {}).get("data") or {})

    def add_namespace(self, name: str) -> None:
        """Make a namespace and write down that it is ours."""
        if self._kubernetes.get(NAMESPACE, SYSTEM_NAMESPACE) is None:
            self._kubernetes.apply(make_namespace(SYSTEM_NAMESPACE))
            self._write({_NAMESPACE + SYSTEM_NAMESPACE: "made"})
        # Written first: a namespace that we make right before we are killed is ours as well.
        if self._kubernetes.get(NAMESPACE, name) is None:
            self._write({_NAMESPACE + name: "made"})
            self._kubernetes.apply(make_namespace(name))

    def add_crds(self, digests: dict[str, str]) -> None:
        """Write down what we applied."""
        self._write({_CRD + name: digest for name, digest in digests.items()})

    def drop(self, *, namespaces: tuple[str, ...] = (), crds: tuple[str, ...] = ()) -> None:
        """Forget what is gone."""
        gone = (*(_NAMESPACE + name for name in namespaces), *(_CRD + name for name in crds))
        if gone and self._kubernetes.get(CONFIG_MAP, NAME, SYSTEM_NAMESPACE) is not None:
            self._kubernetes.patch(CONFIG_MAP, NAME, SYSTEM_NAMESPACE, {"data": dict.fromkeys(gone)})

    def _write(self, entries: dict[str, str]) -> None:
        if self._kubernetes.get(CONFIG_MAP, NAME, SYSTEM_NAMESPACE) is None:
            self._kubernetes.apply(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": NAME, "namespace": SYSTEM_NAMESPACE, "labels": dict(MANAGED_BY)},
                }
            )
        self._kubernetes.patch(CONFIG_MAP, NAME, SYSTEM_NAMESPACE, {"data": entries})


def make_namespace(name: str) -> dict[str, Any]:
    """A namespace as we make it; the platform's chart adds its policies."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def namespaces_of(entries: dict[str, str]) -> frozenset[str]:
    """The namespaces that we made."""
    return frozenset(key.removeprefix(_NAMESPACE) for key in entries if key.startswith(_NAMESPACE))


def crds_of(entries: dict[str, str]) -> dict[str, str]:
    """The CRDs that we applied, with the SHA-256 of each."""
    return {key.removeprefix(_CRD): value for key, value in entries.items() if key.startswith(_CRD)}
