"""Google Cloud's REST APIs with the credentials that Google's own chain finds."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from platform_cli.errors import PreflightError, ToolError

LOG_IN = "gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT_S = 20
_PROJECT_VARIABLES = ("GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
_HOSTS = {
    "compute": "https://compute.googleapis.com/compute/v1",
    "container": "https://container.googleapis.com/v1",
    "iam": "https://iam.googleapis.com/v1",
    "resources": "https://cloudresourcemanager.googleapis.com/v1",
    "sql": "https://sqladmin.googleapis.com/v1",
    "storage": "https://storage.googleapis.com/storage/v1",
}


@dataclass(eq=False)
class Rest:
    """Requests of one project.

    Attributes:
        project: its id; None for the one that the environment or the credentials name.
        credentials: of google-auth; None for what its own chain finds.
        endpoint: stands in for Google's hosts, for tests.
    """

    project: str | None = None
    credentials: Any = None
    endpoint: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _session: Any = None

    @property
    def project_id(self) -> str:
        """The project that is meant.

        Raises:
            PreflightError: none is.
        """
        self._open()
        if not self.project:
            raise PreflightError("no Google project is named", hint="set gcp.project, or give --project")
        return self.project

    @property
    def principal(self) -> str:
        """Whose credentials these are, as far as they tell."""
        session = self._open()
        found = session.credentials
        name = getattr(found, "service_account_email", "") or getattr(found, "account", "")
        return str(name or "user credentials")

    def get(self, service: str, path: str, **query: str) -> dict[str, Any] | None:
        """What stands at a path; None when there is nothing.

        Raises:
            PreflightError: there are no credentials.
            ToolError: Google refused, or could not be reached.
        """
        return self._send("GET", service, path, params=query)

    def post(self, service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a body. Errors are as for `get`."""
        return self._send("POST", service, path, json=body) or {}

    def list(self, service: str, path: str, key: str, **query: str) -> Iterator[Any]:
        """Every item of every page. Errors are as for `get`."""
        token = ""
        while True:
            page = self.get(service, path, **query, **({"pageToken": token} if token else {})) or {}
            found = page.get(key, [])
            yield from found.items() if isinstance(found, dict) else found
            token = page.get("nextPageToken", "")
            if not token:
                return

    def _send(self, method: str, service: str, path: str, **options: Any) -> dict[str, Any] | None:
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        session, host = self._open(), _HOSTS[service]
        base = f"{self.endpoint}/{host.partition('//')[2].partition('/')[2]}" if self.endpoint else host
        try:
            answer = session.request(method, f"{base}/{path}", timeout=_TIMEOUT_S, **options)
        except GoogleAuthError as error:
            raise PreflightError(f"Google Cloud: {error}", hint=LOG_IN) from error
        except RequestException as error:
            raise ToolError(f"Google Cloud cannot be reached: {error}", hint="look at your network") from error
        if answer.status_code == 404:  # noqa: PLR2004 - HTTP's own number
            return None
        if not answer.ok:
            raise _explain(answer)
        return dict(answer.json())

    def _open(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = self._log_in()
            return self._session

    def _log_in(self) -> Any:
        try:
            import google.auth
            from google.auth.transport.requests import AuthorizedSession
        except ImportError as error:
            raise PreflightError("google-auth is not installed", hint="pip install 'mlops[gcp]'") from error
        found = next((os.environ[name] for name in _PROJECT_VARIABLES if os.environ.get(name)), None)
        try:
            if self.credentials is None:
                self.credentials, default = google.auth.default(scopes=[_SCOPE])
                found = found or default
        except google.auth.exceptions.GoogleAuthError as error:
            raise PreflightError(f"Google Cloud: {error}", hint=LOG_IN) from error
        self.project = self.project or found
        return AuthorizedSession(self.credentials)


def _explain(answer: Any) -> ToolError:
    try:
        message = str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = answer.reason
    if answer.status_code in (401, 403):
        return ToolError(f"Google Cloud does not let us ask: {message}", hint="grant it, or enable the API it names")
    return ToolError(f"Google Cloud: {answer.status_code} {message}", hint="try again")
