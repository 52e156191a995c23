"""The model server as a black box: the protocol, every datatype, load, faults, start and end."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving_fixtures import (
    MEASURES,
    SERVER,
    SETOSA,
    VIRGINICA,
    RunningServer,
    call,
    iris_request,
    make_iris,
    save,
    start_server,
)
from v2_conformance import CHECKS, Subject

MIXED: dict[str, tuple[str, Any]] = {
    "double": ("FP64", 2.5),
    "single": ("FP32", 0.25),
    "small": ("INT32", -7),
    "large": ("INT64", 2**53 + 1),
    "flag": ("BOOL", False),
    "text": ("BYTES", "größe"),
    "moment": ("BYTES", "2026-02-28T23:59:59.5"),
}


def mixed_request(changes: dict[str, tuple[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    columns = {**MIXED, **(changes or {})}
    inputs = [{"name": n, "shape": [1], "datatype": t, "data": [v]} for n, (t, v) in columns.items()]
    return {"inputs": inputs, **more}


def outputs(body: dict[str, Any]) -> dict[str, list[Any]]:
    return {tensor["name"]: tensor["data"] for tensor in body["outputs"]}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("model", ["iris", "mixed"])
def test_protocol(check: Callable[[Subject], None], model: str, request: pytest.FixtureRequest) -> None:
    server: RunningServer = request.getfixturevalue(f"{model}_server")
    body = iris_request(SETOSA, VIRGINICA) if model == "iris" else mixed_request()
    check(Subject(f"http://127.0.0.1:{server.port}", model, body))


def test_predicts_what_the_model_predicts(iris_server: RunningServer) -> None:
    answer = outputs(iris_server.infer(iris_request(SETOSA, VIRGINICA)).json)
    assert answer["prediction"] == ["setosa", "virginica"]
    assert all(0.9 < chance <= 1 for chance in answer["probability"])


def test_every_datatype_arrives_and_returns(mixed_server: RunningServer) -> None:
    body = mixed_server.infer(mixed_request()).json
    datatypes = {tensor["name"]: tensor["datatype"] for tensor in body["outputs"]}
    assert datatypes == {**{name: kind for name, (kind, _) in MIXED.items()}, "had_extra": "BOOL"}
    expected = {name: [value] for name, (_, value) in MIXED.items()}
    assert outputs(body) == {**expected, "moment": ["2026-02-28T23:59:59.500000"], "had_extra": [False]}


def test_metadata_tells_types_dates_and_what_is_optional(mixed_server: RunningServer) -> None:
    inputs = {t["name"]: t for t in mixed_server.call("GET", "/v2/models/mixed").json["inputs"]}
    assert {name: inputs[name]["datatype"] for name in MIXED} == {name: kind for name, (kind, _) in MIXED.items()}
    assert inputs["moment"]["parameters"] == {"content_type": "datetime"}
    assert inputs["extra"]["parameters"] == {"required": False}


def test_an_optional_column_may_be_given(mixed_server: RunningServer) -> None:
    assert outputs(mixed_server.infer(mixed_request({"extra": ("FP64", 1.0)})).json)["had_extra"] == [True]


@pytest.mark.parametrize(
    ("column", "kind"), [("double", "FP64"), ("single", "FP32"), ("text", "BYTES"), ("moment", "BYTES")]
)
def test_null_is_a_missing_value(mixed_server: RunningServer, column: str, kind: str) -> None:
    reply = mixed_server.infer(mixed_request({column: (kind, None)}))
    assert reply.status == 200, reply.body
    assert outputs(reply.json)[column] == [None]


@pytest.mark.parametrize(
    ("column", "kind", "value"),
    [
        ("double", "FP32", 0.5),
        ("double", "INT8", 3),
        ("double", "INT64", 3),
        ("large", "UINT32", 5),
        ("small", "INT16", 5),
    ],
)
def test_a_narrower_type_is_widened(mixed_server: RunningServer, column: str, kind: str, value: float) -> None:
    assert outputs(mixed_server.infer(mixed_request({column: (kind, value)})).json)[column] == [value]


@pytest.mark.parametrize(
    ("column", "kind", "value", "words"),
    [
        ("single", "FP64", 0.5, "wants FP32, got FP64"),
        ("small", "INT64", 5, "wants INT32, got INT64"),
        ("small", "INT32", 2**31, "range of INT32"),
        ("small", "INT32", 1.5, "whole numbers"),
        ("small", "INT32", None, "cannot be missing"),
        ("flag", "BOOL", 1, "true or false"),
        ("flag", "BOOL", None, "cannot be missing"),
        ("text", "BYTES", 5, "strings"),
        ("moment", "BYTES", "yesterday", "ISO 8601"),
        ("single", "FP32", 1e39, "range of FP32"),
        ("large", "INT64", 2**64, "large"),
    ],
)
def test_a_value_that_does_not_fit(mixed_server: RunningServer, column: str, kind: str, value: Any, words: str) -> None:
    reply = mixed_server.infer(mixed_request({column: (kind, value)}))
    assert reply.status == 400, reply.body
    assert column in reply.json["error"]
    assert words in reply.json["error"]


def test_all_mistakes_are_told_at_once(mixed_server: RunningServer) -> None:
    request = mixed_request({"double": ("BYTES", "x"), "small": ("INT32", "y"), "unknown": ("FP64", 1.0)})
    request["inputs"] = [tensor for tensor in request["inputs"] if tensor["name"] != "flag"]
    error = mixed_server.infer(request).json["error"]
    for part in ("input 'double'", "input 'small'", "unknown input 'unknown'", "missing input 'flag'"):
        assert part in error


def test_parameters_of_the_signature_reach_the_model(mixed_server: RunningServer) -> None:
    assert outputs(mixed_server.infer(mixed_request(parameters={"factor": 2})).json)["double"] == [5.0]
    refused = mixed_server.infer(mixed_request(parameters={"factor": "two"}))
    assert (refused.status, "factor" in refused.json["error"]) == (400, True)


def test_a_failing_model_is_a_server_error_and_the_server_goes_on(mixed_server: RunningServer) -> None:
    reply = mixed_server.infer(mixed_request({"text": ("BYTES", "boom")}))
    assert reply.status == 500
    assert "boom was asked for" in reply.json["error"]
    assert mixed_server.infer(mixed_request()).status == 200


def test_merged_requests_get_their_own_answers_and_failures(mixed_server: RunningServer) -> None:
    texts = ["boom" if index % 7 == 3 else f"text {index}" for index in range(60)]
    with ThreadPoolExecutor(20) as pool:
        replies = list(pool.map(lambda text: mixed_server.infer(mixed_request({"text": ("BYTES", text)})), texts))
    for text, reply in zip(texts, replies, strict=True):
        if text == "boom":
            assert reply.status == 500
        else:
            assert outputs(reply.json)["text"] == [text]


def test_concurrent_clients_get_what_they_would_alone(iris_server: RunningServer) -> None:
    rows = [(4.0 + i / 20, 3.0, 1.0 + i / 10, 0.1 + i / 25) for i in range(50)]
    alone = [outputs(iris_server.infer(iris_request(row)).json) for row in rows]
    with ThreadPoolExecutor(16) as pool:
        together = [outputs(r.json) for r in pool.map(lambda row: iris_server.infer(iris_request(row)), rows)]
    for one, other in zip(alone, together, strict=True):
        assert one["prediction"] == other["prediction"]
        assert one["probability"] == pytest.approx(other["probability"], rel=1e-9)


def test_many_rows_in_one_request(iris_server: RunningServer) -> None:
    answer = outputs(iris_server.infer(iris_request(*[SETOSA, VIRGINICA] * 1000)).json)
    assert answer["prediction"] == ["setosa", "virginica"] * 1000


def test_a_body_that_is_too_large(mixed_server: RunningServer) -> None:
    request = mixed_request({"text": ("BYTES", "x" * 30_000)})
    reply = mixed_server.infer(request)
    assert (reply.status, list(reply.json)) == (413, ["error"])
    chunks = [json.dumps(request).encode()]
    assert (
        mixed_server.call("POST", "/v2/models/mixed/infer", iter_body(chunks), {"Transfer-Encoding": "chunked"}).status
        == 413
    )
    assert mixed_server.infer(mixed_request()).status == 200


def iter_body(chunks: list[bytes]) -> bytes:
    """Chunked transfer coding written out, so that no length is told beforehand."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Content-Encoding": "gzip"}, 415), ({"Inference-Header-Content-Length": "10"}, 400)],
)
def test_what_is_not_spoken_is_refused(iris_server: RunningServer, headers: dict[str, str], status: int) -> None:
    reply = iris_server.call("POST", "/v2/models/iris/infer", iris_request(SETOSA), headers)
    assert (reply.status, list(reply.json)) == (status, ["error"])


