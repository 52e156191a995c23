"""Points in time as Go writes them."""

from __future__ import annotations

import re
from datetime import datetime

_LAYOUT = re.compile(r"2006|January|Jan|Monday|Mon|MST|-07:00|-0700|Z07:00|01|02|15|03|04|05|06|PM")
_DIRECTIVES = {
    "2006": "%Y",
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "MST": "%Z",
    "-0700": "%z",
    "01": "%m",
    "02": "%d",
    "15": "%H",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "PM": "%p",
}


def format_time(layout: str, moment: datetime) -> str:
    """`moment` in Go's layout, in which `2006-01-02 15:04:05` stands for the parts."""
    return _LAYOUT.sub(lambda match: _part(match.group(), moment), layout)


def _part(word: str, moment: datetime) -> str:
    if word in _DIRECTIVES:
        return moment.strftime(_DIRECTIVES[word])
    offset = moment.strftime("%z")
    is_utc = word == "Z07:00" and offset in ("+0000", "")
    return "Z" if is_utc else f"{offset[:3]}:{offset[3:5]}"
