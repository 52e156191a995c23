"""Secrets that nobody chose: made up once, on the cluster only, where no secret store holds them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component

_BYTES = 32
MANAGED_BY = {"app.kubernetes.io/managed-by": "mlops"}
_Maker = Callable[[], dict[str, str]]


def _make_login() -> dict[str, str]:
    return {"username": "admin", "password": secrets.token_urlsafe(_BYTES)}


# By component: the name of the Secret in its namespace, as its values name it, and what makes its content.
_SECRETS: Mapping[str, tuple[str, _Maker]] = {
    "kube-prometheus-stack": ("grafana-admin", _make_login),
}


def list_secrets(components: Iterable[Component]) -> tuple[str, ...]:
    """The Secrets that the components need, as `namespace/name`; none where a secret store brings them."""
    components = tuple(components)
    if any(component.name == "platform-secrets" for component in components):
        return ()
    return tuple(f"{item.namespace}/{_SECRETS[item.name][0]}" for item in components if item.name in _SECRETS)


def make_secret(key: str) -> dict[str, Any]:
    """A Secret of `list_secrets` with fresh content, which stands nowhere but in the result."""
    namespace, _, name = key.partition("/")
    makers = dict(_SECRETS.values())
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(MANAGED_BY)},
        "type": "Opaque",
        "stringData": makers[name](),
    }
