"""External Secrets' operator as far as our own ExternalSecrets need it: entries of a store become Secrets.

It works as the cluster's administrator from outside. A Secret belongs to its ExternalSecret and goes with it; those
that are merged into a Secret of somebody else's (Argo CD's) are left alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Self

from platform_cli.errors import MlopsError
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import Kind

EXTERNAL_SECRET = Kind("external-secrets.io/v1", "ExternalSecret", "externalsecrets", namespaced=True)
PAUSE_S = 1.0


class ExternalSecretsStandIn:
    """Use it in a `with` statement.

    Args:
        kubernetes: the cluster's API.
        read_entry: an entry of the store, by name.
        extra: Secrets beside these, as `namespace/name`, made as soon as there is such a namespace.
    """

    def __init__(
        self,
        kubernetes: Kubernetes,
        read_entry: Callable[[str], Mapping[str, str]],
        extra: Mapping[str, Mapping[str, str]],
    ) -> None:
        self._kubernetes, self._read_entry, self._extra = kubernetes, read_entry, extra
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.made: set[str] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ends.wait(PAUSE_S):
            for place, content in self._extra.items():
                namespace, _, name = place.partition("/")
                self._make(namespace, name, content)
            for item in self._list():
                if item["spec"]["target"]["creationPolicy"] == "Owner":
                    self._make_owned(item)

    def _list(self) -> list[dict[str, Any]]:
        try:
            return list(self._kubernetes.list(EXTERNAL_SECRET))
        except MlopsError:  # there is no such kind before it is installed and after it is removed
            return []

    def _make_owned(self, item: Mapping[str, Any]) -> None:
        refs = {each["secretKey"]: each["remoteRef"] for each in item["spec"]["data"]}
        content = {key: self._read_entry(ref["key"])[ref["property"]] for key, ref in refs.items()}
        owner = {
            "apiVersion": EXTERNAL_SECRET.api_version,
            "kind": EXTERNAL_SECRET.kind,
            "name": item["metadata"]["name"],
            "uid": item["metadata"]["uid"],
        }
        self._make(item["metadata"]["namespace"], item["spec"]["target"]["name"], content, owner)

    def _make(self, namespace: str, name: str, content: Mapping[str, str], *owners: Mapping[str, str]) -> None:
        place = f"{namespace}/{name}"
        if place in self.made:
            return
        metadata = {"name": name, "namespace": namespace, "ownerReferences": list(owners)}
        try:
            self._kubernetes.apply(
                {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(content)}
            )
        except MlopsError:  # there is no such namespace yet, or no longer: the next round sees
            return
        self.made.add(place)
