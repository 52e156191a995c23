"""Copies what an upgrade could damage to this machine: the components' custom resources, and MLflow's data.

The database is read in MLflow's own container, which alone can always reach it and knows its drivers: an SQLite file as
SQLite itself copies it, a database server's tables as JSON lines. Artifacts come from a volume, and not from a bucket.
"""

from __future__ import annotations

import gzip
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.backup_artifacts import save_artifacts
from platform_cli.cluster.discovery import discover
from platform_cli.cluster.execution import read_head, run_inside
from platform_cli.errors import ToolError
from platform_cli.events import Emit, Notice
from platform_cli.tools.kubernetes_kind import DEPLOYMENT, POD

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.cluster.work import Backup
    from platform_cli.tools.kubernetes import Kubernetes

ABOUT = "mlflow.json"
"""Of which kind the copy of MLflow's database is, of which schema, and which server it fits."""
DATABASES = {"sqlite": "mlflow.db.gz", "rows": "mlflow.jsonl.gz"}
_MLFLOW, _CONTAINER = "mlflow", "mlflow"
_TIMEOUT_S = 120.0
_SERVERS_OWN = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")
_DUMP = """
import contextlib, json, os, shutil, sqlite3, sys, tempfile
import sqlalchemy
words = sys.argv[1:] + open('/proc/1/cmdline').read().split(chr(0))
given = [words[i + 1] for i, word in enumerate(words[:-1]) if word == '--backend-store-uri']
given += [word.partition('=')[2] for word in words if word.startswith('--backend-store-uri=')]
uri = os.environ.get('MLFLOW_BACKEND_STORE_URI') or (given or [''])[0]
engine = sqlalchemy.create_engine(os.path.expandvars(uri))
file = engine.url.database if engine.dialect.name == 'sqlite' else ''
if engine.dialect.name == 'postgresql':
    # One moment for all tables.
    engine = engine.execution_options(isolation_level='REPEATABLE READ')
tables = sqlalchemy.MetaData()
with engine.connect() as connection:
    tables.reflect(connection)
    versions = tables.tables.get('alembic_version')
    schema = connection.execute(versions.select()).scalar() if versions is not None else None
    print(json.dumps({'kind': 'sqlite' if file else 'rows', 'schema': schema}), flush=True)
    for table in () if file else tables.sorted_tables:
        for row in connection.execute(table.select()).mappings():
            print(json.dumps({'table': table.name, 'row': dict(row)}, default=str))
if file:
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, 'copy.db')
        with contextlib.closing(sqlite3.connect(file)) as source, contextlib.closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        with open(copy, 'rb') as whole:
            shutil.copyfileobj(whole, sys.stdout.buffer)
"""


def back_up(kubernetes: Kubernetes, components: Sequence[Component], work: Backup, emit: Emit) -> str:
    """Write a backup into a folder of its own; returns one line about it.

    Raises:
        ToolError: something could not be read or written; a part is never taken for the whole.
    """
    place = work.folder / time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    fresh = place.with_name(f".{place.name}.new")
    try:
        fresh.mkdir(parents=True, mode=0o700)
        resources = _save_resources(kubernetes, components, fresh)
        database = _save_mlflow(kubernetes, components, fresh, work, emit)
        fresh.replace(place)
    except OSError as error:
        raise ToolError(f"cannot write the backup {place}: {error.strerror}") from error
    return f"{resources} resources{database} in {place}"


def read_schema(folder: Path) -> str:
    """The revision of the schema of MLflow's database in the newest backup below `folder`; empty when none says it."""
    found = sorted(path for path in folder.glob(f"[0-9]*/{ABOUT}"))
    return str(json.loads(found[-1].read_text("utf-8"))["schema"] or "") if found else ""


def _save_resources(kubernetes: Kubernetes, components: Sequence[Component], folder: Path) -> int:
    """One file of YAML documents for each CRD that has resources."""
    import yaml

    served, saved = discover(kubernetes).kinds, 0
    for name in sorted({crd for component in components for crd in (*component.crds, *component.owns)} & set(served)):
        items = [_clean(item) for item in kubernetes.list(served[name])]
        if items:
            _write(folder / f"{name}.yaml", yaml.safe_dump_all(items, sort_keys=False).encode())
            saved += len(items)
    return saved


def _clean(item: dict[str, Any]) -> dict[str, Any]:
    """An object as it can be applied again."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _SERVERS_OWN}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def _save_mlflow(
    kubernetes: Kubernetes, components: Sequence[Component], folder: Path, work: Backup, emit: Emit
) -> str:
    """What was saved, as words that go on from others; none where there is no MLflow of ours.

    It may be down while it does not move: one that an upgrade before left so must not keep the others from theirs.
    """
    found = [component for component in components if component.name == _MLFLOW]
    if not found or kubernetes.get(DEPLOYMENT, found[0].release, found[0].namespace) is None:
        return ""
    pod = _find_pod(kubernetes, found[0].namespace)
    if pod is None and _MLFLOW not in work.components:
        emit(Notice(level="warning", text="MLflow does not run: its database is not saved, and this leaves it alone"))
        return ""
    if pod is None:
        raise ToolError(
            f"no pod of MLflow runs in {found[0].namespace}: its database cannot be saved", hint="mlops status"
        )
    chunks = _dump(kubernetes, pod["metadata"]["name"], found[0].namespace)
    head, first = read_head(chunks, "MLflow's database")
    path = folder / DATABASES[head["kind"]]
    with gzip.open(path, "wb") as file:
        size = sum(file.write(chunk) for chunk in itertools.chain((first,), chunks))
    path.chmod(0o600)
    artifacts = save_artifacts(kubernetes, pod, _CONTAINER, folder, emit) if work.artifacts else {}
    server = next(item["image"] for item in pod["spec"]["containers"] if item["name"] == _CONTAINER)
    about = {**head, "server": server, "bytes": size, "artifacts": artifacts}
    _write(folder / ABOUT, json.dumps(about, indent=1).encode())
    return f", MLflow's database ({size / 1e6:.1f} MB, schema {head['schema']}){_tell(artifacts)}"


def _tell(artifacts: Mapping[str, Any]) -> str:
    if "file" in artifacts:
        return f", {artifacts['count']} artifacts ({artifacts['bytes'] / 1e6:.1f} MB)"
    return f", artifacts not copied from {artifacts['stay']}," if artifacts.get("stay") else ""


def _dump(kubernetes: Kubernetes, pod: str, namespace: str) -> Iterator[bytes]:
    argv = ("python", "-c", _DUMP)
    return run_inside(kubernetes, pod, namespace, argv, container=_CONTAINER, timeout_s=_TIMEOUT_S)


def _find_pod(kubernetes: Kubernetes, namespace: str) -> dict[str, Any] | None:
    """A pod whose server runs."""
    for pod in kubernetes.list(POD, namespace, labels=f"app.kubernetes.io/name={_MLFLOW}"):
        statuses = pod["status"].get("containerStatuses") or ()
        if any(item["name"] == _CONTAINER and "running" in item["state"] for item in statuses):
            return pod
    return None


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
