"""Black-box checks of a server's Open Inference Protocol V2 (REST), for any server and any model.

    python tests/v2_conformance.py http://127.0.0.1:8500 iris request.json

`request.json` is an infer request that the model accepts, with at least one numeric input. Each check is a function
that raises AssertionError; where the protocol leaves a status open, Triton's table is taken (400, 404, 503).
"""

from __future__ import annotations

import copy
import http.client
import json
import sys
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATATYPES = {"BOOL", "BYTES", "FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64"} | {
    f"UINT{bits}" for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True)
class Subject:
    """The server under test, the model asked for, and a request that fits it."""

    url: str
    model: str
    request: dict[str, Any]

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        parts = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            kind, text = response.getheader("Content-Type", ""), response.read()
            assert kind.startswith("application/json"), f"{path} answers {kind}"
            return response.status, json.loads(text)
        finally:
            connection.close()

    @property
    def path(self) -> str:
        return f"/v2/models/{urllib.parse.quote(self.model, safe='')}"

    @property
    def version(self) -> str:
        return str(self.ask("GET", self.path)[1]["versions"][0])

    def infer(self, body: Any, path: str | None = None) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", f"{path or self.path}/infer", data)

    def changed(self, **changes: Any) -> dict[str, Any]:
        """The request with the first numeric input changed; None removes a field."""
        request = copy.deepcopy(self.request)
        tensor = next(t for t in request["inputs"] if t["datatype"] not in ("BYTES", "BOOL"))
        tensor.update(changes)
        for name in [name for name, value in changes.items() if value is None]:
            del tensor[name]
        return request

    def numeric(self) -> dict[str, Any]:
        return next(t for t in self.request["inputs"] if t["datatype"] not in ("BYTES", "BOOL"))


def expect_error(answer: tuple[int, Any], status: int, *words: str) -> None:
    assert answer[0] == status, answer
    assert set(answer[1]) == {"error"}, answer
    assert isinstance(answer[1]["error"], str), answer
    for word in words:
        assert word in answer[1]["error"], answer


def check_server_metadata(subject: Subject) -> None:
    status, body = subject.ask("GET", "/v2")
    assert status == 200
    assert isinstance(body["name"], str)
    assert isinstance(body["version"], str)
    assert isinstance(body["extensions"], list)


def check_live(subject: Subject) -> None:
    assert subject.ask("GET", "/v2/health/live") == (200, {"live": True})


def check_ready(subject: Subject) -> None:
    assert subject.ask("GET", "/v2/health/ready") == (200, {"ready": True})


def check_model_list(subject: Subject) -> None:
    status, body = subject.ask("GET", "/v2/models")
    assert status == 200
    assert subject.model in body["models"]


def check_model_metadata(subject: Subject) -> None:
    status, body = subject.ask("GET", subject.path)
    assert status == 200
    assert body["name"] == subject.model
    assert body["versions"]
    assert isinstance(body["platform"], str)
    for tensor in [*body["inputs"], *body["outputs"]]:
        assert tensor["name"]
        assert tensor["datatype"] in DATATYPES
        assert tensor["shape"][0] == -1
    assert body["inputs"]
    assert body["outputs"]


def check_metadata_names_the_inputs(subject: Subject) -> None:
    named = {tensor["name"] for tensor in subject.ask("GET", subject.path)[1]["inputs"]}
    assert {tensor["name"] for tensor in subject.request["inputs"]} <= named


def check_versioned_metadata(subject: Subject) -> None:
    assert subject.ask("GET", f"{subject.path}/versions/{subject.version}") == subject.ask("GET", subject.path)


def check_model_ready(subject: Subject) -> None:
    ready = (200, {"name": subject.model, "ready": True})
    assert subject.ask("GET", f"{subject.path}/ready") == ready
    assert subject.ask("GET", f"{subject.path}/versions/{subject.version}/ready") == ready


def check_unknown_model(subject: Subject) -> None:
    for tail in ("", "/ready", "/versions/1"):
        expect_error(subject.ask("GET", f"/v2/models/no-such-model{tail}"), 404, "no-such-model")
    expect_error(subject.infer(subject.request, "/v2/models/no-such-model"), 404, "no-such-model")


def check_unknown_version(subject: Subject) -> None:
    path = f"{subject.path}/versions/99999"
    for tail in ("", "/ready"):
        expect_error(subject.ask("GET", path + tail), 404, "99999")
    expect_error(subject.infer(subject.request, path), 404, "99999")


def check_unknown_path(subject: Subject) -> None:
    for path in ("/", "/v3", "/v2/health", f"{subject.path}/nothing"):
        expect_error(subject.ask("GET", path), 404)


def check_wrong_method(subject: Subject) -> None:
    expect_error(subject.ask("GET", f"{subject.path}/infer"), 405)
    expect_error(subject.ask("POST", "/v2/health/live", b"{}"), 405)


def check_infer(subject: Subject) -> None:
    status, body = subject.infer(subject.request)
    assert status == 200, body
    assert body["model_name"] == subject.model
    assert body["model_version"] == subject.version
    declared = {t["name"]: t["datatype"] for t in subject.ask("GET", subject.path)[1]["outputs"]}
    assert {tensor["name"]: tensor["datatype"] for tensor in body["outputs"]} == declared
    for tensor in body["outputs"]:
        size = 1
        for dimension in tensor["shape"]:
            size *= dimension
        assert len(tensor["data"]) == size


def check_versioned_infer(subject: Subject) -> None:
    path = f"{subject.path}/versions/{subject.version}"
    assert subject.infer(subject.request, path) == subject.infer(subject.request)


