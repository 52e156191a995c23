"""Argo's server in bad moments: tokens that expire, certificates that nobody trusts, pages, cuts, restarts."""

from __future__ import annotations

import json
import ssl
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import pytest
from certificate import write_pem
from closed_port import hold_closed_port
from http_chunks import send_lines

from platform_cli.errors import MlopsError, PreflightError, ToolError
from platform_cli.events import Event
from platform_cli.tools.kubernetes_error import status_of
from platform_cli.workflow.argo_engine import ArgoServerEngine, open_server_engine
from platform_cli.workflow.argo_server import ServerApi
from platform_cli.workflow.argo_server_call import Server

pytestmark = pytest.mark.timeout(60)
RUN = "/api/v1/workflows/argo/r"
EVENTS = "/api/v1/workflow-events/argo"
LOG = f"{RUN}/log"
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"
EXPIRED = {"code": 16, "message": "token not valid"}


@dataclass(frozen=True)
class Answer:
    """What the server says once.

    Attributes:
        body: bytes as they are, anything else as JSON.
        lines: the results of a stream, in place of a body.
        drops: whether the connection breaks off after the lines, or in the middle of the body.
    """

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    lines: Sequence[Any] | None = None
    drops: bool = False


def page(status: int = 200) -> Answer:
    return Answer(PAGE, status, (("Content-Type", "text/html; charset=utf-8"),))


def refusal(status: int, message: str) -> Answer:
    return Answer({"code": 2, "message": message}, status)


class ArgoServerStandIn:
    """Gives the answers of each `METHOD /path` in order, the last one for ever. Use it in a `with` statement.

    Args:
        certificate: a file with a key and a certificate, for TLS.
    """

    def __init__(self, answers: Mapping[str, Sequence[Answer]], *, certificate: Path | None = None) -> None:
        self._answers = {key: list(given) for key, given in answers.items()}
        self._lock = threading.Lock()
        self.seen: list[tuple[str, dict[str, str]]] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                answer = stand_in.take(self.command, self.path)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                if answer.lines is None:
                    self._send(answer)
                else:
                    send_lines(self, answer.lines or (), drops=answer.drops)

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names are http.server's

            def _send(self, answer: Answer) -> None:
                text = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text[: len(text) // 2] if answer.drops else text)
                self.close_connection = answer.drops

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"

    def take(self, method: str, target: str) -> Answer:
        parts = urlsplit(target)
        with self._lock:
            self.seen.append((f"{method} {parts.path}", dict(parse_qsl(parts.query))))
            left = self._answers.get(f"{method} {parts.path}") or [refusal(404, f"{parts.path} not found")]
            return left.pop(0) if len(left) > 1 else left[0]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As Argo's server makes it when it starts."""
    return write_pem(tmp_path_factory.mktemp("tls") / "argo-server.pem", "argo-server")


def node(phase: str) -> dict[str, Any]:
    return {
        "id": "r-1",
        "name": "r.a",
        "displayName": "a",
        "type": "Pod",
        "templateName": "a",
        "phase": phase,
        "startedAt": "2026-11-21T10:00:00Z",
        "finishedAt": None if phase == "Running" else "2026-11-21T10:00:09Z",
        "hostNodeName": "n",
    }


def run_of(phase: str, version: int = 1) -> dict[str, Any]:
    metadata = {"name": "r", "resourceVersion": str(version), "labels": {}, "annotations": {}}
    step = node("Running" if phase == "Running" else "Succeeded")
    status = {"phase": phase, "startedAt": "2026-11-21T10:00:00Z", "nodes": {"r-1": step}}
    if phase != "Running":
        status["finishedAt"] = "2026-11-21T10:00:09Z"
    return {"metadata": metadata, "spec": {}, "status": status}


def told(run: dict[str, Any]) -> dict[str, Any]:
    return {"result": {"type": "MODIFIED", "object": run}}


def entry(second: int, text: str) -> dict[str, Any]:
    return {"result": {"content": f"2026-11-21T10:00:{second:02}.000000000Z {text}", "podName": "r-a-1"}}


def open_api(server: ArgoServerStandIn) -> ServerApi:
    return ServerApi(server.url, "t", "argo", poll_s=0.02)


# a token that expires


def test_a_token_that_expires_while_a_run_is_watched_ends_the_watch() -> None:
    answers = {
        f"GET {RUN}": [Answer(run_of("Running")), Answer(EXPIRED, 401)],
        f"GET {EVENTS}": [Answer(lines=[told(run_of("Running", 2))])],
    }
    with ArgoServerStandIn(answers) as server:
        watch = open_api(server).watch("r")
        assert [next(watch) is not None, next(watch) is not None] == [True, True]
        with pytest.raises(PreflightError, match="does not accept the token: token not valid") as caught:
            next(watch)
    assert "ARGO_TOKEN" in caught.value.hint


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(Answer(EXPIRED, 401), "does not accept the token", id="401"),
        pytest.param(refusal(403, "no more"), "does not let us: no more", id="403"),
        pytest.param(
            Answer(lines=[{"error": {"grpc_code": 16, "http_code": 401, "message": "token not valid"}}]),
            "does not accept the token",
            id="401 in the stream",
        ),
    ],
)
def test_a_refused_stream_ends_the_watch(answer: Answer, words: str) -> None:
    answers = {f"GET {RUN}": [Answer(run_of("Running"))], f"GET {EVENTS}": [answer]}
    with ArgoServerStandIn(answers) as server, pytest.raises(PreflightError, match=words):
        list(open_api(server).watch("r"))


