"""Runs stages that do not need each other at the same time, a few at once, in threads.

Threads only do the stages' work: what they have to tell goes through one queue to the caller's thread, which alone
writes the journal and emits. When one stage fails, or on Ctrl-C, no other begins, and those that run are told to end
at their next word; a thread that does not come back in time is left behind and ends with the process.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from platform_cli.apply import Book, RunStage, interrupted_in, run_explained
from platform_cli.errors import InterruptedByUser, MlopsError
from platform_cli.events import Event
from platform_cli.risk import Risk

if TYPE_CHECKING:
    from platform_cli.plan import PlannedStage

AT_ONCE = 4
_GRACE_S = 20.0
_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class _Ended:
    """A thread's last word: what its stage returned or raised."""

    planned: PlannedStage
    result: str | BaseException


_Word = Event | _Ended


@dataclass(slots=True)
class _Group:
    """The stages on their way. Only the caller's thread changes it."""

    run: RunStage
    book: Book
    waiting: list[PlannedStage]
    running: dict[str, PlannedStage] = field(default_factory=dict)
    words: queue.SimpleQueue[_Word] = field(default_factory=queue.SimpleQueue)
    stopping: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None


def run_concurrently(group: Sequence[PlannedStage], run: RunStage, book: Book) -> None:
    """Run the stages of a group; each begins once those of the group that it needs have ended well.

    Raises:
        MlopsError: what the first stage that failed said.
        InterruptedByUser: Ctrl-C.
    """
    on_the_way = _Group(run, book, list(group))
    try:
        while on_the_way.waiting or on_the_way.running:
            _start_ready(on_the_way)
            _listen(on_the_way, _POLL_S)
    except KeyboardInterrupt as error:
        names = ", ".join(on_the_way.running) or on_the_way.waiting[0].stage.name
        _stop(on_the_way)
        raise interrupted_in(names) from error
    if on_the_way.failure is not None:
        raise on_the_way.failure


def _start_ready(group: _Group) -> None:
    """Begin what may begin; what changes nothing is only told, and what may not begin any more is forgotten."""
    if group.stopping.is_set():
        group.waiting.clear()
        return
    for planned in list(group.waiting):
        undone = {other.stage.name for other in (*group.waiting, *group.running.values())}
        if undone & set(planned.stage.needs):
            continue
        if planned.risk is Risk.NONE:
            group.waiting.remove(planned)
            group.book.skip(planned)
        elif len(group.running) < AT_ONCE:
            group.waiting.remove(planned)
            group.book.start(planned)
            group.running[planned.stage.name] = planned
            threading.Thread(target=_work, args=(group, planned), name=planned.stage.name, daemon=True).start()


def _work(group: _Group, planned: PlannedStage) -> None:
    """In a thread of its own: the work of one stage."""

    def tell(event: Event) -> None:
        if group.stopping.is_set():
            raise InterruptedByUser(f"stage {planned.stage.name} was stopped", hint="run the same command again")
        group.words.put(event)

    try:
        group.words.put(_Ended(planned, run_explained(planned.stage, group.run, tell)))
    except BaseException as error:  # noqa: BLE001 - whatever ends a thread is raised in the caller's
        group.words.put(_Ended(planned, error))


def _listen(group: _Group, timeout_s: float) -> None:
    """Take one word of a thread, if there comes one in time."""
    if not group.running:
        return
    try:
        word = group.words.get(timeout=timeout_s)
    except queue.Empty:
        return
    if isinstance(word, _Ended):
        _end(group, word)
    else:
        group.book.emit(word)


def _end(group: _Group, word: _Ended) -> None:
    del group.running[word.planned.stage.name]
    if isinstance(word.result, str):
        group.book.finish(word.planned, word.result)
        return
    if isinstance(word.result, MlopsError):
        group.book.fail(word.planned, word.result)
    group.failure = group.failure or word.result
    group.stopping.set()


def _stop(group: _Group) -> None:
    """Wait for the threads to come back; a second Ctrl-C leaves them at once."""
    group.stopping.set()
    deadline = time.monotonic() + _GRACE_S
    try:
        while group.running and time.monotonic() < deadline:
            _listen(group, _POLL_S)
    except KeyboardInterrupt:
        return
