"""Answers in the shape that AWS' SDKs read."""

from __future__ import annotations

import json
from typing import Any

from werkzeug.wrappers import Response


class AwsError(Exception):
    """A refusal, as AWS words it: its code, its message, its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def answer(value: dict[str, Any], *, status: int = 200) -> Response:
    return Response(json.dumps(value), status=status, content_type="application/x-amz-json-1.1")


def refuse(error: AwsError) -> Response:
    response = answer({"__type": error.code, "message": error.message}, status=error.status)
    response.headers["x-amzn-ErrorType"] = error.code
    return response
