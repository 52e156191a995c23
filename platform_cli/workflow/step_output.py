"""What a step writes: a log that cannot fill the disk, the end of its standard output, its last complaint.

The log has the format of Kubernetes' container logs: `<time> stdout F <line>`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

LOG_NAME = "log"
LOG_LIMIT_BYTES = 64 << 20
RESULT_BYTES = 256 << 10
_LINE_BYTES = 16 << 10
_STREAMS = ("stdout", "stderr")


class StepOutput:
    """Takes both streams of one step.

    Args:
        path: the log; made with its first byte.
        limit_bytes: of each stream's part of the log; what comes after is read and dropped, and the log says so.
    """

    def __init__(self, path: Path, *, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
        self.path = path
        self.problem = ""
        self._room = dict.fromkeys(_STREAMS, limit_bytes)
        self._limit = limit_bytes
        self._partial = dict.fromkeys(_STREAMS, b"")
        self._tail = {stream: bytearray() for stream in _STREAMS}
        self._file: int | None = None

    def feed(self, stream: str, data: bytes) -> None:
        """Take what the step wrote to `stream`."""
        tail = self._tail[stream]
        tail += data
        if len(tail) > 2 * RESULT_BYTES:
            del tail[:-RESULT_BYTES]
        if self._room[stream] <= 0:
            return
        lines, end, rest = (self._partial[stream] + data).rpartition(b"\n")
        if len(rest) > _LINE_BYTES:
            lines, end, rest = self._partial[stream] + data, b"\n", b""
        self._partial[stream] = rest
        if end:
            self._write(stream, lines)

    def finish(self) -> None:
        """Write what is left and close the log."""
        for stream in _STREAMS:
            if self._partial[stream] and self._room[stream] > 0:
                self._write(stream, self._partial[stream])
            self._partial[stream] = b""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def result(self) -> str:
        """Standard output's last 256 KiB, without one final line end."""
        return bytes(self._tail["stdout"][-RESULT_BYTES:]).decode(errors="replace").removesuffix("\n")

    @property
    def complaint(self) -> str:
        """The last line of standard error that is not blank; empty when there is none."""
        text = bytes(self._tail["stderr"][-_LINE_BYTES:]).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def _write(self, stream: str, lines: bytes) -> None:
        prefix = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ} {stream} F ".encode()
        text = prefix + lines.replace(b"\n", b"\n" + prefix) + b"\n"
        if len(text) > self._room[stream]:
            kept = text[: self._room[stream]].rpartition(b"\n")[0] + b"\n"
            marker = f"[{stream} is longer than {self._limit >> 20} MiB: the rest is not kept]\n"
            text, self._room[stream] = kept.lstrip(b"\n") + prefix + marker.encode(), 0
        self._room[stream] -= len(text)
        try:
            if self._file is None:
                self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(self._file, text)
        except OSError as error:
            # The step goes on: what it does matters more than what it says.
            self.problem = f"the log is incomplete: {error.strerror}"
            self._room[stream] = 0


def read_lines(text: str) -> Iterator[tuple[str, str]]:
    """(stream, line) of each line of a log."""
    for line in text.split("\n"):
        parts = line.split(" ", 3)
        if len(parts) == 4 and parts[1] in _STREAMS:  # noqa: PLR2004 - time, stream, tag, text
            yield parts[1], parts[3]
