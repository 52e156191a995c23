"""Azure's management API with the credentials that Azure's own chain finds."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from platform_cli.clouds.azure.state_account import find_subscription, open_credential
from platform_cli.errors import PreflightError, ToolError

LOG_IN = "az login, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET (or a federated token)"
_ENDPOINT = "https://management.azure.com"
_SCOPE = f"{_ENDPOINT}/.default"
_TIMEOUT_S = 20
_REFUSED = (401, 403)
_NOT_FOUND = 404


@dataclass(eq=False)
class Rest:
    """Requests of one subscription.

    Attributes:
        subscription: its id; None for what the environment or az' login names.
        credential: of azure-identity; None for what its own chain finds.
        endpoint: of the management API; another one for a sovereign cloud, or for tests.
    """

    subscription: str | None = None
    credential: Any = None
    endpoint: str = _ENDPOINT
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _client: Any = None

    @property
    def subscription_id(self) -> str:
        """The subscription that is meant.

        Raises:
            PreflightError: none is.
        """
        with self._lock:
            if not self.subscription:
                self.subscription = find_subscription()
            return self.subscription

    @property
    def principal(self) -> str:
        """Whose credentials these are: what their token says of itself. It is not checked: Azure does that."""
        self._open()
        token = self._read_token()
        parts = token.split(".")
        if len(parts) != 3:  # noqa: PLR2004 - a JSON web token has three
            return "credentials"
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
        names = (claims.get(name) for name in ("upn", "unique_name", "appid", "oid"))
        return str(next((name for name in names if name), "credentials"))

    def get(self, path: str, version: str, **query: str) -> dict[str, Any] | None:
        """What stands at a path below the endpoint; None when there is nothing.

        Raises:
            PreflightError: there are no credentials.
            ToolError: Azure refused, or could not be reached.
        """
        return self._send("GET", path, {"api-version": version, **query})

    def post(self, path: str, version: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a body. Errors are as for `get`."""
        return self._send("POST", path, {"api-version": version}, body) or {}

    def list(self, path: str, version: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every item of every page. Errors are as for `get`."""
        page = self.get(path, version, **query)
        while page:
            yield from page.get("value", ())
            link = page.get("nextLink", "")
            page = self._send("GET", link, {}) if link else None

    def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        client = self._open()
        from azure.core.exceptions import AzureError, ClientAuthenticationError
        from azure.core.rest import HttpRequest

        url = path if "://" in path else f"{self.endpoint}/{path}"
        request = HttpRequest(method, url, params=dict(query), json=body)
        # Azure's SDK sends no token without TLS unless told to; only a stand-in on this machine has none.
        is_secure = self.endpoint.startswith("https:")
        try:
            answer = client.send_request(request, enforce_https=is_secure, read_timeout=_TIMEOUT_S)
        except ClientAuthenticationError as error:
            raise PreflightError(f"Azure: {_first_line(error)}", hint=LOG_IN) from error
        except AzureError as error:
            raise ToolError(f"Azure cannot be reached: {_first_line(error)}", hint="look at your network") from error
        if answer.status_code == _NOT_FOUND:
            return None
        if answer.status_code >= 400:  # noqa: PLR2004 - HTTP's own number
            raise _explain(answer)
        return dict(answer.json())

    def _read_token(self) -> str:
        from azure.core.exceptions import ClientAuthenticationError

        try:
            return str(self.credential.get_token(_SCOPE).token)
        except ClientAuthenticationError as error:
            raise PreflightError(f"Azure: {_first_line(error)}", hint=LOG_IN) from error

    def _open(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        self.credential = self.credential or open_credential()
        # Azure's SDK also logs, attempt by attempt, what its error says.
        logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
        from azure.mgmt.core import ARMPipelineClient
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

        policy = ARMChallengeAuthenticationPolicy(self.credential, _SCOPE)
        return ARMPipelineClient(base_url=self.endpoint, policies=[*_list_policies(), policy])


def _list_policies() -> list[Any]:
    from azure.core.pipeline.policies import HeadersPolicy, RetryPolicy, UserAgentPolicy

    return [HeadersPolicy(), UserAgentPolicy("mlops"), RetryPolicy(retry_total=2)]


def _explain(answer: Any) -> ToolError:
    try:
        error = answer.json()["error"]
        message = f"{error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        message = answer.reason
    if answer.status_code in _REFUSED:
        return ToolError(f"Azure does not let us ask: {message}", hint="grant Reader on the subscription")
    return ToolError(f"Azure: {answer.status_code} {message}", hint="try again")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
