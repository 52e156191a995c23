"""Takes secrets out of text before it is shown, logged or kept."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
_SHORTEST = 4
_PATTERNS = (
    re.compile(r"(?<=://)(?P<user>[^/\s:@]*):[^/\s@]+(?=@)"),
    re.compile(r"(?i)(?P<user>\bbearer )[A-Za-z0-9._~+/=-]{8,}"),
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with each secret, each password in a URL and each bearer token masked.

    A secret of several lines is masked line by line. Values shorter than four characters are left: masking them would
    spoil the text and hide nothing.
    """
    parts = {part.strip() for secret in secrets for part in secret.splitlines()}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST:
            text = text.replace(part, MASK)
    text = _PATTERNS[0].sub(rf"\g<user>:{MASK}", text)
    return _PATTERNS[1].sub(rf"\g<user>{MASK}", text)
