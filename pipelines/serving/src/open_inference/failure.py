"""The one way a request can fail: an HTTP status and a sentence for people.

Statuses follow Triton's table: invalid argument 400, not found 404, unsupported 501, unavailable 503, internal 500;
HTTP's own for the rest (405 method, 413 body too large, 415 encoding).
"""

from __future__ import annotations


class RequestError(Exception):
    """A request that gets `{"error": message}` with `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def invalid(message: str) -> RequestError:
    """The request itself is wrong (400)."""
    return RequestError(400, message)


def not_found(message: str) -> RequestError:
    """No such path, model or version (404)."""
    return RequestError(404, message)


def unavailable(message: str) -> RequestError:
    """Right request, wrong moment: loading or overloaded (503)."""
    return RequestError(503, message)


class ModelError(Exception):
    """The model folder cannot be served: the message says why."""
