"""Ports of pods on this machine: which pod, over what breaks, and what people are told."""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest
from kubernetes_stand_in import Channel, KubernetesStandIn, Reply, make_access, refusal
from rich.console import Console

from platform_cli.cluster.access import Access
from platform_cli.cluster.forward import Forward, listen, open_api, open_forward
from platform_cli.cluster.forward_connection import _wake
from platform_cli.cluster.forward_dashboard import describe_login, describe_token, find_scheme, forward_services
from platform_cli.cluster.forward_service import DASHBOARDS, Login, find_services
from platform_cli.cluster.forward_target import find_endpoint
from platform_cli.errors import MlopsError, NotFoundError, NotReadyError, PreflightError, UsageError
from platform_cli.events import Forwarded
from platform_cli.render.live import LiveScreen
from platform_cli.render.screen import TextScreen
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_kind import DEPLOYMENT, POD

PATIENCE_S = 120
PODS = "/api/v1/namespaces/ns/pods"
SERVICE = "/api/v1/namespaces/ns/services/web"


def pod(
    name: str = "web-1", *, ready: bool = True, created: str = "2026-11-21T14:00:00Z", **more: Any
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "ns", "creationTimestamp": created, **more},
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8000}]}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def service(**spec: Any) -> Reply:
    wanted = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}], **spec}
    return Reply({"metadata": {"name": "web"}, "spec": wanted})


def pods(*items: dict[str, Any]) -> Reply:
    return Reply({"items": list(items), "metadata": {}})


# --- which pod ---


def test_a_services_newest_ready_pod_is_taken_with_its_own_port() -> None:
    older, newer = pod(), pod("web-2", created="2026-11-21T15:00:00Z")
    unready, ending = pod("web-3", ready=False), pod("web-4", deletionTimestamp="now")
    with KubernetesStandIn(
        {f"GET {SERVICE}": [service()], f"GET {PODS}": [pods(older, newer, unready, ending)]}
    ) as api:
        assert find_endpoint(Kubernetes(api.access()), "ns", "service/web", 80) == ("ns", "web-2", 8000)
        assert find_endpoint(Kubernetes(api.access()), "ns", "app=web", 9000) == ("ns", "web-2", 9000)
    assert api.seen[1].query["labelSelector"] == "app=web"


@pytest.mark.parametrize(
    ("spec", "port"),
    [({"ports": [{"port": 443, "targetPort": 8443}]}, 8443), ({"ports": [{"port": 80}]}, 80)],
)
def test_a_service_with_one_port_needs_no_right_number(spec: dict[str, Any], port: int) -> None:
    with KubernetesStandIn({f"GET {SERVICE}": [service(**spec)], f"GET {PODS}": [pods(pod())]}) as api:
        assert find_endpoint(Kubernetes(api.access()), "ns", "service/web", 80).port == port


PULL = {"containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff"}}}], "phase": "Pending"}


@pytest.mark.parametrize(
    ("replies", "error", "words"),
    [
        ({}, NotFoundError, "ns/service/web is not there"),
        ({f"GET {SERVICE}": [service()]}, NotReadyError, "there is none"),
        (
            {f"GET {SERVICE}": [service()], f"GET {PODS}": [pods({**pod(), "status": PULL})]},
            NotReadyError,
            r"web-1 is Pending \(ImagePullBackOff\)",
        ),
        ({f"GET {SERVICE}": [service(ports=[{"port": 1}, {"port": 2}])]}, NotFoundError, "service web has no port 80"),
        (
            {
                f"GET {SERVICE}": [service(ports=[{"port": 80, "targetPort": "grpc"}])],
                f"GET {PODS}": [pods(pod())],
            },
            NotFoundError,
            "no port named grpc",
        ),
    ],
)
def test_why_nothing_answers_is_told(replies: dict[str, list[Reply]], error: type[MlopsError], words: str) -> None:
    with KubernetesStandIn(replies) as api, pytest.raises(error, match=words):
        find_endpoint(Kubernetes(api.access()), "ns", "service/web", 80)


# --- over what breaks, with an API that breaks when it is told to ---


def echo(channel: Channel, *, prefix: bytes = b"") -> None:
    """A pod that sends back what it gets."""
    channel.send(0, b"\x40\x1f")
    channel.send(1, b"\x40\x1f")
    for message in channel.receive():
        channel.send(0, prefix + message[1:])


def refuse(channel: Channel) -> None:
    """A pod whose container does not listen yet."""
    channel.send(0, b"\x40\x1f")
    channel.send(1, b"\x40\x1f")
    channel.send(1, b"connection refused")


def swallow(channel: Channel) -> None:
    """A pod that is killed after it has read something and before it has answered."""
    channel.send(0, b"\x40\x1f")
    channel.send(1, b"\x40\x1f")
    next(channel.receive())


def forwards(*channels: Reply) -> dict[str, list[Reply]]:
    """A ready pod that is reached at first, as is tried before a port is served; then it does this."""
    return {f"GET {PODS}": [pods(pod())], f"GET {PODS}/web-1/portforward": [Reply(channel=echo), *channels]}


def ask(port: int, question: bytes = b"hello") -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client:
        client.sendall(question)
        return client.recv(1024)


@pytest.mark.parametrize("trouble", [Reply(channel=refuse), Reply(channel=swallow), Reply(drops=True), Reply({}, 503)])
def test_what_was_sent_reaches_the_pod_that_answers(trouble: Reply) -> None:
    replies = forwards(trouble, refusal(404, "NotFound", "pod not found"), Reply(channel=echo))
    with KubernetesStandIn(replies) as api, open_forward(api.access(), "ns", "app=web", 8000) as port:
        assert ask(port) == b"hello"
    assert [seen.query for seen in api.seen if seen.path.endswith("/portforward")] == [{"ports": "8000"}] * 4


def test_a_pod_that_ends_after_it_answered_ends_the_connection() -> None:
    def once(channel: Channel) -> None:
        echo_one = functools.partial(next, channel.receive())
        channel.send(0, b"\x40\x1f")
        channel.send(1, b"\x40\x1f")
        channel.send(0, echo_one()[1:])

    with (
        KubernetesStandIn(forwards(Reply(channel=once))) as api,
        open_forward(api.access(), "ns", "app=web", 8000) as port,
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as client,
    ):
        client.sendall(b"hello")
        assert client.recv(1024) == b"hello"
        assert client.recv(1024) == b""
    assert len([seen for seen in api.seen if seen.path.endswith("/portforward")]) == 2


def test_connections_stay_apart_and_end_with_the_forward() -> None:
    with KubernetesStandIn(forwards(Reply(channel=echo))) as api:
        with open_forward(api.access(), "ns", "app=web", 8000) as port:
            clients = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) for _ in range(5)]
            for number, client in enumerate(clients):
                client.sendall(f"client {number}".encode())
            assert [client.recv(1024) for client in clients] == [f"client {number}".encode() for number in range(5)]
        assert [client.recv(1024) for client in clients] == [b""] * 5
        for client in clients:
            client.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


class Ending:
    """A websocket that its other thread puts away once it was looked at."""

    def __init__(self, connection: socket.socket) -> None:
        self._looks: list[socket.socket | None] = [connection, None]

    @property
    def sock(self) -> socket.socket | None:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]


def test_a_connection_that_ends_by_itself_may_be_closed_meanwhile() -> None:
    near, far = socket.socketpair()
    with near, far:
        _wake(Ending(near))
        assert far.recv(1) == b""


def test_a_target_that_never_gets_ready_is_told() -> None:
    with (
        KubernetesStandIn({f"GET {PODS}": [pods(pod(ready=False))]}) as api,
        pytest.raises(NotReadyError, match="has no pod that is ready"),
        open_forward(api.access(), "ns", "app=web", 8000, wait_s=0.1),
    ):
        pass


def test_the_next_free_port_is_taken_on_this_machine_alone() -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
        with listen(port) as other:
            assert other.getsockname()[0] == "127.0.0.1"
            assert port < other.getsockname()[1] < port + 100


def states(changes: queue.Queue[tuple[str, str]], *wanted: str) -> list[str]:
    """The details of these states, in which order they come."""
    details = []
    for state in wanted:
        told = changes.get(timeout=PATIENCE_S)
        assert told[0] == state
        details.append(told[1])
    return details


def test_every_change_is_told_once() -> None:
    seen = [pods(pod()), pods(pod()), pods(), Reply({}, 503), pods(pod())]
    with KubernetesStandIn({**forwards(), f"GET {PODS}": seen}) as api, watched(api) as (_, changes):
        details = states(changes, "open", "waiting", "lost", "open")
    assert "there is none" in details[1]


@contextlib.contextmanager
def watched(api: KubernetesStandIn) -> Iterator[tuple[Forward, queue.Queue[tuple[str, str]]]]:
    changes: queue.Queue[tuple[str, str]] = queue.Queue()
    kubernetes = open_api(api.access())
    with Forward(kubernetes, "ns", "app=web", 80, tell=lambda *told: changes.put(told), look_s=0.1) as forward:
        yield forward, changes


FORBIDDEN = refusal(403, "Forbidden", 'pods "web-1" is forbidden: User "ann" cannot create resource "pods/portforward"')


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(FORBIDDEN, 'User "ann" cannot create'), (refusal(500, "", "error dialing backend: dial tcp"), "dialing backend")],
    ids=["forbidden", "node-away"],
)
def test_a_ready_pod_that_the_api_does_not_bring_us_to_is_lost(answer: Reply, reason: str) -> None:
    replies = {**forwards(), f"GET {PODS}/web-1/portforward": [answer, answer, Reply(channel=echo)]}
    with KubernetesStandIn(replies) as api, watched(api) as (forward, changes):
        assert reason in states(changes, "lost", "open")[0]
        assert ask(forward.local_port) == b"hello"


def test_leave_that_is_taken_away_is_told_when_somebody_connects() -> None:
    replies = forwards(Reply(channel=echo), *[FORBIDDEN] * 12, Reply(channel=echo))
    with KubernetesStandIn(replies) as api, watched(api) as (forward, changes):
        states(changes, "open")
        assert ask(forward.local_port) == b"hello"
        with socket.create_connection(("127.0.0.1", forward.local_port), timeout=PATIENCE_S):
            assert "not allowed to create pods/portforward web-1 in ns" in states(changes, "lost", "open")[0]


def test_a_port_that_no_container_listens_on_is_lost_until_one_does() -> None:
    listens = threading.Event()

    def late(channel: Channel) -> None:
        (echo if listens.is_set() else refuse)(channel)

    with KubernetesStandIn(forwards(Reply(channel=late))) as api, watched(api) as (forward, changes):
        states(changes, "open")
        with socket.create_connection(("127.0.0.1", forward.local_port), timeout=PATIENCE_S) as client:
            client.sendall(b"hello")
            assert states(changes, "lost") == ["connection refused"]
            listens.set()
            assert client.recv(1024) == b"hello"
            states(changes, "open")


def test_a_client_that_hangs_up_loses_nothing() -> None:
    with KubernetesStandIn(forwards(Reply(channel=echo))) as api:
        with watched(api) as (forward, changes):
            states(changes, "open")
            for _ in range(5):
                socket.create_connection(("127.0.0.1", forward.local_port), timeout=PATIENCE_S).close()
            assert ask(forward.local_port) == b"hello"
        assert changes.empty()


CROWDED = """
import os, resource, socket, sys
sys.path.insert(0, sys.argv[1])
from test_forward import *
client, limits = socket.socket(), resource.getrlimit(resource.RLIMIT_NOFILE)
with KubernetesStandIn(forwards(Reply(channel=echo))) as api, open_forward(api.access(), "ns", "app=web", 8000) as port:
    with socket.socket() as highest:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest.fileno(), limits[1]))
    client.settimeout(2)
    client.connect(("127.0.0.1", port))
    with contextlib.suppress(TimeoutError):
        client.recv(1)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    client.settimeout(PATIENCE_S)
    client.sendall(b"hello")
    print(client.recv(1024).decode())
"""


