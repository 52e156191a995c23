"""Node status, in the shape of Argo's `Workflow.status.nodes`."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from platform_cli.workflow.model_value import Artifact, Parameter

LEAF_TYPES = ("Pod", "Suspend")
_FNV_OFFSET, _FNV_PRIME, _MASK_32 = 0x811C9DC5, 0x01000193, 0xFFFFFFFF


class NodeInputs(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """What a node was given, with every value resolved."""

    parameters: tuple[Parameter, ...] = ()
    artifacts: tuple[Artifact, ...] = ()


class NodeOutputs(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """What a node gave. `result` is the end of its standard output; `exit_code` is text, as Argo has it."""

    parameters: tuple[Parameter, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    result: str | None = None
    exit_code: str | None = None

    def parameter(self, name: str) -> str | None:
        """The value of output parameter `name`, or None when there is none."""
        return next((parameter.value for parameter in self.parameters if parameter.name == name), None)


class Reuse(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True):
    """Why a node took an earlier node's outputs (`hit`), or why it did not; `origin` is that node, as `RUN/ID`."""

    hit: bool
    reason: str
    key: str = ""
    origin: str = ""


class Node(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One node of a run. Everything but `reuse` has Argo's name, meaning and spelling."""

    id: str
    name: str
    display_name: str
    type: str
    phase: str
    template_name: str = ""
    template_scope: str = ""
    boundary_id: str = msgspec.field(default="", name="boundaryID")
    started_at: datetime | None = None
    finished_at: datetime | None = None
    message: str = ""
    inputs: NodeInputs | None = None
    outputs: NodeOutputs | None = None
    children: list[str] = []
    outbound_nodes: list[str] = []
    reuse: Reuse | None = None

    @property
    def fulfilled(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.phase in ("Succeeded", "Failed", "Error", "Skipped", "Omitted")

    @property
    def failed(self) -> bool:
        """Whether it ended badly: Failed is the step's own doing, Error is not."""
        return self.phase in ("Failed", "Error")

    @property
    def seconds(self) -> float:
        """How long it took, or has taken until now; 0 before it starts."""
        if self.started_at is None:
            return 0.0
        return ((self.finished_at or now()) - self.started_at).total_seconds()


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def node_id(run: str, name: str) -> str:
    """The id of node `name`: the run's name for the root, else with the 32-bit FNV-1a hash, as Argo makes it."""
    if name == run:
        return run
    value = _FNV_OFFSET
    for byte in name.encode():
        value = ((value ^ byte) * _FNV_PRIME) & _MASK_32
    return f"{run}-{value}"