def test_following_a_run_ends_with_the_token() -> None:
    answers = {
        f"GET {RUN}": [Answer(run_of("Running"))] * 2 + [Answer(EXPIRED, 401)],
        f"GET {EVENTS}": [Answer(lines=[])],
        f"GET {LOG}": [Answer(EXPIRED, 401)],
    }
    events: list[Event] = []
    with ArgoServerStandIn(answers) as server:
        engine = ArgoServerEngine(server.url, "t", "argo")
        with pytest.raises(PreflightError, match="does not accept the token"):
            engine.run("r", events.append)
        with pytest.raises(PreflightError, match="does not accept the token"):
            list(engine.logs("r", follow=True))


@pytest.mark.parametrize(
    "passing",
    [
        pytest.param(Answer(lines=[{"error": {"grpc_code": 8, "http_code": 429, "message": "EOF"}}]), id="watch ended"),
        pytest.param(
            Answer(lines=[{"error": {"http_code": 400, "message": "too old resource version"}}]), id="expired"
        ),
        pytest.param(Answer(lines=[], drops=True), id="cut"),
        pytest.param(page(), id="maintenance page"),
    ],
)
def test_a_watch_goes_on_after_what_passes(passing: Answer) -> None:
    answers = {
        f"GET {RUN}": [Answer(run_of("Running")), Answer(run_of("Succeeded", 7))],
        f"GET {EVENTS}": [passing, Answer(lines=[])],
    }
    with ArgoServerStandIn(answers) as server:
        watch = open_api(server).watch("r")
        phases = [(next(watch) or {})["status"]["phase"] for _ in range(2)]
    assert phases == ["Running", "Succeeded"]


# what answers is not what we hope for


def test_a_certificate_that_nobody_trusts_is_named(certificate: Path) -> None:
    with ArgoServerStandIn({"GET /api/v1/version": [Answer()]}, certificate=certificate) as server:
        with pytest.raises(
            PreflightError, match=r"certificate of Argo's server at .* is not trusted: self.signed"
        ) as caught:
            open_api(server).ping()
        assert "ARGO_INSECURE_SKIP_VERIFY=true" in caught.value.hint
        assert "SSL_CERT_FILE" in caught.value.hint