def test_a_forward_outlives_a_moment_without_descriptors() -> None:
    argv = [sys.executable, "-c", CROWDED, str(Path(__file__).parent)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=2 * PATIENCE_S)
    assert (done.stdout, done.returncode) == ("hello\n", 0), done.stderr


def test_a_forward_that_nobody_is_let_through_is_refused_at_once() -> None:
    with (
        KubernetesStandIn({**forwards(), f"GET {PODS}/web-1/portforward": [FORBIDDEN]}) as api,
        pytest.raises(PreflightError, match=r'not allowed to create pods/portforward web-1 in ns: .*User "ann"'),
        open_forward(api.access(), "ns", "app=web", 8000),
    ):
        pass


# --- names, addresses and passwords ---


def test_services_are_found_by_name() -> None:
    assert [each.name for each in find_services(["all"])] == list(DASHBOARDS)
    model = find_services(["mlflow", "model/iris", "mlflow"])[1]
    assert (model.candidates[0], model.namespace, model.path) == ("iris-predictor", "mlops", "/v2/models/iris")
    with pytest.raises(UsageError, match="there is no dashboard grafan") as caught:
        find_services(["grafan"])
    assert caught.value.hint == "did you mean grafana?"
    with pytest.raises(UsageError):
        find_services(["model/"])


@pytest.mark.parametrize("model", ["iris", "churn_model", "My model", "Größe/2", "x" * 80, "1st"])
def test_a_model_is_found_where_deploying_it_puts_it(model: str) -> None:
    from platform_cli.serving.kserve_manifest import Sizing, Wish, build_service, model_path

    wish = Wish(
        model=model, version="1", namespace="mlops", runtime="r", service_account="a", sizing=Sizing(autoscaler="none")
    )
    (found,) = find_services([f"model/{model}"])
    assert found.candidates[0] == f"{build_service(wish)['metadata']['name']}-predictor"
    assert found.path == model_path(model)
    assert re.fullmatch(r"/v2/models/[A-Za-z0-9_%.-]+", found.path)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in found.candidates)


SECRET = "/api/v1/namespaces/ns/secrets/grafana-admin"
LOGINS = (Login("gone", "password", user="admin"), Login("grafana-admin", "admin-password", user_key="admin-user"))


def test_a_password_is_told_only_when_that_is_asked_for() -> None:
    data = {"admin-user": base64.b64encode(b"root").decode(), "admin-password": base64.b64encode(b"s3cr3t!").decode()}
    with KubernetesStandIn({f"GET {SECRET}": [Reply({"data": data})]}) as api:
        kubernetes = Kubernetes(api.access())
        assert describe_login(kubernetes, LOGINS, "ns", shows=False) == (
            "user root, password: Secret ns/grafana-admin, key admin-password"
        )
        assert describe_login(kubernetes, LOGINS, "ns", shows=True) == "user root, password s3cr3t!"
        assert describe_login(kubernetes, LOGINS[:1], "ns", shows=True) == ""


def test_a_secret_that_may_not_be_read_is_named_all_the_same() -> None:
    with KubernetesStandIn({f"GET {SECRET}": [refusal(403, "Forbidden", "x cannot get y")]}) as api:
        told = describe_login(Kubernetes(api.access()), LOGINS, "ns", shows=True)
    assert told == "password: Secret ns/grafana-admin, which you may not read"


def test_plain_http_is_known_by_its_answer() -> None:
    with KubernetesStandIn({}) as api:
        assert find_scheme(int(api.url.rpartition(":")[2])) == "http"


def test_what_is_not_on_the_cluster_is_told() -> None:
    with KubernetesStandIn({}) as api, pytest.raises(NotReadyError, match="not on this cluster: grafana"):
        forward_services(api.access(), ["grafana"], emit=lambda _: None)


