"""Following a run whose logs and changes come over a way that is at times away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from platform_cli.errors import DeadlineError, MlopsError, NotFoundError, PreflightError, ToolError
from platform_cli.events import Event, LogLine, Notice, RunFinished
from platform_cli.tools.kubernetes_error import ApiAnswer
from platform_cli.workflow.argo_follow import Follower, Patience
from platform_cli.workflow.argo_log import stream_logs
from platform_cli.workflow.argo_status import Teller
from platform_cli.workflow.interface import WorkflowObject

pytestmark = pytest.mark.timeout(60)
Log = list[list[str | MlopsError]]


def answered(error: MlopsError, status: int) -> MlopsError:
    """The error with an answer of that status behind it."""
    error.__cause__ = ApiAnswer(status, "", error.message, {})
    return error


AWAY = PreflightError("the cluster's API cannot be reached: connection refused")
REFUSED = answered(PreflightError("not allowed to get the log of pods r-a-1"), 403)
NOT_STARTED = answered(ToolError("container main is waiting to start"), 400)


def node(name: str, phase: str, **more: Any) -> dict[str, Any]:
    times = {"startedAt": "2026-11-21T10:00:00Z", "finishedAt": None if phase == "Running" else "2026-11-21T10:00:04Z"}
    return {"id": f"r-{name}", "name": f"r.{name}", "displayName": name, "type": "Pod", "phase": phase, **times, **more}


def run_of(phase: str, *nodes: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "r", "resourceVersion": "5", "labels": {}, "annotations": {}}
    status = {"phase": phase, "startedAt": "2026-11-21T10:00:00Z", "nodes": {item["id"]: item for item in nodes}}
    return {"metadata": metadata, "spec": {}, "status": status}


class ShakyApi:
    """A `WorkflowApi` of one run; of each step's log it knows what each reading gives: lines, then perhaps an error.

    Args:
        looks: the run as a watch tells it.
        logs: by step: the readings, the last one for ever.
        finds: the run as it is when asked for, one after the other, the last one for ever; None stands for no answer.
        archive: by step, the copy in the bucket.
    """

    namespace = "argo"

    def __init__(
        self,
        looks: list[WorkflowObject],
        logs: Mapping[str, Log],
        *,
        finds: list[WorkflowObject | None] | None = None,
        archive: Mapping[str, str] | None = None,
    ) -> None:
        self._looks, self._logs = looks, {name: list(readings) for name, readings in logs.items()}
        self._finds = list(finds or looks[-1:])
        self._archive = archive or {}
        self.before_end: Callable[[], object] = lambda: None

    def come_back(self, workflow: WorkflowObject) -> None:
        """Answer from now on, so that a thread which still waits comes to its end."""
        self._finds[:] = [workflow]

    def find(self, name: str) -> WorkflowObject | None:
        del name
        found = self._finds.pop(0) if len(self._finds) > 1 else self._finds[0]
        if found is None:
            raise AWAY
        return found

    def watch(self, name: str) -> Iterator[WorkflowObject | None]:
        del name
        *before, last = self._looks
        yield from before
        self.before_end()
        yield last

    def read_log(self, workflow: WorkflowObject, node: Mapping[str, Any], *, follow: bool) -> Iterator[str]:
        del workflow, follow
        readings = self._logs[node["displayName"]]
        for item in readings.pop(0) if len(readings) > 1 else readings[0]:
            if isinstance(item, MlopsError):
                raise item
            yield item

    def download(
        self, workflow: WorkflowObject, node: Mapping[str, Any], artifact: Mapping[str, Any], target: Path
    ) -> None:
        del workflow, artifact
        target.write_text(self._archive[node["displayName"]], encoding="utf-8")

    def ping(self) -> None:
        raise AWAY

    def list_newest(self, limit: int) -> list[WorkflowObject]:
        return self._looks[-limit:]

    def find_pod(self, workflow: WorkflowObject, node: Mapping[str, Any]) -> dict[str, Any] | None:
        del workflow, node
        return None

    def list_warnings(self, workflow: WorkflowObject, node: Mapping[str, Any]) -> list[str]:
        del workflow, node
        return []

    def apply_template(self, template: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def create(self, workflow: WorkflowObject) -> None:
        raise NotImplementedError

    def stop(self, name: str) -> None:
        raise NotImplementedError

    def retry(self, workflow: WorkflowObject) -> None:
        raise NotImplementedError

    def wake(self, workflow: WorkflowObject) -> None:
        raise NotImplementedError

    def delete(self, name: str) -> None:
        raise NotImplementedError

    def apply_config_map(self, name: str, files: Mapping[str, bytes]) -> None:
        raise NotImplementedError


RUNNING = run_of("Running", node("a", "Running"))
BOTH = run_of("Running", node("a", "Succeeded"), node("b", "Running"))
ENDED = run_of("Succeeded", node("a", "Succeeded"), node("b", "Succeeded"))


def lines_of(api: ShakyApi, looks: list[WorkflowObject], *, follow: bool = True) -> list[tuple[str, str, str]]:
    return [(line.source, line.stream, line.text) for line in stream_logs(api, looks, follow=follow)]


def follow(api: ShakyApi, *, logs_s: float = 30) -> list[Event]:
    """All events; the run ends once the first line of a log was told."""
    events: list[Event] = []
    told = threading.Event()
    api.before_end = lambda: told.wait(30)

    def emit(event: Event) -> None:
        events.append(event)
        if isinstance(event, LogLine):
            told.set()

    teller = Teller(lambda _run, _node: "")
    Follower(api, "r", teller=teller, emit=emit, patience=Patience(logs_s=logs_s)).follow()
    return events


# logs


@pytest.mark.parametrize("error", [AWAY, DeadlineError("broke off 20 times"), answered(ToolError("etcd"), 500)])
def test_logs_go_on_when_the_api_comes_back(error: MlopsError) -> None:
    logs: Mapping[str, Log] = {"a": [[error], ["one", error], ["one", "two"]], "b": [["three"]]}
    api = ShakyApi([ENDED], logs, finds=[RUNNING, None, ENDED])
    assert lines_of(api, [RUNNING, BOTH]) == [("a", "stdout", "one"), ("a", "stdout", "two"), ("b", "stdout", "three")]


def test_the_copy_of_a_log_is_told_from_where_the_pod_went() -> None:
    kept = node("a", "Running", outputs={"artifacts": [{"name": "main-logs"}]})
    argos = 'time="x" level=info msg="sub-process exited" argo=true'
    logs: Mapping[str, Log] = {"a": [[argos, "one", NotFoundError("pods r-a-1 not found")]]}
    api = ShakyApi([ENDED], logs, archive={"a": "one\ntwo\n"})
    assert lines_of(api, [run_of("Running", kept)]) == [("a", "stdout", "one"), ("a", "stdout", "two")]


def test_a_log_that_nobody_can_read_any_more_does_not_hide_the_next_one() -> None:
    dead = answered(ToolError("cannot get the log of pods r-a-1: dial tcp: no route to host"), 500)
    api = ShakyApi([ENDED], {"a": [["one", dead]], "b": [["two"]]}, finds=[RUNNING, ENDED])
    told = lines_of(api, [RUNNING, BOTH])
    assert [text for _, stream, text in told if stream == "stdout"] == ["one", "two"]
    assert [text for _, stream, text in told if stream == "stderr"] == [f"(its log ends here: {dead.message})"]


def test_a_container_that_never_starts_has_no_log() -> None:
    api = ShakyApi([ENDED], {"a": [[NOT_STARTED]]}, finds=[RUNNING, ENDED])
    assert lines_of(api, [RUNNING]) == []
    assert lines_of(api, [RUNNING], follow=False) == []


@pytest.mark.parametrize("follows", [True, False])
def test_a_log_that_is_refused_is_refused(follows: bool) -> None:
    with pytest.raises(PreflightError, match="not allowed"):
        lines_of(ShakyApi([ENDED], {"a": [[REFUSED]]}), [RUNNING], follow=follows)


def test_a_log_that_is_not_followed_does_not_wait() -> None:
    with pytest.raises(PreflightError, match="cannot be reached"):
        lines_of(ShakyApi([ENDED], {"a": [["one", AWAY]]}), [RUNNING], follow=False)


# the whole run


def test_every_step_s_log_is_told_over_a_way_that_was_away() -> None:
    logs: Mapping[str, Log] = {"a": [[AWAY], ["one", AWAY], ["one", "two"]], "b": [["three"]]}
    events = follow(ShakyApi([RUNNING, BOTH, ENDED], logs, finds=[RUNNING]))
    assert [event.text for event in events if isinstance(event, LogLine)] == ["one", "two", "three"]
    assert isinstance(events[-1], RunFinished)


def test_logs_that_do_not_end_are_left_with_a_word() -> None:
    api = ShakyApi([RUNNING, ENDED], {"a": [["one", AWAY]], "b": [[]]}, finds=[None])
    events = follow(api, logs_s=0.5)
    api.come_back(ENDED)
    assert [event.text for event in events if isinstance(event, LogLine)] == ["one"]
    assert [event.text for event in events if isinstance(event, Notice)] == [
        "the logs do not come to their end; see the rest: mlops pipeline logs r"
    ]
    assert isinstance(events[-1], RunFinished)


def test_logs_that_ended_early_are_not_waited_for() -> None:
    """A word about logs that are refused is enough: the run's end comes at once, and no second word."""
    api = ShakyApi([RUNNING, ENDED], {"a": [[REFUSED]], "b": [[]]})
    events = follow(api, logs_s=3600)
    assert [event.text for event in events if isinstance(event, LogLine)] == [f"(no more logs: {REFUSED.message})"]
    assert [event for event in events if isinstance(event, Notice)] == []
