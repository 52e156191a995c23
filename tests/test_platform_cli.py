"""The platform's commands as a user runs them: real processes, real MLflow, and what can go wrong on the way."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from platform_cli.clouds.embedded.removal import prove_gone
from platform_cli.layout import Layout, TargetHome

MLOPS = str(Path(sys.executable).parent / "mlops")
ENV = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project whose path is no easy one; whatever runs for it is ended afterwards."""
    folder = tmp_path / "mein prøject ž"
    folder.mkdir()
    yield folder
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(folder) in part for part in process.cmdline()) or process.cwd().startswith(str(folder)):
                process.kill()


@pytest.fixture
def home(project: Path) -> TargetHome:
    return Layout(assets=Path(), project=project).home("embedded-dev")


def mlops(project: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command line and expect its exit code."""
    ended = subprocess.run(
        [MLOPS, *arguments], cwd=project, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert ended.returncode == code, f"{ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    return ended


def start(project: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [MLOPS, *arguments],
        cwd=project,
        env=ENV,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def documents(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def outcomes(text: str) -> dict[str, str]:
    return {line["stage"]: line["outcome"] for line in documents(text) if line["type"] == "StageFinished"}


def read_until(process: subprocess.Popen[str], kind: str) -> dict:
    """The first document of that type."""
    assert process.stdout is not None
    return next(document for document in map(json.loads, process.stdout) if document["type"] == kind)


def wait_for_stage(process: subprocess.Popen[str], stage: str) -> None:
    """Until a command with `--output json` tells that a stage began."""
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line).get("stage") == stage:
            return
    raise AssertionError(f"{stage} never began")


def test_from_nothing_to_deployed_to_nothing(project: Path, home: TargetHome) -> None:
    assert "embedded/dev is not deployed" in mlops(project, "status", code=8).stdout
    assert mlops(project, "plan", "--detailed-exitcode", code=2).stdout.count("create") == 4
    assert list(project.iterdir()) == [], "looking makes no file"

    first = outcomes(mlops(project, "deploy", "--yes", "--output", "json").stdout)
    assert list(first.values()) == ["created"] * 4 + ["unchanged"]
    assert home.root.stat().st_mode & 0o077 == 0
    assert outcomes((home.logs / "deploy.log").read_text()) == first
    config = home.config_maps / "mlops-platform"
    assert (config / "mlflow-tracking-uri").read_text() == f"sqlite:///{home.tracking_database}"
    assert (config / "environment").read_text() == "dev"
    status = documents(mlops(project, "status", "--output", "json").stdout)[0]
    assert (status["schema_version"], status["health"]) == (1, "ok")

    before = home.journal.read_bytes()
    assert "embedded/dev is up to date: 5 stages, 0 changes" in mlops(project, "deploy").stdout
    assert home.journal.read_bytes() == before
    mlops(project, "plan", "--detailed-exitcode")

    (config / "environment").write_text("edited by hand")
    assert "platform-config" in mlops(project, "plan", "--detailed-exitcode", code=2).stdout
    assert outcomes(mlops(project, "deploy", "--yes", "--output", "json").stdout)["platform-config"] == "changed"

    kept = documents(mlops(project, "destroy", "--yes", "--keep-data", "--output", "json").stdout)[-1]
    assert kept["kept"] == [str(home.tracking_database.parent)]
    assert [path.name for path in home.root.iterdir()] == ["mlflow"]
    again = mlops(project, "destroy", "--yes", "--keep-data")
    assert "nothing to destroy" in again.stdout
    assert outcomes(mlops(project, "deploy", "--yes", "--output", "json").stdout)["tracking-database"] == "changed"

    gone = mlops(project, "destroy", "--yes").stdout
    assert "proof: no process uses" in gone
    assert list(project.iterdir()) == []
    assert "nothing to destroy" in mlops(project, "destroy", "--yes").stdout


def test_nothing_happens_without_a_yes(project: Path) -> None:
    assert "--yes" in mlops(project, "deploy", code=9).stderr
    assert list(project.iterdir()) == []
    (project / ".mlops" / "embedded-dev" / "engine").mkdir(parents=True)
    assert "--yes" in mlops(project, "destroy", code=9).stderr
    assert (project / ".mlops" / "embedded-dev" / "engine").is_dir()


# Runs the real cloud, and kills itself with signal 9 in the middle of one stage.
KILLED = """
import os, sys
from pathlib import Path
from platform_cli import change
from platform_cli.cli.option import load_context

doomed, moment = sys.argv[1:]
context = load_context()
cloud = context.cloud
run = cloud.run_stage
def run_and_die(stage, emit):
    if stage.name == doomed and moment == "before":
        os.kill(os.getpid(), 9)
    detail = run(stage, emit)
    if stage.name == doomed:
        os.kill(os.getpid(), 9)
    return detail
cloud.run_stage = run_and_die
change.deploy(cloud, context.target, context.home, confirm=lambda _: None, emit=lambda _: None)
"""


def test_killed_in_every_stage_the_next_deploy_goes_on(project: Path, home: TargetHome) -> None:
    for stage in ("folders", "platform-config", "tracking-database", "training-steps"):
        for moment in ("before", "after"):
            argv = [sys.executable, "-c", KILLED, stage, moment]
            assert subprocess.run(argv, cwd=project, env=ENV, check=False).returncode == -signal.SIGKILL, stage
            planned = documents(mlops(project, "plan", "--output", "json").stdout)[0]["stages"]
            assert next(entry for entry in planned if entry["name"] == stage)["risk"] != "none"
    mlops(project, "deploy", "--yes")
    mlops(project, "plan", "--detailed-exitcode")
    mlops(project, "status")
    mlops(project, "destroy", "--yes")
    assert list(project.iterdir()) == []


def test_killed_in_the_middle_of_a_migration_the_next_deploy_begins_it_anew(project: Path, home: TargetHome) -> None:
    first = start(project, "deploy", "--yes", "--output", "json")
    wait_for_stage(first, "tracking-database")
    fresh = home.tracking_database.with_name("mlflow.db.new")
    while not (fresh.is_file() and fresh.stat().st_size > 0):
        time.sleep(0.01)
    first.kill()
    first.communicate()
    assert not home.tracking_database.exists()
    mlops(project, "deploy", "--yes")
    mlops(project, "status")
    assert not fresh.exists()


def test_two_deploys_at_once_and_ctrl_c(project: Path, home: TargetHome) -> None:
    first = start(project, "deploy", "--yes", "--output", "json")
    wait_for_stage(first, "tracking-database")
    # Held, so that it is still at work when the second one comes, and when it is interrupted.
    first.send_signal(signal.SIGSTOP)
    second = mlops(project, "deploy", "--yes", code=7)
    assert f"embedded/dev is being changed by `mlops deploy` (process {first.pid} on" in second.stderr
    first.send_signal(signal.SIGINT)
    first.send_signal(signal.SIGCONT)
    _, errors = first.communicate()
    assert first.returncode == 130
    assert "run the same command again" in errors
    assert f"log: {home.logs / 'deploy.log'}" in errors
    assert not home.lock.exists()
    mlops(project, "deploy", "--yes")
    mlops(project, "status")


def test_half_deployed_is_destroyed_all_the_same(project: Path) -> None:
    argv = [sys.executable, "-c", KILLED, "platform-config", "after"]
    subprocess.run(argv, cwd=project, env=ENV, check=False)
    mlops(project, "destroy", "--yes")
    assert list(project.iterdir()) == []


def test_ctrl_c_closes_a_dashboard_well(project: Path, home: TargetHome) -> None:
    mlops(project, "deploy", "--yes")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        forward = start(project, "port-forward", "mlflow", "--port", str(port), "--output", "json")
        assert "is taken, using" in read_until(forward, "Notice")["text"]
        assert read_until(forward, "Forwarded")["url"] != f"http://127.0.0.1:{port}"
    children = psutil.Process(forward.pid).children(recursive=True)
    assert children
    forward.send_signal(signal.SIGINT)
    _, errors = forward.communicate()
    assert (forward.returncode, errors) == (0, "")
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert list(home.dashboards.iterdir()) == []


# Serves a folder the way MLflow's dashboard is served, without the seconds MLflow takes to start.
DASHBOARD = """
import os, sys
from pathlib import Path
from platform_cli.clouds.embedded.dashboard import serve
from platform_cli.runner import Command, ProcessRunner
root, port = Path(sys.argv[1]), sys.argv[2]
argv = (sys.executable, "-m", "http.server", port, "--bind", "127.0.0.1")
serve(
    ProcessRunner(), Command(argv=argv, cwd=root, env=dict(os.environ)), service="mlflow",
    url=f"http://127.0.0.1:{port}", folder=root / "dashboards", log=root / "ui.log", emit=lambda _: None,
    opened=lambda url: print(url, flush=True),
)
"""


def test_destroy_ends_open_dashboards_and_strays(project: Path, home: TargetHome) -> None:
    home.logs.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    argv = [sys.executable, "-c", DASHBOARD, str(home.root), port]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as dashboard:
        assert dashboard.stdout is not None
        url = dashboard.stdout.readline().strip()
        stray = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], cwd=home.logs)
        told = mlops(project, "destroy", "--yes").stdout
    assert f"open: mlflow at {url} (process {dashboard.pid})" in told
    assert f"nothing answers at {url}" in told
    assert stray.wait() == -signal.SIGTERM
    assert list(project.iterdir()) == []


def test_dashboards_of_other_clouds_and_unknown_ones_are_told_apart(project: Path) -> None:
    assert "grafana is not part of the embedded platform" in mlops(project, "port-forward", "grafana", code=8).stderr
    assert "there is no dashboard grafan" in mlops(project, "port-forward", "grafan", code=2).stderr
    assert "is not deployed" in mlops(project, "port-forward", code=8).stderr


def test_what_cannot_be_ended_is_reported(project: Path, home: TargetHome) -> None:
    home.logs.mkdir(parents=True)
    script = """
        import os, signal, subprocess, sys
        def come_again(*_):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
            os._exit(0)
        signal.signal(signal.SIGTERM, come_again)
        print("ready", flush=True)
        signal.pause()
        signal.pause()
    """
    argv = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(argv, cwd=home.logs, stdout=subprocess.PIPE, text=True) as hydra:
        assert hydra.stdout is not None
        hydra.stdout.readline()
        ended = mlops(project, "destroy", "--yes", "--output", "json", code=10)
    proof, error = documents(ended.stdout)[-1], documents(ended.stderr)[-1]
    assert proof["leftovers"] == error["details"]
    (left,) = proof["leftovers"]
    psutil.Process(int(left.split()[1])).kill()
    mlops(project, "destroy", "--yes")


def test_listeners_and_files_count_as_left(home: TargetHome) -> None:
    home.logs.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v2/models/iris"
        proof = prove_gone(home, (url,), ())
        assert proof.leftovers == (f"{url} still answers", str(home.logs), str(home.root))
    shutil.rmtree(home.root)
    assert prove_gone(home, (url,), ()).leftovers == ()


def test_a_port_that_somebody_else_took_is_not_ours(home: TargetHome, tmp_path: Path) -> None:
    script = (
        "import socket, sys; server = socket.create_server(('127.0.0.1', 0));"
        "print(server.getsockname()[1], flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/") as other:
        assert other.stdout is not None
        url = f"http://127.0.0.1:{other.stdout.readline().strip()}/v2/models/iris"
        assert prove_gone(home, (url,), ()).leftovers == ()
        other.communicate("")


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    script = f"""
        set -e
        mount -t tmpfs -o size=300k tmpfs '{place}'
        cd '{place}'
        '{MLOPS}' deploy --yes 2>&1 && exit 99
        echo "code $?"
        mount -o remount,size=50m '{place}'
        '{MLOPS}' deploy --yes 2>&1
        '{MLOPS}' plan --detailed-exitcode
    """
    argv = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", textwrap.dedent(script)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*argv[:4], "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine does not allow private mounts")
    ended = subprocess.run(argv, env=ENV, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    failed, _, mended = ended.stdout.partition("code ")
    assert mended[0] in "57", ended.stdout
    assert "full" in failed or "No space left" in failed
    assert "Traceback" not in ended.stdout + ended.stderr


def test_an_unfit_machine_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    folder = tmp_path / "what?"
    folder.mkdir()
    assert "this machine is not fit for embedded/dev" in mlops(folder, "deploy", "--yes", code=4).stderr
    assert list(folder.iterdir()) == []
    report = documents(mlops(folder, "doctor", "--output", "json", code=4).stdout)[0]
    assert report["failed"] == ["path"]
    assert all(check["fix"] for check in report["checks"] if not check["ok"])


def test_doctor_passes_on_this_machine(project: Path) -> None:
    report = documents(mlops(project, "doctor", "--output", "json").stdout)[0]
    assert (report["failed"], report["schema_version"]) == ([], 1)
    assert {"python", "packages", "disk", "sqlite", "isolation"} <= {check["name"] for check in report["checks"]}


def test_a_taken_port_only_advises(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        (project / "platform.yaml").write_text(f"version: 1\nembedded: {{mlflow_port: {taken.getsockname()[1]}}}\n")
        told = mlops(project, "doctor").stdout
    assert "! mlflow-port" in told
    assert "fix: another one is taken" in told


def test_init_takes_flags_and_never_overwrites(project: Path) -> None:
    assert (
        "wrote platform.yaml for embedded/staging"
        in mlops(project, "init", "--env", "staging", "--name", "iris").stdout
    )
    written = (project / "platform.yaml").read_bytes()
    assert "is there already" in mlops(project, "init", code=9).stderr
    assert (project / "platform.yaml").read_bytes() == written
    assert "is valid (target embedded/staging)" in mlops(project, "config", "validate").stdout
    shown = documents(mlops(project, "config", "show", "--output", "json", "--env", "prod").stdout)[0]["values"]
    assert shown["env"] == {"value": "prod", "origin": "--env"}
    assert shown["name"] == {"value": "iris", "origin": "platform.yaml:6"}


def test_init_asks_on_a_terminal(project: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([MLOPS, "init"], cwd=project, env=ENV, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    for answer in ("nowhere", "gcp", "prod", "flowers"):
        time.sleep(0.1)
        os.write(ours, f"{answer}\n".encode())
    with contextlib.suppress(OSError):
        while os.read(ours, 4096):
            pass
    os.close(ours)
    assert process.wait() == 0
    assert "is valid (target gcp/prod)" in mlops(project, "config", "validate").stdout
    assert "\nname: flowers\n" in (project / "platform.yaml").read_text()


def test_a_destroy_is_confirmed_by_typing_the_name(project: Path, home: TargetHome) -> None:
    home.logs.mkdir(parents=True)
    assert _answer(project, "embedded") == 9
    assert home.logs.is_dir()
    assert _answer(project, "embedded-dev") == 0
    assert list(project.iterdir()) == []


def test_wrong_configuration_exits_with_3_and_lists_everything(project: Path) -> None:
    (project / "platform.yaml").write_text("version: 1\nnme: x\nenv: produ\n")
    told = mlops(project, "plan", code=3).stderr
    assert "platform.yaml:2: nme: unknown key, did you mean name?" in told
    assert "platform.yaml:3: env:" in told
    assert json.loads(mlops(project, "config", "schema").stdout)["title"] == "Config"


def test_a_command_in_a_folder_below_works_on_the_same_target(project: Path, home: TargetHome) -> None:
    home.logs.mkdir(parents=True)
    below = project / "notebooks"
    below.mkdir()
    assert str(home.root) in mlops(below, "plan", "--destroy").stdout


def _answer(project: Path, text: str) -> int:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([MLOPS, "destroy"], cwd=project, env=ENV, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, f"{text}\n".encode())
    with contextlib.suppress(OSError):
        while os.read(ours, 4096):
            pass
    os.close(ours)
    return process.wait()


@pytest.mark.parametrize("victim", ["journal.db", "engine/runs.db", "serving/iris/desired.json"])
def test_broken_records_do_not_keep_a_destroy_from_its_work(project: Path, home: TargetHome, victim: str) -> None:
    (home.root / victim).parent.mkdir(parents=True)
    (home.root / victim).write_bytes(b"broken, and long enough to be taken for a database" * 100)
    stray = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], cwd=home.root)
    mlops(project, "destroy", "--yes")
    assert stray.wait() == -signal.SIGTERM
    assert list(project.iterdir()) == []
