"""Puts a backup back: custom resources, MLflow's SQLite file, and the server that the file fits; safe to repeat."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.backup import ABOUT, DATABASES
from platform_cli.cluster.execution import run_inside
from platform_cli.cluster.upgrade import MLFLOW, read_server_image
from platform_cli.cluster.wait import wait_ready
from platform_cli.cluster.workload import Workload
from platform_cli.errors import DeadlineError, NotFoundError, NotReadyError, StateError
from platform_cli.events import Emit, Notice
from platform_cli.tools.kubernetes_kind import DEPLOYMENT, POD, SECRET

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.observation import Sight

_POD = "mlflow-restore"
_SLEEP = ["python", "-c", "import threading; threading.Event().wait()"]
_GONE_S, _ROUND_S, _TRANSFER_S = 120.0, 5.0, 300.0
_CHUNK = 1 << 18
# The size says where the input ends: the protocol has no word for that.
_RECEIVE = """
import contextlib, os, sqlite3, sys
place, left = sys.argv[1], int(sys.argv[2])
fresh = place + '.restored'
with open(fresh, 'wb') as file:
    while left:
        data = sys.stdin.buffer.read1(min(left, 1 << 20))
        if not data:
            sys.exit('the copy ended early')
        left -= file.write(data)
    file.flush()
    os.fsync(file.fileno())
with contextlib.closing(sqlite3.connect(fresh)) as database:
    [(found,)] = database.execute('PRAGMA integrity_check').fetchall()[:1]
if found != 'ok':
    sys.exit('the copy is broken: ' + found)
for kind in ('journal', 'wal', 'shm'):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place + '-' + kind)
os.replace(fresh, place)
"""


@dataclass(frozen=True, slots=True)
class Saved:
    """A backup: `about` says what of MLflow is in it, empty when nothing is."""

    folder: Path
    about: Mapping[str, Any]


def read_backup(backups: Path, name: str) -> Saved:
    """A backup by its name below `backups`, or by its path.

    Raises:
        NotFoundError: there is none.
        StateError: it cannot be read.
    """
    folder = next((path for path in (backups / name, Path(name)) if path.is_dir()), None)
    if folder is None:
        there = ", ".join(sorted(path.name for path in backups.glob("[0-9]*"))) or "none"
        raise NotFoundError(f"there is no backup {name} below {backups}", hint=f"there are: {there}")
    try:
        file = folder / ABOUT
        return Saved(folder, json.loads(file.read_text("utf-8")) if file.exists() else {})
    except (OSError, ValueError) as error:
        raise StateError(f"{folder / ABOUT} cannot be read") from error


def restore(
    sight: Sight, components: Sequence[Component], saved: Saved, *, deadline_s: float, emit: Emit
) -> tuple[str, ...]:
    """Put everything of the backup back that can be; returns lines about it.

    MLflow is down meanwhile. What the components made of others of their own, and workflows, which would run again,
    are left out.
    """
    resources = sum(_apply_all(sight, path) for path in sorted(saved.folder.glob("*.yaml")))
    done = [f"{resources} resources applied"]
    component = next((item for item in components if item.name == MLFLOW), None)
    if component is not None and saved.about.get("kind") == "sqlite":
        done += _restore_file(sight, component, saved, deadline_s, emit)
    elif saved.about:
        emit(Notice(level="warning", text="the database is a server's: put it back by the server's own backups"))
    return tuple(done)


def _apply_all(sight: Sight, path: Path) -> int:
    import yaml

    items = [item for item in yaml.safe_load_all(path.read_text("utf-8")) if _is_wanted(item)]
    for item in items:
        sight.kubernetes.apply(item)
    return len(items)


def _is_wanted(item: Mapping[str, Any]) -> bool:
    return not item["metadata"].get("ownerReferences") and item["kind"] != "Workflow"


def _restore_file(sight: Sight, component: Component, saved: Saved, deadline_s: float, emit: Emit) -> Iterator[str]:
    found = sight.kubernetes.get(DEPLOYMENT, component.release, component.namespace)
    if found is None:
        raise NotReadyError("there is no MLflow to put the database into", hint="mlops deploy")
    replicas = found["spec"].get("replicas") or 1
    try:
        _scale(sight, component, 0)
        _await_no_pod(sight, component, labels=f"app.kubernetes.io/name={MLFLOW}")
        _fill_volume(sight, component, found["spec"]["template"]["spec"], saved, emit)
        yield f"MLflow's database put back, schema {saved.about['schema']}"
        revision = _find_revision(sight, component, saved.about["server"])
        if revision:
            sight.helm.rollback(component.release, component.namespace, revision)
            yield f"MLflow back at revision {revision}, whose server the database fits"
    finally:
        _scale(sight, component, replicas)
    workloads = [Workload(component.namespace, *text.split("/")) for text in component.health]
    wait_ready(sight.kubernetes, workloads, what=component.name, deadline_s=deadline_s, emit=emit)


def _scale(sight: Sight, component: Component, replicas: int) -> None:
    sight.kubernetes.patch(DEPLOYMENT, component.release, component.namespace, {"spec": {"replicas": replicas}})


def _await_no_pod(sight: Sight, component: Component, *, labels: str = "", fields: str = "") -> None:
    """Two programs must never have the file open while it is replaced."""
    deadline = time.monotonic() + _GONE_S
    while left := list(sight.kubernetes.list(POD, component.namespace, labels=labels, fields=fields)):
        name = left[0]["metadata"]["name"]
        if time.monotonic() > deadline:
            hint = f"kubectl --namespace {component.namespace} describe pod {name}"
            raise DeadlineError(f"pod {name} does not end", hint=hint)
        changes = sight.kubernetes.watch(POD, component.namespace, timeout_s=_ROUND_S)
        next((pod for change, pod in changes if change == "DELETED"), None)


def _fill_volume(sight: Sight, component: Component, template: Mapping[str, Any], saved: Saved, emit: Emit) -> None:
    """Send the copy into a pod that has the server's volume, and nothing else of it."""
    server = next(item for item in template["containers"] if item["name"] == MLFLOW)
    container = {key: value for key, value in server.items() if not key.endswith("Probe") and key != "args"}
    spec = {
        **{key: value for key, value in template.items() if key != "initContainers"},
        "containers": [{**container, "image": saved.about["server"], "command": _SLEEP}],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
    }
    metadata = {"name": _POD, "namespace": component.namespace}
    _drop_pod(sight, component)
    sight.kubernetes.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    try:
        _await_running(sight, component)
        emit(Notice(level="info", text=f"puts MLflow's database of {saved.folder.name} back"))
        _send(sight, component, _find_file(server), saved)
    finally:
        _drop_pod(sight, component)


