"""Running programs: what is told, what is logged, how they end. The same tests for the real runner and the fake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fake_runner import FakeRunner, Reply

from platform_cli.errors import DeadlineError, InterruptedByUser, PreflightError, ToolError
from platform_cli.events import Event, LogLine
from platform_cli.process import ProcessId, scrub_environment, spawn_detached, stop_tree
from platform_cli.redact import MASK, redact
from platform_cli.runner import Command, ProcessRunner, Runner

SECRET = "s3cr3t-value"

SCRIPTS = {
    "talk": (
        "import sys; print('one', flush=True); print('two', file=sys.stderr)",
        Reply(lines=(("stdout", "one"), ("stderr", "two"))),
    ),
    "fail": (
        "import sys; print('started'); print('the reason', file=sys.stderr); sys.exit(3)",
        Reply(lines=(("stdout", "started"), ("stderr", "the reason")), exit_code=3),
    ),
    "leak": (f"print('password is {SECRET}')", Reply(lines=(("stdout", f"password is {SECRET}"),))),
    "hang": (
        "import time; print('begun', flush=True); time.sleep(600)",
        Reply(lines=(("stdout", "begun"),), hangs=True),
    ),
    "chatter": ("while True: print('x', flush=True)", Reply(lines=(("stdout", "x"),), hangs=True)),
}


def make_command(what: str, cwd: Path, *, timeout_s: float | None = None) -> Command:
    argv = (sys.executable, "-c", SCRIPTS[what][0])
    return Command(
        argv=argv, cwd=cwd, env=scrub_environment(os.environ), secrets=(SECRET,), timeout_s=timeout_s, title=what
    )


@pytest.fixture(params=["real", "fake"])
def runner(request: pytest.FixtureRequest) -> Runner:
    if request.param == "real":
        return ProcessRunner(grace_s=2.0)
    return FakeRunner({(sys.executable, "-c", script): reply for script, reply in SCRIPTS.values()})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "program.log"


def test_each_line_is_told_with_its_stream_and_logged(runner: Runner, tmp_path: Path, log: Path) -> None:
    told: list[Event] = []
    runner.run(make_command("talk", tmp_path), emit=told.append, log=log)
    assert {(line.stream, line.text) for line in told if isinstance(line, LogLine)} == {
        ("stdout", "one"),
        ("stderr", "two"),
    }
    first, *rest = log.read_text().splitlines()
    assert first.startswith("$ ")
    assert sorted(rest) == ["one", "two"]


def test_a_failure_names_the_code_the_last_lines_and_the_log(runner: Runner, tmp_path: Path, log: Path) -> None:
    with pytest.raises(ToolError, match="fail failed: exit code 3") as caught:
        runner.run(make_command("fail", tmp_path), emit=lambda _: None, log=log)
    assert sorted(caught.value.details) == ["started", "the reason"]
    assert str(log) in caught.value.hint


def test_secrets_reach_neither_events_nor_the_log(runner: Runner, tmp_path: Path, log: Path) -> None:
    told: list[Event] = []
    runner.run(make_command("leak", tmp_path), emit=told.append, log=log)
    assert SECRET not in log.read_text()
    assert SECRET not in str(told)
    assert MASK in str(told)


@pytest.mark.parametrize("what", ["hang", "chatter"])
def test_a_program_that_takes_too_long_is_stopped(runner: Runner, tmp_path: Path, log: Path, what: str) -> None:
    with pytest.raises(DeadlineError, match=f"{what} took longer than"):
        runner.run(make_command(what, tmp_path, timeout_s=0.5), emit=lambda _: None, log=log)
    assert log.is_file()


def test_a_program_that_is_not_there_is_a_failed_check(runner: Runner, tmp_path: Path, log: Path) -> None:
    command = Command(argv=("/nonexistent/program",), cwd=tmp_path, env={})
    with pytest.raises(PreflightError, match="cannot start /nonexistent/program"):
        runner.run(command, emit=lambda _: None, log=log)


def test_a_killed_program_names_the_signal(tmp_path: Path, log: Path) -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    command = Command(argv=(sys.executable, "-c", script), cwd=tmp_path, env=scrub_environment(os.environ))
    with pytest.raises(ToolError, match="killed by signal SIGKILL"):
        ProcessRunner().run(command, emit=lambda _: None, log=log)


def test_a_grandchild_that_keeps_the_output_open_does_not_hold_us(tmp_path: Path, log: Path) -> None:
    script = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print(child.pid, flush=True)"
    )
    told: list[Event] = []
    command = Command(argv=(sys.executable, "-c", script), cwd=tmp_path, env=scrub_environment(os.environ))
    ProcessRunner().run(command, emit=told.append, log=log)
    psutil.Process(int(told[0].text)).kill()  # type: ignore[union-attr]


def test_output_that_is_no_text_is_told_as_well_as_can_be(tmp_path: Path, log: Path) -> None:
    script = r"import sys; sys.stdout.buffer.write(b'a\xff\xfe\n' + b'y' * 200_000)"
    told: list[Event] = []
    command = Command(argv=(sys.executable, "-c", script), cwd=tmp_path, env=scrub_environment(os.environ))
    ProcessRunner().run(command, emit=told.append, log=log)
    assert sum(line.text.count("y") for line in told if isinstance(line, LogLine)) == 200_000


# A program of its own drives the runner, so that it can be sent real signals.
DRIVER = """
import sys
from pathlib import Path
from platform_cli.errors import InterruptedByUser
from platform_cli.runner import Command, ProcessRunner
command = Command(argv=(sys.executable, "-c", sys.argv[1]), cwd=Path.cwd(), env={})
try:
    ProcessRunner(grace_s=30).run(command, emit=lambda line: print(line.text, flush=True), log=Path(sys.argv[2]))
