"""Following a run of this machine that another process drives: what that one writes down is told as it comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from platform_cli.errors import StateError
from platform_cli.events import LogLine, NodeFinished, RunFinished
from platform_cli.workflow.argo_status import Teller, is_over
from platform_cli.workflow.run_log import Tail

if TYPE_CHECKING:
    from platform_cli.events import Emit, Event
    from platform_cli.workflow.interface import WorkflowObject
    from platform_cli.workflow.local_engine import LocalEngine

_POLL_S = 0.2
_PATIENCE_S = 20.0


def follow_run(engine: LocalEngine, name: str, emit: Emit, *, patience_s: float = _PATIENCE_S) -> WorkflowObject:
    """Tell a run from its beginning until it is over; returns it as it ended.

    Args:
        engine: has the run; it drives nothing.
        name: of the run.
        emit: gets the lines of a step before its end.
        patience_s: until a run that no process drives is an error.

    Raises:
        StateError: nobody drives it.
    """
    teller = Teller(lambda _workflow, node: str(node.get("message") or ""))
    tail = Tail(engine.folder(name))
    given_up = time.monotonic() + patience_s
    while True:
        engine.reconcile()
        run, nodes = engine.store.run(name), engine.store.nodes(name)
        workflow = run.as_workflow(nodes)
        events = list(teller.tell(workflow))
        lines = [line for node in nodes for line in tail.read(node)]
        for event in sorted([*events, *lines], key=_turn):
            emit(event)
        if is_over(workflow):
            return workflow
        if run.engine is None and time.monotonic() > given_up:
            hint = f"start it with: mlops pipeline submit --resume {name} --wait"
            raise StateError(f"run {name} was never started", hint=hint)
        time.sleep(_POLL_S)


def _turn(event: Event) -> int:
    """What a step wrote comes after its start and before its end."""
    return 2 if isinstance(event, NodeFinished | RunFinished) else int(isinstance(event, LogLine))
