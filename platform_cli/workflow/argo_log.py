"""Logs of a run's steps, in the order of the steps, once or as they are written."""

from __future__ import annotations

import difflib
import itertools
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from platform_cli.errors import MlopsError, NotFoundError, ToolError
from platform_cli.events import LogLine
from platform_cli.tools.kubernetes_error import is_refusal, status_of
from platform_cli.workflow.argo_api import WorkflowApi
from platform_cli.workflow.argo_status import NodeObject, has_ended, list_pods
from platform_cli.workflow.interface import WorkflowObject

_POLL_S = 0.5
_NOT_STARTED = 400
_ARCHIVED = "main-logs"
# Argo's own executor writes into the step's log: marked lines, and at last how the program ended.
_ARGOS_OWN = re.compile(r'^time=\S+ level=\w+ .*\bargo=true\b|^\{.*"argo":\s*true|^Error: exit status \d+$')


def stream_logs(
    api: WorkflowApi, updates: Iterable[WorkflowObject], *, step: str | None = None, follow: bool = False
) -> Iterator[LogLine]:
    """The lines of each step that has begun, once per step, for every look at the run in `updates`.

    Args:
        api: has the logs.
        updates: the run as it is, and as it becomes.
        step: only nodes with this display name, name, id or template.
        follow: read a step that still runs to its end before the next one.
    """
    done: set[str] = set()
    for workflow in updates:
        for node in list_pods(workflow, step):
            if node["id"] not in done and node["phase"] not in ("Pending", "Skipped", "Omitted"):
                done.add(node["id"])
                yield from _read(api, workflow, node, follow=follow)


def refuse_unknown_step(workflow: WorkflowObject, step: str | None) -> None:
    """See that a run has a step of that name.

    Raises:
        NotFoundError: it has none; the nearest name is suggested.
    """
    if step is None or list_pods(workflow, step):
        return
    known = sorted({str(node["displayName"]) for node in list_pods(workflow)})
    near = difflib.get_close_matches(step, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"its steps: {', '.join(known) or 'none yet'}"
    raise NotFoundError(f"run {workflow['metadata']['name']} has no step {step}", hint=hint)


def find_last_line(api: WorkflowApi, workflow: WorkflowObject, node: NodeObject) -> str:
    """The last line that a step's program wrote; empty when there is none to be had."""
    lines = [
        line.text for line in _read(api, workflow, node, follow=False) if line.text.strip() and line.stream == "stdout"
    ]
    return lines[-1].strip() if lines else ""


def _read(api: WorkflowApi, workflow: WorkflowObject, node: NodeObject, *, follow: bool) -> Iterator[LogLine]:
    told = 0
    while True:
        try:
            for number, line in enumerate(_tell(node, api.read_log(workflow, node, follow=follow)), 1):
                if number > told:
                    told = number
                    yield line
        except NotFoundError:
            yield from _read_archived(api, workflow, node, told)
        except MlopsError as error:
            if is_refusal(error) or not (follow or isinstance(error, ToolError)):
                raise
            # The container has not started yet, or never will; or nobody answers now, and later steps have logs, too.
            if follow and not _has_ended(api, workflow, node):
                time.sleep(_POLL_S)
                continue
            if told or status_of(error) != _NOT_STARTED:
                yield LogLine(source=str(node["displayName"]), stream="stderr", text=f"(its log ends here: {error})")
        return


def _tell(node: NodeObject, texts: Iterable[str]) -> Iterator[LogLine]:
    for text in texts:
        if not _ARGOS_OWN.match(text):
            yield LogLine(source=str(node["displayName"]), stream="stdout", text=text)


def _has_ended(api: WorkflowApi, workflow: WorkflowObject, node: NodeObject) -> bool:
    try:
        now = api.find(workflow["metadata"]["name"])
    except MlopsError as error:
        if is_refusal(error):
            raise
        return False
    return has_ended(now, node)


def _read_archived(api: WorkflowApi, workflow: WorkflowObject, node: NodeObject, told: int) -> Iterator[LogLine]:
    """What comes after the first `told` lines in the copy that Argo keeps in the bucket when `archiveLogs` is on."""
    name = str(node["displayName"])
    artifacts = (node.get("outputs") or {}).get("artifacts") or ()
    kept = next((artifact for artifact in artifacts if artifact["name"] == _ARCHIVED), None)
    reason = "archiveLogs is off, so no copy was kept"
    if kept is not None:
        try:
            yield from itertools.islice(_read_copy(api, workflow, node, dict(kept)), told, None)
        except MlopsError as error:
            reason = error.message
        else:
            return
    # A pod that no node ever ran has written nothing.
    if node.get("hostNodeName"):
        yield LogLine(source=name, stream="stderr", text=f"(the log went with its pod: {reason})")


def _read_copy(
    api: WorkflowApi, workflow: WorkflowObject, node: NodeObject, artifact: dict[str, object]
) -> Iterator[LogLine]:
    with tempfile.TemporaryDirectory(prefix="mlops-log-") as folder:
        target = Path(folder) / "log"
        api.download(workflow, node, artifact, target)
        text = target.read_text("utf-8", "replace")
    yield from _tell(node, text.splitlines())
