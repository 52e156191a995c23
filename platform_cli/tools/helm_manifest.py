"""Rendered manifests as objects, alike from both adapters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec
import yaml

from platform_cli.errors import ToolError
from platform_cli.tools.helm import has_library

HOOK = "helm.sh/hook"
# What is indented belongs to a text, so that the mark at the start of a line is always one between documents.
_BETWEEN = re.compile(r"^---(?:[ \t].*)?$", re.MULTILINE)
# Helm's library holds every number as a float, in which a longer one loses its last digits.
_LONG_NUMBER = re.compile(r"\d{16}")
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# The order in which Helm applies kinds; what it does not name comes last.
_KINDS = (
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
_ORDER = {kind: index for index, kind in enumerate(_KINDS)}


class _Loader(_SafeLoader):  # type: ignore[misc]
    """YAML as Kubernetes reads it: a bare `=` is text, dates stay text."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))


def load_yaml(text: str) -> Any:
    """One YAML document, read fast and as Kubernetes reads it.

    Raises:
        yaml.YAMLError: it is none.
    """
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - built on the safe loader


def parse_manifests(texts: Iterable[str], *, what: str) -> Iterator[dict[str, Any]]:
    """Every object in the texts; comments and empty documents are none.

    Raises:
        ToolError: a text is no YAML, or a document is no object; the message has `what`.
    """
    for part in (part for text in texts for part in _BETWEEN.split(text)):
        try:
            document = msgspec.json.decode(_read_document(part))
        except yaml.YAMLError as error:
            raise ToolError(f"{what}: the chart makes what is no YAML", details=(*str(error).splitlines(),)) from error
        if document is None:
            continue
        if not isinstance(document, dict) or not document.get("kind"):
            raise ToolError(f"{what}: the chart makes a document that is no object: {str(document)[:80]}")
        yield document


@lru_cache(maxsize=2048)
def _read_document(text: str) -> bytes:
    """One document as JSON, once for what a chart makes and what runs already; `null` when it is empty.

    Helm's library reads definitions of a megabyte five times as fast as Python does.
    """
    if has_library() and not _LONG_NUMBER.search(text):
        import helm_python

        try:
            return msgspec.json.encode(helm_python.values_from_yaml(text) or None)
        except helm_python.HelmError:
            # It takes objects only; the other reader knows what else it is, or where it is broken.
            return msgspec.json.encode(load_yaml(text))
    return msgspec.json.encode(load_yaml(text))


def sort_objects(objects: Iterable[dict[str, Any]], *, hooks: bool) -> tuple[dict[str, Any], ...]:
    """In the order of kinds in which Helm applies them, then by namespace and name; hooks only when asked for."""
    kept = [item for item in objects if hooks or not is_hook(item)]
    return tuple(sorted(kept, key=_order))


def is_hook(item: dict[str, Any]) -> bool:
    """Whether an object is one of a chart's hooks, which is no part of the release."""
    return HOOK in ((item.get("metadata") or {}).get("annotations") or {})


def _order(item: dict[str, Any]) -> tuple[int, str, str, str]:
    metadata = item.get("metadata") or {}
    kind = str(item["kind"])
    return _ORDER.get(kind, len(_ORDER)), kind, str(metadata.get("namespace", "")), str(metadata.get("name", ""))
