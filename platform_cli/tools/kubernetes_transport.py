"""Requests to one cluster's API over kept connections. Threads may share a transport.

It stands on urllib3, as the official client does, and not on that client: importing it takes 0.4 s, urllib3 0.1 s, and
every command that looks at a cluster would pay the difference.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from platform_cli.errors import MlopsError
from platform_cli.tools.kubernetes_credential import Credential, Proof
from platform_cli.tools.kubernetes_error import ApiAnswer, explain, explain_unreachable
from platform_cli.tools.kubernetes_tls import make_context

if TYPE_CHECKING:
    import ssl

    import urllib3

    from platform_cli.cluster.access import Access

_CONNECTIONS = 16
_CONNECT_TIMEOUT_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 3.0
_UNAUTHORIZED = 401
_GATEWAY_TIMEOUT = 504
_BUSY = (429, 502, 503, _GATEWAY_TIMEOUT)
_ERRORS_FROM = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request.

    Attributes:
        verb: what it does, in the words of RBAC (get, list, create, …), for messages.
        what: the object or collection it is about, for messages.
        repeats: whether sending it twice does the same as once, so that a dropped connection may be retried.
        streams: whether the answer is read while it comes; `timeout_s` is then for each read.
        accept: in which forms the answer may come.
    """

    method: str
    path: str
    verb: str
    what: str
    query: Mapping[str, Any] | None = None
    body: bytes | None = None
    content_type: str = "application/json"
    repeats: bool = True
    streams: bool = False
    timeout_s: float | None = None
    accept: str = "application/json, */*"


@dataclass(frozen=True, slots=True)
class _Pool:
    """Connections that show one client certificate."""

    certificate: str
    key: str = field(repr=False)
    context: ssl.SSLContext | None
    manager: Any

    def shows(self, proof: Proof) -> bool:
        return (self.certificate, self.key) == (proof.certificate, proof.key)


class Transport:
    """The connections to one API.

    The first request fails at once when the API is not there. After a first answer the API is known to be alive: it is
    given `patience_s` to come back from a restart before a request fails.
    """

    def __init__(self, access: Access, *, timeout_s: float, patience_s: float) -> None:
        self._access = access
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._credential = Credential(access)
        self._pool: _Pool | None = None
        self._lock = threading.Lock()
        self._answered = False

    def send(self, request: Request) -> urllib3.BaseHTTPResponse:
        """Send it and return the answer; of one that `streams` the body is still to be read.

        Raises:
            PreflightError: the API cannot be reached, or does not let us.
            NotFoundError: there is no such object.
            ToolError: it refused the request; `kubernetes_error.status_of` tells the HTTP status.
        """
        deadline = time.monotonic() + (self._patience_s if self._answered else 0)
        pause = _FIRST_PAUSE_S
        while True:
            try:
                return self._send_once(request)
            except _Passing as passing:
                wait = max(pause * random.uniform(0.5, 1), passing.pause_s)  # noqa: S311 - spreads load, hides nothing
                if time.monotonic() + wait > deadline or not (request.repeats or passing.unsent):
                    raise passing.error from passing.__cause__
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def connect_options(self) -> tuple[dict[str, str], ssl.SSLContext | None]:
        """Headers and TLS for a connection that is made elsewhere, such as a websocket."""
        proof = self._credential.show()
        return _headers(proof), self._open_pool(proof).context

    def _send_once(self, request: Request) -> urllib3.BaseHTTPResponse:
        proof = self._credential.show()
        answer = self._exchange(request, proof)
        if answer.status == _UNAUTHORIZED and self._credential.is_renewable:
            answer.drain_conn()
            answer = self._exchange(request, self._credential.show(renew=proof))
        self._answered = True
        if answer.status >= _ERRORS_FROM:
            self._refuse(request, answer)
        return answer

    def _exchange(self, request: Request, proof: Proof) -> urllib3.BaseHTTPResponse:
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        query = {name: value for name, value in (request.query or {}).items() if value not in (None, "")}
        headers = {"Accept": request.accept, "User-Agent": "mlops", **_headers(proof)}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        read_s = request.timeout_s or self._timeout_s
        try:
            answer: urllib3.BaseHTTPResponse = self._open_pool(proof).manager.request(
                request.method,
                self._access.server + request.path + (f"?{urlencode(query)}" if query else ""),
                body=request.body,
                headers=headers,
                timeout=Timeout(connect=min(_CONNECT_TIMEOUT_S, read_s), read=read_s),
                preload_content=not request.streams,
                retries=False,
                redirect=False,
            )
        except HTTPError as error:
            raise _Passing(explain_unreachable(error, self._access), unsent=is_unsent(error)) from error
        return answer

    def _open_pool(self, proof: Proof) -> _Pool:
        """The connections; new ones when the client certificate was renewed."""
        import urllib3

        with self._lock:
            if self._pool is None or not self._pool.shows(proof):
                context = make_context(self._access, proof)
                options = pool_options(self._access, context)
                proxy = find_proxy(self._access)
                manager = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
                self._pool = _Pool(proof.certificate, proof.key, context, manager)
            return self._pool

    def _refuse(self, request: Request, answer: urllib3.BaseHTTPResponse) -> None:
        refused = read_answer(answer)
        error = explain(refused, verb=request.verb, what=request.what)
        # A webhook whose pods are gone answers 500 for good, and one that is coming up 503 for a moment.
        if answer.status in _BUSY:
            after = answer.headers.get("Retry-After", "")
            pause_s = float(after) if after.isdigit() else 0
            raise _Passing(error, unsent=answer.status != _GATEWAY_TIMEOUT, pause_s=pause_s) from refused
        raise error from refused


