"""An image registry on this machine: as much of the distribution API as answers which content a tag stands for."""

from __future__ import annotations

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
TOKEN = "given-to-anybody"


class RegistryStandIn:
    """Use it in a `with` statement; `address` is its host and port.

    Attributes:
        images: manifests by `repository:tag`.
        asked: method, path and Accept of every request, in order.
        login: what it wants of who asks: nothing, a token that anybody gets, or a password.
    """

    def __init__(self, *, login: str = "none") -> None:
        self.images: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.login = login
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def add(self, name: str) -> str:
        """Have an image of that name and return its digest."""
        self.images[name] = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [], "x": name}).encode()
        return digest_of(self.images[name])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def challenge(self) -> str:
        if self.login == "password":
            return 'Basic realm="registry"'
        return f'Bearer realm="http://{self.address}/token",service="registry, of tests",scope="repository:any:pull"'

    def is_let_in(self, header: str | None) -> bool:
        return self.login == "none" or (self.login == "token" and header == f"Bearer {TOKEN}")

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                registry.asked.append((self.command, self.path, self.headers.get("Accept", "")))
                repository, _, tag = self.path.removeprefix("/v2/").partition("/manifests/")
                if not registry.is_let_in(self.headers.get("Authorization")):
                    return self._answer(401, {"WWW-Authenticate": registry.challenge()})
                found = registry.images.get(f"{repository}:{tag}")
                if found is None or INDEX not in self.headers.get("Accept", ""):
                    return self._answer(404, {})
                return self._answer(200, {"Docker-Content-Digest": digest_of(found), "Content-Type": INDEX})

            def do_GET(self) -> None:
                registry.asked.append((self.command, self.path, ""))
                if self.path == "/v2/":
                    return self._answer(200, {})
                given = parse_qs(urlsplit(self.path).query)
                good = given.get("service") == ["registry, of tests"] and given.get("scope") == ["repository:any:pull"]
                return self._answer(200 if good else 400, {}, json.dumps({"token": TOKEN}).encode() if good else b"")

            def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


def digest_of(manifest: bytes) -> str:
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"
