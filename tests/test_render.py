"""What people and programs see: lines, tables, JSON, and a terminal that is left in order."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from platform_cli.events import (
    Event,
    LogLine,
    NodeFinished,
    Notice,
    PlanFinished,
    PlanStarted,
    RunFinished,
    RunStarted,
    StageFinished,
    StageStarted,
)
from platform_cli.render.line import describe, format_seconds, format_table
from platform_cli.render.screen import JsonScreen, Output, TextScreen, open_screen


def node(name: str, phase: str, **fields: object) -> NodeFinished:
    return NodeFinished(run="r", node=name, name=name, kind="Pod", phase=phase, seconds=0.24, **fields)  # type: ignore[arg-type]


EVENTS: list[Event] = [
    PlanStarted(operation="deploy", target="embedded/dev", stages=2, titles=("folders", "database")),
    StageStarted(stage="folders", title="folders", index=1, total=2),
    StageFinished(stage="folders", title="folders", outcome="created", seconds=0.01, detail="8 folders"),
    StageFinished(stage="same", title="same", outcome="unchanged", seconds=0.0),
    StageFinished(stage="database", title="database", outcome="failed", seconds=12.0, detail="it is locked"),
    PlanFinished(operation="deploy", target="embedded/dev", outcomes={"created": 1, "unchanged": 1}, seconds=1.24),
    RunStarted(run="iris-abcde", workflow="iris"),
    node("load-data", "Succeeded", summary="150 rows, 5 columns"),
    node("train-model", "Failed", message="exit code 3: no such column"),
    node("skipped", "Skipped", message="when is false"),
    node("again", "Succeeded", summary="done", reused="nothing changed"),
    LogLine(source="load-data", stream="stdout", text="hello"),
    Notice(level="warning", text="the disk is nearly full"),
    RunFinished(run="iris-abcde", workflow="iris", phase="Failed", seconds=3.0, message="step train-model failed"),
]


def render(*, verbose: bool) -> list[str]:
    stream = io.StringIO()
    screen = TextScreen(stream, verbose=verbose)
    for event in EVENTS:
        screen.emit(event)
    screen.close()
    return stream.getvalue().splitlines()


def test_each_event_has_its_line() -> None:
    lines = render(verbose=False)
    assert [" ".join(line.split()) for line in lines] == [
        "✓ folders created: 8 folders 0.0 s",
        "✗ database failed: it is locked 12 s",
        "✓ deploy embedded/dev: 2 stages, 1 created 1.2 s",
        "✓ load-data 150 rows, 5 columns 0.2 s",
        "✗ train-model exit code 3: no such column 0.2 s",
        "- skipped when is false 0.2 s",
        "✓ again done (reused: nothing changed) 0.2 s",
        "warning: the disk is nearly full",
        "✗ pipeline iris-abcde Failed: step train-model failed 3.0 s",
    ]


def test_columns_stand_below_one_another() -> None:
    done = [line for line in render(verbose=False) if line.startswith(("✓", "✗", "-"))]
    assert {len(line) for line in done} == {len(done[0])}


def test_verbose_tells_more() -> None:
    more = set(render(verbose=True)) - set(render(verbose=False))
    assert {line.split()[0] for line in more} == {"✓", "run", "load-data"}


def test_a_converged_platform_says_so() -> None:
    outcomes = {"unchanged": 5}
    deploy = PlanFinished(operation="deploy", target="embedded/dev", outcomes=outcomes, seconds=0.0)
    line = describe(deploy, verbose=False)
    assert line is not None
    assert line.detail == "embedded/dev is up to date: 5 stages, 0 changes"
    destroy = PlanFinished(operation="destroy", target="embedded/dev", outcomes=outcomes, seconds=0.0)
    line = describe(destroy, verbose=False)
    assert line is not None
    assert line.detail == "embedded/dev: nothing to destroy"


def test_json_has_one_object_a_line_with_a_schema_version() -> None:
    stream = io.StringIO()
    screen = JsonScreen(stream)
    for event in EVENTS:
        screen.emit(event)
    screen.show({"type": "Proof", "kept": ["ø"]}, ["for people"])
    screen.table({"type": "Runs", "runs": []}, ("run",), [])
    documents = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [document["type"] for document in documents] == [
        *(type(event).__name__ for event in EVENTS),
        "Proof",
        "Runs",
    ]
    assert {document["schema_version"] for document in documents} == {1}
    assert "ø" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (185, "3 min 05 s")]
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_tables_align_text_left_and_numbers_right() -> None:
    assert format_table(("name", "rows"), [("iris", 150), ("wine-quality", 5)]) == [
        "name          rows",
        "iris           150",
        "wine-quality     5",
    ]
    assert format_table(("name",), []) == ["name"]


class Ajar(io.StringIO):
    """A stream that lets others in after each write, as a pipe may."""

    def write(self, text: str) -> int:
        written = super().write(text)
        turn = threading.Event()
        turn.wait(0.001)
        return written


def test_lines_of_several_threads_stay_whole() -> None:
    stream = Ajar()
    screen = JsonScreen(stream)
    notice = Notice(level="hint", text="x")
    threads = [threading.Thread(target=lambda: [screen.emit(notice) for _ in range(20)]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [json.loads(line)["type"] for line in stream.getvalue().splitlines()] == ["Notice"] * 60


def test_a_stream_that_is_not_utf8_gets_question_marks(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        screen = open_screen(Output.TEXT, verbose=False, stream=stream)
        screen.show({}, ["✓ prøject"])
    assert (tmp_path / "out").read_bytes() == b"? pr?ject\n"


DRIVER = """
from platform_cli.events import PlanFinished, PlanStarted, StageFinished, StageStarted
from platform_cli.render.screen import Output, open_screen
import time
screen = open_screen(Output.TEXT, verbose=False)
screen.emit(PlanStarted(operation="deploy", target="embedded/dev", stages=2, titles=("folders", "database")))
screen.emit(StageStarted(stage="folders", title="folders", index=1, total=2))
time.sleep(0.5)
screen.emit(StageFinished(stage="folders", title="folders", outcome="created", seconds=0.1))
END
"""
ENDS = {
    "well": 'screen.emit(PlanFinished(operation="deploy", target="x", outcomes={"created": 2}, seconds=0.1))',
    "badly": "screen.close()",
}


def run_on_terminal(script: str, **environ: str) -> str:
    """What a terminal receives from a program."""
    ours, theirs = pty.openpty()
    env = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", **environ}
    process = subprocess.Popen([sys.executable, "-c", script], stdout=theirs, stdin=theirs, env=env)
    os.close(theirs)
    chunks: list[bytes] = []
    try:
        while chunk := os.read(ours, 4096):
            chunks.append(chunk)
    except OSError:
        # Linux tells the end of a terminal as an error.
        pass
    os.close(ours)
    assert process.wait() == 0
    return b"".join(chunks).decode()


@pytest.mark.parametrize("end", ENDS)
def test_a_terminal_shows_what_runs_and_what_is_next_and_is_left_in_order(end: str) -> None:
    seen = run_on_terminal(textwrap.dedent(DRIVER).replace("END", ENDS[end]))
    assert "1/2 folders" in seen
    assert "next: database" in seen
    assert "\x1b[32m✓" in seen
    assert seen.rindex("\x1b[?25h") > seen.rindex("\x1b[?25l")


TREE = """
from platform_cli.events import NodeStarted, RunStarted
from platform_cli.render.live import LiveScreen
import io
screen = LiveScreen(io.StringIO(), verbose=False)
def start(node, kind, within=""):
    screen.emit(NodeStarted(run="r", node=node, name=node, kind=kind, within=within))
start("r", "DAG")
start("load", "Retry", "r")
start("prepare", "DAG", "r")
start("tidy", "Steps", "prepare")
start("clean", "Pod", "tidy")
start("scale", "Pod", "prepare")
start("clean(0)", "Attempt", "tidy")
from rich.console import Console
Console(width=40).print(screen)
"""


def test_steps_stand_below_the_graphs_that_they_belong_to() -> None:
    done = subprocess.run([sys.executable, "-c", TREE], capture_output=True, text=True, check=True)
    lines = [line[2:].split("0.0 s")[0].rstrip() for line in done.stdout.splitlines()]
    assert lines == ["load", "prepare", "  tidy", "    clean", "  scale"]


def test_no_color_is_respected() -> None:
    seen = run_on_terminal(textwrap.dedent(DRIVER).replace("END", ENDS["well"]), NO_COLOR="1")
    assert "\x1b[32m" not in seen
    assert "✓   folders" in seen


def test_plain_output_needs_no_rich() -> None:
    script = (
        "import sys; from platform_cli.render.screen import Output, open_screen; "
        "open_screen(Output.TEXT, verbose=False).show({}, ['hello']); sys.exit('rich' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "hello\n")
