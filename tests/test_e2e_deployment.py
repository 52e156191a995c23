"""The embedded platform from end to end, as a user: real commands, real training, real predictions, real accidents."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from e2e_fixtures import FLOWERS, Session, end_processes, finish, processes_of, read_until

# One platform for all: in one process, in this order. The last test takes it down.
pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.slow]

STEPS = ["load-data", "validate-data", "feature-engineering", "train-model", "register-model"]
PATIENCE_S = 60.0
QUICK = 'hyperparameters={"n_estimators": 10}'
ANY = "min-accuracy=0.1"
SLOW = 'hyperparameters={"n_estimators": 300}'


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A platform with one trained, registered and served model, in a folder whose path is no easy one."""
    project = tmp_path_factory.mktemp("e2e") / "mein prøject ž"
    project.mkdir()
    user = Session(project)
    user.mlops("deploy", "--yes")
    ended = user.submit()
    user.run = ended.run
    user.summaries = {name: event["summary"] for name, event in ended.nodes().items()}
    user.mlops("model", "deploy", "iris")
    yield user
    if user.home.root.exists():
        user.mlops("destroy", "--yes")
    end_processes(project)


def wait_for(condition, what: str):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.1)
    return found


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def steps_of(engine: int) -> list[psutil.Process]:
    """What an engine's servers run: each step leads a session, as the first server does and those it forks do not."""
    below = psutil.Process(engine).children(recursive=True)
    return [process for process in below if process.ppid() != engine and os.getsid(process.pid) == process.pid]


# ── the way of every user ───────────────────────────────────────────────────


@pytest.mark.parametrize("kind", FLOWERS)
def test_the_model_of_this_very_run_predicts(session: Session, kind: str) -> None:
    assert session.predict(kind) == kind


def test_each_step_tells_its_result(session: Session) -> None:
    assert [name for name in session.summaries if name in STEPS] == STEPS
    assert session.summaries["load-data"].startswith("150 rows, 5 columns, sha256 ")
    assert session.summaries["register-model"].startswith("iris v1, holdout accuracy 0.9")
    assert session.summaries["register-model"].endswith("champion")


def test_a_version_tells_where_it_comes_from(session: Session) -> None:
    version = session.versions("iris")[-1]
    tags = version.tags
    assert {key: tags[f"mlops.{key}"] for key in ("workflow_run", "data_source", "seed")} == {
        "workflow_run": session.run,
        "data_source": "iris",
        "seed": "1",
    }
    assert [len(tags[f"mlops.{key}"]) for key in ("data_sha256", "environment_lock")] == [64, 64]
    assert tags["mlops.step_code"] in [path.name for path in session.home.config_maps.iterdir()]
    assert {"mlops.git_commit", "mlops.workflow_hash"} <= tags.keys()
    with closing(sqlite3.connect(session.home.tracking_database)) as database:
        recorded = dict(database.execute("SELECT key, value FROM tags WHERE run_uuid = ?", [version.run_id]))
    assert tags.items() <= recorded.items()
    assert recorded["mlops.outcome"] == "Succeeded"


def test_a_run_is_listed_shown_and_logged(session: Session) -> None:
    runs = session.json("pipeline", "list").documents[0]["runs"]
    shown = next(run for run in runs if run["run"] == session.run)
    assert (shown["workflow"], shown["phase"]) == ("ml-training-pipeline", "Succeeded")
    workflow = session.json("pipeline", "get", session.run).documents[0]
    assert (workflow["kind"], workflow["status"]["phase"]) == ("Workflow", "Succeeded")
    pods = [node for node in workflow["status"]["nodes"].values() if node["type"] == "Pod"]
    assert {node["templateName"] for node in pods} == {*STEPS, "record-outcome"}
    assert all(step in session.mlops("pipeline", "get", session.run).out for step in STEPS)
    lines = session.json("pipeline", "logs", session.run, "load-data").documents
    assert {line["type"] for line in lines} == {"LogLine"}
    assert any("sepal width (cm)" in line["text"] for line in lines)


def test_a_second_deploy_changes_nothing(session: Session) -> None:
    before = session.home.journal.read_bytes()
    assert "is up to date" in session.mlops("deploy").out
    assert session.home.journal.read_bytes() == before
    assert session.json("status").documents[0]["health"] == "ok"


