"""Runs a program in a container: a websocket to the API's `exec`, whose messages begin with a channel's number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from platform_cli.errors import ToolError
from platform_cli.tools.kubernetes_kind import POD
from platform_cli.tools.kubernetes_socket import open_socket

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

_IN, _OUT, _ERR, _STATUS = 0, 1, 2, 3
_TAIL_BYTES = 4000


def run_inside(
    kubernetes: Kubernetes,
    pod: str,
    namespace: str,
    argv: Sequence[str],
    *,
    container: str,
    timeout_s: float,
    given: Iterable[bytes] | None = None,
) -> Iterator[bytes]:
    """What the program writes to its standard output, as it comes.

    `given` is its input, sent before anything is read; the program must know where that ends, and say little till then.

    Raises:
        ToolError: it cannot be started, or fails; `details` has the end of what it said about it.
    """
    import websocket

    what = f"{argv[0]} in pod {pod}"
    errors = b""
    try:
        streams = ("stdout", "stderr") if given is None else ("stdin", "stdout", "stderr")
        connection = _dial(kubernetes, pod, namespace, argv, streams, container=container, timeout_s=timeout_s)
        for chunk in given or ():
            connection.send_binary(bytes([_IN]) + chunk)
        while message := connection.recv():
            channel, data = message[0], message[1:]
            if channel == _OUT and data:
                yield data
            elif channel == _ERR:
                errors = (errors + data)[-_TAIL_BYTES:]
            elif channel == _STATUS:
                _require_success(what, data, errors)
                return
    except websocket.WebSocketBadStatusException as error:
        body = (error.resp_body or b"").decode("utf-8", "replace")
        raise ToolError(f"{what} cannot be started: {body or error.status_code}") from error
    except (OSError, websocket.WebSocketException) as error:
        raise ToolError(f"{what} was cut off: {error}", details=_lines(errors)) from error
    raise ToolError(f"{what} ended without a word", details=_lines(errors))


def read_head(chunks: Iterator[bytes], what: str) -> tuple[dict[str, Any], bytes]:
    """The first line of a program's output, a JSON object that says what follows, and what came with it of the rest.

    Raises:
        ToolError: it is none.
    """
    begun = b""
    while b"\n" not in begun:
        begun += next(chunks, b"\n")
    line, _, rest = begun.partition(b"\n")
    try:
        return msgspec.json.decode(line, type=dict[str, Any]), rest
    except msgspec.MsgspecError as error:
        raise ToolError(f"{what} cannot be read: {line[:80]!r}") from error


def _dial(
    kubernetes: Kubernetes,
    pod: str,
    namespace: str,
    argv: Sequence[str],
    streams: Sequence[str],
    *,
    container: str,
    timeout_s: float,
) -> Any:
    open_streams = [(name, "true") for name in streams]
    asked = [("container", container), *open_streams, *(("command", word) for word in argv)]
    path = POD.path(namespace, pod, "exec")
    return open_socket(kubernetes, f"{path}?{urlencode(asked)}", timeout_s=timeout_s)


def _require_success(what: str, status: bytes, errors: bytes) -> None:
    found = msgspec.json.decode(status)
    if found.get("status") != "Success":
        raise ToolError(f"{what} failed: {found.get('message', '')}", details=_lines(errors))


def _lines(errors: bytes) -> tuple[str, ...]:
    return tuple(errors.decode("utf-8", "replace").strip().splitlines())
