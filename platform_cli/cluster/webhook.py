"""Admission webhooks of the components: which there are, and which would refuse everything since nobody answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.item import delete_item, describe
from platform_cli.cluster.mark import BY_HELM, release_of
from platform_cli.events import Emit, Notice
from platform_cli.tools.kubernetes_kind import ENDPOINT_SLICE, MUTATING_WEBHOOK, VALIDATING_WEBHOOK, Kind

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.tools.kubernetes import Kubernetes


def list_webhooks(kubernetes: Kubernetes, components: Iterable[Component]) -> list[dict[str, Any]]:
    """Admission webhooks that the components' releases brought."""
    releases = {(component.namespace, component.release) for component in components}
    found = (item for kind in (MUTATING_WEBHOOK, VALIDATING_WEBHOOK) for item in kubernetes.list(kind, labels=BY_HELM))
    return [item for item in found if release_of(item) in releases]


def remove_dead(kubernetes: Kubernetes, components: Iterable[Component], kinds: Sequence[Kind], emit: Emit) -> None:
    """Remove webhooks for these kinds that nobody answers; each is named."""
    for item in list_webhooks(kubernetes, components):
        hooks = [hook for hook in item.get("webhooks") or () if any(_is_asked(hook, kind) for kind in kinds)]
        dead = [name for hook in hooks if (name := _find_dead(kubernetes, hook))]
        if dead:
            text = f"{describe(item)} is removed, since no pod answers it behind service {dead[0]}"
            emit(Notice(level="warning", text=text))
            delete_item(kubernetes, item)


def _is_asked(hook: Mapping[str, Any], kind: Kind) -> bool:
    return any(
        {kind.group, "*"} & set(rule.get("apiGroups") or ()) and {kind.plural, "*", "*/*"} & set(rule["resources"])
        for rule in hook.get("rules") or ()
    )


def _find_dead(kubernetes: Kubernetes, hook: Mapping[str, Any]) -> str:
    """`namespace/name` of its service, when that has no ready endpoint; else empty."""
    service = hook["clientConfig"].get("service")
    if service is None:
        return ""
    labels = f"kubernetes.io/service-name={service['name']}"
    slices = kubernetes.list(ENDPOINT_SLICE, service["namespace"], labels=labels)
    endpoints = [endpoint for item in slices for endpoint in item.get("endpoints") or ()]
    # The API leaves out what it does not know, and then counts it as ready.
    if any((endpoint.get("conditions") or {}).get("ready") is not False for endpoint in endpoints):
        return ""
    return f"{service['namespace']}/{service['name']}"
