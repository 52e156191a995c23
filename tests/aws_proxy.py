"""A loopback proxy before the stand-in for AWS that can fail, hold or count calls: what a cloud does on a bad day.

A call is known by service and action: `sqs:CreateQueue`, and for S3 by method and path: `s3:PUT /bucket/key`.
"""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SERVICE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/(?P<service>[^/]+)/aws4_request")
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Fault:
    """What happens to calls whose name the pattern finds: `times` of them (None: all) are refused, or held.

    A held call waits, before the stand-in hears of it, until `release` is set; `reached` tells that it waits. One that
    is `lost` is then never delivered: who sent it was killed before it left the machine.
    """

    pattern: str
    status: int = 0
    code: str = ""
    times: int | None = None
    holds: bool = False
    lost: bool = False
    seen: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)

    def catches(self, call: str) -> bool:
        if not re.search(self.pattern, call) or (self.times is not None and self.seen >= self.times):
            return False
        self.seen += 1
        return True

    def wait(self) -> None:
        self.reached.set()
        self.release.wait()


class Proxy:
    """Serves on a free port; `calls` are the names of all calls that came, in order."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target).netloc
        self.calls: list[str] = []
        self.faults: list[Fault] = []
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def add(self, fault: Fault) -> Fault:
        self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """No more faults; what is held goes on."""
        for fault in self.faults:
            fault.release.set()
        self.faults.clear()

    def catch(self, call: str) -> Fault | None:
        with self.lock:
            self.calls.append(call)
            return next((fault for fault in self.faults if fault.catches(call)), None)

    def _handler(self) -> Callable[..., BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature is http.server's
                """Quiet."""

            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fault = proxy.catch(name_of(self, body))
                if fault and fault.holds:
                    fault.wait()
                if fault and fault.lost:
                    self.close_connection = True
                elif fault and fault.status:
                    self.answer(fault.status, [("Content-Type", "text/xml")], refusal(fault, self.headers))
                else:
                    self.answer(*forward(proxy.target, self, body))

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = serve  # noqa: N815 - as http.server calls them

            def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
                with suppress(ConnectionError):
                    send(self, status, headers, body)

        return Handler


def send(request: BaseHTTPRequestHandler, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    request.send_response(status)
    for name, value in headers:
        request.send_header(name, value)
    is_head = request.command == "HEAD"
    if not (is_head and any(name.lower() == "content-length" for name, _ in headers)):
        request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if not is_head:
        request.wfile.write(body)


def name_of(request: BaseHTTPRequestHandler, body: bytes) -> str:
    scope = SERVICE.search(request.headers.get("Authorization", ""))
    service = scope["service"] if scope else ""
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    action = target or parse_qs(body.decode("latin-1")).get("Action", [""])[0]
    return f"{service}:{action or f'{request.command} {request.path}'}"


def refusal(fault: Fault, headers: object) -> bytes:
    """An error in the form of the protocol that the client speaks."""
    if "X-Amz-Target" in headers:  # type: ignore[operator]
        return f'{{"__type":"{fault.code}","message":"the proxy says no"}}'.encode()
    return (
        f"<ErrorResponse><Error><Code>{fault.code}</Code><Message>the proxy says no</Message></Error></ErrorResponse>"
    ).encode()


def forward(target: str, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection(target, timeout=60)
    try:
        connection.request(request.command, request.path, body, dict(request.headers))
        found = connection.getresponse()
        kept = HOP - {"content-length"} if request.command == "HEAD" else HOP
        headers = [(name, value) for name, value in found.getheaders() if name.lower() not in kept]
        return found.status, headers, found.read()
    finally:
        connection.close()


@contextmanager
def serving(target: str) -> Iterator[Proxy]:
    proxy = Proxy(target)
    thread = threading.Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.heal()
        proxy.server.shutdown()
        thread.join()
        proxy.server.server_close()