def _drop_pod(sight: Sight, component: Component) -> None:
    """Delete the pod and see it gone: its name is needed again, and its volume."""
    if sight.kubernetes.delete(POD, _POD, component.namespace, grace_s=0):
        _await_no_pod(sight, component, fields=f"metadata.name={_POD}")


def _await_running(sight: Sight, component: Component) -> None:
    for _, pod in sight.kubernetes.watch(POD, component.namespace, name=_POD, timeout_s=_GONE_S):
        if pod["status"].get("phase") == "Running":
            return
    raise DeadlineError(f"pod {_POD} does not start", hint=f"kubectl -n {component.namespace} describe pod {_POD}")


def _find_file(server: Mapping[str, Any]) -> str:
    """Where the server has its SQLite file."""
    words = [*(server.get("command") or ()), *(server.get("args") or ())]
    found = [word.partition("=sqlite:///")[2] for word in words if word.startswith("--backend-store-uri=sqlite:///")]
    if not found:
        raise NotReadyError("MLflow here has no SQLite file: the backup is of another kind")
    return str(found[0])


def _send(sight: Sight, component: Component, place: str, saved: Saved) -> None:
    with tempfile.TemporaryFile() as copy:
        with gzip.open(saved.folder / DATABASES["sqlite"]) as packed:
            shutil.copyfileobj(packed, copy)
        size = copy.tell()
        copy.seek(0)
        argv = ("python", "-c", _RECEIVE, place, str(size))
        chunks = iter(lambda: copy.read(_CHUNK), b"")
        said = run_inside(
            sight.kubernetes, _POD, component.namespace, argv, container=MLFLOW, timeout_s=_TRANSFER_S, given=chunks
        )
        for _ in said:
            pass


def _find_revision(sight: Sight, component: Component, image: str) -> int | None:
    """The newest revision with that server; None when it runs, or no revision had it."""
    if read_server_image(sight.helm.manifest(component.release, component.namespace)) == image:
        return None
    labels = f"owner=helm,name={component.release}"
    secrets = list(sight.kubernetes.list(SECRET, component.namespace, labels=labels))
    revisions = [int(item["metadata"]["labels"]["version"]) for item in secrets if _has_server(item, image)]
    return max(revisions, default=None)


def _has_server(secret: Mapping[str, Any], image: str) -> bool:
    """Whether a revision, as Helm stores it, was good and had that server."""
    if secret["metadata"]["labels"].get("status") not in ("deployed", "superseded"):
        return False
    from platform_cli.tools.helm_manifest import parse_manifests

    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    text = json.loads(gzip.decompress(packed))["manifest"]
    return read_server_image(tuple(parse_manifests([text], what="a revision of MLflow"))) == image
