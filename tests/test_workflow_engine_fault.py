# ruff: noqa: E501 - manifests read best with one thing per line
"""The local engine when things go wrong: bad steps, signals, killed processes, locked and full disks."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from engine_fixtures import open_bench

from platform_cli.errors import InterruptedByUser, StateError
from platform_cli.process import ProcessId
from platform_cli.workflow.database import Database
from platform_cli.workflow.drive_lock import try_hold
from platform_cli.workflow.local_engine import LocalEngine
from platform_cli.workflow.recovery import reconcile_runs
from platform_cli.workflow.store import RunStore

DRIVE = Path(__file__).parent / "fixtures" / "engine" / "drive.py"
PATIENCE_S = 20.0


@pytest.fixture
def bench(tmp_path):
    with open_bench(tmp_path) as bench:
        yield bench


def wait_for(condition, what: str):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.02)
    return found


@contextmanager
def driven(bench, run: str, *, grace_s: float = 0.5):
    """A process of its own that drives `run`; dead at the end of the block in any case."""
    argv = [sys.executable, str(DRIVE), str(bench.home.root), run, str(grace_s)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        try:
            yield child
        finally:
            child.kill()


def _marker(bench, name: str) -> Path:
    return bench.project / name


def sleepers(mark: str) -> list[psutil.Process]:
    """Processes that sleep for exactly `mark` seconds."""
    running = psutil.process_iter(["cmdline"])
    return [process for process in running if process.info["cmdline"] and process.info["cmdline"][-1] == mark]


# ── bad steps ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("command", "phase", "message"),
    [
        ('[sh, -c, "echo why >&2; exit 3"]', "Failed", "exit code 3: why"),
        ('[sh, -c, "kill -9 $$$$"]', "Failed", "killed by signal 9 (SIGKILL)"),
        ("[no-such-program]", "Error", "cannot start no-such-program: No such file or directory"),
        ('[python, -c, "import os; os.abort()"]', "Failed", "killed by signal 6 (SIGABRT)"),
        ('[python, -c, "1/0"]', "Failed", "exit code 1: ZeroDivisionError: division by zero"),
        (
            "[python, /nowhere.py]",
            "Failed",
            "exit code 2: {python}: can't open file '/nowhere.py': [Errno 2] No such file or directory",
        ),
    ],
)
def test_a_bad_steps_message_says_why(bench, command, phase, message):
    outcome = bench.run(f"entrypoint: main\ntemplates: [{{name: main, container: {{image: x, command: {command}}}}}]")
    assert (outcome.phase, outcome.message) == (phase, message.format(python=sys.executable))


def test_a_step_that_floods_its_output_does_not_fill_the_disk(bench):
    bench.options["log_limit_bytes"] = 1 << 20
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          container: {image: alpine, command: [sh, -c, "yes 0123456789 | head -c 30000000; echo; echo end"]}
    """)
    assert outcome.phase == "Succeeded"
    assert outcome.result("").endswith("end")
    assert len(outcome.result("")) <= 256 << 10
    log = bench.engine.folder(outcome.name) / outcome.name / "log"
    assert log.stat().st_size < 2 << 20
    assert "the rest is not kept" in log.read_text()


def test_what_a_step_leaves_running_ends_with_it(bench):
    mark = "31.4151"
    outcome = bench.run(f"""
        entrypoint: main
        templates:
        - name: main
          container: {{image: alpine, command: [sh, -c, "sleep {mark} & echo started"]}}
    """)
    assert outcome.result("") == "started"
    wait_for(lambda: not sleepers(mark), "the end of what the step left behind")


# ── signals and killed processes ────────────────────────────────────────────

