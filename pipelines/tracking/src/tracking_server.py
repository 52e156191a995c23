"""Run MLflow's tracking server in a container, told by its environment; nothing secret reaches a command line.

python tracking_server.py [serve]    serve the API, the UI, artifacts, /health and /metrics on $MLFLOW_PORT
python tracking_server.py migrate    wait for the database and bring its schema to this MLflow's; safe to repeat
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine

_BACKEND = "MLFLOW_BACKEND_STORE_URI"
_DESTINATION = "MLFLOW_ARTIFACTS_DESTINATION"
_DEFAULTS = {
    "MLFLOW_HOST": "0.0.0.0",  # noqa: S104 - a container has a network of its own
    "MLFLOW_PORT": "5000",
    "MLFLOW_WORKERS": "2",
    "MLFLOW_SERVE_ARTIFACTS": "true",
    "MLFLOW_EXPOSE_PROMETHEUS": "/tmp/prometheus",  # noqa: S108 - the one place that may be written to
    # The job runner starts eight more processes and needs a disk of its own.
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
# MLflow compares the Host header as text, port included. Naming hosts drops its own list, so that is here too:
# this machine (a port-forward arrives as 127.0.0.1:PORT) and private addresses (Prometheus asks pods by address).
_LOCAL = ("localhost", "127.0.0.1", "10.*", "192.168.*", *(f"172.{part}.*" for part in range(16, 32)))
_USAGE, _FAILED = 2, 1
_LOCK = 5_000_317  # any number, the same for all replicas
_WAIT_S = 2.0


class SettingError(Exception):
    """The environment does not say what is needed."""


def read_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """MLflow's own variables, from what the pod was given.

    Args:
        environ: `MLFLOW_BACKEND_STORE_URI`, or the parts `DATABASE_HOST`, `DATABASE_NAME`, `DATABASE_USER` and
            `DATABASE_PASSWORD` (`DATABASE_PORT`, `DATABASE_SSLMODE`); `MLFLOW_ARTIFACTS_DESTINATION`;
            `MLFLOW_SERVER_ALLOWED_HOSTS`, or `SERVICE_NAME`, `SERVICE_NAMESPACE` and, comma-separated, `PUBLIC_HOSTS`.

    Raises:
        SettingError: something is missing; all of it is named.
    """
    given = {name: value for name, value in environ.items() if not _is_service_link(name, value)}
    settings = {**_DEFAULTS, **given, _BACKEND: _database_uri(environ)}
    if not settings.get(_DESTINATION):
        raise SettingError(f"{_DESTINATION} is not set: a folder, or an address such as s3://bucket/path")
    settings.setdefault("MLFLOW_SERVER_ALLOWED_HOSTS", ",".join(list_hosts(environ)))
    return settings


def _is_service_link(name: str, value: str) -> bool:
    """Kubernetes tells every pod of a Service named mlflow by MLFLOW_PORT=tcp://…, which MLflow takes for its own."""
    return name.startswith("MLFLOW_") and value.startswith("tcp://")


def list_hosts(environ: Mapping[str, str]) -> list[str]:
    """The Host headers that the server answers, with any port and without."""
    service = environ.get("SERVICE_NAME", "mlflow")
    space = environ.get("SERVICE_NAMESPACE", "mlflow")
    names = [service, f"{service}.{space}", f"{service}.{space}.svc", f"{service}.{space}.svc.cluster.local"]
    public = [name.strip() for name in environ.get("PUBLIC_HOSTS", "").split(",") if name.strip()]
    return [form for name in (*_LOCAL, *names, *public) for form in _forms(name)]


def _forms(name: str) -> tuple[str, ...]:
    return (name,) if name.endswith("*") else (name, f"{name}:*")


def _database_uri(environ: Mapping[str, str]) -> str:
    if environ.get(_BACKEND):
        return environ[_BACKEND]
    parts = {name: environ.get(f"DATABASE_{name}", "") for name in ("HOST", "NAME", "USER", "PASSWORD")}
    missing = [f"DATABASE_{name}" for name, value in parts.items() if not value]
    if missing:
        raise SettingError(f"set {_BACKEND}, or {', '.join(missing)}")
    user, password, name = (urllib.parse.quote(parts[part], safe="") for part in ("USER", "PASSWORD", "NAME"))
    port, mode = environ.get("DATABASE_PORT", "5432"), environ.get("DATABASE_SSLMODE", "prefer")
    return f"postgresql+psycopg2://{user}:{password}@{parts['HOST']}:{port}/{name}?sslmode={mode}"


