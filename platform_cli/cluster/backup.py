"""Copies what an upgrade could damage to this machine: the components' custom resources, and MLflow's database.

The database is read in MLflow's own container, which alone can always reach it and knows its drivers: every table as
JSON lines, alike from SQLite and PostgreSQL. What lies in buckets is not touched by an upgrade and not copied.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.discovery import discover
from platform_cli.cluster.execution import run_inside
from platform_cli.errors import ToolError
from platform_cli.tools.kubernetes_kind import DEPLOYMENT, POD

if TYPE_CHECKING:
    from platform_cli.cluster.component import Component
    from platform_cli.tools.kubernetes import Kubernetes

DATABASE = "mlflow.jsonl.gz"
_MLFLOW, _CONTAINER = "mlflow", "mlflow"
_TIMEOUT_S = 120.0
_SERVERS_OWN = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")
_DUMP = """
import json, os, sys
import sqlalchemy
words = sys.argv[1:] + open('/proc/1/cmdline').read().split(chr(0))
given = [words[i + 1] for i, word in enumerate(words[:-1]) if word == '--backend-store-uri']
given += [word.partition('=')[2] for word in words if word.startswith('--backend-store-uri=')]
uri = os.environ.get('MLFLOW_BACKEND_STORE_URI') or (given or [''])[0]
engine = sqlalchemy.create_engine(os.path.expandvars(uri))
tables = sqlalchemy.MetaData()
with engine.connect() as connection:
    tables.reflect(connection)
    for table in tables.sorted_tables:
        for row in connection.execute(table.select()).mappings():
            print(json.dumps({'table': table.name, 'row': dict(row)}, default=str))
"""


def back_up(kubernetes: Kubernetes, components: Sequence[Component], folder: Path) -> str:
    """Write a backup into a folder of its own below `folder`; returns one line about it.

    Raises:
        ToolError: something could not be read or written; a part is never taken for the whole.
    """
    place = folder / time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    fresh = place.with_name(f".{place.name}.new")
    try:
        fresh.mkdir(parents=True, mode=0o700)
        resources = _save_resources(kubernetes, components, fresh)
        rows = _save_database(kubernetes, components, fresh / DATABASE)
        fresh.replace(place)
    except OSError as error:
        raise ToolError(f"cannot write the backup {place}: {error.strerror}") from error
    database = f", {rows} rows of MLflow's database" if rows is not None else ""
    return f"{resources} resources{database} in {place}"


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


def _save_database(kubernetes: Kubernetes, components: Sequence[Component], path: Path) -> int | None:
    """How many rows were saved; None where there is no MLflow of ours."""
    found = [component for component in components if component.name == _MLFLOW]
    if not found or kubernetes.get(DEPLOYMENT, found[0].release, found[0].namespace) is None:
        return None
    namespace = found[0].namespace
    pod = _find_pod(kubernetes, namespace)
    rows = 0
    with gzip.open(path, "wb") as file:
        for chunk in _dump(kubernetes, pod, namespace):
            rows += chunk.count(b"\n")
            file.write(chunk)
    path.chmod(0o600)
    return rows


def _dump(kubernetes: Kubernetes, pod: str, namespace: str) -> Iterator[bytes]:
    argv = ("python", "-c", _DUMP)
    return run_inside(kubernetes, pod, namespace, argv, container=_CONTAINER, timeout_s=_TIMEOUT_S)


def _find_pod(kubernetes: Kubernetes, namespace: str) -> str:
    for pod in kubernetes.list(POD, namespace, labels=f"app.kubernetes.io/name={_MLFLOW}"):
        if pod["status"].get("phase") == "Running":
            return str(pod["metadata"]["name"])
    raise ToolError(f"no pod of MLflow runs in {namespace}: its database cannot be saved", hint="mlops status")


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