def test_a_page_that_asks_for_a_token_says_where_one_is() -> None:
    server = DASHBOARDS["argo-wf"]
    with KubernetesStandIn({}) as api:
        known = Kubernetes(api.access({"token": "s3cr3t"}))
        assert describe_token(known, server, shows=True) == "token Bearer s3cr3t"
        hidden = describe_token(known, server, shows=False)
        assert "--show-credentials" in hidden
        assert "s3cr3t" not in hidden
        by_certificate = describe_token(Kubernetes(api.access({})), server, shows=True)
    assert by_certificate.endswith("kubectl -n argo create token argo-workflows-server")


# --- the command ---

MLFLOW, ARGOCD = "/api/v1/namespaces/mlflow", "/api/v1/namespaces/argocd"
NOT_YOURS = refusal(
    403, "Forbidden", 'services "argocd-server" is forbidden: User "ann" cannot get resource "services"'
)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `mlops port-forward` for the cluster of a stand-in, in a folder of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(api: KubernetesStandIn, *words: str, **environ: str) -> subprocess.Popen[str]:
        config = api.access().write(tmp_path / "kubeconfig")
        argv = [sys.executable, "-m", "platform_cli", "port-forward", *words, "--cloud", "existing", "--output", "json"]
        env = {**os.environ, "KUBECONFIG": str(config), **environ}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(argv, cwd=tmp_path, env=env, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def browser(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A browser that writes down what it is to show: that file, and the variables that lead to it."""
    shown, folder = tmp_path / "shown", tmp_path / "bin"
    folder.mkdir()
    # What each system starts: Linux with a desktop, macOS, and Python by itself.
    for name in ("xdg-open", "open", "browser"):
        (folder / name).write_text(f'#!/bin/sh\necho "$1" > {shown}.new && mv {shown}.new {shown}\n')
        (folder / name).chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return shown, {"PATH": path, "BROWSER": f"{folder}/browser", "DISPLAY": ":0"}


def test_what_may_not_be_seen_is_left_out_and_the_rest_opens_in_the_browser(
    command: Callable[..., subprocess.Popen[str]], browser: tuple[Path, dict[str, str]]
) -> None:
    shown, environ = browser
    replies = {
        f"GET {MLFLOW}/services/mlflow": [service()],
        f"GET {MLFLOW}/pods": [pods(pod())],
        f"GET {MLFLOW}/pods/web-1/portforward": [Reply(channel=echo)],
        f"GET {ARGOCD}/services/argocd-server": [NOT_YOURS],
        "GET /api/v1/services": [pods()],
    }
    with KubernetesStandIn(replies) as api:
        process = command(api, "--open", **environ)
        assert process.stdout is not None
        # Somebody else may have MLflow's port, which is a word more.
        told = []
        while not any("service" in event for event in told):
            told.append(json.loads(process.stdout.readline()))
        while not shown.exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, out + errors
    assert told[0]["text"].startswith("argocd is left out: not allowed to get services argocd-server in argocd")
    assert told[1]["text"] == "not on this cluster: grafana, argo-wf, prometheus"
    assert (told[-1]["service"], told[-1]["state"]) == ("mlflow", "open")
    assert shown.read_text().strip() == told[-1]["url"]


def test_when_nothing_may_be_seen_nothing_is_served(command: Callable[..., subprocess.Popen[str]]) -> None:
    forbidden = {
        f"GET /api/v1/namespaces/{each.namespace}/services/{name}": [NOT_YOURS]
        for each in DASHBOARDS.values()
        for name in each.candidates
    }
    with KubernetesStandIn(forbidden) as api:
        process = command(api)
        out, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == PreflightError.exit_code
    assert json.loads(errors)["message"].startswith("not allowed to get services mlflow in mlflow")
    assert out.count("is left out") == len(DASHBOARDS)


@pytest.mark.parametrize("words", [(), ("all",), ("mlflow", "grafana")], ids=["none", "all", "two"])
def test_a_port_is_for_one_service(command: Callable[..., subprocess.Popen[str]], words: tuple[str, ...]) -> None:
    with KubernetesStandIn({}) as api:
        process = command(api, *words, "--port", "9000")
        out, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == UsageError.exit_code
    assert "--port is for one service" in out + errors


def forwarded(state: str, detail: str = "", credentials: str = "") -> Forwarded:
    url = "http://127.0.0.1:3000"
    return Forwarded(service="grafana", state=state, url=url, detail=detail, credentials=credentials)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (forwarded("open"), "grafana: http://127.0.0.1:3000"),
        (forwarded("open", credentials="user x"), "grafana: http://127.0.0.1:3000 (user x)"),
        (forwarded("waiting", "no pod", "user x"), "grafana: http://127.0.0.1:3000 (waiting: no pod)"),
    ],
)
def test_each_change_is_a_line_in_a_pipe(event: Forwarded, line: str) -> None:
    stream = io.StringIO()
    TextScreen(stream, verbose=False).emit(event)
    assert stream.getvalue() == f"{line}\n"


def test_a_terminal_has_one_table_that_tells_the_present() -> None:
    stream = io.StringIO()
    screen = LiveScreen(stream, verbose=False)
    screen.emit(forwarded("lost", "the API is away"))
    screen.emit(forwarded("open", credentials="user x"))
    console = Console(file=(shown := io.StringIO()), width=120)
    console.print(screen)
    screen.close()
    assert "the API is away" not in shown.getvalue()
    assert shown.getvalue().count("grafana") == 1
    assert all(word in shown.getvalue() for word in ("open", "http://127.0.0.1:3000", "user x", "Ctrl-C ends it"))


# --- on a real cluster ---

SERVER = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        size = self.path.rpartition("/")[2]
        self.reply(b"x" * int(size) if size.isdigit() else os.environ["HOSTNAME"].encode())

    def do_POST(self):
        left = total = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        self.reply(str(total).encode())

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


class Cutter:
    """A way to the API that can be cut: what goes over it breaks off, and nobody gets through until it is mended."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._open: set[socket.socket] = set()
        self._whole = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def cut(self) -> None:
        self._whole = False
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._whole = True

    def __enter__(self) -> Self:
        self._listener.settimeout(0.2)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                client, _ = self._listener.accept()
                if not self._whole:
                    client.close()
                    continue
                upstream = socket.create_connection(self._upstream)
                self._open |= {client, upstream}
                for pair in ((client, upstream), (upstream, client)):
                    threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            source.settimeout(None)
            while data := source.recv(65_536):
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def web(kubernetes: Kubernetes, make_namespace: Callable[..., str], image: str) -> str:
    """A namespace with a Deployment and a Service, both `web`, that answer with the pod's name."""
    namespace = make_namespace("access")
    container = {
        "name": "web",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", SERVER],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 1},
    }
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    meta = {"name": "web", "namespace": namespace}
    kubernetes.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec})
    ports = {"selector": labels, "ports": [{"port": 80, "targetPort": "http"}]}
    kubernetes.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": ports})
    return namespace


def get(port: int, path: str = "/") -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
        content: bytes = answer.read()
    return content


@pytest.mark.cluster
def test_a_service_answers_here_over_deleted_pods(access: Access, kubernetes: Kubernetes, web: str) -> None:
    with open_forward(access, web, "service/web", 80, wait_s=PATIENCE_S) as port:
        first = get(port).decode()
        assert first.startswith("web-")
        assert len(get(port, "/20000000")) == 20_000_000
        upload = urllib.request.Request(f"http://127.0.0.1:{port}/", data=b"y" * 5_000_000)
        assert urllib.request.urlopen(upload, timeout=PATIENCE_S).read() == b"5000000"
        assert kubernetes.delete(POD, first, web, grace_s=0)
        second = get(port).decode()
        assert second != first
        assert second.startswith("web-")


@pytest.mark.cluster
def test_a_service_answers_here_over_a_cut_api(access: Access, web: str) -> None:
    api_host, api_port = urlsplit(access.server).hostname, urlsplit(access.server).port or 443
    with Cutter(str(api_host), api_port) as cutter:
        cluster = {**access.cluster, "server": f"https://127.0.0.1:{cutter.port}", "tls-server-name": api_host}
        detour = Access({**access.kubeconfig, "clusters": [{"name": "c", "cluster": cluster}]}, access.context)
        changes: queue.Queue[tuple[str, str]] = queue.Queue()
        with open_forward(access, web, "service/web", 80, wait_s=PATIENCE_S):
            pass
        api = open_api(detour)
        with Forward(api, web, "service/web", 80, tell=lambda *told: changes.put(told)) as forward:
            states(changes, "open")
            before = get(forward.local_port)
            held = socket.create_connection(("127.0.0.1", forward.local_port), timeout=PATIENCE_S)
            held.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answered = b""
            while not answered.endswith(before):
                answered += held.recv(1024)
            cutter.cut()
            assert held.recv(1024) == b""
            assert "cannot be reached" in states(changes, "lost")[0]
            answers: queue.Queue[bytes] = queue.Queue()
            threading.Thread(target=lambda: answers.put(get(forward.local_port)), daemon=True).start()
            cutter.mend()
            assert answers.get(timeout=PATIENCE_S) == before
            states(changes, "open")
            held.close()


