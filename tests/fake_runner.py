"""A runner without processes: it plays a script. It passes the same tests as the real one (test_process.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from platform_cli.errors import DeadlineError, InterruptedByUser, PreflightError, ToolError
from platform_cli.events import Emit, LogLine
from platform_cli.redact import redact
from platform_cli.runner import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a program does: the lines it writes (stream, text), and how it ends."""

    lines: tuple[tuple[str, str], ...] = ()
    exit_code: int = 0
    hangs: bool = False
    is_interrupted: bool = False


class FakeRunner:
    """Answers each program, by its whole command line, with a reply; remembers what was run."""

    def __init__(self, replies: Mapping[tuple[str, ...], Reply]) -> None:
        self._replies = replies
        self.commands: list[Command] = []

    def run(self, command: Command, *, emit: Emit, log: Path) -> None:
        self.commands.append(command)
        if command.argv not in self._replies:
            raise PreflightError(f"cannot start {command.argv[0]}: No such file or directory", hint="mlops doctor")
        reply = self._replies[command.argv]
        lines = [(stream, redact(text, command.secrets)) for stream, text in reply.lines]
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as output:
            output.writelines(
                f"{text}\n"
                for text in ("$ " + redact(" ".join(command.argv), command.secrets), *(line for _, line in lines))
            )
        for stream, text in lines:
            emit(LogLine(source=command.name, stream=stream, text=text))
        self._end(command, reply, tuple(text for _, text in lines), log)

    def _end(self, command: Command, reply: Reply, tail: tuple[str, ...], log: Path) -> None:
        if reply.is_interrupted:
            raise InterruptedByUser(f"{command.name} was interrupted", hint=f"log: {log}")
        if reply.hangs:
            raise DeadlineError(f"{command.name} took longer than {command.timeout_s} s and was stopped", details=tail)
        if reply.exit_code:
            raise ToolError(
                f"{command.name} failed: exit code {reply.exit_code}", hint=f"complete log: {log}", details=tail
            )
