"""MLflow's registry and database as the command sees them: a real MLflow on SQLite."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_fixtures import Registered, artifact_folder, registry_client

from platform_cli.errors import NotFoundError, NotReadyError, StateError, ToolError, UsageError
from platform_cli.tools.mlflow import ModelRef, Registry, initialise, read_revision, server_command
from platform_cli.tools.mlflow_database import quiet


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("iris", ModelRef("iris")),
        ("iris@champion", ModelRef("iris", alias="champion")),
        ("iris/3", ModelRef("iris", version="3")),
        (" größe 1/12 ", ModelRef("größe 1", version="12")),
    ],
)
def test_a_reference_is_read(text: str, ref: ModelRef) -> None:
    assert ModelRef.parse(text) == ref


@pytest.mark.parametrize(
    "text", ["", "@champion", "/3", "iris@", "iris/", "iris/latest", "iris@a/3", "a:b", "iris/3/4"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no model"):
        ModelRef.parse(text)


@given(
    name=st.text(st.characters(exclude_characters="@/:", exclude_categories=("Z", "C")), min_size=1),
    rest=st.sampled_from(["", "@champion", "/7"]),
)
def test_a_reference_is_written_as_it_was_read(name: str, rest: str) -> None:
    assert str(ModelRef.parse(name + rest)) == name + rest


@pytest.fixture
def registry(registered_models: Registered) -> Registry:
    return Registry(registered_models.uri)


@pytest.mark.parametrize(
    ("text", "version"),
    [("iris", "1"), ("iris@champion", "1"), ("iris@challenger", "2"), ("iris/3", "3"), ("wine", "1")],
)
def test_a_reference_finds_its_version(registry: Registry, text: str, version: str) -> None:
    found = registry.resolve(ModelRef.parse(text))
    assert (found.name, found.version) == (text.partition("@")[0].partition("/")[0], version)


def test_a_version_tells_where_it_comes_from(registry: Registry) -> None:
    found = registry.resolve(ModelRef("iris", version="1"))
    assert found.aliases == ("champion",)
    assert found.run_id
    assert found.source
    assert abs(found.created - time.time()) < 3600


def test_without_a_champion_the_latest_is_meant(registry: Registry, registered_models: Registered) -> None:
    client = registry_client(registered_models.uri)
    client.delete_registered_model_alias("iris", "champion")
    try:
        assert registry.resolve(ModelRef("iris")).version == "3"
    finally:
        client.set_registered_model_alias("iris", "champion", "1")


def test_models_are_listed_with_their_versions(registry: Registry) -> None:
    listed = {model.name: [version.version for version in model.versions] for model in registry.list_models()}
    assert listed == {"iris": ["3", "2", "1"], "wine": ["1"]}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("irsi", "no model 'irsi'", "did you mean 'iris'"),
        ("zzz", "no model 'zzz'", "there are: iris, wine"),
        ("iris/9", "no version '9'", "3, 2, 1"),
        ("iris@best", "no alias 'best'", "challenger"),
    ],
)
def test_what_does_not_exist_is_told_with_what_does(registry: Registry, text: str, message: str, hint: str) -> None:
    with pytest.raises(NotFoundError, match=message) as caught:
        registry.resolve(ModelRef.parse(text))
    assert hint in caught.value.hint


def test_fetch_copies_the_whole_model(registry: Registry, tmp_path: Path) -> None:
    target = tmp_path / "kopie 1" / "model"
    registry.fetch(registry.resolve(ModelRef("iris")), target)
    assert (target / "MLmodel").is_file()
    assert (target / "python_model.pkl").is_file()
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_fetch_of_vanished_files_leaves_nothing(registered_models: Registered, tmp_path: Path) -> None:
    home = Path(shutil.copytree(registered_models.home, tmp_path / "home"))
    registry = Registry(f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")
    version = registry.resolve(ModelRef("wine"))
    folder = artifact_folder(registered_models.uri, "wine", "1")
    folder.rename(folder.with_name("away"))
    try:
        with pytest.raises(ToolError, match="wine"):
            registry.fetch(version, tmp_path / "target" / "model")
    finally:
        folder.with_name("away").rename(folder)
    assert list((tmp_path / "target").iterdir()) == []


def test_mlflow_says_nothing(registered_models: Registered, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from platform_cli.tools.mlflow import *\n"
        "registry = Registry(sys.argv[1]); version = registry.resolve(ModelRef('iris'))\n"
        "registry.fetch(version, Path(sys.argv[2])); initialise(sys.argv[3], Path(sys.argv[2]))\n"
    )
    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    argv = [sys.executable, "-c", code, registered_models.uri, str(tmp_path / "model"), fresh]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("fresh.db")) == ["model"]


def test_importing_the_wrapper_does_not_import_mlflow() -> None:
    code = "import sys, platform_cli.tools.mlflow; assert 'mlflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_initialise_twice_changes_nothing(registered_models: Registered, tmp_path: Path) -> None:
    home = Path(shutil.copytree(registered_models.home, tmp_path / "home"))
    uri = f"sqlite:///{home / 'mlflow' / 'mlflow.db'}"
    revision = read_revision(home / "mlflow" / "mlflow.db")
    assert revision
    assert initialise(uri, home / "mlflow" / "artifacts") == revision
    assert [model.name for model in Registry(uri).list_models()] == ["iris", "wine"]


def test_the_database_logs_ahead(registered_models: Registered) -> None:
    with closing(sqlite3.connect(registered_models.database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_before_deploy_there_is_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="no tracking database") as caught:
        Registry(f"sqlite:///{tmp_path / 'none.db'}").list_models()
    assert "mlops deploy" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_locked_database_is_told(registered_models: Registered, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    shutil.copyfile(registered_models.database, database)
    with closing(sqlite3.connect(database)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StateError, match="locked by another process"):
            Registry(f"sqlite:///{database}").list_models()
        with pytest.raises(StateError, match="locked by another process"):
            initialise(f"sqlite:///{database}", tmp_path / "artifacts")


def test_a_damaged_database_is_told(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(b"this is no database " * 100)
    with pytest.raises(StateError, match="not a database"):
        Registry(f"sqlite:///{database}").list_models()


def test_a_database_of_a_newer_mlflow_is_told(registered_models: Registered, tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    shutil.copyfile(registered_models.database, database)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        connection.commit()
    with pytest.raises(StateError, match="schema"):
        initialise(f"sqlite:///{database}", tmp_path / "artifacts")


@pytest.mark.slow
def test_the_dashboard_answers_on_this_machine_only(registered_models: Registered, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    argv = server_command(registered_models.uri, tmp_path / "artifacts", host="127.0.0.1", port=port)
    # Without the environment's bin folder on PATH, as when nobody activated it.
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
    try:
        assert wait_for_status(f"http://127.0.0.1:{port}/", server) == 200, (tmp_path / "log").read_text()
        assert wait_for_status(f"http://localhost:{port}/health", server) == 200
        foreign = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": "evil.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(foreign, timeout=10)
    finally:
        server.terminate()
        server.wait(timeout=120)


def wait_for_status(url: str, server: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + 90
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.2)
    return 0


def test_a_server_that_is_away_is_not_asked_for_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.environment_variables import MLFLOW_HTTP_REQUEST_MAX_RETRIES

    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    with quiet():
        assert MLFLOW_HTTP_REQUEST_MAX_RETRIES.get() == 4
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with quiet():
        assert MLFLOW_HTTP_REQUEST_MAX_RETRIES.get() == 1