@pytest.mark.cluster
def test_a_service_that_is_scaled_to_nothing_waits(access: Access, kubernetes: Kubernetes, web: str) -> None:
    changes: queue.Queue[tuple[str, str]] = queue.Queue()
    with Forward(open_api(access), web, "service/web", 80, tell=lambda *told: changes.put(told)) as forward:
        while changes.get(timeout=PATIENCE_S)[0] != "open":
            pass
        kubernetes.patch(DEPLOYMENT, "web", web, {"spec": {"replicas": 0}})
        while changes.get(timeout=PATIENCE_S)[0] != "waiting":
            pass
        kubernetes.patch(DEPLOYMENT, "web", web, {"spec": {"replicas": 1}})
        while changes.get(timeout=PATIENCE_S)[0] != "open":
            pass
        assert get(forward.local_port).startswith(b"web-")


FORWARDING = """
import dataclasses, json, os, sys
from platform_cli.cluster.access import read_access
from platform_cli.cluster.forward_dashboard import forward_services
from platform_cli.cluster.forward_service import Service
web = Service(name="web", namespace=sys.argv[1], candidates=("web",), port=80, local_port=int(sys.argv[2]))
def emit(event):
    print(json.dumps({"type": type(event).__name__, **dataclasses.asdict(event)}), flush=True)
forward_services(read_access(None, None, os.environ), ["all"], emit=emit, known={"web": web})
"""


@pytest.fixture
def forwarding(cluster: str, access: Access, web: str) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """A program that forwards `web`, whose wanted port is taken by the socket."""
    with open_forward(access, web, "service/web", 80, wait_s=PATIENCE_S):
        pass
    with listen(0) as taken:
        argv = [sys.executable, "-c", FORWARDING, web, str(taken.getsockname()[1])]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            yield program, taken
            program.kill()


@pytest.mark.cluster
def test_ctrl_c_ends_forwards_well(forwarding: tuple[subprocess.Popen[str], socket.socket]) -> None:
    program, taken = forwarding
    assert program.stdout is not None
    told = [json.loads(program.stdout.readline()) for _ in range(2)]
    by_type = {each["type"]: each for each in told}
    port = int(by_type["Forwarded"]["url"].rpartition(":")[2])
    assert by_type["Forwarded"]["state"] == "open"
    assert f"port {taken.getsockname()[1]} is taken, using {port}" in by_type["Notice"]["text"]
    assert get(port).startswith(b"web-")
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=PATIENCE_S)
    assert (program.returncode, errors) == (0, "")
    with pytest.raises(urllib.error.URLError):
        get(port)


@pytest.mark.cluster
def test_the_wrong_certificate_authority_is_told(access: Access, tmp_path: Any) -> None:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "somebody else")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    authority = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    pem = authority.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    foreign = make_access(access.server, **{"certificate-authority-data": base64.b64encode(pem).decode()})
    with pytest.raises(PreflightError, match="its certificate is not the one expected"):
        Kubernetes(foreign).version()
