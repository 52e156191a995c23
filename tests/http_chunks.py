"""Answers of test servers that come line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any


def send_lines(handler: BaseHTTPRequestHandler, lines: Iterable[Any], *, drops: bool) -> None:
    """End the headers and send each line at once, text as it is and all else as JSON; `drops` breaks off after them."""
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for line in lines:
        text = (line if isinstance(line, str) else json.dumps(line)).encode() + b"\n"
        handler.wfile.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
        handler.wfile.flush()
    if drops:
        handler.close_connection = True
    else:
        handler.wfile.write(b"0\r\n\r\n")
