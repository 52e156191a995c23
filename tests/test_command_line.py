"""The command line itself: wrong words, exit codes, output for programs, completion."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

MLOPS = str(Path(sys.executable).parent / "mlops")
ENV = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}


def mlops(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MLOPS, *arguments],
        cwd=folder,
        env={**ENV, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("pipline list", "did you mean `pipeline`?"),
        ("pipeline lst", "Did you mean 'list'?"),
        ("pipeline submit --wiat", "--wait"),
        ("plan --cloud embeded", "did you mean `embedded`?"),
        ("plan -e prdo", "did you mean `prod`?"),
        ("plan --output jsn", "did you mean `json`?"),
    ],
)
def test_a_wrong_word_is_a_usage_error_with_the_right_one(tmp_path: Path, line: str, meant: str) -> None:
    ended = mlops(tmp_path, *line.split())
    assert (ended.returncode, ended.stdout) == (2, "")
    assert meant in ended.stderr
    assert "Value error" not in ended.stderr


@pytest.mark.parametrize("option", ["--output json", "--output=json", "-o json", "-ojson"])
def test_errors_are_json_however_json_was_asked_for(tmp_path: Path, option: str) -> None:
    ended = mlops(tmp_path, "plan", "--env", "prdo", *option.split())
    error = json.loads(ended.stderr)
    assert (error["type"], error["exit_code"], ended.returncode) == ("UsageError", 2, 2)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("version", 0),
        ("plan", 0),
        ("plan --destroy", 0),
        ("doctor", 0),
        ("config show", 0),
        ("config validate", 0),
        ("status", 8),
        ("init --yes", 0),
    ],
)
def test_json_has_one_typed_object_a_line(tmp_path: Path, line: str, code: int) -> None:
    ended = mlops(tmp_path, *line.split(), "--output", "json")
    documents = [json.loads(text) for text in ended.stdout.splitlines()]
    assert ended.returncode == code, ended.stderr
    assert documents
    assert all(document["schema_version"] == 1 and document["type"] for document in documents)


def test_the_version_is_told_both_ways(tmp_path: Path) -> None:
    assert mlops(tmp_path, "--version").stdout == mlops(tmp_path, "version").stdout
    assert mlops(tmp_path, "version").stdout.startswith("mlops ")


def test_a_pipe_gets_no_colours(tmp_path: Path) -> None:
    outputs = [mlops(tmp_path, *line.split()) for line in ("plan", "doctor", "plan --cloud embeded", "--help")]
    assert not [ended for ended in outputs if "\x1b" in ended.stdout + ended.stderr]


def test_a_terminal_gets_colours_unless_it_wants_none(tmp_path: Path) -> None:
    def complain(**environment: str) -> bytes:
        ours, theirs = pty.openpty()
        argv = [MLOPS, "plan", "--cloud", "embeded"]
        child = subprocess.Popen(
            argv, cwd=tmp_path, env=plain | environment, stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        told = b""
        with contextlib.suppress(OSError):  # Linux' word for the end
            while piece := os.read(ours, 4096):
                told += piece
        os.close(ours)
        assert child.wait() == 2
        return told

    plain = {name: value for name, value in ENV.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    assert b"\x1b[" in complain()
    assert b"\x1b[" not in complain(NO_COLOR="1")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_their_completion(tmp_path: Path, shell: str) -> None:
    # Typer looks at the parent process for the shell, which is make's `sh` where make runs the tests.
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    assert f"_MLOPS_COMPLETE=complete_{shell}" in mlops(tmp_path, "--show-completion", shell, **named).stdout


def test_the_shell_that_asks_is_recognised() -> None:
    script = f"'{MLOPS}' --show-completion; exit $?"
    done = subprocess.run(["bash", "-c", script], env=ENV, capture_output=True, text=True, check=True)
    assert "_MLOPS_COMPLETE=complete_bash" in done.stdout


def test_completion_knows_nouns_verbs_and_values(tmp_path: Path) -> None:
    def complete(words: str, index: int) -> list[str]:
        asked = {"_MLOPS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(index)}
        return mlops(tmp_path, **asked).stdout.split()

    assert "pipeline" in complete("mlops pi", 1)
    assert "submit" in complete("mlops pipeline su", 2)
    assert "--parameter-file" in complete("mlops pipeline submit --par", 3)
    assert "embedded" in complete("mlops plan --cloud e", 3)


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
@pytest.mark.parametrize("columns", ["80", "200"])
def test_the_kept_help_is_what_typer_prints(arguments: tuple[str, ...], columns: str) -> None:
    env = {**os.environ, "COLUMNS": columns}
    typers = [sys.executable, "-c", "from platform_cli.cli.entry import main; main()", "--help"]
    kept = [sys.executable, "-m", "platform_cli.cli.start", *arguments]
    asked = [
        subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout for argv in (kept, typers)
    ]
    assert asked[0] == asked[1]


def test_a_narrow_terminal_gets_narrow_help() -> None:
    argv = [sys.executable, "-m", "platform_cli.cli.start", "--help"]
    done = subprocess.run(argv, env={**os.environ, "COLUMNS": "50"}, capture_output=True, text=True, check=True)
    assert max(map(len, done.stdout.splitlines())) <= 50


def test_ctrl_c_in_any_moment_says_so(tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    os.mkfifo(rows)
    argv = [MLOPS, "predict", "iris", "--file", str(rows)]
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(argv, cwd=tmp_path, env=ENV, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as command,
        # Opens once the command has: it then waits for rows.
        rows.open("w"),
    ):
        command.send_signal(signal.SIGINT)
        _, errors = command.communicate()
    assert (command.returncode, errors.splitlines()[0]) == (130, "error: interrupted")
