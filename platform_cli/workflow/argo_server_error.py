"""Why Argo's server does not do what it is asked, in words that say what to do."""

from __future__ import annotations

import json
import ssl

from platform_cli.errors import MlopsError, NotFoundError, PreflightError, ToolError

_UNTRUSTED = (
    "have SSL_CERT_FILE name a file with the authority that signed it, or take any certificate: "
    "ARGO_INSECURE_SKIP_VERIFY=true"
)
_NO_SUCH_PAGE = "404 page not found"
"""What a Go server says of a path that it does not know; Argo's own words are JSON."""
_SPEAKS_TLS = "HTTP request to an HTTPS server"


def explain(url: str, status: int, body: str | bytes | None) -> MlopsError:
    """The error for an answer that is none."""
    if _is_foreign(status, _decode(body)):
        return explain_foreign(url)
    return _explain_refusal(url, status, read_message(body) or f"HTTP {status}")


def _explain_refusal(url: str, status: int, message: str) -> MlopsError:  # noqa: PLR0911 - one return per reason
    match status:
        case 401:
            return PreflightError(
                f"Argo's server at {url} does not accept the token: {message}",
                hint="it may have expired: get a new one, such as `argo auth token`, and put it into ARGO_TOKEN",
            )
        case 403:
            return PreflightError(
                f"Argo's server at {url} does not let us: {message}",
                hint="ask whoever runs the cluster for this right",
            )
        case 429 | 502 | 503 | 504:
            return PreflightError(f"Argo's server at {url} is not ready: {message}", hint="see that it is well")
        case 404:
            return NotFoundError(message, hint="see what is there: mlops pipeline list")
        case 400 if _SPEAKS_TLS in message:
            return PreflightError(
                f"Argo's server at {url} speaks TLS only", hint="leave ARGO_SECURE=false out, or ask for https://"
            )
        case 500:
            return ToolError(f"Argo's server failed: {message}", hint="run it again; if it stays so, look at its log")
        case _:
            return ToolError(f"Argo's server refused: {message}", hint="correct what it names")


def explain_foreign(url: str) -> PreflightError:
    """The error for an answer in a form that Argo's server never gives."""
    return PreflightError(
        f"what answers at {url} is not Argo's server, but a page for people",
        hint="ARGO_SERVER must be its whole address, with the path in front of /api/v1 if there is one; "
        "a login page in front of it must let tokens through",
    )


def explain_unreachable(url: str, error: BaseException) -> PreflightError:
    """The error for a connection that did not come about, or broke off."""
    inner = _innermost(error)
    if isinstance(inner, ssl.SSLCertVerificationError):
        return PreflightError(
            f"the certificate of Argo's server at {url} is not trusted: {inner.verify_message}", hint=_UNTRUSTED
        )
    reason, hint = (
        str(inner).rpartition(": ")[2] or type(inner).__name__,
        "check ARGO_SERVER, and that the server is up",
    )
    if isinstance(inner, ssl.SSLError):
        reason = f"TLS failed: {inner.reason or inner}"
        hint = "for a server without TLS set ARGO_SECURE=false"
    return PreflightError(f"Argo's server at {url} cannot be reached: {reason}", hint=hint)


def read_message(body: str | bytes | None) -> str:
    """The server's own words; empty when it gave none that are for people to read on a terminal."""
    text = _decode(body)
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return "" if _is_markup(text) else text.strip().partition("\n")[0]


def is_page(content_type: str) -> bool:
    """Whether an answer is a page for a browser."""
    return content_type.partition(";")[0].strip().lower() == "text/html"


def _decode(body: str | bytes | None) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else body or ""


def _is_foreign(status: int, text: str) -> bool:
    """Whether somebody else answers: a login page's door, or a server that knows no such path at all."""
    if status == 404:  # noqa: PLR2004 - HTTP's own
        return _is_markup(text) or text.strip() == _NO_SUCH_PAGE
    return 300 <= status < 400  # noqa: PLR2004 - HTTP's own classes


def _is_markup(text: str) -> bool:
    return text.lstrip().startswith("<")


def _innermost(error: BaseException) -> BaseException:
    inner = error.__cause__ or error.__context__ or next((a for a in error.args if isinstance(a, BaseException)), None)
    return _innermost(inner) if inner is not None else error