CHAIN = """
    entrypoint: main
    templates:
    - name: main
      dag:
        tasks:
        - {{name: a, template: count}}
        - {{name: b, template: slow, depends: a}}
        - name: c
          depends: b
          template: echo
          arguments: {{parameters: [{{name: text, value: "{{{{tasks.a.outputs.parameters.number}}}} {{{{tasks.b.outputs.result}}}}"}}]}}
    - name: count
      container: {{image: alpine, command: [sh, -c, "echo run >> '{project}/a-ran'; echo 42 > /tmp/n"]}}
      outputs: {{parameters: [{{name: number, valueFrom: {{path: /tmp/n}}}}]}}
    - name: slow
      container: {{image: alpine, command: [sh, -c, "{slow}"]}}
    - name: echo
      inputs: {{parameters: [{{name: text}}]}}
      container: {{image: alpine, command: [echo, "{{{{inputs.parameters.text}}}}"]}}
"""
SLOW_ONCE = "test -e '{project}/go' || {{ {before} touch '{project}/here'; sleep {mark}; {after} }}; echo slow"


def _chain(bench, mark: str, before: str = "", after: str = "") -> str:
    slow = SLOW_ONCE.format(project=bench.project, mark=mark, before=before, after=after)
    return CHAIN.format(project=bench.project, slow=slow)