def test_a_client_that_leaves_early_harms_nobody(iris_server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", iris_server.port)) as client:
        client.sendall(b"POST /v2/models/iris/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert iris_server.infer(iris_request(SETOSA)).status == 200


def test_metrics_count_what_happened(iris_server: RunningServer) -> None:
    def read(name: str) -> float:
        lines = iris_server.call("GET", "/metrics").body.decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    names = (
        "mlops_inference_requests_total",
        'mlops_inference_errors_total{status="400"}',
        "mlops_inference_rows_total",
    )
    before = [read(name) for name in names]
    latency = read("mlops_inference_latency_seconds_count")
    iris_server.infer(iris_request(SETOSA, VIRGINICA))
    iris_server.infer(b"{")
    assert [read(name) - old for name, old in zip(names, before, strict=True)] == [2, 1, 2]
    assert read("mlops_inference_latency_seconds_count") - latency == 2
    assert read("mlops_inference_in_flight") == 0
    assert read("mlops_model_ready") == 1
    assert read('mlops_model_info{name="iris",version="1"}') == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(MEASURES) | JSON,
        "datatype": st.sampled_from(["FP64", "FP32", "INT8", "BYTES"]) | JSON,
        "shape": st.just([1]) | JSON,
        "data": st.lists(st.floats(-9, 9) | JSON, max_size=2) | JSON,
        "parameters": JSON,
    },
)
REQUESTS = st.fixed_dictionaries(
    {}, optional={"id": JSON, "parameters": JSON, "inputs": st.lists(TENSORS, max_size=5) | JSON, "outputs": JSON}
)


