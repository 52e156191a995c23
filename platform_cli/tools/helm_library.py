"""Helm as a library: no program, no process, no files.

The Python binding passes on fewer options than the library takes, so that two subclasses hand them over themselves.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import helm_python
from helm_python import _native

from platform_cli.errors import MlopsError, NotFoundError, PreflightError, ToolError
from platform_cli.tools.helm import HISTORY, HOOK_TIMEOUT_S, NO_REVISION, Release
from platform_cli.tools.helm_manifest import parse_manifests, sort_objects
from platform_cli.tools.kubernetes_credential import Credential

if TYPE_CHECKING:
    from platform_cli.cluster.access import Access

T = TypeVar("T")
_NOTES = "NOTES.txt"
_ROUND_S = 0.5
_PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
# Alike in both adapters: a program of Helm 3 knows no other way, and one release may meet both.
_INSTALL = {"create_namespace": True, "server_side_apply": False, "skip_crds": True, "take_ownership": True}
_UPGRADE = {"max_history": HISTORY, "server_side_apply": "false", "skip_crds": True, "take_ownership": True}


class HelmLibrary:
    """See `Helm`. `access` is None for rendering only."""

    def __init__(self, access: Access | None, *, timeout_s: int = HOOK_TIMEOUT_S) -> None:
        self._credential = Credential(access) if access else None
        self._timeout_s = timeout_s

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
        """See `Helm.render`."""
        options: dict[str, Any] = {"name": name, "namespace": namespace, "api_versions": list(api_versions)}
        if kube_version:
            options["kube_version"] = kube_version
        with _explained(f"chart {chart.name}"), _Chart.open(chart) as loaded:
            texts = loaded.template(values, options)
        manifests = [text for path, text in texts.items() if not path.endswith(_NOTES)]
        return sort_objects(parse_manifests(manifests, what=f"chart {chart.name}"), hooks=hooks)

    def list(self) -> tuple[Release, ...]:
        """See `Helm.list`."""
        with _explained("the releases"), self._open("") as config:
            found = config.list(all_states=True, all_namespaces=True)
        return tuple(sorted(_make(item) for item in found if item["status"] != "superseded"))

    def manifest(self, name: str, namespace: str) -> tuple[dict[str, Any], ...]:
        """See `Helm.manifest`."""
        with _explained(f"release {name}"), self._open(namespace) as config:
            text = config.status(name)["manifest"]
        return sort_objects(parse_manifests([text], what=f"release {name}"), hooks=False)

    def apply(self, chart: Path, *, name: str, namespace: str, values: Mapping[str, Any]) -> Release:
        """See `Helm.apply`."""
        with _explained(f"release {name}"), self._open(namespace) as config, _Chart.open(chart) as loaded:
            status = _find_status(config, name)
            if status in _PENDING:
                raise ToolError(
                    f"release {name}: another operation (install/upgrade/rollback) is in progress",
                    hint="wait for it, or deploy again after it was rolled back or uninstalled",
                )
            function, options = ("helm_upgrade", _UPGRADE) if status else ("helm_install", _INSTALL)
            given = {"namespace": namespace, "timeout_seconds": self._timeout_s, **options}

            def change(context: helm_python.HelmContext) -> dict[str, Any]:
                return config.change(function, context, loaded, name=name, values=values, options=given)

            return _make(_interruptible(change))

    def rollback(self, name: str, namespace: str, revision: int) -> None:
        """See `Helm.rollback`."""
        with _explained(f"release {name}"), self._open(namespace) as config:
            _interruptible(lambda _: config.rollback(name, version=revision, timeout=self._timeout_s))

    def uninstall(self, name: str, namespace: str) -> None:
        """See `Helm.uninstall`."""
        with _explained(f"release {name}"), self._open(namespace) as config:
            _interruptible(lambda _: config.uninstall(name, timeout=self._timeout_s, ignore_not_found=True))

    def _open(self, namespace: str) -> _Config:
        if self._credential is None:
            raise PreflightError("this Helm only renders", hint="give it the way to a cluster")
        access = self._credential.settle()
        return _Config(
            kubeconfig_content=json.dumps(access.kubeconfig),
            kube_context=access.context,
            namespace=namespace or None,
        )


class _Chart(helm_python.Chart):
    @classmethod
    def open(cls, path: Path) -> _Chart:
        """Load a chart from a folder or an archive."""
        return cls(_native.call_handle("helm_chart_load", str(path)))

    def template(self, values: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, str]:
        """Render with `kube_version` and `api_versions` as well; path to text."""
        text = _native.call_string("helm_render", self._raw(), json.dumps(dict(values)), json.dumps(options))
        return dict(json.loads(text))

    @property
    def handle(self) -> object:
        """What the library knows the chart by."""
        return self._raw()


class _Config(helm_python.Config):
    def change(
        self,
        function: str,
        context: helm_python.HelmContext,
        chart: _Chart,
        *,
        name: str,
        values: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Install or upgrade with every option that the library takes."""
        texts = (json.dumps(dict(values)), json.dumps(options))
        handles = (self._raw(), self._context_arg(context), chart.handle)
        return dict(json.loads(_native.call_string(function, *handles, None, name, *texts)))


def _find_status(config: _Config, name: str) -> str:
    """The status of a release; empty when there is none."""
    try:
        return str(config.status(name)["status"])
    except helm_python.HelmNotFoundError:
        return ""


def _interruptible(call: Callable[[helm_python.HelmContext], T]) -> T:
    """Make a call that may take minutes; Ctrl-C cancels it, and what it then leaves is as after any failure."""
    if threading.current_thread() is not threading.main_thread():
        with helm_python.HelmContext() as context:
            return call(context)
    with helm_python.HelmContext() as context, ThreadPoolExecutor(1) as pool:
        try:
            work = pool.submit(call, context)
            # In rounds: Python does not hear a Ctrl-C that comes right before it begins to wait for ever.
            while not work.done():
                wait((work,), timeout=_ROUND_S)
            return work.result()
        except KeyboardInterrupt:
            context.cancel()
            raise


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except helm_python.HelmError as error:
        raise _explain(error, what) from error


def _explain(error: helm_python.HelmError, what: str) -> MlopsError:
    first, *rest = (error.detail or "failed without a word").strip().splitlines()
    text, details = f"{what}: {first}", (*rest,)
    if isinstance(error, helm_python.HelmNotFoundError) or NO_REVISION.search(first):
        return NotFoundError(text, details=details)
    if isinstance(error, helm_python.HelmKubeError):
        return PreflightError(text, hint="mlops doctor tells why the cluster cannot be reached", details=details)
    return ToolError(text, details=details)


def _make(item: Mapping[str, Any]) -> Release:
    return Release(
        name=item["name"],
        namespace=item["namespace"],
        revision=int(item["revision"]),
        status=item["status"],
        chart=item.get("chart_name", ""),
        version=item.get("chart_version", ""),
    )
