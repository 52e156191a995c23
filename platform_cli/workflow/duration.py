"""Durations as Argo writes them: bare seconds, or Go's `1h30m`, `500ms`."""

from __future__ import annotations

import re

_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|us|µs|ns|m|s|d)")


def parse_duration(text: str | int) -> float:
    """Seconds.

    Raises:
        ValueError: neither a number of seconds nor such as `10m`.
    """
    plain = str(text).strip()
    try:
        return float(plain)
    except ValueError:
        parts = _PART.findall(plain)
    if not parts or "".join(number + unit for number, unit in parts) != plain:
        raise ValueError(f"{text!r} is not a duration; write seconds, or such as 90s, 10m, 1h30m")
    return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
