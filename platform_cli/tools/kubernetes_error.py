"""What the Kubernetes API refused, in words that say what to do."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING, Any

from platform_cli.errors import MlopsError, NotFoundError, PreflightError, ToolError

if TYPE_CHECKING:
    from platform_cli.cluster.access import Access

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _INVALID = 401, 403, 404, 409, 422
_WEBHOOK = re.compile(r'failed calling webhook "(?P<webhook>[^"]+)".*', re.DOTALL)
_NO_ENDPOINTS = re.compile(r'(?:no endpoints available for service|service) "(?P<service>[^"]+)"')
_QUOTA = re.compile(r"exceeded quota: (?P<quota>[^,]+), (?P<figures>.*)")
_SHOWN = 400


class ApiAnswer(Exception):  # noqa: N818 - the cause of an error, never one that a person sees
    """The API's own answer to a request that it refused; the `__cause__` of the error that is raised.

    Attributes:
        status: HTTP status.
        reason: Kubernetes' word for it, such as AlreadyExists or Invalid; may be empty.
        body: the Status object; empty when the answer was none.
    """

    def __init__(self, status: int, reason: str, message: str, body: dict[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.body = body


def status_of(error: MlopsError) -> int:
    """The HTTP status behind an error of `Kubernetes`, such as 409; 0 when the API did not answer."""
    return error.__cause__.status if isinstance(error.__cause__, ApiAnswer) else 0


def is_forbidden(error: MlopsError) -> bool:
    """Whether we lack the right."""
    return status_of(error) == _FORBIDDEN


def is_conflict(error: MlopsError) -> bool:
    """Whether something of that name is there already, or somebody was faster."""
    return status_of(error) == _CONFLICT


def is_refusal(error: MlopsError) -> bool:
    """Whether we are not let: asking again changes nothing before somebody has given us a new token or a right."""
    return status_of(error) in (_UNAUTHORIZED, _FORBIDDEN)


def explain(answer: ApiAnswer, *, verb: str, what: str) -> MlopsError:
    """The error for an answer; raise it `from` the answer. `what` names the object, `verb` what was asked of it."""
    message = _first_line(answer.message) or f"HTTP {answer.status}"
    match answer.status:
        case 401:
            return PreflightError(
                f"{what}: the cluster does not accept the credentials: {message}",
                hint="they have expired or belong to another cluster; log in again, or get a new kubeconfig",
            )
        case 403:
            return _forbidden(message, verb, what)
        case 404:
            return NotFoundError(f"{what}: {message}", hint="look for its name with mlops status")
        case 409:
            taken = answer.reason == "AlreadyExists"
            hint = "choose another name, or remove it first" if taken else "somebody else changed it; try again"
            return ToolError(f"cannot {verb} {what}: {message}", hint=hint)
        case _:
            return _refused(answer, message, verb, what)


def _forbidden(message: str, verb: str, what: str) -> MlopsError:
    quota = _QUOTA.search(message)
    if quota:
        return ToolError(
            f"cannot {verb} {what}: quota {quota['quota']} is used up: {quota['figures']}",
            hint="remove what is no longer needed there, or have the ResourceQuota raised",
        )
    if "is being terminated" in message:
        return ToolError(f"cannot {verb} {what}: {message}", hint="wait until the namespace is gone, then run it again")
    # The API says so when rights are missing; other refusals are an admission plugin's or a webhook's.
    if " cannot " in message or not message:
        return PreflightError(
            f"not allowed to {verb} {what}: {message}",
            hint="ask whoever runs the cluster for this right; `kubectl auth can-i --list` shows yours",
        )
    return ToolError(
        f"cannot {verb} {what}: {message}", hint="a policy of the cluster refuses it; change what it names"
    )


def _refused(answer: ApiAnswer, message: str, verb: str, what: str) -> MlopsError:
    webhook = _WEBHOOK.search(answer.message)
    if webhook:
        service = _NO_ENDPOINTS.search(answer.message)
        who = f"webhook {webhook['webhook']}" + (f" (service {service['service']})" if service else "")
        return ToolError(
            f"cannot {verb} {what}: {who} does not answer: {message}",
            hint="its pods are down: start them, or delete the webhook configuration when nobody runs it any more",
        )
    causes = (answer.body.get("details") or {}).get("causes") or []
    details = tuple(f"{cause.get('field', '')}: {cause.get('message', '')}".removeprefix(": ") for cause in causes)
    return ToolError(f"cannot {verb} {what}: {message}", hint=_HINTS.get(answer.status, ""), details=details)


_HINTS = {
    400: "correct what it names",
    _INVALID: "correct the field that it names",
    429: "the API is busy; run the command again",
    500: "look at the API server's log",
    503: "the API is starting or overloaded; run the command again",
}


def _first_line(message: str) -> str:
    line = message.strip().partition("\n")[0]
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def explain_unreachable(error: Exception, access: Access) -> PreflightError:
    """Why the API does not answer, in a few words, and what to do."""
    reason, hint = _reason(error)
    return PreflightError(
        f"{access.context}: the cluster's API at {access.server} cannot be reached: {reason}", hint=hint
    )


def _reason(error: Exception) -> tuple[str, str]:  # noqa: PLR0911 - one return per reason
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError, ReadTimeoutError

    inner = _innermost(error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not the one expected: {inner.verify_message}",
            "get a new kubeconfig for this cluster",
        )
    if isinstance(inner, ssl.SSLError):
        return f"TLS failed: {inner.reason or inner}", "the client certificate may have expired; get a new kubeconfig"
    if isinstance(error, NameResolutionError):
        return "its name is not known", "correct the server's name; a private cluster needs your VPN"
    if isinstance(inner, ConnectionRefusedError):
        return "connection refused", "start the cluster, or correct the server in the kubeconfig"
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        return "no answer", "a private cluster is reached through its VPN or bastion only"
    if isinstance(error, ReadTimeoutError):
        return "it took the request and did not answer", "the API is overloaded or the network drops packets; try again"
    return str(inner) or type(inner).__name__, "see that the cluster is up and the network lets you through"


def _innermost(error: BaseException) -> BaseException:
    inner = error.__cause__ or error.__context__ or next((a for a in error.args if isinstance(a, BaseException)), None)
    return _innermost(inner) if inner is not None else error
