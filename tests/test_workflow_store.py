"""Runs in SQLite, artifacts by content, ConfigMaps as folders."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from platform_cli.errors import NotFoundError, StateError, ToolError
from platform_cli.process import ProcessId
from platform_cli.workflow.artifact import ArtifactStore, remove_tree, unpack
from platform_cli.workflow.database import Database
from platform_cli.workflow.model_value import Parameter
from platform_cli.workflow.node import Node, NodeOutputs, Reuse, now
from platform_cli.workflow.reuse import environment_fingerprint, explain_difference
from platform_cli.workflow.step_output import StepOutput, read_lines
from platform_cli.workflow.store import Changes, Condition, Document, RunStatus, RunStore, with_condition
from platform_cli.workflow.volume import write_folder


@pytest.fixture
def store(tmp_path):
    database = Database(tmp_path / "runs.db")
    yield RunStore(database)
    database.close()


def _document(name: str) -> Document:
    return Document(metadata={"name": name}, spec={"entrypoint": "main"})


def _node(name: str, **fields) -> Node:
    return Node(id=f"id-{name}", name=name, display_name=name, type="Pod", **({"phase": "Running"} | fields))


def test_a_node_comes_back_as_it_was_and_in_argos_spelling(store):
    store.create("run", _document("run"))
    outputs = NodeOutputs(parameters=(Parameter(name="p", value="v"),), result="r", exit_code="0")
    node = _node(
        "a", boundary_id="b", started_at=now(), outputs=outputs, children=["c"], reuse=Reuse(False, "first run")
    )
    store.write("run", Changes(nodes={node.id: node}))
    assert store.nodes("run") == [node]
    shown = store.run("run").as_workflow(store.nodes("run"))["status"]["nodes"]["id-a"]
    assert shown["boundaryID"] == "b"
    assert shown["outputs"] == {"parameters": [{"name": "p", "value": "v"}], "result": "r", "exitCode": "0"}
    assert shown["startedAt"].endswith("Z")


def test_nodes_keep_the_order_in_which_they_came(store):
    store.create("run", _document("run"))
    for name in ("c", "a", "b"):
        store.write("run", Changes(nodes={f"id-{name}": _node(name)}))
    store.write("run", Changes(nodes={"id-c": _node("c", phase="Succeeded")}))
    assert [(node.name, node.phase) for node in store.nodes("run")] == [
        ("c", "Succeeded"),
        ("a", "Running"),
        ("b", "Running"),
    ]


def test_the_newest_run_is_first_and_latest(store):
    for name in ("one", "two", "three"):
        store.create(name, _document(name))
    assert [run.name for run in store.runs(limit=2)] == ["three", "two"]
    assert store.run("@latest").name == "three"
    with pytest.raises(NotFoundError) as caught:
        store.run("thre")
    assert caught.value.hint == "did you mean three?"


def test_an_empty_store_says_how_to_begin(store):
    with pytest.raises(NotFoundError, match="no run yet"):
        store.run("@latest")


def test_claims_and_processes(store):
    store.create("run", _document("run"))
    store.claim("run", ProcessId(7, 1.5))
    store.write("run", Changes(started={"a": ProcessId(8, 2.5), "b": ProcessId(9, 3.5)}))
    store.write("run", Changes(ended={"a"}))
    assert [run.engine for run in store.unfinished()] == [ProcessId(7, 1.5)]
    assert store.processes("run") == {"b": ProcessId(9, 3.5)}
    store.claim("run", None)
    assert store.unfinished() == []


def test_a_condition_replaces_its_older_self():
    status = with_condition(with_condition(RunStatus(), Condition("A", message="1")), Condition("B"))
    assert with_condition(status, Condition("A", message="2")).conditions == (
        Condition("B"),
        Condition("A", message="2"),
    )


def test_a_failed_batch_writes_nothing(store):
    store.create("run", _document("run"))
    with pytest.raises(ToolError):
        store.write("run", Changes(nodes={"id-a": _node("a")}, memos=[("cache", "key", 1.0, object())]))
    assert store.nodes("run") == []


def test_a_newer_format_is_refused(tmp_path):
    database = Database(tmp_path / "runs.db")
    database.connection.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(StateError, match="has format 99"):
        Database(tmp_path / "runs.db")


def test_two_processes_may_make_the_database_at_once(tmp_path):
    failures: list[BaseException] = []

    def make(name: str) -> None:
        try:
            database = Database(tmp_path / "runs.db")
            RunStore(database).create(name, _document(name))
            database.close()
        except StateError as error:
            failures.append(error)

    threads = [threading.Thread(target=make, args=(f"r{index}",)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database = Database(tmp_path / "runs.db")
    assert not failures
    assert len(RunStore(database).runs(limit=10)) == 6
    database.close()


names = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 100
)


@settings(max_examples=40, deadline=None)
@given(files=st.dictionaries(st.tuples(names, names), st.binary(max_size=200), max_size=5))
def test_any_folder_comes_back_whole(tmp_path_factory, files):
    base = tmp_path_factory.mktemp("artifact")
    store = ArtifactStore(base / "store")
    source = base / "source"
    source.mkdir()
    for (folder, name), content in files.items():
        (source / f"d{folder}").mkdir(exist_ok=True)
        (source / f"d{folder}" / f"f{name}").write_bytes(content)
    key = store.put(source)
    store.get(key, base / "copy")
    found = {
        path.relative_to(base / "copy"): path.read_bytes() for path in (base / "copy").rglob("*") if path.is_file()
    }
    assert found == {Path(f"d{folder}") / f"f{name}": content for (folder, name), content in files.items()}
    assert store.put(base / "copy") == key
    assert store.is_intact(key)


def test_the_same_bytes_are_kept_once_and_damage_is_seen(tmp_path):
    store = ArtifactStore(tmp_path / "store")
    (tmp_path / "a").write_text("same")
    (tmp_path / "b").write_text("same")
    key = store.put(tmp_path / "a")
    assert store.put(tmp_path / "b") == key
    kept = tmp_path / "store" / key
    kept.chmod(0o644)
    kept.write_text("else")
    assert not store.is_intact(key)
    store.discard(key)
    assert not store.is_intact(key)
    with pytest.raises(StateError, match="is gone"):
        store.get(key, tmp_path / "c")


def test_modes_links_and_empty_folders_survive(tmp_path):
    store = ArtifactStore(tmp_path / "store")
    source = tmp_path / "source"
    (source / "empty").mkdir(parents=True)
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o750)
    (source / "link").symlink_to("run.sh")
    store.get(store.put(source), tmp_path / "copy")
    assert (tmp_path / "copy" / "empty").is_dir()
    assert (tmp_path / "copy" / "link").readlink() == Path("run.sh")
    assert (tmp_path / "copy" / "run.sh").stat().st_mode & 0o777 == 0o750


def test_an_archive_becomes_what_is_in_it(tmp_path):
    import tarfile

    for names_ in (["one"], ["one", "two"]):
        archive = tmp_path / f"{len(names_)}.tgz"
        with tarfile.open(archive, "w:gz") as tar:
            for name in names_:
                (tmp_path / name).write_text(name)
                tar.add(tmp_path / name, arcname=name)
        unpack(archive)
    assert (tmp_path / "1.tgz").read_text() == "one"
    assert (tmp_path / "2.tgz" / "two").read_text() == "two"


def test_a_folder_without_permissions_can_be_removed(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "x").touch()
    folder.chmod(0)
    remove_tree(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_config_map_is_replaced_as_a_whole(tmp_path):
    write_folder(tmp_path / "cm", {"a": b"1", "b": b"2"})
    write_folder(tmp_path / "cm", {"c": b"3"})
    assert {path.name: path.read_bytes() for path in (tmp_path / "cm").iterdir()} == {"c": b"3"}
    assert [path.name for path in tmp_path.iterdir()] == ["cm"]
    write_folder(tmp_path / "secret", {"password": b"x"}, secret=True)
    assert (tmp_path / "secret" / "password").stat().st_mode & 0o777 == 0o600


def test_the_reason_for_another_run_names_the_most_telling_difference():
    before = {"parameter seed": "1", "code /opt/a.py": "x", "template": "t", "Python environment": "e"}
    assert explain_difference(before, before | {"parameter seed": "2", "template": "u"}) == "parameter seed 1 → 2"
    assert explain_difference(before, before | {"code /opt/a.py": "y"}) == "code changed: a.py"
    assert explain_difference(before, before | {"Python environment": "f"}) == "Python environment changed"
    assert explain_difference(before, before | {"parameter x": "n", "parameter seed": "2"}).endswith(" and 1 more")


def test_the_environments_fingerprint_is_stable():
    assert environment_fingerprint() == environment_fingerprint()


@settings(max_examples=80, deadline=None)
@example([b"\n\0"])
@given(st.lists(st.binary(max_size=60), max_size=8))
def test_a_log_holds_every_line_whatever_the_pieces(tmp_path_factory, pieces):
    path = tmp_path_factory.mktemp("log") / "log"
    output = StepOutput(path)
    for piece in pieces:
        output.feed("stdout", piece)
    output.finish()
    written = b"".join(pieces)
    lines = [line for _, line in read_lines(path.read_bytes().decode(errors="replace"))] if path.exists() else []
    expected = written.decode(errors="replace").removesuffix("\n").split("\n") if written else []
    assert lines == expected
    assert output.result == written.decode(errors="replace").removesuffix("\n")


def test_a_log_that_cannot_be_written_does_not_stop_the_step(tmp_path):
    output = StepOutput(tmp_path / "missing" / "log")
    output.feed("stderr", b"why\n")
    output.finish()
    assert output.complaint == "why"
    assert output.problem == f"the log is incomplete: {os.strerror(2)}"
