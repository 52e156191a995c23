"""How we know again what we made on a cluster: by marks on the objects themselves, from any machine."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from platform_cli.stage import digest_of

MADE_BY = {"mlops.io/made-by": "mlops"}
_DIGEST = "mlops.io/digest"
_BEFORE = "mlops.io/before"
_CLAIM = "mlops.io/release."
_RELEASE, _RELEASE_NAMESPACE = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace"
_OURS = ("app.kubernetes.io/", "helm.sh/", "meta.helm.sh/", "mlops.io/", "pod-security.kubernetes.io/")
BY_HELM = "app.kubernetes.io/managed-by=Helm"
"""Selects what Helm made."""


def make_namespace(name: str) -> dict[str, Any]:
    """A namespace that is ours; the platform's chart adds its policies."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(MADE_BY)}}


def is_ours(item: Mapping[str, Any]) -> bool:
    """Whether we made a namespace."""
    return MADE_BY.items() <= (item["metadata"].get("labels") or {}).items()


def is_known(item: Mapping[str, Any]) -> bool:
    """Whether we made a namespace, or remember what it was like before us."""
    return is_ours(item) or _BEFORE in (item["metadata"].get("annotations") or {})


def claim(release: str) -> dict[str, Any]:
    """The patch with which a namespace says, before Helm begins, that a release in it is ours."""
    return {"metadata": {"annotations": {f"{_CLAIM}{release}": "ours"}}}


def is_claimed(item: Mapping[str, Any], release: str) -> bool:
    """Whether a namespace says that a release in it is ours."""
    return f"{_CLAIM}{release}" in (item["metadata"].get("annotations") or {})


def unclaim(release: str) -> dict[str, Any]:
    """The patch that takes that back, once the release is gone."""
    return {"metadata": {"annotations": {f"{_CLAIM}{release}": None}}}


def remember(item: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that writes down what a namespace of somebody else's is like, for `restore`."""
    metadata = item["metadata"]
    before = {"labels": metadata.get("labels") or {}, "annotations": metadata.get("annotations") or {}}
    return {"metadata": {"annotations": {_BEFORE: json.dumps(before, sort_keys=True)}}}


def restore(item: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that makes the labels and annotations of a namespace those of before us; nothing if it is unknown."""
    metadata = item["metadata"]
    text = (metadata.get("annotations") or {}).get(_BEFORE)
    if text is None:
        return {}
    before = json.loads(text)
    return {"metadata": {part: _undo(metadata.get(part) or {}, before[part]) for part in ("labels", "annotations")}}


def _undo(now: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str | None]:
    """What a release of ours added goes, what it changed becomes what it was; what others added since stays."""
    return {key: before.get(key) for key in (*now, *before) if key.startswith(_OURS)}


def mark_crd(crd: Mapping[str, Any]) -> dict[str, Any]:
    """A CRD that says what we applied."""
    return mark(crd, digest_of(crd))


def mark(item: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """An object that bears a digest."""
    annotations = {**(item["metadata"].get("annotations") or {}), _DIGEST: digest}
    return {**item, "metadata": {**item["metadata"], "annotations": annotations}}


def read_mark(item: Mapping[str, Any]) -> str:
    """The digest that an object bears; empty when it has none."""
    return str((item["metadata"].get("annotations") or {}).get(_DIGEST, ""))


def read_crd_mark(crd: Mapping[str, Any], releases: Collection[tuple[str, str]]) -> str:
    """SHA-256 of what we applied as a CRD, or the release of ours that brought it; empty when it is not ours."""
    digest = read_mark(crd)
    if digest:
        return digest
    release = release_of(crd)
    return "/".join(release) if release in releases else ""


def of_release(namespace: str, release: str) -> dict[str, Any]:
    """The patch that makes an object one that Helm takes for a release's."""
    key, _, value = BY_HELM.partition("=")
    return {"metadata": {"labels": {key: value}, "annotations": {_RELEASE_NAMESPACE: namespace, _RELEASE: release}}}


def release_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """Namespace and name of the release that an object belongs to; empty texts when Helm did not make it."""
    annotations = item["metadata"].get("annotations") or {}
    return str(annotations.get(_RELEASE_NAMESPACE, "")), str(annotations.get(_RELEASE, ""))
