"""Models served on this machine: deploy, replace, crash, restore, undeploy; and rows in, rows out."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_fixtures import MEASURES, SETOSA, VIRGINICA, Registered, RunningServer, call, iris_request

from platform_cli.errors import (
    DeadlineError,
    InputError,
    MlopsError,
    NotFoundError,
    NotReadyError,
    PreflightError,
    StateError,
    ToolError,
)
from platform_cli.layout import TargetHome, find_assets
from platform_cli.process import ProcessId, stop_tree
from platform_cli.serving.client import fetch_metadata, predict
from platform_cli.serving.inspection import inspect_place
from platform_cli.serving.interface import Endpoint, ServingState
from platform_cli.serving.local_serving import LocalServing, leftovers
from platform_cli.serving.payload import Column, ModelMetadata, build_request, read_rows
from platform_cli.serving.record import Condition, Place
from platform_cli.serving.rows import Table, parse_csv, parse_json, parse_text, read_file, to_csv
from platform_cli.serving.supervisor_process import rotate
from platform_cli.tools.mlflow import ModelRef

CHALLENGER = 10.0  # version 2 adds this to its probability


def ref(text: str) -> ModelRef:
    return ModelRef.parse(text)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for(serving: LocalServing, state: ServingState, name: str = "iris") -> Endpoint:
    end = time.monotonic() + 60
    while (endpoint := serving.get(name)).state is not state:
        assert time.monotonic() < end, endpoint
        time.sleep(0.05)
    return endpoint


def processes(home: TargetHome, name: str = "iris") -> tuple[ProcessId, ProcessId]:
    """The supervisor and the answering server."""
    condition = Place.of(home.serving, name).read_condition()
    assert condition is not None
    return condition.supervisor, condition.servers[0]


def answer(endpoint: Endpoint) -> float:
    reply = call(endpoint.port, "POST", "/v2/models/iris/infer", iris_request(SETOSA))
    assert reply.status == 200, reply.body
    return float(reply.json["outputs"][1]["data"][0])


@contextlib.contextmanager
def asking(endpoint: Endpoint) -> Iterator[list[float]]:
    """Ask without a pause from another thread; an error there fails the test."""
    answers: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.01):
            answers.append(answer(endpoint))

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        try:
            yield answers
        finally:
            stop.set()
        asked.result()


@pytest.fixture
def home(registered_models: Registered, tmp_path: Path) -> TargetHome:
    """A target of its own, its MLflow shared with other tests."""
    root = tmp_path / "ein ziel"
    root.mkdir()
    (root / "mlflow").symlink_to(registered_models.home / "mlflow")
    return TargetHome(root)


@pytest.fixture
def serving(home: TargetHome) -> Iterator[LocalServing]:
    made = LocalServing(home, environment=os.environ, assets=find_assets(), first_port=free_port())
    yield made
    made.undeploy_all()
    assert leftovers(home) == []


def test_a_model_goes_through_its_life(serving: LocalServing, home: TargetHome) -> None:
    first = serving.deploy(ref("iris"))
    assert (first.state, first.version, first.outcome) == (ServingState.READY, "1", "created")
    assert first.url == f"http://127.0.0.1:{first.port}/v2/models/iris"
    assert answer(first) < 1.01
    supervisor, server = processes(home)
    assert first.pids == (supervisor.pid, server.pid)

    again = serving.deploy(ref("iris@champion"))
    assert (again.outcome, again.pids) == ("unchanged", first.pids)

    with asking(first) as answers:
        second = serving.deploy(ref("iris/2"))
        assert answer(second) > CHALLENGER
    assert (second.version, second.outcome, second.port) == ("2", "changed", first.port)
    # Not one request failed, and each was answered by one of the two.
    assert len(answers) > 10
    assert all(value < 1.01 or value > CHALLENGER for value in answers)
    assert serving.list()[0].version == "2"

    with pytest.raises(ToolError, match="does not come up") as caught:
        serving.deploy(ref("iris/3"))
    assert "UnpicklingError" in caught.value.message
    assert caught.value.details
    kept = serving.get("iris")
    assert (kept.state, kept.version) == (ServingState.READY, "2")
    assert answer(kept) > CHALLENGER
    assert serving.deploy(ref("iris/2")).outcome == "unchanged"

    serving.undeploy("iris")
    assert serving.list() == ()
    assert not supervisor.alive
    assert leftovers(home) == []
    with pytest.raises(NotFoundError, match="not deployed"):
        serving.get("iris")


def test_it_comes_back_from_every_kill(serving: LocalServing, home: TargetHome) -> None:
    before = serving.deploy(ref("iris"))
    _, server = processes(home)
    os.kill(server.pid, signal.SIGKILL)
    # The supervisor holds the socket: the request waits for the next server instead of failing.
    assert answer(before) < 1.01
    healed = wait_for(serving, ServingState.READY)
    assert (healed.restarts, healed.port) == (1, before.port)

    supervisor, server = processes(home)
    os.kill(supervisor.pid, signal.SIGKILL)
    psutil.wait_procs([process for process in [server.find()] if process], timeout=20)
    assert not server.alive
    crashed = serving.get("iris")
    assert (crashed.state, crashed.pids) == (ServingState.CRASHED, ())
    assert "supervisor was killed" in crashed.reason

    (restored,) = serving.restore()
    assert (restored.state, restored.outcome, restored.port) == (ServingState.READY, "changed", before.port)
    assert answer(restored) < 1.01
    assert [endpoint.outcome for endpoint in serving.restore()] == ["unchanged"]

    _, server = processes(home)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        assert serving.get("iris").reason == "the server does not answer"
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert serving.get("iris").state is ServingState.READY

    os.kill(processes(home)[0].pid, signal.SIGTERM)
    stopped = wait_for(serving, ServingState.STOPPED)
    assert stopped.pids == ()
    assert serving.deploy(ref("iris")).state is ServingState.READY


class LatePlace(Place):
    """Whose reader is kept waiting after its first look until the supervisor has ended."""

    def read_condition(self) -> Condition | None:
        condition = super().read_condition()
        if condition is not None:
            stop_tree(condition.supervisor, grace_s=20)
        return condition


def test_a_model_that_stops_while_somebody_looks_was_not_killed(serving: LocalServing, home: TargetHome) -> None:
    serving.deploy(ref("iris"))
    place = LatePlace(Place.of(home.serving, "iris").folder)
    deployment = place.read_deployment()
    assert deployment is not None
    assert inspect_place(place, deployment).state is ServingState.STOPPED


def test_an_orphan_is_ended_by_the_next_command(serving: LocalServing, home: TargetHome) -> None:
    serving.deploy(ref("iris"))
    place = Place.of(home.serving, "iris")
    condition = place.read_condition()
    assert condition is not None
    stop_tree(condition.supervisor, grace_s=20)
    # Servers end with their supervisor; one that could not is still known by its identity.
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as orphan:
        identity = ProcessId.of(orphan.pid)
        assert identity is not None
        place.write_condition(msgspec.structs.replace(condition, phase="ready", servers=(identity,)))
        assert serving.get("iris").pids == (orphan.pid,)
        (restored,) = serving.restore()
        assert not identity.alive
    assert restored.state is ServingState.READY


def test_a_first_deploy_that_fails_leaves_only_its_log(serving: LocalServing, home: TargetHome) -> None:
    with pytest.raises(ToolError, match="does not come up") as caught:
        serving.deploy(ref("iris/3"))
    log = Path(caught.value.hint.partition(": ")[2])
    assert "UnpicklingError" in log.read_text()
    assert serving.list() == ()
    assert leftovers(home) == []


def test_a_deadline_rolls_back(serving: LocalServing, home: TargetHome) -> None:
    with pytest.raises(DeadlineError, match="not ready within"):
        serving.deploy(ref("iris"), deadline_s=0.2)
    assert leftovers(home) == []


def test_what_is_not_registered_cannot_be_deployed(serving: LocalServing, home: TargetHome) -> None:
    with pytest.raises(NotFoundError, match="irsi") as caught:
        serving.deploy(ref("irsi"))
    assert "iris" in caught.value.hint
    assert leftovers(home) == []


def test_a_taken_port(serving: LocalServing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PreflightError, match=f"port {port} .* in use by .*process {os.getpid()}"):
            serving.deploy(ref("iris"), port=port)
        assert serving.list() == ()


def test_ports_of_two_models_and_of_one_that_was_asked_for(serving: LocalServing, home: TargetHome) -> None:
    first = serving.deploy(ref("iris"))
    second = serving.deploy(ref("wine"))
    assert second.port > first.port
    with pytest.raises(PreflightError, match="in use"):
        serving.deploy(ref("iris"), port=second.port)
    assert answer(serving.get("iris")) < 1.01
    wanted = free_port()
    moved = serving.deploy(ref("iris"), port=wanted)
    assert (moved.port, moved.outcome) == (wanted, "changed")
    assert answer(moved) < 1.01
    with pytest.raises(NotFoundError) as caught:
        serving.get("wien")
    assert caught.value.hint == "did you mean 'wine'?"


def test_two_deploys_at_once(serving: LocalServing, home: TargetHome) -> None:
    place = Place.of(home.serving, "iris")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(serving.deploy, ref("iris"))
        while (condition := place.read_condition()) is None or not condition.servers:
            assert not first.done()
            time.sleep(0.01)
        # Held, so that the first one is still at work when the second one comes.
        (server,) = condition.servers
        os.kill(server.pid, signal.SIGSTOP)
        with pytest.raises(StateError, match=rf"`mlops model deploy iris` \(process {os.getpid()} on"):
            serving.deploy(ref("iris"))
        os.kill(server.pid, signal.SIGCONT)
        assert first.result().outcome == "created"


def test_a_deploy_that_is_killed_is_finished_by_the_next(serving: LocalServing, home: TargetHome) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from platform_cli.layout import TargetHome, find_assets\n"
        "from platform_cli.serving.local_serving import LocalServing\n"
        "from platform_cli.tools.mlflow import ModelRef\n"
        "serving = LocalServing(TargetHome(Path(sys.argv[1])), environment=os.environ, assets=find_assets(),\n"
        "    first_port=int(sys.argv[2]))\n"
        "serving.deploy(ModelRef('iris'))\n"
    )
    command = subprocess.Popen([sys.executable, "-c", code, str(home.root), str(free_port())])
    place = Place.of(home.serving, "iris")
    while place.read_condition() is None:
        assert command.poll() is None
        time.sleep(0.01)
    command.kill()
    command.wait()
    # A kill in the middle of a copy leaves a part of it.
    scratch = place.folder / "versions" / ".fetch-abc"
    scratch.mkdir()
    assert serving.deploy(ref("iris")).state is ServingState.READY
    assert serving.deploy(ref("iris/2")).state is ServingState.READY
    assert not scratch.exists()


@pytest.fixture
def small_disk(home: TargetHome) -> Iterator[Path]:
    """A file system of 4 MB below the target's serving folder."""
    home.serving.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(home.serving)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs")
    yield home.serving
    subprocess.run(["umount", "--lazy", str(home.serving)], check=True)


