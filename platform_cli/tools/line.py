"""The lines of an answer that comes in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import urllib3

_READ_BYTES = 65_536


def split_lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Each line as it comes, empty ones too, without its end; a last one without an end is told as well."""
    rest = b""
    for chunk in answer.stream(_READ_BYTES, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest
