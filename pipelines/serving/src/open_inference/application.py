"""The protocol's HTTP face as a bare ASGI application: routes, limits, and `{"error": …}` for whatever goes wrong."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from open_inference.batch import Predictor
from open_inference.failure import RequestError, invalid, not_found, unavailable
from open_inference.infer_request import parse_request
from open_inference.metric import CONTENT_TYPE, Metrics

if TYPE_CHECKING:
    from open_inference.model import Model

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SERVER_NAME = "mlops-model-server"
SERVER_VERSION = "0.1.0"
_JSON = b"application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP answer."""

    status: int
    body: bytes
    content_type: bytes = _JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may ask: bytes of one body, rows of one merged prediction, requests waiting."""

    body_bytes: int
    merged_rows: int
    waiting: int


class Application:
    """Serves one model under its name and version; answers health while the model still loads."""

    def __init__(self, name: str, version: str, metrics: Metrics, limits: Limits) -> None:
        self._name = name
        self._version = version
        self._metrics = metrics
        self._limits = limits
        self._model: Model | None = None
        self._predictor: Predictor | None = None

    def become_ready(self, model: Model) -> None:
        """From now on the model answers. May be called from any thread."""
        self._predictor = Predictor(model, max_rows=self._limits.merged_rows, max_waiting=self._limits.waiting)
        if model.drift is not None:
            self._metrics.registry.register(model.drift)
        self._model = model
        self._metrics.ready.set(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request. Other ASGI scopes are not served."""
        if scope["type"] != "http":
            return
        try:
            reply = await self._route(scope, receive)
        except RequestError as error:
            reply = _fail(error)
        await _send(send, reply, has_body=scope["method"] != "HEAD")

    async def _route(self, scope: Scope, receive: Receive) -> Reply:
        match [part for part in scope["path"].split("/") if part]:
            case ["v2", "models", name, "infer"]:
                return await self._infer(name, self._version, scope, receive)
            case ["v2", "models", name, "versions", version, "infer"]:
                return await self._infer(name, version, scope, receive)
            case parts:
                return self._read(parts, scope["method"])

    def _read(self, parts: list[str], method: str) -> Reply:
        reply = self._find(parts)
        if method not in ("GET", "HEAD"):
            raise RequestError(405, f"{method} is not allowed here; use GET")
        return reply

    def _find(self, parts: list[str]) -> Reply:
        match parts:
            case ["v2"]:
                return _json({"name": SERVER_NAME, "version": SERVER_VERSION, "extensions": []})
            case ["v2", "health", "live"]:
                return _json({"live": True})
            case ["v2", "health", "ready"]:
                return self._ready({})
            case ["v2", "models"]:
                return _json({"models": [self._name]})
            case ["v2", "models", name, *rest]:
                return self._find_model(name, rest)
            case ["metrics"]:
                return Reply(200, self._metrics.expose(), CONTENT_TYPE.encode())
        raise not_found(f"no such path: /{'/'.join(parts)}")

    def _find_model(self, name: str, rest: list[str]) -> Reply:
        version = self._version
        if rest[:1] == ["versions"] and len(rest) > 1:
            version, rest = rest[1], rest[2:]
        self._check(name, version)
        match rest:
            case []:
                return self._describe()
            case ["ready"]:
                return self._ready({"name": self._name})
        raise not_found(f"no such path below model '{name}': {'/'.join(rest)}")

    def _check(self, name: str, version: str) -> None:
        if name != self._name:
            raise not_found(f"unknown model '{name}' (served here: '{self._name}')")
        if version != self._version:
            raise not_found(f"unknown version '{version}' of model '{name}' (served here: '{self._version}')")

    def _ready(self, about: dict[str, Any]) -> Reply:
        if self._model is None:
            return _json({**about, "ready": False, "error": "the model is loading"}, status=503)
        return _json({**about, "ready": True})

    def _describe(self) -> Reply:
        schema = self._loaded()[0].schema
        return _json(
            {
                "name": self._name,
                "versions": [self._version],
                "platform": "mlflow_pyfunc",
                "inputs": [column.describe() for column in schema.inputs],
                "outputs": [column.describe() for column in schema.outputs],
            }
        )

    def _loaded(self) -> tuple[Model, Predictor]:
        if self._model is None or self._predictor is None:
            raise unavailable("the model is loading")
        return self._model, self._predictor

    async def _infer(self, name: str, version: str, scope: Scope, receive: Receive) -> Reply:
        self._check(name, version)
        if scope["method"] != "POST":
            raise RequestError(405, f"{scope['method']} is not allowed here; use POST")
        metrics = self._metrics
        metrics.requests.inc()
        metrics.in_flight.inc()
        start = time.perf_counter()
        try:
            return await self._predict(scope, receive)
        except RequestError as error:
            metrics.errors.labels(str(error.status)).inc()
            raise
        finally:
            metrics.in_flight.dec()
            metrics.latency.observe(time.perf_counter() - start)

    async def _predict(self, scope: Scope, receive: Receive) -> Reply:
        # The body is read first even when it will be refused: answering before that resets some clients' connection.
        body = await self._read_body(scope, receive)
        model, predictor = self._loaded()
        request = parse_request(body, model.schema)
        answer = await predictor.predict(request)
        self._metrics.rows.inc(request.rows)
        if model.drift is not None:
            model.drift.add(request.columns, request.rows)
        identifier = {} if request.id is None else {"id": request.id}
        head = {"model_name": self._name, "model_version": self._version, **identifier}
        return _json({**head, "outputs": answer.describe(request.outputs)})

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        _check_headers(dict(scope["headers"]), self._limits.body_bytes)
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise invalid("the client left before its request was complete")
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._limits.body_bytes:
                raise _too_large(self._limits.body_bytes)
            if not message.get("more_body", False):
                return b"".join(chunks)


def _check_headers(headers: dict[bytes, bytes], limit: int) -> None:
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise RequestError(415, "compressed bodies are not supported; send plain JSON")
    if b"inference-header-content-length" in headers:
        raise invalid("the binary tensor extension is not supported; send plain JSON")


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"the body is larger than {limit} bytes")


def _json(document: dict[str, Any], *, status: int = 200) -> Reply:
    return Reply(status, orjson.dumps(document))


def _fail(error: RequestError) -> Reply:
    # A refused body may be unread: the connection cannot be used again.
    headers = ((b"connection", b"close"),) if error.status in (413, 415) else ()
    return Reply(error.status, orjson.dumps({"error": error.message}), headers=headers)


async def _send(send: Send, reply: Reply, *, has_body: bool) -> None:
    headers = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body if has_body else b""})
