"""The journal and the lock: nothing that was written is lost, whoever is killed when."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from platform_cli.errors import StateError
from platform_cli.journal import Journal, list_files, read_history
from platform_cli.lock import hold_lock, read_holder

PHASES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.sampled_from(["started", "finished", "failed"]), st.text("01", max_size=2)
    ),
    max_size=12,
)


def record(journal: Journal, stage: str, phase: str, digest: str = "d") -> None:
    journal.record(plan="p", stage=stage, digest=digest, phase=phase)


@settings(max_examples=30, deadline=None)
@given(entries=PHASES)
def test_the_last_word_about_each_stage_counts(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    with Journal(path) as journal:
        for stage, phase, digest in entries:
            record(journal, stage, phase, digest)
    history = read_history(path)
    last = {stage: phase for stage, phase, _ in entries}
    assert history.interrupted == {stage for stage, phase in last.items() if phase != "finished"}
    assert history.applied == {stage: digest for stage, phase, digest in entries if phase == "finished"}


def test_reading_makes_no_file(tmp_path: Path) -> None:
    assert read_history(tmp_path / "journal.db").interrupted == frozenset()
    with Journal(tmp_path / "journal.db"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_was_recorded_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    script = """
        import os, sys
        from pathlib import Path
        from platform_cli.journal import Journal
        journal = Journal(Path(sys.argv[1]))
        journal.record(plan="p", stage="a", digest="1", phase="started")
        journal.record(plan="p", stage="a", digest="1", phase="finished")
        journal.record(plan="p", stage="b", digest="2", phase="started")
        os.kill(os.getpid(), 9)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], check=False)
    assert ended.returncode == -9
    history = read_history(path)
    assert (dict(history.applied), history.interrupted) == ({"a": "1"}, {"b"})


def test_discard_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "target" / "journal.db"
    with Journal(path) as journal:
        record(journal, "a", "started")
        assert path.is_file()
        journal.discard()
    assert not any(file.exists() for file in list_files(path))


def test_a_broken_journal_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"this is no database, but it is long enough to be taken for one" * 20)
    with pytest.raises(StateError, match="the journal cannot be used"):
        read_history(path)


def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as database:
        database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(StateError, match=r"another version \(99\)"):
        read_history(path)


def test_a_journal_works_below_a_path_with_spaces_and_letters_of_any_kind(tmp_path: Path) -> None:
    path = tmp_path / "mein prøject ž" / "journal.db"
    with Journal(path) as journal:
        record(journal, "a", "finished")
    assert read_history(path).applied == {"a": "d"}


def test_a_lock_names_its_holder_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "embedded-dev.lock"
    with hold_lock(path, target="embedded/dev", command="mlops deploy"):
        holder = read_holder(path)
        assert holder is not None
        assert holder.pid == os.getpid()
        second = hold_lock(path, target="embedded/dev", command="mlops destroy")
        who = rf"embedded/dev is being changed by `mlops deploy` \(process {os.getpid()} on"
        with pytest.raises(StateError, match=who), second:
            pass
    assert not path.exists()


def test_a_dead_holders_lock_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "embedded-dev.lock"
    script = """
        import os, sys
        from pathlib import Path
        from platform_cli.lock import hold_lock
        with hold_lock(Path(sys.argv[1]), target="embedded/dev", command="mlops deploy"):
            os.kill(os.getpid(), 9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), str(path)], check=False)
    dead = read_holder(path)
    assert dead is not None
    assert dead.pid != os.getpid()
    with hold_lock(path, target="embedded/dev", command="mlops deploy"):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_holder_that_wrote_nothing_yet_is_still_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "embedded-dev.lock"
    with hold_lock(path, target="embedded/dev", command="mlops deploy"):
        path.write_text("")
        second = hold_lock(path, target="embedded/dev", command="mlops deploy")
        with pytest.raises(StateError, match="is being changed by another command"), second:
            pass


def _count_up(lock: Path, counter: Path, times: int) -> None:
    done = 0
    while done < times:
        try:
            with hold_lock(lock, target="t", command="count"):
                counter.write_text(str(int(counter.read_text()) + 1))
                done += 1
        except StateError:
            continue
        finally:
            # As a command does that leaves nothing of its target.
            with contextlib.suppress(OSError):
                lock.parent.rmdir()


def test_no_two_processes_hold_the_lock_at_once(tmp_path: Path) -> None:
    lock, counter = tmp_path / "targets" / "t.lock", tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count_up, args=(lock, counter, 400)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert counter.read_text() == "800"
