"""The cluster that KUBECONFIG leads to: with the platform where it was empty, else as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.figure import Figure, Skipped
from benchmarks.ground import CACHE, MLOPS, ROOT, clean_environment
from platform_cli.cluster.access import read_access
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import Kind

sys.path.append(str(ROOT / "tests"))

from chart_fixtures import OVERRIDES, assemble_charts

CHARTS = CACHE / "charts"
IMAGE = os.environ.get("MLOPS_TEST_STEP_IMAGE", "docker.io/library/busybox:1.37")
"""What the steps that do nothing run in; the cluster's nodes must hold it, or pull it."""
WORKFLOW = Kind("argoproj.io/v1alpha1", "Workflow", "workflows", namespaced=True)
INFERENCE_SERVICE = Kind("serving.kserve.io/v1beta1", "InferenceService", "inferenceservices", namespaced=True)


@dataclass(frozen=True, slots=True)
class Site:
    """A project folder that leads to the cluster. `owned` says whether the platform there is ours."""

    folder: Path
    kubernetes: Kubernetes
    environment: dict[str, str]
    owned: bool

    def mlops(self, *words: str) -> str:
        """Run a command; what it printed."""
        argv = [str(MLOPS), *words]
        done = subprocess.run(argv, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(argv)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def require_platform(self) -> None:
        """Raises `Skipped` unless the platform is ours."""
        if not self.owned:
            raise Skipped("needs a cluster without Argo and KServe, on which the platform comes and goes")

    def require_argo(self) -> None:
        """Raises `Skipped` without Argo's kinds."""
        if self.kubernetes.find_kind(WORKFLOW.api_version, WORKFLOW.kind) is None:
            raise Skipped("needs Argo Workflows on the cluster")


_OPENED = ExitStack()


def on_site(contest: Callable[[Site, int], list[Figure]], rounds: int) -> list[Figure]:
    """Hold a contest on the cluster, which is opened for the first and closed by `close_site` after the last."""
    return contest(_open_once(), rounds)


def close_site() -> None:
    """Leave the cluster as it was before the first contest."""
    _OPENED.close()


@cache
def _open_once() -> Site:
    return _OPENED.enter_context(open_site())


@contextmanager
def open_site() -> Iterator[Site]:
    """Deploy the platform on an empty cluster, and take it down in the end; leave any other as it is.

    Raises:
        Skipped: there is no cluster.
    """
    kubeconfig = os.environ.get("KUBECONFIG", "")
    if not Path(kubeconfig).is_file():
        raise Skipped("needs a cluster: set KUBECONFIG")
    folder = CACHE / "cluster"
    write_project(folder)
    kubernetes = Kubernetes(read_access(kubeconfig, None, {}))
    taken = [kind for kind in (WORKFLOW, INFERENCE_SERVICE) if kubernetes.find_kind(kind.api_version, kind.kind)]
    site = Site(folder, kubernetes, clean_environment(KUBECONFIG=kubeconfig), owned=not taken)
    if site.owned:
        site.mlops("deploy", "--yes")
    try:
        # What was not served before is asked for anew.
        yield Site(folder, Kubernetes(kubernetes.access), site.environment, owned=site.owned)
    finally:
        if site.owned:
            site.mlops("destroy", "--yes", "--delete-crds")


def write_project(folder: Path) -> None:
    """A project for the cluster, with the tests' charts: stand-ins for those that cannot be had."""
    folder.mkdir(parents=True, exist_ok=True)
    charts = {"source": "folder", "path": str(assemble_charts(CHARTS))}
    document: dict[str, Any] = {"version": 1, "name": "bench", "cloud": "existing", "charts": charts}
    (folder / "platform.yaml").write_text(json.dumps({**document, "components": {"values": OVERRIDES}}), "utf-8")