def test_a_full_disk_ends_no_model(small_disk: Path, serving: LocalServing, home: TargetHome) -> None:
    endpoint = serving.deploy(ref("iris/1"))
    filler = small_disk / ".filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    with pytest.raises(MlopsError, match=r"No space left|cannot copy"):
        serving.deploy(ref("iris/2"))
    assert answer(endpoint) < 1.01
    os.kill(processes(home)[1].pid, signal.SIGKILL)
    assert answer(endpoint) < 1.01
    filler.unlink()
    # What could not be written down is written as soon as there is room.
    end = time.monotonic() + 60
    while serving.get("iris").restarts != 1:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert wait_for(serving, ServingState.READY).version == "1"
    assert serving.deploy(ref("iris/2")).version == "2"


def test_a_log_that_grew_is_moved_aside(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 100)
        rotate(log, limit=50)
        writer.write(b"y")
    assert log.read_bytes() == b"y"
    assert (tmp_path / "server.log.1").read_bytes() == b"x" * 100


# -- rows -------------------------------------------------------------------------------------------------------------

IRIS = ModelMetadata("iris", "1", tuple(Column(name, "FP64", is_required=True, is_datetime=False) for name in MEASURES))
MIXED = ModelMetadata(
    "mixed",
    "1",
    (
        Column("amount", "FP64", is_required=True, is_datetime=False),
        Column("count", "INT64", is_required=True, is_datetime=False),
        Column("flag", "BOOL", is_required=True, is_datetime=False),
        Column("text", "BYTES", is_required=True, is_datetime=False),
        Column("moment", "BYTES", is_required=False, is_datetime=True),
    ),
)
ROW = {"amount": 1.5, "count": 2, "flag": True, "text": "é", "moment": "2026-01-31T12:00:00"}


