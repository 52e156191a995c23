"""Brings a port of a pod to this machine, for as long as it is needed: pods and the API may come and go meanwhile."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from platform_cli.cluster.forward_connection import Connection, dial
from platform_cli.cluster.forward_target import Endpoint, find_endpoint
from platform_cli.errors import MlopsError, NotFoundError, NotReadyError, PreflightError
from platform_cli.tools.kubernetes import Kubernetes
from platform_cli.tools.kubernetes_error import is_refusal

if TYPE_CHECKING:
    from types import TracebackType

    from platform_cli.cluster.access import Access

HOST = "127.0.0.1"
_TRIES = 100
_TIMEOUT_S = 10.0
_PATIENCE_S = 20.0
_ACCEPT_S = 0.5
_BACKLOG = 128
_HIGHEST_PORT = 65_535

Tell = Callable[[str, str], None]
"""Told the state (open, waiting or lost) and why, on every change; from a thread."""


@contextlib.contextmanager
def open_forward(access: Access, namespace: str, target: str, port: int, *, wait_s: float = 30.0) -> Iterator[int]:
    """Bring one port to this machine while the block runs; yields the local port, on 127.0.0.1.

    Args:
        access: the cluster.
        namespace: of the target.
        target: `service/NAME`, `pod/NAME` or a label selector.
        port: of the service, else of the pod.
        wait_s: how long a pod may take to become ready.

    Raises:
        PreflightError: the cluster cannot be reached or does not let us.
        NotFoundError: there is no such service or pod.
        NotReadyError: no pod of it became ready in time; the message says why not.
    """
    kubernetes = open_api(access)
    _require_leave(kubernetes, _wait_for_pod(kubernetes, namespace, target, port, wait_s))
    with Forward(kubernetes, namespace, target, port) as forward:
        yield forward.local_port


def open_api(access: Access) -> Kubernetes:
    """The API as forwards ask it: what does not answer now is asked again soon anyway."""
    return Kubernetes(access, timeout_s=_TIMEOUT_S, patience_s=0)


def listen(wanted: int) -> socket.socket:
    """A server socket on this machine alone: at the wanted port, the next free one, or, for 0, any.

    Raises:
        PreflightError: none of the next hundred is free either.
    """
    for port in range(wanted, min(wanted + _TRIES, _HIGHEST_PORT + 1)):
        with contextlib.suppress(OSError):
            return socket.create_server((HOST, port), backlog=_BACKLOG)
    raise PreflightError(f"no free port from {wanted} on {HOST}", hint="choose one with --port")


class Forward:
    """One port brought to this machine. Use it in a `with` statement.

    Args:
        kubernetes: the API.
        namespace: of the target.
        target: `service/NAME`, `pod/NAME` or a label selector.
        port: of the service, else of the pod.
        local_port: the wanted port here; the next free one is taken.
        tell: told how it does; without it nobody looks until a connection comes.
        look_s: how often it is looked at.
    """

    def __init__(
        self,
        kubernetes: Kubernetes,
        namespace: str,
        target: str,
        port: int,
        *,
        local_port: int = 0,
        tell: Tell | None = None,
        look_s: float = 2.0,
    ) -> None:
        self._kubernetes = kubernetes
        self._place = (namespace, target, port)
        self._wanted = local_port
        self._tell = tell
        self._look_s = look_s
        self._told: tuple[str, str] | None = None
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._stirred = threading.Event()
        self._endpoint: Endpoint | None = None
        self._proven: Endpoint | None = None
        self._refusal = ""
        self._connections: set[Connection] = set()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = listen(self._wanted)
        self._listener.settimeout(_ACCEPT_S)
        self._start(self._accept)
        if self._tell is not None:
            self._start(self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._stirred.set()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()
        for thread in self._threads:
            thread.join(_TIMEOUT_S)
        self._listener.close()

    @property
    def local_port(self) -> int:
        """The port on 127.0.0.1."""
        port: int = self._listener.getsockname()[1]
        return port

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                # No descriptor is left for it, or the client took it back: whoever comes later is served all the same.
                self._closing.wait(_ACCEPT_S)
                continue
            client.settimeout(None)
            connection = Connection(
                client, self._connect, patience_s=_PATIENCE_S, failed=self._fail, answered=self._clear
            )
            with self._lock:
                self._connections.add(connection)
            if self._closing.is_set():
                connection.close()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.run()
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _connect(self) -> Any:
        if self._closing.is_set():
            raise NotReadyError("the forward is closing")
        endpoint = self._endpoint or find_endpoint(self._kubernetes, *self._place)
        try:
            remote = dial(self._kubernetes, endpoint)
        except MlopsError:
            self._doubt()
            raise
        self._endpoint = endpoint
        return remote

    def _doubt(self) -> None:
        """The API did not bring us to the pod that was known: whether and why is looked at, and told, at once."""
        self._endpoint = None
        if self._proven is not None:
            self._proven = None
            self._stirred.set()

    def _fail(self, reason: str) -> None:
        """The pod that was known does not answer: look for one anew, and tell what its node said."""
        self._endpoint = None
        if reason and reason != self._refusal:
            self._refusal = reason
            self._stirred.set()

    def _clear(self) -> None:
        """A pod has answered."""
        if self._refusal:
            self._refusal = ""
            self._stirred.set()

    def _look(self) -> None:
        while not self._closing.is_set():
            self._stirred.clear()
            self._report(*self._judge())
            self._stirred.wait(self._look_s)

    def _judge(self) -> tuple[str, str]:
        """The state and why: a ready pod counts once the API has brought us to it, not before."""
        try:
            endpoint = find_endpoint(self._kubernetes, *self._place)
            if endpoint != self._proven:
                dial(self._kubernetes, endpoint).shutdown()
                self._refusal = ""
        except MlopsError as error:
            self._endpoint = self._proven = None
            return "waiting" if isinstance(error, NotFoundError | NotReadyError) else "lost", error.message
        self._endpoint = self._proven = endpoint
        return ("lost", self._refusal) if self._refusal else ("open", "")

    def _report(self, state: str, detail: str) -> None:
        if self._tell is not None and self._told != (state, detail) and not self._closing.is_set():
            self._told = (state, detail)
            self._tell(state, detail)


def _wait_for_pod(kubernetes: Kubernetes, namespace: str, target: str, port: int, wait_s: float) -> Endpoint:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return find_endpoint(kubernetes, namespace, target, port)
        except NotReadyError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_ACCEPT_S)


def _require_leave(kubernetes: Kubernetes, endpoint: Endpoint) -> None:
    """Refuse to serve what nobody will ever be let through to; other troubles pass, and connections wait for that."""
    try:
        dial(kubernetes, endpoint).shutdown()
    except MlopsError as error:
        if is_refusal(error):
            raise
