"""Helm as a program, driven by pyhelm3, which hands values over through a pipe."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyhelm3 import Command
from pyhelm3.errors import ConnectionError as Unreachable
from pyhelm3.errors import Error, ReleaseNotFoundError

from platform_cli.errors import MlopsError, NotFoundError, PreflightError, ToolError
from platform_cli.tools.helm import HISTORY, HOOK_TIMEOUT_S, NO_REVISION, Release
from platform_cli.tools.helm_manifest import parse_manifests, sort_objects
from platform_cli.tools.kubernetes_credential import Credential

if TYPE_CHECKING:
    from platform_cli.cluster.access import Access

_CHART = re.compile(r"(?P<name>.+)-(?P<version>v?\d+\.\d+\.\d+.*)")
_UNREACHABLE = re.compile(r"Kubernetes cluster unreachable|connection refused|no such host|Unauthorized|i/o timeout")
_STATES = ("--deployed", "--failed", "--pending", "--uninstalled", "--uninstalling")


class HelmProgram:
    """See `Helm`. `access` is None for rendering only; `executable` is the program's path."""

    def __init__(self, access: Access | None, executable: str, *, timeout_s: int = HOOK_TIMEOUT_S) -> None:
        self._credential = Credential(access) if access else None
        self._executable = executable
        self._timeout = f"{timeout_s}s"

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
        words: list[str | Path] = ["template", name, chart, "--namespace", namespace, "--values", "-"]
        words += ["--kube-version", kube_version] if kube_version else []
        for api_version in api_versions:
            words += ["--api-versions", api_version]
        command = Command(executable=self._executable)
        text = _finish(f"chart {chart.name}", command.run(words, json.dumps(dict(values)).encode()))
        return sort_objects(parse_manifests([text.decode()], what=f"chart {chart.name}"), hooks=hooks)

    def list(self) -> tuple[Release, ...]:
        """See `Helm.list`."""
        words = ["list", "--all-namespaces", "--max", "0", "--output", "json", *_STATES]
        found = json.loads(self._run("the releases", lambda command: command.run(words)))
        return tuple(sorted(_make(item) for item in found))

    def manifest(self, name: str, namespace: str) -> tuple[dict[str, Any], ...]:
        """See `Helm.manifest`."""
        words = ["get", "manifest", name, "--namespace", namespace]
        text = self._run(f"release {name}", lambda command: command.run(words))
        return sort_objects(parse_manifests([text.decode()], what=f"release {name}"), hooks=False)

    def apply(self, chart: Path, *, name: str, namespace: str, values: Mapping[str, Any]) -> Release:
        """See `Helm.apply`."""
        done = self._run(
            f"release {name}",
            lambda command: command.install_or_upgrade(
                name, chart, dict(values), namespace=namespace, skip_crds=True, take_ownership=True
            ),
        )
        metadata = done["chart"]["metadata"]
        return Release(
            name=done["name"],
            namespace=done["namespace"],
            revision=int(done["version"]),
            status=done["info"]["status"],
            chart=metadata["name"],
            version=metadata["version"],
        )

    def rollback(self, name: str, namespace: str, revision: int) -> None:
        """See `Helm.rollback`."""
        self._run(f"release {name}", lambda command: command.rollback(name, revision, namespace=namespace))

    def uninstall(self, name: str, namespace: str) -> None:
        """See `Helm.uninstall`."""
        with contextlib.suppress(NotFoundError):
            self._run(f"release {name}", lambda command: command.uninstall(name, namespace=namespace))

    def _run(self, what: str, call: Callable[[Command], Coroutine[Any, Any, Any]]) -> Any:
        with self._open() as command:
            return _finish(what, call(command))

    @contextlib.contextmanager
    def _open(self) -> Iterator[Command]:
        """A program that knows the cluster, by a kubeconfig that only its owner can read while it runs."""
        if self._credential is None:
            raise PreflightError("this Helm only renders", hint="give it the way to a cluster")
        access = self._credential.settle()
        with tempfile.TemporaryDirectory(prefix="mlops-helm-") as folder:
            yield Command(
                executable=self._executable,
                default_timeout=self._timeout,
                history_max_revisions=HISTORY,
                kubeconfig=access.write(Path(folder) / "kubeconfig"),
                kubecontext=access.context,
            )


def _finish(what: str, work: Coroutine[Any, Any, Any]) -> Any:
    """Wait for the program; Ctrl-C ends it in order, and is then passed on."""
    try:
        return asyncio.run(work)
    except Error as error:
        raise _explain(error, what) from error


def _explain(error: Error, what: str) -> MlopsError:
    lines = [line for line in error.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    start = next((index for index, line in enumerate(lines) if line.startswith("Error: ")), 0)
    first, *rest = lines[start:] or [f"exit code {error.returncode}"]
    text, details = f"{what}: {first.removeprefix('Error: ')}", (*rest,)
    if isinstance(error, ReleaseNotFoundError) or NO_REVISION.search(first):
        return NotFoundError(text, details=details)
    if isinstance(error, Unreachable) or _UNREACHABLE.search(first):
        return PreflightError(text, hint="mlops doctor tells why the cluster cannot be reached", details=details)
    return ToolError(text, details=details)


def _make(item: Mapping[str, Any]) -> Release:
    match = _CHART.fullmatch(item["chart"])
    chart, version = match.group("name", "version") if match else (item["chart"], "")
    return Release(item["name"], item["namespace"], int(item["revision"]), item["status"], chart, version)
