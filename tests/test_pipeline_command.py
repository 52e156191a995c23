"""`mlops pipeline` on the embedded platform, as a person types it: leaving a run, coming back, and what is advised."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SLOW = """\
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: t-}
spec:
  entrypoint: main
  templates:
  - name: main
    dag: {tasks: [{name: give, template: give}, {name: say, template: say, dependencies: [give]}]}
  - name: give
    container: {image: any, command: [echo, begun]}
  - name: say
    container: {image: any, command: [sh, -c, "echo waiting; until test -e GATE; do sleep 0.1; done; exit 3"]}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    (folder / "slow.yaml").write_text(SLOW.replace("GATE", str(folder / "gate")))
    assert run(folder, "deploy", "--env", "staging", "--yes")[0] == 0
    yield folder
    assert run(folder, "destroy", "--env", "staging", "--yes")[0] == 0


def start(project: Path, *words: str) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
    argv = [sys.executable, "-m", "platform_cli", *words]
    pipe = subprocess.PIPE
    env["PYTHONPATH"] = str(ROOT)
    return subprocess.Popen(argv, env=env, cwd=project, stdout=pipe, stderr=pipe, text=True)


def run(project: Path, *words: str) -> tuple[int, str, str]:
    process = start(project, *words)
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


def find_command(text: str, verb: str) -> list[str]:
    """The words of the advised command, without the program's name."""
    found = re.search(rf"mlops (pipeline {verb} .*?)(?: · |, |$)", text, re.MULTILINE)
    assert found is not None, text
    return shlex.split(found[1])


def test_a_run_is_left_and_the_advised_command_shows_it_to_its_end(project: Path) -> None:
    code, out, err = run(project, "pipeline", "submit", "slow.yaml", "--name", "left", "--env", "staging")
    assert code == 0, err
    again = find_command(out, "get")
    assert again == ["pipeline", "get", "--env", "staging", "left", "--wait"]
    first = start(project, *again, "--verbose")
    assert first.stdout is not None
    for line in first.stdout:
        if "say | waiting" in line:
            break
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "run left goes on without us" in err
    assert find_command(err, "get") == again
    second = start(project, *again)
    (project / "gate").touch()
    out, err = second.communicate(timeout=60)
    assert second.returncode == 11, err
    assert [line.split()[1] for line in out.splitlines()] == ["give", "say", "pipeline"]
    assert "run left failed at say: exit code 3" in err
    assert find_command(err, "submit") == ["pipeline", "submit", "--env", "staging", "--resume", "left", "--wait"]


def test_the_same_submission_is_followed_and_another_one_refused(project: Path) -> None:
    (project / "gate").touch()
    submit = ("pipeline", "submit", "slow.yaml", "--env", "staging", "--name", "nightly", "--wait")
    first, second = run(project, *submit), run(project, *submit)
    assert first[0] == second[0] == 11
    assert second[1].splitlines()[-1].split()[:4] == ["✗", "pipeline", "nightly", "Failed:"]
    code, _, err = run(project, *submit, "--entrypoint", "give")
    assert code == 7
    assert "another run named nightly exists" in err


@pytest.mark.parametrize(
    "words", [("get", ""), ("logs", " "), ("stop", ""), ("delete", "", "--yes"), ("submit", "--resume", "")]
)
def test_an_empty_name_is_no_name(project: Path, words: tuple[str, ...]) -> None:
    code, _, err = run(project, "pipeline", *words)
    assert code == 2
    assert err.startswith("error: the name of the run is empty")


def test_an_option_that_would_say_nothing_is_refused(project: Path) -> None:
    code, _, err = run(project, "pipeline", "submit", "--stop")
    assert code == 2
    assert "--wait" in err