def test_unchanged_steps_are_reused_and_say_why(session: Session) -> None:
    ended = session.submit()
    run, nodes = ended.run, ended.nodes()
    reason = f"nothing changed since run {session.run}"
    assert [nodes[step]["reused"] for step in ("validate-data", "feature-engineering")] == [reason, reason]
    assert nodes["train-model"]["reused"] == reason
    assert nodes["train-model"]["summary"] == session.summaries["train-model"]
    told = session.mlops("pipeline", "get", run, "--verbose").out
    assert told.count(f"(reused: {reason})") == 3
    assert "(ran: " in told
    first = session.versions("iris")[-1]
    assert first.tags["mlops.workflow_run"] == session.run
    assert session.versions("iris")[0].run_id != first.run_id, "each run keeps a record of its own"


def test_what_changed_is_the_reason_to_run_again(session: Session) -> None:
    ended = session.submit("-p", "seed=7", "-p", QUICK, "-p", ANY)
    assert not ended.nodes()["train-model(0)"]["reused"]
    told = {line.split()[1]: line for line in session.mlops("pipeline", "get", "--verbose").out.splitlines()}
    assert "reused" in told["validate-data"]
    assert all("changed" in told[step].partition("(ran: ")[2] for step in ("feature-engineering", "train-model"))


# ── a user's own data ───────────────────────────────────────────────────────


def write_customers(file: Path) -> None:
    """Numbers and words with gaps; `leaves` and `pays` follow from both."""
    dice = random.Random(1)
    lines = ["age,plan,pays,leaves"]
    for index in range(200):
        age, plan = dice.gauss(0, 1), dice.choice(["basic", "größer", "pro"])
        score = age + 2 * (plan == "pro") + dice.gauss(0, 0.3)
        shown = ["" if index % 17 == 0 else f"{age:.3f}", "" if index % 23 == 0 else plan]
        lines.append(",".join([*shown, f"{3 * score:.3f}", "yes" if score > 0.5 else "no"]))
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_own_rows_with_words_and_gaps_become_a_served_model(session: Session) -> None:
    write_customers(session.project / "kunden.csv")
    given = ("data-source=kunden.csv", "target-column=leaves", "drop-columns=pays", "model-name=churn", QUICK)
    options = [word for pair in (*given, "min-accuracy=0.6") for word in ("-p", pair)]
    ended = session.submit(*options)
    assert ended.nodes()["feature-engineering"]["summary"].startswith("1 numeric, 1 text")
    session.mlops("model", "deploy", "churn")
    rows = "age,plan\n2.5,pro\n-2.5,größer\n,basic\n"
    ended = session.mlops("predict", "churn", "--output", "json", stdin=rows)
    predicted = [row["prediction"] for row in ended.documents[0]["rows"]]
    assert predicted[:2] == ["yes", "no"]
    assert len(predicted) == 3
    session.mlops("model", "undeploy", "churn")
    assert "not deployed" in session.json("predict", "churn", "--csv", rows, code=13).error["message"]


def test_a_number_is_learned_too(session: Session) -> None:
    write_customers(session.project / "kunden.csv")
    given = ("data-source=kunden.csv", "target-column=pays", "drop-columns=leaves", "model-name=price")
    options = [word for pair in (*given, "model-type=linear-regression", "min-accuracy=0.5") for word in ("-p", pair)]
    assert "price v1, holdout R² 0." in session.submit(*options).nodes()["register-model"]["summary"]


# ── what is refused ─────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "text", "step", "reason"),
    [
        ("nope.csv", None, "load-data", "nope.csv: no such file"),
        ("header.csv", "a,species\n", "load-data", "header.csv: has a header but no rows"),
        ("one.csv", "a,species\n" + "".join(f"{n},x\n" for n in range(80)), "validate-data", "has one class only"),
        ("torn.csv", 'a,species\n1,x\n2,"y\n', "load-data", "torn.csv"),
    ],
)
def test_bad_data_ends_the_run_with_the_steps_reason(
    session: Session, name: str, text: str | None, step: str, reason: str
) -> None:
    if text is not None:
        (session.project / name).write_text(text)
    error = session.submit("-p", f"data-source={name}", code=11).error
    assert f"failed at {step}: exit code 3: " in error["message"]
    assert reason in error["message"]
    assert f" {step}, mend it" in error["hint"], "without the attempt's parentheses, which a shell would not take"