@given(request=REQUESTS | JSON)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_is_a_server_error(iris_server: RunningServer, request: Any) -> None:
    reply = iris_server.infer(request)
    assert reply.status in (200, 400), reply.body
    if reply.status == 400:
        assert isinstance(reply.json["error"], str)
        assert reply.json["error"]


def test_it_lives_before_it_is_ready_and_ends_with_term(iris_model: Path, tmp_path: Path) -> None:
    server = start_server(iris_model, tmp_path / "log")
    assert server.call("GET", "/v2/health/live").status == 200
    early = server.call("GET", "/v2/health/ready")
    assert (early.status, early.json["ready"]) == (503, False)
    assert server.infer(iris_request(SETOSA)).status == 503
    assert server.call("GET", "/v2/models/iris").status == 503
    server.wait_ready()
    assert server.infer(iris_request(SETOSA)).status == 200
    assert server.end() == 0


def test_term_waits_for_requests_in_work(mixed_model: Path, tmp_path: Path) -> None:
    server = start_server(mixed_model, tmp_path / "log", name="mixed")
    server.wait_ready()
    replies: list[Any] = []
    slow = threading.Thread(target=lambda: replies.append(server.infer(mixed_request({"text": ("BYTES", "slow")}))))
    slow.start()
    while "mlops_inference_in_flight 1.0" not in server.call("GET", "/metrics").body.decode():
        assert slow.is_alive(), "it ended before anybody saw it begin"
        time.sleep(0.01)
    server.child.send_signal(signal.SIGTERM)
    slow.join()
    assert replies[0].status == 200
    assert server.child.wait(timeout=30) == 0


def test_term_answers_what_was_accepted_before_it_closes(iris_model: Path, tmp_path: Path) -> None:
    server = start_server(iris_model, tmp_path / "log", options=("--linger-seconds", "60"))
    server.wait_ready()
    idle, used = (HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(2))
    with contextlib.closing(idle), contextlib.closing(used):
        idle.connect()
        send_request(used)
        assert read_reply(used).headers["connection"] is None
        server.child.send_signal(signal.SIGTERM)
        wait_until_refused(server.port)
        for connection in (idle, used):
            send_request(connection)
        for connection in (idle, used):
            reply = read_reply(connection)
            assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert server.child.wait(timeout=30) == 0


