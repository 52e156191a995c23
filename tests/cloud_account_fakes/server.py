"""A JSON API on this machine: routes by method and path, answers as plain data."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response


@dataclass
class RefusalError(Exception):
    """An answer that is an error, with the body that the cloud gives it."""

    status: int
    body: Any


Route = Callable[..., Any]


class JsonApi:
    """Answers the first route whose pattern matches the whole `METHOD path`; its groups are the route's arguments."""

    def __init__(self, routes: dict[str, Route], authorize: Callable[[Request], None], absent: Any) -> None:
        self.routes, self.authorize, self.absent = routes, authorize, absent

    @Request.application
    def __call__(self, request: Request) -> Response:
        try:
            self.authorize(request)
            return _json(self.find_answer(request))
        except RefusalError as refusal:
            return _json(refusal.body, refusal.status)

    def find_answer(self, request: Request) -> Any:
        for pattern, route in self.routes.items():
            match = re.fullmatch(pattern, f"{request.method} {request.path}")
            if match:
                return route(request, *match.groups())
        raise RefusalError(404, self.absent)


class Quiet(WSGIRequestHandler):
    """Tells nothing of requests that went well."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The address of an application while the block runs."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _json(value: Any, status: int = 200) -> Response:
    import json

    return Response(json.dumps(value), status=status, content_type="application/json")