class _Passing(Exception):  # noqa: N818 - a reason to try again, which `send` turns into the error it holds
    """Something that may pass: `unsent` says that the request did nothing, `pause_s` how long the API asks to wait."""

    def __init__(self, error: MlopsError, *, unsent: bool, pause_s: float = 0) -> None:
        super().__init__(error.message)
        self.error = error
        self.unsent = unsent
        self.pause_s = pause_s


def is_unsent(error: Exception) -> bool:
    """Whether a request that ended so never reached the API."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    return isinstance(error, NewConnectionError | ConnectTimeoutError)


def read_answer(answer: urllib3.BaseHTTPResponse) -> ApiAnswer:
    """A refusal; its body is read."""
    import msgspec

    text = answer.data
    try:
        body = msgspec.json.decode(text)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        return ApiAnswer(answer.status, "", text.decode("utf-8", "replace").strip(), {})
    return ApiAnswer(answer.status, str(body.get("reason") or ""), str(body.get("message") or ""), body)


def _headers(proof: Proof) -> dict[str, str]:
    return {"Authorization": proof.header} if proof.header else {}


def pool_options(access: Access, context: ssl.SSLContext | None) -> dict[str, Any]:
    """What urllib3 needs besides the address."""
    options: dict[str, Any] = {"maxsize": _CONNECTIONS}
    if context is not None:
        options["ssl_context"] = context
        if access.cluster.get("insecure-skip-tls-verify"):
            options["cert_reqs"] = "CERT_NONE"
    name = access.cluster.get("tls-server-name")
    return {**options, "server_hostname": name, "assert_hostname": name} if name else options


def find_proxy(access: Access) -> str:
    """The proxy that leads to the API: the kubeconfig's, else the environment's; empty for none."""
    from urllib.request import getproxies, proxy_bypass

    if given := access.cluster.get("proxy-url"):
        return str(given)
    parts = urlsplit(access.server)
    proxy = getproxies().get(parts.scheme, "")
    return "" if proxy_bypass(parts.netloc) or proxy_bypass(parts.hostname or "") else proxy
