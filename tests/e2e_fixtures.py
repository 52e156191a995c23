"""The `mlops` command as a user runs it: child processes in a project of its own, and what they may leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from platform_cli.layout import Layout, TargetHome

MLOPS = str(Path(sys.executable).parent / "mlops")
ENV = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
FLOWERS = {
    "setosa": (5.1, 3.5, 1.4, 0.2),
    "versicolor": (5.9, 2.8, 4.2, 1.3),
    "virginica": (6.7, 3.1, 5.6, 2.4),
}
COLUMNS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")


@dataclass(frozen=True)
class Ended:
    """A command that is over."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict[str, Any]:
        (line,) = self.err.splitlines()
        return json.loads(line)

    @property
    def run(self) -> str:
        """The workflow run that the command tells of."""
        return next(document["run"] for document in self.documents if "run" in document)

    def nodes(self) -> dict[str, dict[str, Any]]:
        """The last word about each node of a run."""
        return {event["name"]: event for event in self.documents if event["type"] == "NodeFinished"}


@dataclass(frozen=True)
class Version:
    """A registered version: the MLflow run it came from, its tags and aliases."""

    run_id: str
    tags: dict[str, str]
    aliases: list[str]


@dataclass
class Session:
    """A user in a project folder."""

    project: Path
    summaries: dict[str, str] = field(default_factory=dict)
    run: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> TargetHome:
        return Layout(assets=Path(), project=self.project).home("embedded-dev")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command with JSON output, in a session of its own: signals reach only itself."""
        return subprocess.Popen(
            [MLOPS, *arguments, "--output", "json"],
            cwd=self.project,
            env=ENV | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def mlops(self, *arguments: str, code: int = 0, stdin: str = "") -> Ended:
        """Run a command to its end and expect its exit code; whatever it was, its output is clean."""
        done = subprocess.run(
            [MLOPS, *arguments],
            cwd=self.project,
            env=ENV | self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return check(Ended(done.returncode, done.stdout, done.stderr), code, as_json="json" in arguments)

    def json(self, *arguments: str, code: int = 0) -> Ended:
        return self.mlops(*arguments, "--output", "json", code=code)

    def submit(self, *arguments: str, code: int = 0) -> Ended:
        return self.json("pipeline", "submit", "--wait", *arguments, code=code)

    def versions(self, name: str) -> list[Version]:
        """Of a registered model, newest first; read from MLflow's database, which takes no import of MLflow."""
        with closing(sqlite3.connect(self.home.tracking_database)) as database:
            ask = database.execute
            tags = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ?"
            aliases = "SELECT alias FROM registered_model_aliases WHERE name = ? AND version = ?"
            listed = "SELECT version, run_id FROM model_versions WHERE name = ? ORDER BY version DESC"
            return [
                Version(run_id, dict(ask(tags, [name, number])), [alias for (alias,) in ask(aliases, [name, number])])
                for number, run_id in ask(listed, [name]).fetchall()
            ]

    def ask(self, kind: str) -> subprocess.CompletedProcess[str]:
        """A prediction, whatever becomes of it."""
        row = json.dumps(dict(zip(COLUMNS, FLOWERS[kind], strict=True)))
        argv = [MLOPS, "predict", "iris", "--json", row, "--output", "json"]
        environment = ENV | self.environment
        return subprocess.run(argv, cwd=self.project, env=environment, capture_output=True, text=True, check=False)

    def predict(self, kind: str) -> str:
        done = self.ask(kind)
        ended = check(Ended(done.returncode, done.stdout, done.stderr), 0)
        return ended.documents[0]["rows"][0]["prediction"]


def check(ended: Ended, code: int, *, as_json: bool = True) -> Ended:
    """Exit code as expected, no traceback, no escape codes in a pipe, and JSON where JSON was asked for."""
    assert ended.code == code, f"exit {ended.code}\n{ended.out}\n{ended.err}"
    assert "Traceback" not in ended.out + ended.err
    assert "\x1b" not in ended.out + ended.err
    if as_json:
        assert all(line["schema_version"] == 1 and line["type"] for line in ended.documents)
        if ended.code not in (0, 8):
            assert ended.error["exit_code"] == ended.code
    return ended


def finish(process: subprocess.Popen[str], code: int) -> Ended:
    """Wait for a command that was started; what was read of its output before is not in the result."""
    out, err = process.communicate()
    return check(Ended(process.returncode, out, err), code)


def read_until(process: subprocess.Popen[str], kind: str, **fields: str) -> dict[str, Any]:
    """Read events up to one of that type with these fields."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["type"] == kind and all(event[name] == value for name, value in fields.items()):
            return event
    raise AssertionError(f"no {kind} {fields}: {process.stderr.read() if process.stderr else ''}")


def processes_of(project: Path) -> Iterator[psutil.Process]:
    """Processes that work for a project."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(project) in part for part in process.cmdline()) or process.cwd().startswith(str(project)):
                yield process


def end_processes(project: Path) -> None:
    for process in processes_of(project):
        with contextlib.suppress(psutil.Error):
            process.kill()
