"""Watching a run to its end: its changes and its logs come from two threads, events go out from one."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from platform_cli.errors import MlopsError, NotFoundError, ToolError
from platform_cli.events import Emit, LogLine, Notice
from platform_cli.workflow.argo_api import WorkflowApi
from platform_cli.workflow.argo_log import stream_logs
from platform_cli.workflow.argo_status import Teller, is_over, unpack
from platform_cli.workflow.interface import WorkflowObject

_TICK_S = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to be silent about silence, in seconds.

    Attributes:
        unclaimed_s: until a run that no controller takes up is a warning.
        silent_s: until a run without changes makes us ask whether the cluster still answers.
        logs_s: until the logs of an ended run are left where they are, after their last line.
    """

    unclaimed_s: float = 20.0
    silent_s: float = 30.0
    logs_s: float = 20.0


class _Ended(Enum):
    """A thread has done its work, or died."""

    WATCH = "watch"
    LOGS = "logs"


_Item = WorkflowObject | LogLine | MlopsError | _Ended | None


class Follower:
    """Follows one run once.

    Args:
        api: has the run.
        name: of the run; it must exist.
        teller: turns what is seen into events.
        emit: called from the caller's thread only.
    """

    def __init__(
        self, api: WorkflowApi, name: str, *, teller: Teller, emit: Emit, patience: Patience | None = None
    ) -> None:
        self._api, self._name, self._teller, self._emit = api, name, teller, emit
        self._patience = patience or Patience()
        self._items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._looks: queue.SimpleQueue[WorkflowObject | None] = queue.SimpleQueue()
        # Asking is no change: a run that nobody takes up stays one, however often the cluster answers.
        self._heard = self._asked = time.monotonic()
        self._warned: set[str] = set()
        self._told_all_logs = False

    def follow(self) -> WorkflowObject:
        """Until the run is over; returns it as it ended.

        Raises:
            NotFoundError: somebody deleted it.
        """
        for work in (self._watch, self._log):
            threading.Thread(target=work, daemon=True, name=f"{work.__name__} {self._name}").start()
        try:
            workflow = self._follow_changes()
        finally:
            self._looks.put(None)
        *events, ended = self._teller.tell(workflow)
        for event in events:
            self._emit(event)
        self._drain_logs()
        self._emit(ended)
        return workflow

    def _follow_changes(self) -> WorkflowObject:
        while True:
            try:
                item = self._items.get(timeout=_TICK_S)
            except queue.Empty:
                self._worry()
                continue
            match item:
                case None:
                    raise NotFoundError(f"run {self._name} was deleted", hint="see what is there: mlops pipeline list")
                case MlopsError():
                    raise item
                case LogLine():
                    self._emit(item)
                case _Ended.LOGS:
                    self._told_all_logs = True
                case _Ended.WATCH:
                    hint = f"go on with: mlops pipeline get {self._name}"
                    raise ToolError(f"watching run {self._name} broke off", hint=hint)
                case _:
                    self._note(item)
                    if is_over(item):
                        return item
                    for event in self._teller.tell(item):
                        self._emit(event)

    def _note(self, workflow: WorkflowObject) -> None:
        self._heard = time.monotonic()
        if (workflow.get("status") or {}).get("phase"):
            self._warned.add("unclaimed")
        self._looks.put(workflow)

    def _worry(self) -> None:
        """Tell when nobody takes the run up, or the cluster does not answer: the watch itself goes on for ever."""
        now = time.monotonic()
        if now - self._heard > self._patience.unclaimed_s:
            self._warn("unclaimed", "no controller has taken the run up yet; is Argo's workflow-controller running?")
        if now - max(self._heard, self._asked) > self._patience.silent_s:
            self._asked = now
            try:
                self._api.ping()
                self._warned.discard("lost")
            except MlopsError as error:
                self._warn("lost", f"{error.message}; the run goes on, and so do we once there is an answer")

    def _warn(self, topic: str, text: str) -> None:
        if topic not in self._warned:
            self._warned.add(topic)
            self._emit(Notice(level="warning", text=text))

    def _drain_logs(self) -> None:
        while not self._told_all_logs:
            try:
                item = self._items.get(timeout=self._patience.logs_s)
            except queue.Empty:
                text = f"the logs do not come to their end; see the rest: mlops pipeline logs {self._name}"
                self._emit(Notice(level="warning", text=text))
                return
            if item is _Ended.LOGS:
                self._told_all_logs = True
            elif isinstance(item, LogLine):
                self._emit(item)

    def _watch(self) -> None:
        try:
            for workflow in self._api.watch(self._name):
                self._items.put(None if workflow is None else unpack(workflow))
                if workflow is None or is_over(workflow):
                    return
        except MlopsError as error:
            self._items.put(error)
        finally:
            self._items.put(_Ended.WATCH)

    def _log(self) -> None:
        try:
            for line in stream_logs(self._api, self._next_looks(), follow=True):
                self._items.put(line)
        except MlopsError as error:
            self._items.put(LogLine(source=self._name, stream="stderr", text=f"(no more logs: {error.message})"))
        finally:
            self._items.put(_Ended.LOGS)

    def _next_looks(self) -> Iterator[WorkflowObject]:
        while (look := self._looks.get()) is not None:
            yield look
