"""Requests to Argo's server, over the `argo-workflows` SDK.

The SDK's generated types lag behind the server: plain data goes in and comes out.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from platform_cli.errors import MlopsError
from platform_cli.tools.kubernetes_error import ApiAnswer
from platform_cli.tools.line import split_lines
from platform_cli.workflow.argo_server_error import explain, explain_foreign, explain_unreachable, is_page, read_message

_Answer = TypeVar("_Answer")
_TIMEOUT_S = 30.0
# The server sends nothing while nothing changes; after this time we ask anew.
_SILENCE_S = 60.0
_CHUNK_BYTES = 1 << 20
_PATIENCE_S, _FIRST_PAUSE_S, _LONGEST_PAUSE_S = 15.0, 0.2, 3.0
# A server that is just starting says these: it has done nothing yet.
_STARTING = (429, 502, 503)
# What it says when the cluster's API behind it does not answer; the request may have been done all the same.
_UNSURE = (500, 504)


class _PassingError(Exception):
    """Something that may pass: `error` is what to say if it does not, `is_unsent` that the request did nothing."""

    def __init__(self, error: MlopsError, *, is_unsent: bool, is_starting: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.is_unsent = is_unsent
        self.is_starting = is_starting


class Server:
    """One server; threads may share it.

    The first request fails at once when nobody listens. A server that is starting, and one that has answered before,
    are given `patience_s` before a request fails. Errors tell by `status_of` which HTTP status is behind them.

    Args:
        url: its address, such as `https://argo.example.org:2746`.
        token: with or without `Bearer ` in front; empty for a server that asks for none.
        verify: whether its certificate must be one that this machine trusts.
        patience_s: how long a restart is waited out.
    """

    def __init__(self, url: str, token: str, *, verify: bool, patience_s: float = _PATIENCE_S) -> None:
        self.url = url.rstrip("/")
        self._token = token if not token or " " in token else f"Bearer {token}"
        self._verify = verify
        self._patience_s = patience_s
        self._client: Any = None
        self._answered = False

    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The results of a streamed answer below `/api/v1`, as they come.

        Raises:
            PreflightError: it is cut off, or is silent for a minute; otherwise as `ask`.
        """
        answer = self._repeat(lambda: self._send("GET", f"/api/v1/{path}", query=query, timeout_s=_SILENCE_S))
        try:
            with self._explaining():
                for line in filter(bytes.strip, split_lines(answer)):
                    yield self._unwrap(line)
        except _PassingError as passing:
            raise passing.error from passing.__cause__
        finally:
            answer.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        repeats: bool = False,
    ) -> dict[str, Any]:
        """The answer to a request below `/api/v1`, as plain data.

        `repeats` says that sending it twice does the same as once; GET and DELETE always do.

        Raises:
            PreflightError: the server cannot be reached, does not let us, or is not Argo's.
            NotFoundError: there is no such thing.
            ToolError: it refused, in its own words.
        """

        def ask_once() -> bytes:
            with self._explaining():
                text: bytes = self._send(method, f"/api/v1/{path}", body, query=query).read()
                return text

        return self._decode(self._repeat(ask_once, repeats=repeats or method in ("GET", "DELETE")) or b"{}")

    def download(self, path: str, target: Path) -> None:
        """Write what is at any path to the file `target`; raises as `ask`."""

        def download_once() -> None:
            with self._explaining():
                answer = self._send("GET", path)
                # A file of the user's may be a page, too, but Argo names each file that it gives.
                if is_page(answer.headers.get("Content-Type", "")) and "Content-Disposition" not in answer.headers:
                    raise explain_foreign(self.url)
                with target.open("wb") as file:
                    for chunk in answer.stream(_CHUNK_BYTES, decode_content=False):
                        file.write(chunk)

        self._repeat(download_once)

    def _repeat(self, act: Callable[[], _Answer], *, repeats: bool = True) -> _Answer:
        started, pause_s = time.monotonic(), _FIRST_PAUSE_S
        while True:
            try:
                return act()
            except _PassingError as passing:
                wait_s = pause_s * random.uniform(0.5, 1)  # noqa: S311 - spreads load, hides nothing
                patience_s = self._patience_s if self._answered or passing.is_starting else 0
                if time.monotonic() + wait_s > started + patience_s or not (repeats or passing.is_unsent):
                    raise passing.error from passing.__cause__
            time.sleep(wait_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> Any:
        with self._explaining():
            client = self._open()
            # The SDK's `call_api` fails itself on refusals without a body, and on bodies that are no UTF-8.
            answer = client.request(
                method,
                self.url + path,
                query_params=[(name, value) for name, value in (query or {}).items() if value],
                headers={**client.default_headers, "Content-Type": "application/json"},
                body=client.sanitize_for_serialization(body),
                _preload_content=False,
                _request_timeout=timeout_s,
            )
        self._answered = True
        return answer

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn what the SDK and the connection below it raise into our errors."""
        from argo_workflows.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:
            # The SDK says status 0 of a TLS connection that did not come about.
            if error.status == 0:
                cause = error.__context__ or error
                raise _PassingError(explain_unreachable(self.url, cause), is_unsent=True) from cause
            self._answered = True
            self._refuse(error.status, error.body)
        except HTTPError as error:
            raise _PassingError(explain_unreachable(self.url, error), is_unsent=_is_unsent(error)) from error

    def _refuse(self, status: int, body: str | bytes | None) -> None:
        error = explain(self.url, status, body)
        cause = ApiAnswer(status, "", read_message(body), {})
        if status in (*_STARTING, *_UNSURE):
            is_starting = status in _STARTING
            raise _PassingError(error, is_unsent=is_starting, is_starting=is_starting) from cause
        raise error from cause

    def _unwrap(self, line: bytes) -> dict[str, Any]:
        item = self._decode(line.removeprefix(b"data:"))
        if "result" not in item:
            refusal = item.get("error") or {}
            self._refuse(int(refusal.get("http_code") or 0), json.dumps(refusal))
        found: dict[str, Any] = item["result"]
        return found

    def _decode(self, text: bytes) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise explain_foreign(self.url)
        return found

    def _open(self) -> Any:
        if self._client is None:
            import urllib3
            from argo_workflows.api_client import ApiClient
            from argo_workflows.configuration import Configuration

            if not self._verify:
                # Whoever said so knows, and would be told at each request.
                urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            configuration = Configuration(host=self.url)
            configuration.verify_ssl = self._verify
            configuration.retries = False
            self._client = ApiClient(configuration, "Authorization" if self._token else None, self._token or None)
        return self._client


def _is_unsent(error: Exception) -> bool:
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    return isinstance(error, NewConnectionError | ConnectTimeoutError)