def test_each_way_that_the_hint_shows_is_one(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ArgoServerStandIn({"GET /api/v1/version": [Answer()]}, certificate=certificate) as server:
        environ = {"ARGO_SERVER": server.url, "ARGO_TOKEN": "t"}
        trusting = open_server_engine({**environ, "ARGO_INSECURE_SKIP_VERIFY": "true"}, namespace="argo")
        assert trusting is not None
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            trusting.api.ping()
        assert told == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        careful = open_server_engine(environ, namespace="argo")
        assert careful is not None
        careful.api.ping()
    assert len(server.seen) == 2


def test_tls_to_a_server_without_it_says_so() -> None:
    with ArgoServerStandIn({}) as server, pytest.raises(PreflightError, match="TLS failed") as caught:
        ServerApi(server.url.replace("http", "https"), "t", "argo").ping()
    assert "ARGO_SECURE=false" in caught.value.hint


def test_no_tls_to_a_server_that_has_it_says_so() -> None:
    """The words are those of Go's own server."""
    answer = Answer(b"Client sent an HTTP request to an HTTPS server.\n", 400, (("Content-Type", "text/plain"),))
    with (
        ArgoServerStandIn({f"GET {RUN}": [answer]}) as server,
        pytest.raises(PreflightError, match="TLS only") as caught,
    ):
        open_api(server).find("r")
    assert "ARGO_SECURE=false" in caught.value.hint


def test_nobody_there_is_told_at_once() -> None:
    with hold_closed_port() as port, pytest.raises(PreflightError, match=rf"1:{port} cannot be reached: .*refused"):
        Server(f"https://127.0.0.1:{port}", "t", verify=True, patience_s=3600).ask("GET", "version")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(page(), id="page"),
        pytest.param(page(404), id="page that says 404"),
        pytest.param(Answer(b"404 page not found\n", 404), id="no such path"),
        pytest.param(Answer(b"", 302, (("Location", "/login"),)), id="login"),
        pytest.param(Answer(["not", "an", "object"]), id="other JSON"),
    ],
)
def test_what_is_not_argo_s_server_is_told(answer: Answer) -> None:
    answers = {f"GET {RUN}": [answer], "GET /login": [page()], "GET /artifacts/argo/r/r-1/data": [page()]}
    with ArgoServerStandIn(answers) as server, pytest.raises(PreflightError, match="is not Argo's server") as caught:
        open_api(server).find("r")
    assert "whole address" in caught.value.hint


def test_a_page_in_place_of_an_artifact_is_no_artifact(tmp_path: Path) -> None:
    place = "/artifacts/argo/r/r-1/report"
    named = ("Content-Disposition", 'filename="report.html"')
    mine = Answer(PAGE, headers=(("Content-Type", "text/html"), named))
    with ArgoServerStandIn({f"GET {place}": [page(), mine]}) as server:
        api, target = open_api(server), tmp_path / "report"
        with pytest.raises(PreflightError, match="is not Argo's server"):
            api.download(run_of("Succeeded"), node("Succeeded"), {"name": "report"}, target)
        assert not target.exists()
        api.download(run_of("Succeeded"), node("Succeeded"), {"name": "report"}, target)
    assert target.read_bytes() == PAGE


@pytest.mark.parametrize("status", [400, 409, 418])
def test_a_refusal_is_in_the_server_s_words(status: int) -> None:
    with ArgoServerStandIn({f"GET {RUN}": [refusal(status, "no such thing as r")]}) as server:
        with pytest.raises(ToolError, match="refused: no such thing as r") as caught:
            open_api(server).find("r")
        assert status_of(caught.value) == status
    with ArgoServerStandIn({}) as server:
        assert open_api(server).find("r") is None


# cuts and restarts


