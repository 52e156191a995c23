"""Why a pod of a workflow failed or does not start, in one line that begins with the reason. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from platform_cli.workflow.argo_api import MAIN

_EXIT = re.compile(
    r"^(?:(?P<container>[\w-]+): )?(?P<reason>\w+) \(exit code (?P<code>\d+)\)(?:: (?P<rest>.*))?$", re.DOTALL
)
_DEADLINE = ("active on the node longer than the specified deadline", "Step exceeded its deadline")
_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable")
_MISSING = ("CreateContainerConfigError", "CreateContainerError")
_QUOTA = re.compile(r"exceeded quota: (?P<quota>[^,]+), (?P<figures>.*)")
_KILLED = 137


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about a node's pod.

    Attributes:
        message: the node's own message, as Argo wrote it.
        pod: the pod; empty when it is gone.
        warnings: what the cluster said about the pod, oldest first.
        last_line: the last line that the step's program wrote.
        deadline_s: of the template; empty when it has none.
        memory: the limit of the main container; empty when it has none.
    """

    message: str
    pod: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    last_line: str = ""
    deadline_s: str = ""
    memory: str = ""


def explain_failure(evidence: Evidence) -> str:
    """Why a pod failed: out of memory, evicted, image, deadline, quota, or its exit code and its last words."""
    message = evidence.message
    if _is_evicted(evidence):
        return f"evicted: {message}"
    if any(words in message for words in _DEADLINE):
        return _explain_deadline(evidence)
    if match := _EXIT.match(message):
        return _explain_exit(match, evidence)
    if "shutdown" in message.lower() or "stopped" in message.lower():
        waiting = explain_waiting(evidence)
        return f"{waiting}; then stopped" if waiting else "stopped before it was over"
    return explain_pending(message) or message


def _is_evicted(evidence: Evidence) -> bool:
    status = evidence.pod.get("status") or {}
    return status.get("reason") == "Evicted" or evidence.message.startswith(
        ("The node was low on resource", "Pod ephemeral local storage usage exceeds", "The node had condition")
    )


def _explain_deadline(evidence: Evidence) -> str:
    deadline = f"deadline of {evidence.deadline_s}s exceeded" if evidence.deadline_s else "its deadline exceeded"
    waiting = explain_waiting(evidence)
    return f"{waiting}; {deadline}" if waiting else deadline


def _explain_exit(match: re.Match[str], evidence: Evidence) -> str:
    container, code = match["container"] or MAIN, int(match["code"])
    if match["reason"] == "OOMKilled":
        limit = f", its limit is {evidence.memory}" if evidence.memory else ""
        return f"out of memory (OOMKilled{limit})"
    words = evidence.last_line or (match["rest"] or "").strip().partition("\n")[0]
    if container != MAIN:
        return f"Argo's {container} container failed (exit code {code}): {(match['rest'] or '').strip()}".rstrip(": ")
    killed = "killed, " if code == _KILLED else ""
    return f"{killed}exit code {code}: {words}" if words else f"{killed}exit code {code}"


def explain_waiting(evidence: Evidence) -> str:
    """What a pod that never ran was waiting for; empty when it ran or nothing is known."""
    for container in _list_containers(evidence.pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = explain_pending(f"{waiting.get('reason', '')}: {waiting.get('message', '')}") if waiting else ""
        if reason:
            return reason
    return next((reason for text in reversed(evidence.warnings) if (reason := explain_pending(text))), "")


def _list_containers(pod: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))


def explain_pending(message: str) -> str:
    """What a pod waits for; empty for what passes by itself, such as PodInitializing."""
    reason, _, rest = message.partition(": ")
    if reason in _IMAGE or "pull image" in message or "pulling image" in message:
        return f"its image cannot be pulled: {_shorten_image(rest or reason)}"
    if reason in _MISSING:
        return f"its container cannot be made: {rest or reason}"
    if reason in ("Unschedulable", "FailedScheduling"):
        return f"no node has room for it: {rest.partition('. ')[0]}"
    if quota := _QUOTA.search(message):
        return f"quota {quota['quota']} is used up: {quota['figures']}"
    if reason == "FailedMount":
        return f"a volume cannot be mounted: {rest}"
    return message if "forbidden" in message else ""


def _shorten_image(text: str) -> str:
    """The image's name and the end of the matter, the same for every attempt to pull it."""
    image = re.search(r'image:? "(?P<image>[^"]+)"', text)
    if image is None:
        return text
    reasons = (
        ("not found", "not found"),
        ("unauthorized", "not allowed"),
        ("denied", "not allowed"),
        ("dial tcp", "its registry does not answer"),
    )
    reason = next((words for sign, words in reasons if sign in text.lower()), "")
    return f"{image['image']} ({reason})" if reason else image["image"]
