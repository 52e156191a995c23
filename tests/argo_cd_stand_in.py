"""What Argo CD does with Applications as far as we can tell: it makes them, says how they are, and cascades."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from platform_cli.cluster.application import APPLICATION
from platform_cli.errors import MlopsError, NotFoundError
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import CONFIG_MAP

FINALIZER = "resources-finalizer.argocd.argoproj.io"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class ArgoCdStandIn:
    """Syncs Applications of a namespace from a folder that stands for the repository. Use it in a `with` statement.

    Each component's chart is one ConfigMap here, `chart-NAME` in the component's namespace.

    Attributes:
        broken: what is wrong with an Application, by its name; it is degraded.
    """

    def __init__(self, kubernetes: Kubernetes, namespace: str, repository: Path) -> None:
        self._kubernetes = kubernetes
        self._namespace = namespace
        self._repository = repository
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self.broken: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(30)

    def _work(self) -> None:
        while not self._stopped.wait(0.3):
            # As a controller does: what fails is tried again with the next round.
            with contextlib.suppress(MlopsError):
                for item in self._kubernetes.list(APPLICATION, self._namespace):
                    self._reconcile(item)

    def _reconcile(self, item: Mapping[str, Any]) -> None:
        if item["metadata"].get("deletionTimestamp"):
            self._cascade(item)
        elif (item["spec"].get("syncPolicy") or {}).get("automated") is not None:
            self._sync(item)

    def _sync(self, item: Mapping[str, Any]) -> None:
        spec, name = item["spec"], item["metadata"]["name"]
        if "source" in spec:
            # The folder's last parts: what comes before them is the repository's.
            for path in sorted((self._repository / Path(spec["source"]["path"]).name).glob("*.yaml")):
                self._make(yaml.safe_load(path.read_text()))
            revisions: dict[str, Any] = {"revision": COMMIT}
        else:
            metadata = {"name": f"chart-{name}", "namespace": spec["destination"]["namespace"]}
            self._kubernetes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
            revisions = {"revisions": [spec["sources"][0]["targetRevision"], COMMIT]}
        trouble = self.broken.get(name, "")
        health = {"status": "Degraded", "message": trouble} if trouble else {"status": "Healthy", "message": None}
        self._patch(item, {"status": {"health": health, "sync": {"status": "Synced", **revisions}}})

    def _make(self, application: dict[str, Any]) -> None:
        name = application["metadata"]["name"]
        if self._kubernetes.get(APPLICATION, name, self._namespace) is None:
            self._kubernetes.create(application)

    def _cascade(self, item: Mapping[str, Any]) -> None:
        if FINALIZER in item["metadata"].get("finalizers", []):
            name, namespace = item["metadata"]["name"], item["spec"]["destination"]["namespace"]
            self._kubernetes.delete(CONFIG_MAP, f"chart-{name}", namespace)
            self._patch(item, {"metadata": {"finalizers": None}})

    def _patch(self, item: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        with contextlib.suppress(NotFoundError):
            self._kubernetes.patch(APPLICATION, item["metadata"]["name"], self._namespace, patch)
