"""Requests to Argo's server, over the `argo-workflows` SDK.

The SDK's generated types lag behind the server: plain data goes in and comes out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from platform_cli.errors import MlopsError, NotFoundError, PreflightError, ToolError

_TIMEOUT_S = 30.0
# The server sends nothing while nothing changes; after this time we ask anew.
_SILENCE_S = 60.0
_BUSY = (502, 503)
_STARTING_S, _PAUSE_S = 15.0, 0.5


class _NotYetError(Exception):
    """The server, or what it stands in front of, is not up yet; `reason` is what to say if it stays so."""

    def __init__(self, reason: MlopsError) -> None:
        super().__init__(reason.message)
        self.reason = reason


class Server:
    """One server; threads may share it.

    Args:
        url: its address, such as `https://argo.example.org:2746`.
        token: with or without `Bearer ` in front; empty for a server that asks for none.
        verify: whether its certificate must be one that this machine trusts.
    """

    def __init__(self, url: str, token: str, *, verify: bool) -> None:
        self.url = url.rstrip("/")
        self._token = token if not token or " " in token else f"Bearer {token}"
        self._verify = verify
        self._client: Any = None

    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The results of a streamed answer; one that is cut off just ends."""
        from urllib3.exceptions import HTTPError

        answer = self.send("GET", f"/api/v1/{path}", query=query, timeout_s=_SILENCE_S)
        try:
            for line in _split_lines(answer):
                item = json.loads(line.removeprefix(b"data:"))
                if "result" not in item:
                    raise ToolError(f"Argo's server: {(item.get('error') or {}).get('message', line.decode())}")
                yield item["result"]
        except HTTPError:
            return
        finally:
            answer.close()

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The answer to a request below `/api/v1`, as plain data.

        Raises:
            PreflightError: the server cannot be reached or does not let us.
            NotFoundError: there is no such thing.
            ToolError: it refused, in its own words.
        """
        found: dict[str, Any] = json.loads(self.send(method, f"/api/v1/{path}", body, query=query).read() or b"{}")
        return found

    def send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> Any:
        """As `ask`, but any path, and the body is still to be read. A server that is just starting is given a while."""
        deadline = time.monotonic() + _STARTING_S
        while True:
            try:
                return self._send_once(method, path, body, query, timeout_s)
            except _NotYetError as error:
                if time.monotonic() > deadline:
                    raise error.reason from error.__cause__
            time.sleep(_PAUSE_S)

    def _send_once(
        self, method: str, path: str, body: Mapping[str, Any] | None, query: Mapping[str, str] | None, timeout_s: float
    ) -> Any:
        from argo_workflows.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return self._open()(
                path,
                method,
                query_params=[(name, value) for name, value in (query or {}).items() if value],
                header_params={"Content-Type": "application/json"},
                body=body,
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=timeout_s,
            )
        except ApiException as error:
            if error.status in _BUSY:
                raise _NotYetError(_explain(error.status, error.body, self.url)) from error
            raise _explain(error.status, error.body, self.url) from error
        except HTTPError as error:
            raise PreflightError(
                f"Argo's server at {self.url} cannot be reached: {_innermost(error)}",
                hint="check ARGO_SERVER, and that the server is up",
            ) from error

    def _open(self) -> Callable[..., Any]:
        if self._client is None:
            from argo_workflows.api_client import ApiClient
            from argo_workflows.configuration import Configuration

            configuration = Configuration(host=self.url)
            configuration.verify_ssl = self._verify
            configuration.retries = False
            self._client = ApiClient(configuration, "Authorization" if self._token else None, self._token or None)
        call: Callable[..., Any] = self._client.call_api
        return call


def _split_lines(answer: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(65_536, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest


def _explain(status: int, body: str | bytes | None, url: str) -> MlopsError:
    message = _read_message(body) or f"HTTP {status}"
    match status:
        case 401:
            return PreflightError(
                f"Argo's server at {url} does not accept the token: {message}",
                hint="get a new one, such as `argo auth token`, and put it into ARGO_TOKEN",
            )
        case 403:
            return PreflightError(
                f"Argo's server at {url} does not let us: {message}",
                hint="ask whoever runs the cluster for this right",
            )
        case 502 | 503:
            return PreflightError(f"Argo's server at {url} is not ready: {message}", hint="see that it is well")
        case 404:
            return NotFoundError(message, hint="see what is there: mlops pipeline list")
        case _:
            return ToolError(f"Argo's server refused: {message}", hint="correct what it names")


def _read_message(body: str | bytes | None) -> str:
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip().partition("\n")[0]


def _innermost(error: BaseException) -> str:
    inner = error.__cause__ or error.__context__
    return _innermost(inner) if inner is not None else str(error).rpartition(": ")[2] or type(error).__name__