def check_no_nulls_for_absent_fields(subject: Subject) -> None:
    body = subject.infer({name: value for name, value in subject.request.items() if name != "id"})[1]
    assert None not in body.values()
    assert "id" not in body
    assert all(None not in tensor.values() for tensor in body["outputs"])


def check_null_fields_are_absent_fields(subject: Subject) -> None:
    status, body = subject.infer({**subject.request, "id": None, "parameters": None, "outputs": None})
    assert status == 200, body
    assert "id" not in body


def check_id_is_echoed(subject: Subject) -> None:
    assert subject.infer({**subject.request, "id": "änd 42"})[1]["id"] == "änd 42"
    expect_error(subject.infer({**subject.request, "id": 42}), 400, "id")


def check_parameters_are_accepted(subject: Subject) -> None:
    assert subject.infer({**subject.request, "parameters": {"a-parameter-of-a-client": "x"}})[0] == 200
    expect_error(subject.infer({**subject.request, "parameters": []}), 400, "parameters")


def check_outputs_are_selected_in_order(subject: Subject) -> None:
    names = [tensor["name"] for tensor in subject.infer(subject.request)[1]["outputs"]]
    for wanted in ([names[-1]], list(reversed(names))):
        body = subject.infer({**subject.request, "outputs": [{"name": name} for name in wanted]})[1]
        assert [tensor["name"] for tensor in body["outputs"]] == wanted


def check_unknown_output(subject: Subject) -> None:
    expect_error(subject.infer({**subject.request, "outputs": [{"name": "no-such"}]}), 400, "no-such")
    expect_error(subject.infer({**subject.request, "outputs": ["no-such"]}), 400)


def check_nested_data(subject: Subject) -> None:
    tensor = subject.numeric()
    rows = len(tensor["data"])
    flat = subject.infer(subject.changed(shape=[rows, 1]))
    nested = subject.infer(subject.changed(shape=[rows, 1], data=[[value] for value in tensor["data"]]))
    assert flat[0] == 200, flat
    assert nested == flat


def check_bad_json(subject: Subject) -> None:
    for body in (b"", b"{", b"\xff\xfe", b"[]", b"null", b"42", b'"text"', b'{"inputs": [NaN]}'):
        expect_error(subject.infer(body), 400)


def check_bad_inputs(subject: Subject) -> None:
    for inputs in (None, [], {}, "text", [None], [[]], [{}], [{"name": 1}]):
        expect_error(subject.infer({"inputs": inputs}), 400, "inputs")
    expect_error(subject.infer({}), 400, "inputs")


def check_missing_input(subject: Subject) -> None:
    gone = subject.numeric()["name"]
    rest = [t for t in subject.request["inputs"] if t["name"] != gone]
    extra = {**subject.numeric(), "name": "no-such-input"}
    expect_error(subject.infer({"inputs": [*rest, extra]}), 400, gone, "no-such-input")


def check_input_given_twice(subject: Subject) -> None:
    inputs = subject.request["inputs"]
    expect_error(subject.infer({"inputs": [*inputs, inputs[0]]}), 400, inputs[0]["name"])


def check_unknown_datatype(subject: Subject) -> None:
    for datatype in ("FP65", "fp64", "", 64, None):
        expect_error(subject.infer(subject.changed(datatype=datatype)), 400, subject.numeric()["name"])
    expect_error(subject.infer(subject.changed(datatype="FP65")), 400, "FP65")


def check_mistyped_input(subject: Subject) -> None:
    tensor = subject.numeric()
    texts = ["text"] * len(tensor["data"])
    expect_error(subject.infer(subject.changed(datatype="BYTES", data=texts)), 400, tensor["name"])


def check_data_that_is_no_number(subject: Subject) -> None:
    for value in ("text", "1", True, {}, [[]]):
        data = [value] * len(subject.numeric()["data"])
        expect_error(subject.infer(subject.changed(data=data)), 400, subject.numeric()["name"])


def check_shape_that_is_not_the_data(subject: Subject) -> None:
    rows = len(subject.numeric()["data"])
    for shape in ([rows + 1], [rows, 2], [0], [], [-1], [True], [1.5], "text", None, [rows, 1, 3]):
        expect_error(subject.infer(subject.changed(shape=shape)), 400, subject.numeric()["name"])


def check_missing_data(subject: Subject) -> None:
    for data in (None, "text", {}):
        expect_error(subject.infer(subject.changed(data=data)), 400, subject.numeric()["name"])


def check_tensors_of_different_length(subject: Subject) -> None:
    if len(subject.request["inputs"]) > 1:
        data = subject.numeric()["data"]
        longer = subject.changed(shape=[len(data) + 1], data=[*data, data[0]])
        expect_error(subject.infer(longer), 400, "rows")


def check_recovers_after_errors(subject: Subject) -> None:
    before = subject.infer(subject.request)
    for _ in range(5):
        subject.infer(b"{")
    assert subject.infer(subject.request) == before


CHECKS: tuple[Callable[[Subject], None], ...] = tuple(
    check for name, check in sorted(globals().items()) if name.startswith("check_")
)


def main(url: str, model: str, request: str) -> int:
    subject = Subject(url, model, json.loads(Path(request).read_text("utf-8")))
    failed = 0
    for check in CHECKS:
        title = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            check(subject)
        except AssertionError as error:
            failed += 1
            sys.stdout.write(f"✗ {title}: {str(error).splitlines()[0] if str(error) else 'wrong'}\n")
        else:
            sys.stdout.write(f"✓ {title}\n")
    sys.stdout.write(f"{len(CHECKS) - failed} of {len(CHECKS)} checks passed\n")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