def test_an_answer_that_is_cut_off_is_asked_for_again(tmp_path: Path) -> None:
    place = "/artifacts/argo/r/r-1/data"
    answers = {
        f"GET {RUN}": [Answer(run_of("Running"), drops=True), Answer(run_of("Running"))],
        f"GET {place}": [Answer(b"12345678", drops=True), Answer(b"12345678")],
    }
    with ArgoServerStandIn(answers) as server:
        api = open_api(server)
        assert api.find("r") == run_of("Running")
        api.download(run_of("Running"), node("Succeeded"), {"name": "data"}, tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == b"12345678"


def test_an_answer_that_is_cut_off_for_good_is_told(tmp_path: Path) -> None:
    place = "/artifacts/argo/r/r-1/data"
    answers = {f"GET {RUN}": [Answer(run_of("Running"), drops=True)], f"GET {place}": [Answer(b"12345678", drops=True)]}
    with ArgoServerStandIn(answers) as server:
        impatient = Server(server.url, "t", verify=True, patience_s=0)
        with pytest.raises(PreflightError, match="cannot be reached"):
            impatient.ask("GET", "workflows/argo/r")
        with pytest.raises(PreflightError, match="cannot be reached"):
            impatient.download(place, tmp_path / "data")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_is_busy_is_asked_again(status: int) -> None:
    answers = {f"GET {RUN}": [refusal(status, "busy"), refusal(status, "busy"), Answer(run_of("Running"))]}
    with ArgoServerStandIn(answers) as server:
        assert open_api(server).find("r") == run_of("Running")
    assert len(server.seen) == 3


@pytest.mark.parametrize(("status", "tries"), [(429, 2), (500, 1), (503, 2), (504, 1)])
def test_what_may_have_been_done_is_not_done_twice(status: int, tries: int) -> None:
    answers = {"POST /api/v1/workflows/argo": [refusal(status, "busy"), Answer(run_of("Running"))]}
    with ArgoServerStandIn(answers) as server:
        api = open_api(server)
        if tries == 1:
            with pytest.raises(MlopsError, match="busy"):
                api.create(run_of("Running"))
        else:
            api.create(run_of("Running"))
    assert len(server.seen) == tries


def test_a_stop_and_a_delete_may_be_sent_twice() -> None:
    answers = {
        f"PUT {RUN}/stop": [refusal(500, "the API does not answer"), Answer()],
        f"DELETE {RUN}": [refusal(504, "took too long"), refusal(404, "workflows r not found")],
    }
    with ArgoServerStandIn(answers) as server:
        api = open_api(server)
        api.stop("r")
        api.delete("r")
    assert [place for place, _ in server.seen] == [f"PUT {RUN}/stop"] * 2 + [f"DELETE {RUN}"] * 2


def test_a_server_that_stays_away_is_told_when_patience_ends() -> None:
    with (
        ArgoServerStandIn({f"GET {RUN}": [refusal(503, "starting")]}) as server,
        pytest.raises(PreflightError, match="is not ready: starting") as caught,
    ):
        Server(server.url, "t", verify=True, patience_s=0.1).ask("GET", "workflows/argo/r")
    assert status_of(caught.value) == 503


# logs


class LogServerStandIn(ArgoServerStandIn):
    """Has the log of a step that writes a line each time that the log is asked for, and ends after the last one.

    Args:
        lines: with their times; the first `begun` of them are there already.
        fails: at which requests for the log, counted from 0, the cluster gives the server nothing.
    """

    def __init__(self, lines: Sequence[dict[str, Any]], *, begun: int = 0, fails: Sequence[int] = ()) -> None:
        super().__init__({})
        self._lines, self._written, self._fails = lines, begun, fails
        self.sent = 0

    def take(self, method: str, target: str) -> Answer:
        super().take(method, target)
        if not target.startswith(LOG):
            return Answer(run_of("Succeeded" if self._written >= len(self._lines) else "Running"))
        request = sum(place == f"GET {LOG}" for place, _ in self.seen) - 1
        self._written = min(self._written + 1, len(self._lines))
        if request in self._fails:
            return Answer(lines=[])
        seconds = self.seen[-1][1].get("logOptions.sinceSeconds")
        since = datetime.now(UTC) - timedelta(seconds=int(seconds)) if seconds else datetime.min.replace(tzinfo=UTC)
        told = [line for line in self._lines[: self._written] if time_of(line) >= since]
        self.sent += len(told)
        return Answer(lines=told)


def time_of(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["result"]["content"].partition(" ")[0])


def line_at(moment: datetime, text: str) -> dict[str, Any]:
    return {"result": {"content": f"{moment.strftime('%Y-%m-%dT%H:%M:%S.%f')}000Z {text}", "podName": "r-a-1"}}


@pytest.mark.parametrize("fails", [[], [1], [2, 3], [1, 2, 3, 4, 5]], ids=["never", "once", "twice", "often"])
@pytest.mark.parametrize("ahead_s", [0, 600], ids=["same clock", "clock ahead"])
def test_a_followed_log_is_told_once_and_whole(fails: list[int], ahead_s: int) -> None:
    past, now = datetime(2026, 11, 21, tzinfo=UTC), datetime.now(UTC) + timedelta(seconds=ahead_s)
    old = [line_at(past, f"old {number}") for number in range(500)]
    new = [line_at(now + timedelta(milliseconds=number // 2), f"new {number}") for number in range(8)]
    with LogServerStandIn([*old, *new], begun=500, fails=fails) as server:
        told = list(open_api(server).read_log(run_of("Running"), node("Running"), follow=True))
    assert told == [f"old {number}" for number in range(500)] + [f"new {number}" for number in range(8)]
    if not fails and not ahead_s:
        assert server.sent < 2 * len(told), "the whole log was sent again"


def test_a_log_that_is_not_followed_is_read_once() -> None:
    lines = [line_at(datetime.now(UTC), f"line {number}") for number in range(3)]
    with LogServerStandIn(lines, begun=1) as server:
        assert list(open_api(server).read_log(run_of("Running"), node("Running"), follow=False)) == ["line 0", "line 1"]
    assert [place for place, _ in server.seen] == [f"GET {LOG}"]