def row(values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(MEASURES, values, strict=True))


def data(request: dict[str, Any]) -> dict[str, list[Any]]:
    return {tensor["name"]: tensor["data"] for tensor in request["inputs"]}


def problems(metadata: ModelMetadata, table: Table) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        build_request(metadata, table)
    return caught.value.details


def test_rows_are_predicted_by_column_name(iris_server: RunningServer) -> None:
    url = f"http://127.0.0.1:{iris_server.port}/v2/models/iris"
    shuffled = dict(reversed(row(VIRGINICA).items()))
    found = predict(url, Table((row(SETOSA), shuffled)))
    assert (found.model, found.version) == ("iris", "1")
    assert [answer["prediction"] for answer in found.rows] == ["setosa", "virginica"]
    assert fetch_metadata(url) == IRIS


def test_many_rows_go_in_several_requests(iris_server: RunningServer) -> None:
    url = f"http://127.0.0.1:{iris_server.port}/v2/models/iris"
    found = predict(url, Table((row(SETOSA), row(VIRGINICA)) * 15_000))
    assert [answer["prediction"] for answer in found.rows] == ["setosa", "virginica"] * 15_000


def test_every_misfit_is_told_at_once_and_nothing_is_sent() -> None:
    bad = {"sepal lenght (cm)": 5.1, "Petal Width (CM)": 0.2, MEASURES[1]: "wide", "colour": "red"}
    assert problems(IRIS, Table((bad,))) == (
        f"unknown column 'sepal lenght (cm)', did you mean '{MEASURES[0]}'?",
        f"unknown column 'Petal Width (CM)', did you mean '{MEASURES[3]}'?",
        "unknown column 'colour'",
        f"missing column '{MEASURES[2]}'",
        f"column '{MEASURES[1]}' wants a number, got 'wide' (row 1)",
    )


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("amount", "1.5", "wants a number, got '1.5'"),
        ("amount", True, "wants a number"),
        ("count", 2.5, "wants a whole number, got 2.5"),
        ("count", None, "cannot be missing"),
        ("flag", 1, "wants true or false"),
        ("text", 5, "wants text, got 5"),
        ("moment", "yesterday", "wants a date"),
        ("amount", [1.5], "wants a number"),
    ],
)
def test_a_value_that_does_not_fit(column: str, value: Any, words: str) -> None:
    (problem,) = problems(MIXED, Table(({**ROW, column: value},)))
    assert column in problem
    assert words in problem
    assert "row 1" in problem


