"""A small HTTP server that answers as a Kubernetes API would in moments that a real one cannot be brought into."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from http_chunks import send_lines
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage

from platform_cli.cluster.access import Access


class Channel:
    """The API's end of a port forward: messages with a channel's number in front."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._protocol = Connection(ConnectionType.SERVER)

    def send(self, channel: int, content: bytes) -> None:
        self._socket.sendall(self._protocol.send(BytesMessage(bytes([channel]) + content)))

    def receive(self) -> Iterator[bytes]:
        """What the client sends, piece by piece, until it is gone."""
        while data := self._read():
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                if isinstance(event, BytesMessage):
                    yield bytes(event.data)

    def _read(self) -> bytes:
        try:
            return self._socket.recv(65_536)
        except OSError:
            return b""


@dataclass
class Reply:
    """One answer.

    Attributes:
        body: a JSON document, or for `stream` the lines to send one by one.
        drops: whether the connection breaks off: before anything is sent, or for a stream after its lines.
        channel: carries on with the connection as a websocket: told the socket, ends it by returning.
    """

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    stream: bool = False
    drops: bool = False
    channel: Callable[[Channel], None] | None = None


@dataclass(frozen=True)
class Seen:
    """A request that came in."""

    method: str
    path: str
    query: dict[str, str]
    authorization: str
    content_type: str
    body: Any


def refusal(status: int, reason: str, message: str, **more: Any) -> Reply:
    """A Status object, as the API refuses with one."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message}
    return Reply({**body, "code": status, **more}, status)


class KubernetesStandIn:
    """Gives the replies of each `METHOD /path` in order, the last one for ever. Use it in a `with` statement."""

    def __init__(self, replies: dict[str, Sequence[Reply]]) -> None:
        self._replies = {key: list(given) for key, given in replies.items()}
        self._lock = threading.Lock()
        self.seen: list[Seen] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                reply = stand_in.take(
                    Seen(
                        self.command,
                        parts.path,
                        dict(parse_qsl(parts.query)),
                        self.headers.get("Authorization", ""),
                        self.headers.get("Content-Type", ""),
                        json.loads(body) if body else None,
                    )
                )
                if reply.channel is not None:
                    self._upgrade(reply.channel)
                elif reply.stream:
                    self._stream(reply)
                else:
                    self._send(reply)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names are http.server's

            def _upgrade(self, carry: Callable[[Channel], None]) -> None:
                key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
                self.send_response(101)
                self.send_header("Upgrade", "websocket")
                self.send_header("Connection", "Upgrade")
                self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
                self.send_header("Sec-WebSocket-Protocol", self.headers["Sec-WebSocket-Protocol"])
                self.end_headers()
                self.close_connection = True
                carry(Channel(self.connection))

            def _send(self, reply: Reply) -> None:
                if reply.drops:
                    self.close_connection = True
                    return
                text = json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def _stream(self, reply: Reply) -> None:
                self.send_response(200)
                send_lines(self, reply.body, drops=reply.drops)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def take(self, seen: Seen) -> Reply:
        with self._lock:
            self.seen.append(seen)
            left = self._replies.get(f"{seen.method} {seen.path}", [])
            if not left:
                return refusal(404, "NotFound", f"{seen.path} not found")
            return left.pop(0) if len(left) > 1 else left[0]

    def access(self, user: dict[str, Any] | None = None) -> Access:
        """The way here."""
        return make_access(self.url, user)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def make_access(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> Access:
    """An access to a server by its URL."""
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "test",
    }
    return Access(kubeconfig, "test")