def test_the_gate_refuses_and_nothing_is_registered(session: Session) -> None:
    before = session.versions("iris")
    error = session.submit("-p", "min-accuracy=0.999", code=11).error
    assert "failed at register-model: exit code 5" in error["message"]
    assert "nothing was registered" in error["message"]
    assert session.versions("iris") == before


@pytest.mark.parametrize(
    ("arguments", "code", "meant"),
    [
        (("pipeline", "submit", "-p", "min-acuracy=0.9"), 2, "min-accuracy"),
        (("pipeline", "submit", "ml-training-pipline"), 13, "ml-training-pipeline"),
        (("pipeline", "logs", "@latest", "trian-model"), 13, "train-model"),
        (("model", "deploy", "irsi"), 13, "iris"),
        (("predict", "irsi", "--json", "{}"), 13, "iris"),
    ],
)
def test_a_wrong_name_comes_with_the_right_one(
    session: Session, arguments: tuple[str, ...], code: int, meant: str
) -> None:
    error = session.json(*arguments, code=code).error
    assert meant in " ".join([error["hint"], *error["details"]])


def test_an_unknown_run_comes_with_a_known_one(session: Session) -> None:
    error = session.json("pipeline", "get", session.run[:-1], code=13).error
    assert session.run in error["hint"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"petal width (cm)": None}, ["missing column 'petal width (cm)'"]),
        ({"colour": "blue"}, ["unknown column 'colour'"]),
        ({"petal width (cm)": None, "petal widht (cm)": 1}, ["did you mean 'petal width (cm)'"]),
        ({"petal width (cm)": "wide"}, ["'petal width (cm)' wants a number, got 'wide'"]),
    ],
)
def test_rows_that_do_not_fit_are_told_by_column(session: Session, row: dict, told: list[str]) -> None:
    whole = dict.fromkeys(["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"], 1.0)
    sent = {name: value for name, value in {**whole, **row}.items() if value is not None}
    error = session.json("predict", "iris", "--json", json.dumps(sent), code=14).error
    assert all(any(words in detail for detail in error["details"]) for words in told), error


def test_a_taken_port_is_refused_and_the_model_goes_on(session: Session) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = session.json("model", "deploy", "iris", "--port", str(port), code=4).error
    assert str(port) in error["message"]
    assert session.predict("setosa") == "setosa"


# ── accidents ───────────────────────────────────────────────────────────────


def test_killed_in_the_middle_the_run_is_resumed_to_the_same_result(session: Session) -> None:
    command = session.start("pipeline", "submit", "--wait", "--no-cache")
    run = read_until(command, "NodeStarted", name="train-model(0)")["run"]
    orphans = psutil.Process(command.pid).children(recursive=True)
    assert orphans
    command.kill()
    command.communicate()
    listed = next(entry for entry in session.json("pipeline", "list").documents[0]["runs"] if entry["run"] == run)
    assert listed["phase"] == "Error"
    wait_for(lambda: not [process for process in orphans if alive(process)], "the end of the orphans")
    nodes = session.submit("--resume", run).nodes()
    assert nodes["train-model"]["summary"] == session.summaries["train-model"]
    assert nodes["load-data"]["reused"] == "succeeded before the run was resumed"
    assert session.versions("iris")[0].tags["mlops.workflow_run"] == run


def test_ctrl_c_stops_the_steps_and_the_run_is_resumed(session: Session) -> None:
    command = session.start("pipeline", "submit", "--wait", "--no-cache")
    run = read_until(command, "NodeStarted", name="train-model(0)")["run"]
    steps = psutil.Process(command.pid).children(recursive=True)
    command.send_signal(signal.SIGINT)
    error = finish(command, 130).error
    assert f"mlops pipeline submit --resume {run}" in error["hint"]
    assert not [process for process in steps if alive(process)]
    assert session.submit("--resume", run).nodes()["train-model"]["summary"] == session.summaries["train-model"]
    assert "succeeded; there is nothing to resume" in session.submit("--resume", run, code=7).error["message"]


def test_a_killed_step_is_tried_again_and_no_cache_reuses_nothing(session: Session) -> None:
    command = session.start("pipeline", "submit", "--wait", "--no-cache", "-p", SLOW)
    run = read_until(command, "NodeStarted", name="train-model(0)")["run"]
    (step,) = wait_for(lambda: steps_of(command.pid), "the step's own session")
    step.kill()
    nodes = finish(command, 0).nodes()
    assert "killed by signal 9" in nodes["train-model(0)"]["message"]
    assert nodes["train-model(1)"]["phase"] == "Succeeded"
    nodes = session.json("pipeline", "get", run).documents[0]["status"]["nodes"].values()
    assert not [node for node in nodes if node.get("reuse", {}).get("hit")]


