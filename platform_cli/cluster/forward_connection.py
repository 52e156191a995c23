"""One TCP connection carried to a pod: a websocket to the API's `portforward`, which the API hands on to the pod.

The protocol is `v4.channel.k8s.io`: each message begins with a channel's number, 0 for data and 1 for errors; the first
message of each channel only repeats the port. It says nothing when the pod has taken the connection, so what the client
sent is kept until the pod's first bytes come: up to then another pod may be tried without the client noticing.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from platform_cli.cluster.forward_target import Endpoint
from platform_cli.errors import MlopsError, PreflightError
from platform_cli.tools.kubernetes_error import ApiAnswer, explain
from platform_cli.tools.kubernetes_kind import POD
from platform_cli.tools.kubernetes_socket import open_socket

if TYPE_CHECKING:
    from platform_cli.tools.kubernetes import Kubernetes

_DATA, _ERROR = b"\x00", 1
_CHUNK = 65_536
_KEPT = 1024 * 1024
_CONNECT_TIMEOUT_S = 10.0
# The protocol cannot say that the client sends no more; it may still read for as long.
_AFTER_END_S = 3.0
_PAUSE_S = 0.3


def dial(kubernetes: Kubernetes, endpoint: Endpoint) -> Any:
    """A websocket to a pod's port.

    Raises:
        MlopsError: the API cannot be reached, or refuses; the message says why.
    """
    import websocket

    path = POD.path(endpoint.namespace, endpoint.pod, "portforward")
    try:
        return open_socket(kubernetes, f"{path}?ports={endpoint.port}", timeout_s=_CONNECT_TIMEOUT_S)
    except websocket.WebSocketBadStatusException as error:
        answer = _read_answer(error.status_code, (error.resp_body or b"").decode("utf-8", "replace"))
        what = f"pods/portforward {endpoint.pod} in {endpoint.namespace}"
        raise explain(answer, verb="create", what=what) from answer
    except (OSError, websocket.WebSocketException) as error:
        raise PreflightError(
            f"{kubernetes.access.server} cannot be reached: {error}", hint="see that the cluster is up"
        ) from error


def _read_answer(status: int, body: str) -> ApiAnswer:
    import msgspec

    with contextlib.suppress(msgspec.DecodeError):
        answer = msgspec.json.decode(body)
        body = str(answer.get("message", "")) if isinstance(answer, dict) else body
    return ApiAnswer(status, "", body, {})


class Connection:
    """Carries one client's bytes until either side ends.

    Args:
        client: the accepted connection; closed at the end.
        connect: makes a websocket to a pod that answers now, a fresh one each time.
        patience_s: how long another pod is looked for before the client is let go.
        failed: told why the pod did not take the connection, in its node's words; empty when it said nothing.
        answered: told when the pod's first bytes come.
    """

    def __init__(
        self,
        client: socket.socket,
        connect: Callable[[], Any],
        *,
        patience_s: float,
        failed: Callable[[str], None],
        answered: Callable[[], None],
    ) -> None:
        self._client = client
        self._connect = connect
        self._failed = failed
        self._answered = answered
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._remote: Any = None
        self._kept: bytearray | None = bytearray()
        self._ended = False

    def run(self) -> None:
        """Carry until the end. Never raises: a client sees a closed connection."""
        threading.Thread(target=self._carry_up, daemon=True).start()
        deadline = time.monotonic() + self._patience_s
        try:
            while not self._ended and not self._try_pod():
                if self._kept is None or time.monotonic() >= deadline:
                    break
                time.sleep(_PAUSE_S)
        finally:
            self.close()

    def close(self) -> None:
        """End both sides; safe to repeat and from any thread."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            remote = self._remote
        with contextlib.suppress(OSError):
            self._client.shutdown(socket.SHUT_RDWR)
        self._client.close()
        _wake(remote)

    def _try_pod(self) -> bool:
        """Carry over one websocket; False when the pod had not answered yet, so that another may be tried."""
        try:
            remote = self._connect()
        except MlopsError:
            return False
        is_refused, reason = True, ""
        try:
            with self._changed:
                # The client went while we dialled: nobody else would wake who reads.
                if self._ended:
                    return True
                if self._kept:
                    remote.send_binary(_DATA + bytes(self._kept))
                self._remote = remote
                self._changed.notify_all()
            reason = self._carry_down(remote)
            is_refused = self._kept is not None
        except _broken():
            pass
        finally:
            with self._changed:
                self._remote = None
            remote.shutdown()
        if is_refused and not self._ended:
            self._failed(reason)
        return not is_refused

    def _carry_down(self, remote: Any) -> str:
        """Bytes from the pod to the client until the pod ends; returns what its node said against the connection."""
        remote.settimeout(None)
        opened: set[int] = set()
        while message := remote.recv():
            channel, content = message[0], message[1:]
            if channel not in opened:
                opened.add(channel)
            elif channel == _ERROR:
                return str(content, "utf-8", "replace").strip()
            elif content:
                self._forget_kept()
                self._client.sendall(content)
        return ""

    def _carry_up(self) -> None:
        """Bytes from the client to whichever pod answers now."""
        with contextlib.suppress(OSError):
            while data := self._client.recv(_CHUNK):
                self._send(data)
        with self._changed:
            asked = self._kept is None or len(self._kept) > 0
            self._changed.wait_for(lambda: self._ended, timeout=_AFTER_END_S if asked else 0)
        self.close()

    def _forget_kept(self) -> None:
        if self._kept is not None:
            with self._changed:
                self._kept = None
            self._answered()

    def _send(self, data: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._remote is not None or self._ended)
            if self._kept is not None:
                self._kept += data
                # More than this is not sent twice: the pod must answer, or the client is let go.
                self._kept = self._kept if len(self._kept) <= _KEPT else None
            remote = self._remote
        # A broken websocket is noticed, and replaced, by whoever reads from it.
        if remote is not None:
            with contextlib.suppress(*_broken()):
                remote.send_binary(_DATA + data)


def _broken() -> tuple[type[Exception], ...]:
    import websocket

    return (OSError, websocket.WebSocketException)


def _wake(remote: Any) -> None:
    """End a websocket's TCP connection, so that whoever reads from it returns; closing alone does not do that.

    TLS is left as it is: its reader, in another thread, still holds it.
    """
    # Looked at once: whoever carries it may put it away meanwhile.
    connection = None if remote is None else remote.sock
    if connection is not None:
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