def migrate(settings: Mapping[str, str]) -> None:
    """Create the tables, or bring them to this MLflow's schema, one replica at a time; tells the schema's revision.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached within `DATABASE_WAIT_SECONDS` (60).
    """
    import sqlalchemy

    # MLflow logs each of its own ten attempts with the address in it; one quiet attempt at a time is ours.
    engine = sqlalchemy.create_engine(settings[_BACKEND])
    _await_database(engine, float(settings.get("DATABASE_WAIT_SECONDS", "60")))
    if engine.dialect.name == "sqlite" and engine.url.database:
        # What is open of the file would stay with the old one.
        engine.dispose()
        _migrate_file(Path(engine.url.database))
    else:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({_LOCK})"))
            _bring_up(engine)
    _say(f"schema {_read_schema(engine)}")
    engine.dispose()


def _migrate_file(file: Path) -> None:
    """Migrate a copy and let it take the file's place: whatever happens meanwhile, the file is the old or the new one.

    SQLite does not undo what it has done to a schema when a migration is killed.
    """
    import sqlalchemy
    from mlflow.store.db import utils

    old = sqlalchemy.create_engine(f"sqlite:///{file}")
    if _read_schema(old) == utils._get_latest_schema_revision():  # noqa: SLF001 - the lock pins MLflow
        return
    old.dispose()
    fresh = file.with_name(f".{file.name}.new")
    # A journal that a killed attempt left would be played back into the copy.
    for path in (fresh, *(fresh.with_name(f"{fresh.name}-{kind}") for kind in ("journal", "wal", "shm"))):
        path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(file)) as source, contextlib.closing(sqlite3.connect(fresh)) as copy:
        source.backup(copy)
    engine = sqlalchemy.create_engine(f"sqlite:///{fresh}")
    _bring_up(engine)
    engine.dispose()
    fresh.replace(file)


def _bring_up(engine: Engine) -> None:
    """Tables that are missing are made, and all brought to the schema; other programs' tables are left alone."""
    from mlflow.store.db import utils

    # MLflow's own command takes a database in which another program has tables for one that it has made already.
    utils._initialize_tables(engine)  # noqa: SLF001 - the lock pins MLflow


def _read_schema(engine: Engine) -> str | None:
    """The revision of the schema; None without one."""
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _await_database(engine: Engine, wait_s: float) -> None:
    from sqlalchemy.exc import OperationalError

    deadline = time.monotonic() + wait_s
    while True:
        try:
            engine.connect().close()
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise
            _say(f"waiting for the database: {_first_line(error)}")
            time.sleep(_WAIT_S)
        else:
            return


def serve(settings: Mapping[str, str]) -> None:
    """Become MLflow's server, which reads the same environment."""
    Path(settings["MLFLOW_EXPOSE_PROMETHEUS"]).mkdir(parents=True, exist_ok=True)
    os.execve(sys.executable, [sys.executable, "-m", "mlflow", "server"], dict(settings))  # noqa: S606


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what `argv` says; returns the exit status."""
    commands: dict[tuple[str, ...], Any] = {(): serve, ("serve",): serve, ("migrate",): migrate}
    command = commands.get(tuple(argv))
    if command is None:
        _say(f"unknown command {' '.join(argv)!r}: serve or migrate")
        return _USAGE
    try:
        settings = read_settings(environ)
        os.environ.update(settings)
        command(settings)
    except (SettingError, *_database_errors()) as error:
        _say(_first_line(error))
        return _USAGE if isinstance(error, SettingError) else _FAILED
    return 0


def _database_errors() -> tuple[type[Exception], ...]:
    """What a database raises; evaluated after the fact, since only `migrate` loads SQLAlchemy."""
    errors = sys.modules.get("sqlalchemy.exc")
    return (errors.SQLAlchemyError,) if errors else ()


def _first_line(error: Exception) -> str:
    # The driver's own words: SQLAlchemy adds a page of context, but no password either.
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _say(message: str) -> None:
    print(f"tracking_server: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
