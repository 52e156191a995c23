"""MLflow's own SQLite database and server: create, migrate, check, and the UI's command line."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

from platform_cli.errors import NotReadyError, StateError, ToolError, UsageError

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Its server hands out addresses of the S3 store behind it, which this machine need not reach: through the server.
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
_SQLITE = "sqlite:///"
_LOCK_WAIT_S = 2.0


def require_database(tracking_uri: str) -> None:
    """Check quickly (MLflow itself waits 20 s on a lock) that a SQLite database can be read; other addresses pass.

    Raises:
        NotReadyError: there is no database yet.
        StateError: another process holds it locked, or it is damaged.
    """
    path = _database_path(tracking_uri)
    if path is None:
        return
    if not path.is_file():
        raise NotReadyError(f"there is no tracking database at {path}", hint="run mlops deploy")
    read_revision(path)


def read_revision(database: Path) -> str | None:
    """The schema revision of MLflow's SQLite database; None when there is no database, or it is empty.

    Raises:
        StateError: it is locked by another process, or damaged.
    """
    if not database.is_file():
        return None
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=_LOCK_WAIT_S)) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if found else None
    except sqlite3.DatabaseError as error:
        raise _broken(database, str(error)) from error
    return None if row is None else str(row[0])


def initialise(tracking_uri: str, artifact_root: Path) -> str:
    """Create MLflow's SQLite database, or bring it to the installed MLflow's schema; safe to repeat.

    MLflow's migrations are no transaction: one that is cut off can neither go on nor go back. So they run on a copy,
    which takes the database's place only when they are through. It is set to write-ahead logging, so that readers and
    the training steps do not block one another.

    Returns:
        The schema's revision.

    Raises:
        StateError: it is in use by another process, damaged, from a newer MLflow, or the disk is full.
    """
    path = _database_path(tracking_uri)
    if path is None:
        raise UsageError(f"{tracking_uri} is no SQLite address")
    path.parent.mkdir(parents=True, exist_ok=True)
    artifact_root.mkdir(parents=True, exist_ok=True)
    found = read_revision(path)
    with quiet():
        from mlflow.store.db.utils import _get_latest_schema_revision

        if found != _get_latest_schema_revision():
            _build_anew(path, artifact_root, found)
    return read_revision(path) or ""


def server_command(tracking_uri: str, artifact_root: Path, *, host: str, port: int) -> list[str]:
    """The command line of MLflow's own server (its UI and API), one worker, for this machine's browser only."""
    stores = [
        "--backend-store-uri",
        tracking_uri,
        "--default-artifact-root",
        str(artifact_root),
        "--no-serve-artifacts",
    ]
    # MLflow compares the Host header literally, port included; everything else gets 403.
    allowed = ",".join(f"{name}:{port}" for name in dict.fromkeys((host, "localhost", "127.0.0.1")))
    network = ["--host", host, "--port", str(port), "--workers", "1", "--allowed-hosts", allowed]
    return [sys.executable, "-m", "mlflow", "server", *stores, *network]


def _database_path(tracking_uri: str) -> Path | None:
    return Path(tracking_uri.removeprefix(_SQLITE)) if tracking_uri.startswith(_SQLITE) else None


def _build_anew(path: Path, artifact_root: Path, found: str | None) -> None:
    fresh = path.with_name(f"{path.name}.new")
    _remove(fresh)
    try:
        if path.is_file():
            _copy(path, fresh)
        _migrate(fresh, artifact_root, upgrades=found is not None)
        # One file, no log beside it, so that a rename moves all of it; WAL is a mark in the file and goes along.
        _set_journal_mode(fresh, "delete")
        _set_journal_mode(fresh, "wal")
    except sqlite3.DatabaseError as error:
        raise _broken(path, str(error)) from error
    else:
        fresh.replace(path)
    finally:
        _remove(fresh)


def _copy(path: Path, fresh: Path) -> None:
    """Copy a database that nobody uses: leaving WAL mode needs it alone, and takes the log into the file."""
    _set_journal_mode(path, "delete")
    shutil.copyfile(path, fresh)


def _set_journal_mode(path: Path, mode: str) -> None:
    with contextlib.closing(sqlite3.connect(path, timeout=_LOCK_WAIT_S)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")


def _remove(path: Path) -> None:
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        file.unlink(missing_ok=True)


def _migrate(path: Path, artifact_root: Path, *, upgrades: bool) -> None:
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine_with_retry
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.exc import SQLAlchemyError

    uri = f"{_SQLITE}{path}"
    try:
        if upgrades:
            engine = create_sqlalchemy_engine_with_retry(uri)
            _upgrade_db(engine)
            engine.dispose()
        SqlAlchemyStore(uri, artifact_root.as_uri()).engine.dispose()
    except MlflowException as error:
        raise translate(error, uri) from error
    except SQLAlchemyError as error:
        # Alembic lets a full disk through as it is.
        raise _broken(path, str(error.__cause__ or error)) from error
    except CommandError as error:
        raise _broken(path, f"its schema is from another MLflow ({error})") from error


# With MLflow's pauses of 2, 4, 8 … s; its own seven take four minutes.
_RETRIES = 4


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Import and use MLflow without its chatter: its loggers at ERROR, telemetry and progress bars off.

    A server that does not answer is given up after half a minute, unless the environment says otherwise.
    """
    import logging
    import warnings

    os.environ.update(QUIET)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(_RETRIES))
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def translate(error: Exception, uri: str) -> StateError | ToolError:
    """MLflow's exception as ours."""
    path = _database_path(uri)
    text = str(error)
    if path is not None and ("database is locked" in text or "out-of-date database schema" in text):
        return _broken(path, text)
    return ToolError(f"MLflow failed: {text.splitlines()[0] if text else type(error).__name__}")


def _broken(path: Path, reason: str) -> StateError:
    if "locked" in reason:
        return StateError(f"{path} is locked by another process", hint="wait until it ends, or stop it")
    if "is full" in reason:
        return StateError(f"{path} cannot be written: the disk is full", hint="free some disk space, then try again")
    return StateError(
        f"{path} cannot be used: {reason.splitlines()[0]}", hint="restore it from a copy, or move it away"
    )