def _assert_resumes_like_undisturbed(bench, run: str) -> None:
    _marker(bench, "go").touch()
    bench.engine.resume(run)
    outcome = bench.go(run)
    assert outcome.phase == "Succeeded"
    assert outcome.result("c") == "42 slow"
    assert _marker(bench, "a-ran").read_text() == "run\n"
    undisturbed = bench.run(_chain(bench, "0"))
    assert outcome.phases == undisturbed.phases
    assert [n["type"] for n in outcome.nodes.values()] == [n["type"] for n in undisturbed.nodes.values()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_its_steps_and_can_be_resumed(bench, number):
    mark = f"31.42{int(number)}"
    run = bench.submit(_chain(bench, mark), reuse=False)
    with driven(bench, run) as child:
        wait_for(_marker(bench, "here").exists, "the slow step")
        child.send_signal(number)
        output, _ = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == InterruptedByUser.exit_code
    assert f"mlops pipeline submit --resume {run}" in output
    assert not sleepers(mark)
    status = bench.engine.get(run)["status"]
    assert status["phase"] == "Failed"
    assert [condition["type"] for condition in status["conditions"]] == ["Interrupted"]
    assert {n["displayName"]: n["phase"] for n in status["nodes"].values()}["b"] == "Failed"
    _assert_resumes_like_undisturbed(bench, run)


def test_a_second_signal_kills_what_does_not_want_to_end(bench):
    mark = "31.4301"
    asked = _marker(bench, "asked")
    before, after = f"asked() {{ touch '{asked}'; }}; trap asked TERM;", f"while :; do sleep {mark}; done;"
    run = bench.submit(_chain(bench, mark, before, after), reuse=False)
    with driven(bench, run, grace_s=600) as child:
        wait_for(_marker(bench, "here").exists, "the slow step")
        child.send_signal(signal.SIGINT)
        # Two that come at once count as one.
        wait_for(asked.exists, "the step's own TERM")
        child.send_signal(signal.SIGINT)
        assert child.wait(timeout=PATIENCE_S) == InterruptedByUser.exit_code
    assert not sleepers(mark)


def test_a_killed_engine_leaves_no_orphans_and_a_run_that_resumes(bench):
    mark = "31.4401"
    run = bench.submit(_chain(bench, mark), reuse=False)
    with driven(bench, run) as child:
        wait_for(_marker(bench, "here").exists, "the slow step")
        child.kill()
        child.wait(timeout=PATIENCE_S)
    bench.engine.reconcile()
    wait_for(lambda: not sleepers(mark), "the end of the orphan")
    status = bench.engine.get(run)["status"]
    assert (status["phase"], status["message"]) == ("Error", "engine died")
    phases = {node["displayName"]: (node["phase"], node.get("message")) for node in status["nodes"].values()}
    assert phases["a"][0] == "Succeeded"
    assert phases["b"] == ("Error", "engine died")
    _assert_resumes_like_undisturbed(bench, run)


def test_orphans_whose_first_process_is_gone_are_found_by_their_session(bench):
    mark = "31.4501"
    run = bench.submit(_chain(bench, mark), reuse=False)
    with driven(bench, run) as child:
        wait_for(_marker(bench, "here").exists, "the slow step")
        (sleeper,) = wait_for(lambda: sleepers(mark), "its sleep")
        servers = [p for p in psutil.Process(child.pid).children() if p.is_running()]
        # Held first, so that a server which sees its engine end has no time to end its steps in order.
        for process in servers:
            process.suspend()
        for process in (psutil.Process(child.pid), *servers):
            process.kill()
        child.wait(timeout=PATIENCE_S)
    wait_for(lambda: not psutil.pid_exists(os.getsid(sleeper.pid)), "the end of its shell, which dies with the server")
    assert sleeper.is_running()
    bench.engine.reconcile()
    wait_for(lambda: not sleepers(mark), "the end of the orphan")


def test_a_killed_step_server_costs_its_steps_but_not_the_run(bench):
    spec = """
        entrypoint: main
        templates:
        - name: main
          steps:
          - - {{name: kills, template: kills, continueOn: {{error: true}}}}
          - - {{name: next, template: ok}}
        - name: kills
          container: {{image: alpine, command: [sh, -c, "kill -9 $PPID; sleep {mark}"]}}
    """
    outcome = bench.run(spec.format(mark="31.4601"))
    assert outcome.phases["[0].kills"] == "Error"
    assert "step server ended" in outcome.nodes["[0].kills"]["message"]
    assert outcome.phases["[1].next"] == "Succeeded"
    assert not sleepers("31.4601")


def test_two_engines_never_drive_the_same_run(bench):
    run = bench.submit(_chain(bench, "31.4701"), reuse=False)
    with driven(bench, run) as child:
        wait_for(_marker(bench, "here").exists, "the slow step")
        with pytest.raises(StateError, match=f"driven by another process \\(process {child.pid}\\)"):
            bench.engine.run(run, bench.events.append)
        with pytest.raises(StateError, match="driven by another process"):
            bench.engine.delete(run)
        with pytest.raises(StateError, match="is running"):
            bench.engine.resume(run)
        bench.engine.stop(run)
        assert child.wait(timeout=PATIENCE_S) == InterruptedByUser.exit_code
    assert bench.engine.get(run)["status"]["phase"] == "Failed"


class LateReader(RunStore):
    """Is kept waiting after its first look at the runs until `meanwhile` is over."""

    def __init__(self, database: Database, meanwhile: Callable[[], object]) -> None:
        super().__init__(database)
        self.meanwhile: Callable[[], object] | None = meanwhile

    def unfinished(self):
        runs = super().unfinished()
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return runs


def test_a_run_that_ends_while_somebody_looks_for_dead_engines_stays_as_it_ended(bench):
    run = bench.submit(_chain(bench, "0"), reuse=False)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as engine:
        bench.engine.store.claim(run, ProcessId.of(engine.pid))

        def end() -> None:
            engine.communicate(b"\n")
            bench.go(run)

        reconcile_runs(LateReader(bench.engine.store.database, end), bench.engine.folder)
    assert bench.engine.get(run)["status"]["phase"] == "Succeeded"


def test_a_run_is_stopped_in_order_from_its_first_moment(bench):
    run = bench.submit(_chain(bench, "31.4801"), reuse=False)
    with driven(bench, run) as child:
        while bench.engine.store.run(run).engine is None:
            assert child.poll() is None
        bench.engine.stop(run)
        assert child.wait(timeout=PATIENCE_S) == InterruptedByUser.exit_code
    status = bench.engine.get(run)["status"]
    assert (status["phase"], status["message"]) == ("Failed", "interrupted; it can be resumed")


def test_a_run_that_is_about_to_be_driven_is_not_marked_but_stopped(bench):
    run = bench.submit(_chain(bench, "31.4901"), reuse=False)
    with ThreadPoolExecutor(1) as pool:
        with try_hold(bench.engine.folder(run)) as held:
            assert held
            stopped = pool.submit(stop_elsewhere, bench.home, run)
            with pytest.raises(TimeoutError):
                stopped.result(timeout=0.5)
            with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as engine:
                bench.engine.store.claim(run, ProcessId.of(engine.pid))
                assert engine.wait(timeout=PATIENCE_S) == -signal.SIGTERM
        stopped.result(timeout=PATIENCE_S)
    assert bench.engine.store.run(run).status.phase == "Pending"


def stop_elsewhere(home, run: str) -> None:
    """As another command does it, with a connection of its own."""
    engine = LocalEngine(home, environment=os.environ)
    engine.stop(run)
    engine.close()


def test_a_detached_run_goes_on_alone_and_can_be_followed(bench):
    run = bench.submit(_chain(bench, "0.5"), reuse=False)
    bench.engine.start(run)
    lines = [line.text for line in bench.engine.logs(run, follow=True)]
    assert lines == ["slow", "42 slow"]
    assert bench.engine.get(run)["status"]["phase"] == "Succeeded"


def test_a_suspended_run_waits_for_a_person(bench):
    run = bench.submit(
        """
        entrypoint: main
        templates:
        - {name: wait, suspend: {}}
        - name: main
          steps: [[{name: wait, template: wait}], [{name: go, template: ok}]]
        """,
        reuse=False,
    )
    with driven(bench, run) as child:
        wait_for(lambda: bench.engine.store.nodes(run), "the suspended node")
        bench.engine.resume(run)
        assert child.wait(timeout=PATIENCE_S) == 0
    assert bench.engine.get(run)["status"]["phase"] == "Succeeded"


def test_two_submits_and_two_runs_at_once(bench):
    runs = [bench.submit(_chain(bench, "0.3"), reuse=False) for _ in range(2)]
    with driven(bench, runs[0]) as first, driven(bench, runs[1]) as second:
        assert [first.wait(timeout=PATIENCE_S), second.wait(timeout=PATIENCE_S)] == [0, 0]
    assert {bench.engine.get(run)["status"]["phase"] for run in runs} == {"Succeeded"}


# ── the disk ────────────────────────────────────────────────────────────────


def test_a_locked_database_is_named(bench):
    run = bench.submit(_chain(bench, "0"))
    path = bench.home.engine / "runs.db"
    patient = RunStore(Database(path, busy_ms=50))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StateError, match="is locked by another process"):
        patient.claim(run, None)
    holder.execute("ROLLBACK")
    holder.close()
    patient.claim(run, None)
    patient.database.close()


def test_a_damaged_database_is_named(bench):
    bench.home.engine.mkdir(parents=True)
    (bench.home.engine / "runs.db").write_bytes(b"not a database, " * 400)
    with pytest.raises(StateError, match=r"runs\.db is damaged") as caught:
        bench.engine.list()
    assert "move" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk_ends_the_node_with_a_clear_message(bench):
    runs = bench.home.engine / "runs"
    runs.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(runs)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    try:
        outcome = bench.run("""
            entrypoint: main
            templates:
            - name: main
              dag:
                failFast: false
                tasks: [{name: fills, template: fills}, {name: raw, template: raw, depends: fills.Failed}]
            - name: fills
              container: {image: alpine, command: [sh, -c, "cat /dev/zero > /tmp/zeros; echo full >&2; exit 9"]}
            - name: raw
              script: {image: python, command: [python], source: "print(1)"}
        """)
    finally:
        subprocess.run(["umount", str(runs)], check=True)
    assert outcome.nodes["fills"]["message"].startswith("exit code 9")
    assert outcome.phases["raw"] == "Error"
    assert "no space left on the disk" in outcome.nodes["raw"]["message"]