def test_term_does_not_wait_for_a_client_that_says_nothing(iris_model: Path, tmp_path: Path) -> None:
    server = start_server(iris_model, tmp_path / "log")
    server.wait_ready()
    with contextlib.closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as silent:
        send_request(silent)
        read_reply(silent)
        assert server.end() == 0
        assert silent.sock.recv(1) == b""


def send_request(connection: HTTPConnection) -> None:
    connection.request("POST", "/v2/models/iris/infer", json.dumps(iris_request(SETOSA)))


def read_reply(connection: HTTPConnection) -> HTTPResponse:
    response = connection.getresponse()
    response.read()
    return response


def wait_until_refused(port: int) -> None:
    while True:
        with contextlib.suppress(ConnectionResetError), contextlib.closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED:
                return
        time.sleep(0.01)


@contextlib.contextmanager
def supervised(shared: socket.socket, model: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server as its supervisor starts it, and the pipe on which it says that it is ready; killed at the end."""
    ready, report = os.pipe()
    descriptors = (shared.fileno(), report)
    argv = [sys.executable, str(SERVER), "--model", str(model), "--name", "iris"]
    argv += ["--socket", str(descriptors[0]), "--ready-pipe", str(report)]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pass_fds=descriptors)
    os.close(report)
    try:
        yield child, ready
    finally:
        child.kill()
        child.communicate()
        os.close(ready)


def test_a_version_without_a_model_takes_no_request_from_the_one_that_answers(iris_model: Path, tmp_path: Path) -> None:
    with (
        ThreadPoolExecutor(1) as pool,
        socket.create_server(("127.0.0.1", 0)) as shared,
        supervised(shared, iris_model) as (answering, ready),
    ):
        assert os.read(ready, 1)
        # Held, so that nobody but the newcomer can take the request.
        answering.send_signal(signal.SIGSTOP)
        address = shared.getsockname()[1]
        asked = pool.submit(call, address, "POST", "/v2/models/iris/infer", iris_request(SETOSA))
        with supervised(shared, tmp_path) as (newcomer, silent):
            assert newcomer.stderr is not None
            assert "holds no MLflow model" in newcomer.stderr.read().splitlines()[-1]
            assert (newcomer.wait(timeout=30), os.read(silent, 1)) == (1, b"")
        answering.send_signal(signal.SIGCONT)
        assert asked.result().status == 200


def run_server(*arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(SERVER), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=dict(os.environ))


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.strip().splitlines()[-1]


def test_a_folder_without_a_model_ends_with_the_reason(tmp_path: Path) -> None:
    done = run_server("--model", str(tmp_path), "--name", "x", "--port", "0")
    assert done.returncode == 1
    assert "holds no MLflow model" in last_line(done)


def test_a_model_that_fails_on_its_example_is_never_ready(tmp_path: Path) -> None:
    model, example, signature = make_iris()
    folder = save(tmp_path / "model", model, example, signature)
    broken = json.loads((folder / "input_example.json").read_text())
    broken["data"] = [[value if index else None for index, value in enumerate(row)] for row in broken["data"]]
    (folder / "input_example.json").write_text(json.dumps(broken))
    done = run_server("--model", str(folder), "--name", "iris", "--port", "0")
    assert done.returncode == 1
    assert "NaN" in last_line(done)


def test_a_model_without_a_signature_is_refused(iris_model: Path, tmp_path: Path) -> None:
    import shutil

    import yaml

    folder = Path(shutil.copytree(iris_model, tmp_path / "model"))
    description = yaml.safe_load((folder / "MLmodel").read_text())
    del description["signature"]
    (folder / "MLmodel").write_text(yaml.safe_dump(description))
    done = run_server("--model", str(folder), "--name", "iris", "--port", "0")
    assert done.returncode == 1
    assert "no signature" in last_line(done)


def test_a_port_that_is_taken(iris_model: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_server("--model", str(iris_model), "--name", "iris", "--port", str(port))
    assert done.returncode == 3
    assert f"127.0.0.1:{port}" in last_line(done)
