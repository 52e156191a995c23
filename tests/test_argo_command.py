"""`mlops pipeline` on a cluster, as a person types it: without a kubeconfig, by Argo's server and a token."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from argo_fixtures import Bench, open_server_bench

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
SHORT = """\
entrypoint: main
templates:
  - name: main
    dag: {tasks: [{name: give, template: give}, {name: say, template: say, dependencies: [give]}]}
"""
BROKEN = SHORT.replace("template: say", "template: fail")
LONG = SHORT.replace("template: say", "template: wait")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with open_server_bench(tmp_path_factory.mktemp("command")) as opened:
        yield opened


def start(bench: Bench, *words: str, output: str = "text") -> subprocess.Popen[str]:
    url, token = bench.server
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(bench.folder),
        "ARGO_SERVER": url,
        "ARGO_TOKEN": token,
        "ARGO_NAMESPACE": bench.namespace,
        "COLUMNS": "200",
    }
    argv = [sys.executable, "-m", "platform_cli", "pipeline", *words, "--cloud", "existing", "--output", output]
    env["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    pipe = subprocess.PIPE
    return subprocess.Popen(argv, env=env, cwd=bench.folder, stdout=pipe, stderr=pipe, text=True)


def run(bench: Bench, *words: str, output: str = "text") -> tuple[int, str, str]:
    process = start(bench, *words, output=output)
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def test_a_run_is_submitted_watched_and_listed(bench: Bench) -> None:
    code, out, err = run(bench, "submit", str(bench.manifest(SHORT)), "--name", "first", "--wait", output="json")
    assert code == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "RunStarted"
    assert kinds[-1] == "RunFinished"
    assert {event["summary"] for event in events if event["type"] == "NodeFinished"} >= {"all rows"}
    assert {"type": "LogLine", "source": "say", "text": "hello"}.items() <= {
        key: value for event in events if event["type"] == "LogLine" for key, value in event.items()
    }.items()
    code, out, err = run(bench, "list")
    assert code == 0, err
    assert "first" in out
    assert "Succeeded" in out
    code, out, err = run(bench, "logs", "first")
    assert (code, out) == (0, "say | hello\n"), err
    code, out, err = run(bench, "delete", "first", "--yes")
    assert code == 0, err
    assert run(bench, "get", "first")[0] == 13


def test_the_error_of_a_failed_run_begins_with_its_reason(bench: Bench) -> None:
    code, _, err = run(bench, "submit", str(bench.manifest(BROKEN)), "--wait")
    assert code == 11
    assert "failed at say: exit code 3: broken" in err.splitlines()[0]


def test_ctrl_c_leaves_the_run_or_stops_it_when_asked(bench: Bench) -> None:
    manifest = str(bench.manifest(LONG))
    for name, options, phase in (("left", (), "Running"), ("ended", ("--stop",), "Failed")):
        process = start(bench, "submit", manifest, "--name", name, "--wait", *options, output="json")
        assert process.stdout is not None
        for line in process.stdout:
            if '"NodeStarted"' in line and '"say"' in line:
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
        assert process.returncode == 130, err
        assert ("goes on without us" if not options else "was stopped") in err
        # A stop is asked for; the run ends when the controller has seen it.
        look = bench.wait_for_end if options else bench.engine.get
        assert look(name)["status"]["phase"] == phase
        if not options:
            assert "mlops pipeline get --cloud existing left --wait" in err
    code, out, err = run(bench, "stop", "left")
    assert code == 0, err
    assert "mlops pipeline submit --cloud existing --resume left --wait" in out
    code, out, err = run(bench, "get", "left", "--wait", "--verbose")
    assert code == 11, err
    assert "say | waiting" in out
    assert "failed at say: stopped before it was over" in err