except InterruptedByUser as error:
    print("interrupted", flush=True)
    sys.exit(130)
"""
ORDERLY = """
import os, signal, sys, time
count = 0
def stop(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, stop)
print("ready", os.getpid(), flush=True)
while not count:
    time.sleep(0.01)
time.sleep(0.5)
print("tidied", count, flush=True)
"""
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def driven(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def drive(script: str, log: Path, started: list[subprocess.Popen[str]]) -> tuple[subprocess.Popen[str], ProcessId]:
    argv = [sys.executable, "-c", textwrap.dedent(DRIVER), textwrap.dedent(script), str(log)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
    started.append(process)
    assert process.stdout is not None
    identity = ProcessId.of(int(process.stdout.readline().split()[1]))
    assert identity is not None
    return process, identity


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_is_passed_on_once_and_waited_for(
    log: Path, driven: list[subprocess.Popen[str]], number: signal.Signals
) -> None:
    process, child = drive(ORDERLY, log, driven)
    # As a terminal does it: to the whole group.
    os.killpg(process.pid, number)
    output, _ = process.communicate()
    assert process.returncode == 130
    assert output.split("\n")[:3] == ["tidied 1", "interrupted", ""]
    assert not child.alive


def test_a_second_ctrl_c_kills(log: Path, driven: list[subprocess.Popen[str]]) -> None:
    process, child = drive(STUBBORN, log, driven)
    process.send_signal(signal.SIGINT)
    # Nothing tells from outside that the first one was handled; two that come at once would count as one.
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert not child.alive


def test_a_runner_works_in_a_thread_that_gets_no_signals(tmp_path: Path, log: Path) -> None:
    told: list[Event] = []
    thread = threading.Thread(
        target=ProcessRunner().run, args=(make_command("talk", tmp_path),), kwargs={"emit": told.append, "log": log}
    )
    thread.start()
    thread.join()
    assert len(told) == 2


def test_interruption_is_its_own_error_on_the_fake_too(tmp_path: Path, log: Path) -> None:
    runner = FakeRunner({("x",): Reply(is_interrupted=True)})
    with pytest.raises(InterruptedByUser):
        runner.run(Command(argv=("x",), cwd=tmp_path, env={}), emit=lambda _: None, log=log)


def test_a_detached_program_and_its_children_are_stopped(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "print('up', flush=True); time.sleep(600)"
    )
    log = tmp_path / "detached.log"
    identity = spawn_detached([sys.executable, "-c", script], log=log, env=scrub_environment(os.environ), cwd=tmp_path)
    while log.read_text() != "up\n":
        time.sleep(0.02)
    family = psutil.Process(identity.pid).children(recursive=True)
    assert len(family) == 1
    stop_tree(identity, grace_s=5.0)
    assert not identity.alive
    assert not psutil.pid_exists(family[0].pid) or family[0].status() == psutil.STATUS_ZOMBIE


def test_a_reused_number_is_not_the_same_process() -> None:
    now = ProcessId.of(os.getpid())
    assert now is not None
    assert now.alive
    assert not ProcessId(now.pid, now.created - 100).alive


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://user:hunter22@host/db", "postgresql://user:***@host/db"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer ***"),
        ("line1-of-key and line2-of-key", "*** and ***"),
        ("nothing here", "nothing here"),
    ],
)
def test_redaction_masks_what_is_secret_and_nothing_else(text: str, expected: str) -> None:
    assert redact(text, ("line1-of-key\nline2-of-key\n", "no")) == expected