def test_a_detached_run_is_stopped_resumed_and_deleted(session: Session) -> None:
    options = ("--no-cache", "-p", QUICK, "-p", ANY, "-p", "model-name=detached")
    run = session.json("pipeline", "submit", *options).run
    assert session.json("pipeline", "stop", run).run == run
    assert session.submit("--resume", run).documents[-1]["phase"] == "Succeeded"
    assert "--yes" in session.json("pipeline", "delete", run, code=9).error["hint"]
    session.json("pipeline", "delete", run, "--yes")
    session.json("pipeline", "get", run, code=13)
    assert session.versions("detached")


def test_a_killed_model_server_comes_back(session: Session) -> None:
    endpoints = session.json("model", "list").documents[0]["endpoints"]
    supervisor, server = next(endpoint for endpoint in endpoints if endpoint["name"] == "iris")["pids"]
    os.kill(server, signal.SIGKILL)
    wait_for(lambda: session.ask("virginica").returncode == 0, "a new server")
    (successor,) = psutil.Process(supervisor).children()
    assert successor.pid != server
    assert session.predict("virginica") == "virginica"

    os.kill(supervisor, signal.SIGKILL)
    successor.kill()
    assert session.json("status", code=8).documents[0]["health"] != "ok"
    session.mlops("deploy", "--yes")
    assert session.predict("virginica") == "virginica"


def test_two_submits_at_once_both_count(session: Session) -> None:
    options = ("pipeline", "submit", "--wait", "-p", "model-name=twin", "-p", QUICK, "-p", ANY)
    commands = [session.start(*options, "-p", f"seed={seed}") for seed in (2, 3)]
    runs = {read_until(command, "RunStarted")["run"] for command in commands}
    for command in commands:
        finish(command, 0)
    versions = session.versions("twin")
    assert {version.tags["mlops.workflow_run"] for version in versions} == runs
    assert [version.aliases for version in versions].count(["champion"]) == 1


def test_a_locked_database_loses_nothing(session: Session) -> None:
    command = session.start(
        "pipeline", "submit", "--wait", "--no-cache", "-p", QUICK, "-p", ANY, "-p", "model-name=locked"
    )
    run = read_until(command, "NodeStarted", name="train-model(0)")["run"]
    with closing(sqlite3.connect(session.home.tracking_database, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        # Until the first attempt gave up, and no longer than that takes.
        release = threading.Timer(8.0, other.rollback)
        release.start()
        read_until(command, "NodeFinished", name="train-model(0)")
        release.cancel()
        release.join()
        other.rollback()
    finish(command, 0)
    (version,) = session.versions("locked")
    assert version.tags["mlops.workflow_run"] == run


def test_two_deploys_at_once_leave_one_platform(tmp_path: Path) -> None:
    user = Session(tmp_path / "two at once")
    user.project.mkdir()
    try:
        commands = [user.start("deploy", "--yes") for _ in "12"]
        ended = [(command.communicate(), command.returncode) for command in commands]
        assert sorted(code for _, code in ended) in ([0, 0], [0, 7]), ended
        user.mlops("plan", "--detailed-exitcode")
        user.mlops("destroy", "--yes")
        assert list(user.project.iterdir()) == []
    finally:
        end_processes(user.project)


# ── the end ─────────────────────────────────────────────────────────────────


def test_data_outlives_a_destroy_that_keeps_it_and_nothing_one_that_does_not(session: Session) -> None:
    before = session.versions("iris")
    proof = session.json("destroy", "--yes", "--keep-data").documents[-1]
    assert proof["kept"] == [str(session.home.tracking_database.parent)]
    assert list(processes_of(session.project)) == []
    assert "is not deployed" in session.json("predict", "iris", "--json", "{}", code=8).error["message"]

    session.mlops("deploy", "--yes")
    assert session.versions("iris") == before
    url = session.json("model", "deploy", "iris").documents[0]["endpoint"]["url"]
    assert session.predict("versicolor") == "versicolor"

    assert f"nothing answers at {url}" in session.mlops("destroy", "--yes").out
    assert not (session.project / ".mlops").exists()
    assert list(processes_of(session.project)) == []
    assert "nothing to destroy" in session.mlops("destroy", "--yes").out
