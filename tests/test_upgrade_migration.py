"""MLflow's database from one schema to the next, as the container in front of the server does it."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.command import downgrade
from mlflow.store.db import utils
from sqlalchemy import create_engine

ROOT = Path(__file__).resolve().parent.parent
TRACKING = ROOT / "pipelines/tracking/src/tracking_server.py"


def read_schema(file: Path) -> str:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def migrate(file: Path) -> subprocess.Popen[str]:
    environment = {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{file}", "MLFLOW_ARTIFACTS_DESTINATION": str(file.parent)}
    argv = [sys.executable, str(TRACKING), "migrate"]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database one schema behind, with something in it; as MLflow of before would have left it."""
    file = tmp_path_factory.mktemp("older") / "mlflow.db"
    engine = create_engine(f"sqlite:///{file}")
    utils._initialize_tables(engine)
    config = utils._get_alembic_config(f"sqlite:///{file}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        downgrade(config, "-1")
    engine.dispose()
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (7, 'kept', 'active')"
        )
    return file


@pytest.fixture
def database(older: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(older, tmp_path / "mlflow.db"))


def test_an_older_schema_is_brought_up_and_nothing_is_lost(database: Path) -> None:
    before, head = read_schema(database), utils._get_latest_schema_revision()
    assert before != head
    with pytest.raises(utils.MlflowException, match="out-of-date database schema"):
        utils._verify_schema(create_engine(f"sqlite:///{database}"))
    process = migrate(database)
    assert f"tracking_server: schema {head}\n" in process.communicate()[1]
    assert (process.returncode, read_schema(database)) == (0, head)
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT name FROM experiments WHERE experiment_id = 7").fetchone() == ("kept",)
    utils._verify_schema(create_engine(f"sqlite:///{database}"))
    assert [path.name for path in database.parent.iterdir()] == ["mlflow.db"]


def test_a_schema_that_is_right_leaves_the_file_alone(database: Path) -> None:
    assert migrate(database).wait() == 0
    seen = database.stat()
    assert migrate(database).wait() == 0
    assert (database.stat().st_ino, database.stat().st_mtime_ns) == (seen.st_ino, seen.st_mtime_ns)


def test_a_migration_that_is_killed_leaves_the_old_file_and_the_next_one_ends_it(database: Path) -> None:
    before = read_schema(database)
    process, fresh = migrate(database), database.with_name(".mlflow.db.new")
    killer = threading.Event()

    def kill_once_begun() -> None:
        while not killer.wait(0.001):
            if fresh.exists():
                process.send_signal(signal.SIGKILL)
                return

    thread = threading.Thread(target=kill_once_begun)
    thread.start()
    process.communicate()
    killer.set()
    thread.join()
    # However late the signal came: the file is one of the two, and whole.
    assert read_schema(database) in (before, utils._get_latest_schema_revision())
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    fresh.with_name(f"{fresh.name}-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7 left behind")
    assert migrate(database).wait() == 0
    utils._verify_schema(create_engine(f"sqlite:///{database}"))
    assert [path.name for path in database.parent.iterdir()] == ["mlflow.db"]


def test_tables_of_another_program_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "shared.db"
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE argo_archived_workflows (uid TEXT)")
    assert migrate(file).wait() == 0
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM argo_archived_workflows").fetchone() == (0,)
    utils._verify_schema(create_engine(f"sqlite:///{file}"))