def test_many_wrong_rows_are_summed_up() -> None:
    (problem,) = problems(IRIS, Table(tuple({**row(SETOSA), MEASURES[0]: "x"} for _ in range(10))))
    assert problem.count("row") == 4
    assert "and 7 more rows" in problem


def test_a_column_that_some_rows_lack() -> None:
    second = {name: value for name, value in ROW.items() if name != "amount"}
    assert problems(MIXED, Table((ROW, second))) == ("column 'amount' is missing (row 2)",)


def test_json_values_fit() -> None:
    table = Table(({**ROW, "count": 2.0, "amount": 1}, {**ROW, "amount": None, "moment": None}))
    assert data(build_request(MIXED, table)) == {
        "amount": [1, None],
        "count": [2, 2],
        "flag": [True, True],
        "text": ["é", "é"],
        "moment": ["2026-01-31T12:00:00", None],
    }


def test_csv_text_becomes_what_the_column_holds() -> None:
    text = 'text,amount,count,flag\r\nNA,,3,yes\n"a,b", 2 ,4.0,FALSE\r'
    assert data(build_request(MIXED, parse_csv(text))) == {
        "amount": [None, 2],
        "count": [3, 4],
        "flag": [True, False],
        "text": ["NA", "a,b"],
    }


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "amount": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "count": st.integers(-(2**63), 2**63 - 1),
                "flag": st.booleans(),
                "text": st.text(st.characters(exclude_categories=("C", "Z")), min_size=1),
                "moment": st.datetimes().map(datetime.datetime.isoformat),
            }
        ),
        min_size=1,
    )
)
def test_rows_as_json_and_as_csv_make_the_same_request(rows: list[dict[str, Any]]) -> None:
    from_json = build_request(MIXED, parse_json(json.dumps(rows)))
    assert build_request(MIXED, parse_csv(to_csv(rows))) == from_json
    assert data(from_json) == {name: [entry[name] for entry in rows] for name in rows[0]}


