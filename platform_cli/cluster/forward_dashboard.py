"""Several dashboards and models of a cluster on this machine at once, until Ctrl-C."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from platform_cli.cluster.forward import HOST, Forward, open_api
from platform_cli.cluster.forward_service import ALL, DASHBOARDS, Login, Service, find_services
from platform_cli.errors import MlopsError, NotReadyError
from platform_cli.events import Emit, Event, Forwarded, Notice
from platform_cli.tools.kubernetes_error import is_forbidden
from platform_cli.tools.kubernetes_kind import SECRET, SERVICE

if TYPE_CHECKING:
    from platform_cli.cluster.access import Access
    from platform_cli.tools.kubernetes import Kubernetes

_PROBE_TIMEOUT_S = 3.0
_ROUND_S = 0.5


def forward_services(
    access: Access,
    services: Sequence[str],
    *,
    emit: Emit,
    port: int | None = None,
    shows_credentials: bool = False,
    known: Mapping[str, Service] = DASHBOARDS,
) -> None:
    """Serve dashboards and models of a cluster on 127.0.0.1 until Ctrl-C; see `Cloud.forward`.

    Args:
        access: the cluster.
        services: their names; `all` means every dashboard that is there.
        emit: told how each does, as `Forwarded`; never called by two threads at once.
        port: port here, for a single service.
        shows_credentials: whether passwords are told.
        known: the dashboards that there are.

    Raises:
        UsageError: there is no such dashboard.
        PreflightError: the cluster cannot be reached, or does not let us see a service that was named, or of `all` any.
        NotReadyError: a service that was named is not there, or of `all` none.
    """
    kubernetes = open_api(access)
    wanted = find_services(services, known)
    tell = _one_at_a_time(emit)
    places = _find_places(kubernetes, wanted, tell, is_every=ALL in services)
    with contextlib.ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        for service, (namespace, name) in places.items():
            opened = _Opened(kubernetes, service, namespace, tell, shows_credentials=shows_credentials)
            local_port = port or service.local_port
            forward = Forward(
                kubernetes, namespace, f"service/{name}", service.port, local_port=local_port, tell=opened.report
            )
            opened.serve(stack.enter_context(forward).local_port)
            if opened.port != local_port:
                tell(Notice(level="hint", text=f"{service.name}: port {local_port} is taken, using {opened.port}"))
        _wait_for_interrupt()


def _wait_for_interrupt() -> NoReturn:
    # In rounds: Python does not hear a Ctrl-C that comes right before it begins to wait for ever.
    while True:
        time.sleep(_ROUND_S)


class _Opened:
    """What is told of one service. Its port is known once it is served."""

    def __init__(
        self, kubernetes: Kubernetes, service: Service, namespace: str, tell: Emit, *, shows_credentials: bool
    ) -> None:
        self._service = service
        self._tell = tell
        self._log_in = partial(_describe_credentials, kubernetes, service, namespace, shows=shows_credentials)
        self._served = threading.Event()
        self._scheme = ""
        self._credentials = ""
        self.port = 0

    def serve(self, port: int) -> None:
        self.port = port
        self._served.set()

    def report(self, state: str, detail: str) -> None:
        self._served.wait()
        if state == "open" and not self._scheme:
            self._scheme = find_scheme(self.port)
            self._credentials = self._log_in()
        url = f"{self._scheme or 'http'}://{HOST}:{self.port}{self._service.path}"
        self._tell(
            Forwarded(service=self._service.name, state=state, url=url, detail=detail, credentials=self._credentials)
        )


def describe_login(kubernetes: Kubernetes, logins: Iterable[Login], namespace: str, *, shows: bool) -> str:
    """Where user and password are or, when it `shows` them, what they are; empty when there is no Secret of them."""
    for login in logins:
        place = f"Secret {namespace}/{login.secret}"
        try:
            secret = kubernetes.get(SECRET, login.secret, namespace)
        except MlopsError:
            return f"password: {place}, which you may not read"
        if secret is None:
            continue
        data = {
            key: base64.b64decode(value).decode("utf-8", "replace") for key, value in (secret.get("data") or {}).items()
        }
        return _describe(login, data, place, shows=shows)
    return ""


def describe_token(kubernetes: Kubernetes, service: Service, *, shows: bool) -> str:
    """What a page takes that asks for a token of Kubernetes: the kubeconfig's own, else an account's."""
    own = kubernetes.transport.connect_options()[0].get("Authorization", "")
    if own and shows:
        return f"token {own}"
    if own:
        return "token: Bearer and your kubeconfig's, which --show-credentials tells"
    return f"token: Bearer and what this prints: kubectl -n {service.namespace} create token {service.account}"


def find_scheme(port: int) -> str:
    """Whether what listens on this machine's port speaks `https` or `http`: a chart's values may choose either."""
    context = ssl.create_default_context()
    # Only asked whether it speaks TLS; nothing is sent.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((HOST, port), _PROBE_TIMEOUT_S) as probe,
            context.wrap_socket(probe, server_hostname="localhost"),
        ):
            return "https"
    except OSError:
        return "http"


def _describe_credentials(kubernetes: Kubernetes, service: Service, namespace: str, *, shows: bool) -> str:
    if service.account:
        return describe_token(kubernetes, replace(service, namespace=namespace), shows=shows)
    return describe_login(kubernetes, service.logins, namespace, shows=shows)


def _describe(login: Login, data: Mapping[str, str], place: str, *, shows: bool) -> str:
    user = data.get(login.user_key, login.user) if login.user_key else login.user
    user = user or "admin"
    if shows:
        return f"user {user}, password {data.get(login.password_key, '')}"
    return f"user {user}, password: {place}, key {login.password_key}"


def _find_places(
    kubernetes: Kubernetes, services: Iterable[Service], tell: Emit, *, is_every: bool
) -> dict[Service, tuple[str, str]]:
    """Namespace and name of the Kubernetes Service of each; of `all`, only of those that are there for us."""
    found: dict[Service, tuple[str, str]] = {}
    missing: list[str] = []
    refusals: list[MlopsError] = []
    for service in services:
        try:
            place = _find_place(kubernetes, service)
        except MlopsError as error:
            if not is_every or not is_forbidden(error):
                raise
            refusals.append(error)
            tell(Notice(level="hint", text=f"{service.name} is left out: {error.message}"))
            continue
        if place is None:
            missing.append(service.name)
        else:
            found[service] = place
    if missing and (not is_every or not (found or refusals)):
        raise NotReadyError(f"not on this cluster: {', '.join(missing)}", hint="mlops deploy, mlops model deploy")
    if refusals and not found:
        raise refusals[0]
    if missing:
        tell(Notice(level="detail", text=f"not on this cluster: {', '.join(missing)}"))
    return found


def _find_place(kubernetes: Kubernetes, service: Service) -> tuple[str, str] | None:
    for name in service.candidates:
        if kubernetes.get(SERVICE, name, service.namespace) is not None:
            return service.namespace, name
    if not service.labels:
        return None
    elsewhere = next(kubernetes.list(SERVICE, labels=service.labels), None)
    return (elsewhere["metadata"]["namespace"], elsewhere["metadata"]["name"]) if elsewhere else None


def _one_at_a_time(emit: Emit) -> Callable[[Event], Any]:
    lock = threading.Lock()

    def tell(event: Event) -> None:
        with lock:
            emit(event)

    return tell
