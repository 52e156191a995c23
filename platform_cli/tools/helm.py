"""Helm as we use it: render charts, and install, list, roll back and remove releases. Nothing here waits for pods.

Two adapters behind one protocol: a `helm` program through pyhelm3, or Helm as a library, which needs no program.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from platform_cli.errors import PreflightError

if TYPE_CHECKING:
    from platform_cli.cluster.access import Access

HOOK_TIMEOUT_S = 300
"""How long Helm waits for a chart's hooks (Jobs before or after it), the only thing it waits for."""
HISTORY = 10
"""Revisions of a release that are kept to roll back to."""
NO_REVISION = re.compile(r"release has no \d+ version")
"""How Helm says that there is no such revision."""


class Release(NamedTuple):
    """One release as it is. `status` is Helm's word, such as deployed, failed or pending-install."""

    name: str
    namespace: str
    revision: int
    status: str
    chart: str
    version: str


class Helm(Protocol):
    """What both adapters do alike. Values go through memory or a pipe, never through a command line.

    Every method may raise:
        PreflightError: the cluster cannot be reached, or refuses us.
        ToolError: Helm failed; the message names chart or release and has Helm's own reason.
    """

    def render(
        self,
        chart: Path,
        *,
        name: str,
        namespace: str,
        values: Mapping[str, Any],
        kube_version: str = "",
        api_versions: Sequence[str] = (),
        hooks: bool = False,
    ) -> tuple[dict[str, Any], ...]:
        """What a chart makes of the values, without any cluster, in Helm's order of kinds.

        CRDs of the chart's `crds` folder are not among it. `api_versions` are those that the cluster is to serve
        besides Kubernetes' own; hooks are left out unless asked for.
        """

    def list(self) -> tuple[Release, ...]:
        """The latest revision of every release in every namespace, failed and pending ones too."""

    def manifest(self, name: str, namespace: str) -> tuple[dict[str, Any], ...]:
        """What the latest revision of a release applied, without hooks.

        Raises:
            NotFoundError: there is no such release.
        """

    def apply(self, chart: Path, *, name: str, namespace: str, values: Mapping[str, Any]) -> Release:
        """Install or upgrade a release, and its namespace when there is none.

        CRDs of the `crds` folder are left alone; objects that are there already become the release's.
        A first revision that failed is upgraded; one that is pending makes it fail: roll back or uninstall it first.
        """

    def rollback(self, name: str, namespace: str, revision: int) -> None:
        """Make an older revision the newest.

        Raises:
            NotFoundError: there is no such release or revision.
        """

    def uninstall(self, name: str, namespace: str) -> None:
        """Remove a release in whatever state; one that is not there is fine. Its namespace and CRDs stay."""


def open_helm(access: Access, *, environ: Mapping[str, str] | None = None, timeout_s: int = HOOK_TIMEOUT_S) -> Helm:
    """Helm for one cluster: the program on PATH, else the library.

    Raises:
        PreflightError: there is neither.
    """
    executable = find_helm(os.environ if environ is None else environ)
    if executable is None:
        require_library()
        from platform_cli.tools.helm_library import HelmLibrary

        return HelmLibrary(access, timeout_s=timeout_s)
    from platform_cli.tools.helm_program import HelmProgram

    return HelmProgram(access, executable, timeout_s=timeout_s)


def open_renderer(*, environ: Mapping[str, str] | None = None) -> Helm:
    """Helm for rendering, with no cluster: the library, which renders a chart in milliseconds, else the program.

    Raises:
        PreflightError: there is neither.
    """
    executable = find_helm(os.environ if environ is None else environ)
    if executable is not None and not has_library():
        from platform_cli.tools.helm_program import HelmProgram

        return HelmProgram(None, executable)
    require_library()
    from platform_cli.tools.helm_library import HelmLibrary

    return HelmLibrary(None)


def find_helm(environ: Mapping[str, str]) -> str | None:
    """The `helm` program on PATH that pyhelm3 can drive; None without either."""
    from importlib.util import find_spec

    return shutil.which("helm", path=environ.get("PATH", os.defpath)) if find_spec("pyhelm3") else None


def require_library() -> None:
    """Refuse to go on without Helm.

    Raises:
        PreflightError: the library is not installed.
    """
    if not has_library():
        raise PreflightError(
            "there is no Helm on this machine", hint="pip install 'mlops[kubernetes]', or put helm on PATH"
        )


def has_library() -> bool:
    """Whether Helm is installed as a library."""
    from importlib.util import find_spec

    return find_spec("helm_python") is not None