def test_a_response_becomes_rows() -> None:
    response = {"outputs": [{"name": "a", "data": [1, 2]}, {"name": "b", "data": ["x", None]}]}
    assert read_rows(response) == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("a,b\n", "header and no rows"),
        ("a,a\n1,2\n", "column 'a' is there twice"),
        ("a,b\n1\n1,2,3\n", "row 1 has 1 values"),
    ],
)
def test_csv_that_is_no_table(text: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_csv(text)
    assert words in " ".join([caught.value.message, *caught.value.details])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "no rows"),
        ("[1]", "row 1 is no object"),
        ("5", "row 1 is no object"),
        ("{", "not valid JSON"),
        ('{"a": NaN}', "NaN is no JSON"),
        ('{"a": 1, "a": 2}', "column 'a' is there twice"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_json_that_is_no_table(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_json(text)


@pytest.mark.parametrize(
    "text", ['[{"a": 1}, {"a": 2}]', '{"a": 1}\n{"a": 2}\n', "\ufeffa\n1\n2\n", '{"a": 1}\n\n{"a": 2}']
)
def test_standard_input_tells_its_own_format(text: str) -> None:
    assert [int(entry["a"]) for entry in parse_text(text).rows] == [1, 2]


def test_one_object_over_many_lines_is_one_row() -> None:
    assert parse_text(json.dumps(ROW, indent=2)).rows == (ROW,)


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "ndjson", "parquet"])
def test_files_of_every_format(suffix: str, tmp_path: Path) -> None:
    import pandas as pd

    path = tmp_path / f"zwei reihen.{suffix}"
    frame = pd.DataFrame([row(SETOSA), row(VIRGINICA)])
    match suffix:
        case "csv":
            frame.to_csv(path, index=False)
        case "parquet":
            frame.to_parquet(path)
        case _:
            frame.to_json(path, orient="records", lines=suffix != "json")
    assert data(build_request(IRIS, read_file(path))) == frame.to_dict("list")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    latin = tmp_path / "latin.csv"
    latin.write_bytes("größe\n1\n".encode("latin-1"))
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet")
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    cases = {latin: "not UTF-8", broken: "cannot read", folder: "directory", tmp_path / "no.csv": "No such file"}
    for path, words in {**cases, tmp_path / "x.xlsx": "unknown format '.xlsx'"}.items():
        with pytest.raises(InputError, match=words):
            read_file(path)


def test_nobody_answers() -> None:
    with contextlib.closing(socket.socket()) as silent:
        # Ours, so that nobody else can begin to listen on it.
        silent.bind(("127.0.0.1", 0))
        with pytest.raises(NotReadyError, match="nothing answers"):
            predict(f"http://127.0.0.1:{silent.getsockname()[1]}/v2/models/iris", Table((row(SETOSA),)))


def test_another_model_answers(iris_server: RunningServer) -> None:
    with pytest.raises(NotFoundError, match="unknown model 'other'"):
        predict(f"http://127.0.0.1:{iris_server.port}/v2/models/other", Table((row(SETOSA),)))


def test_predicting_imports_nothing_heavy() -> None:
    heavy = "{'mlflow', 'pandas', 'numpy', 'pyarrow'}"
    code = f"import sys, platform_cli.serving.client, platform_cli.serving.rows; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
