"""Frozen facts that happen while a plan or a workflow runs.

Producers call an `Emit`; `render/` turns events into text or JSON lines. Durations are seconds, times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStarted:
    """A plan of `stages` stages begins to run on `target`; `titles` are those that will change something, in order."""

    operation: str
    target: str
    stages: int
    titles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted:
    """Stage `index` (from 1) of `total` begins."""

    stage: str
    title: str
    index: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished:
    """A stage ended: `outcome` is created, changed, replaced, destroyed, unchanged or failed."""

    stage: str
    title: str
    outcome: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFinished:
    """The whole plan ended well."""

    operation: str
    target: str
    outcomes: dict[str, int]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A workflow run exists and its first step may start. `workflow` is the template's name."""

    run: str
    workflow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStarted:
    """A node of a run begins; `within` is the node of the graph that it belongs to, empty for the outermost."""

    run: str
    node: str
    name: str
    kind: str
    within: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFinished:
    """A node ended in `phase` (Argo's word).

    `summary` is one line the step itself wrote about its result; `reused` tells why it did not run.
    """

    run: str
    node: str
    name: str
    kind: str
    phase: str
    seconds: float
    message: str = ""
    summary: str = ""
    reused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """A run ended in `phase`: Succeeded, Failed or Error."""

    run: str
    workflow: str
    phase: str
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line that a step, a tool or a server wrote. `stream` is stdout or stderr."""

    source: str
    stream: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person should know: `level` is detail (told when asked for), info, hint or warning."""

    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceProgress:
    """Terraform changes a resource: `phase` is started, waiting, finished or failed.

    `action` is create, update or destroy (a replacement is two); `done` of `total` resources are finished (0: total
    unknown).
    """

    address: str
    action: str
    phase: str
    seconds: float
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded:
    """How a dashboard or model that is brought to this machine does now.

    `state` is open (it answers at `url`), waiting (nothing on the cluster serves it, `detail` says why) or lost (the
    cluster cannot be reached, or does not bring us there, `detail` says why). `credentials` says where user and
    password are, or what, when that was asked for.
    """

    service: str
    state: str
    url: str
    detail: str = ""
    credentials: str = ""


Event = (
    PlanStarted
    | StageStarted
    | StageFinished
    | PlanFinished
    | RunStarted
    | NodeStarted
    | NodeFinished
    | RunFinished
    | LogLine
    | Notice
    | ResourceProgress
    | Forwarded
)
Emit = Callable[[Event], None]
