"""What a command does once there is a run: leave it, or tell it to its end and end as it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platform_cli.errors import InterruptedByUser, WorkflowError

if TYPE_CHECKING:
    from platform_cli.cli.option import Context
    from platform_cli.workflow.interface import Engine, WorkflowObject


def leave_run(context: Context, engine: Engine, run: str) -> None:
    """Let a run go on without us, and say how to find it again."""
    if _is_ours(engine, run):
        engine.start(run)
    hint = f"next: mlops pipeline get {run} --wait · mlops pipeline logs {run} --follow"
    context.screen.show({"type": "Submitted", "run": run}, [f"submitted {run}", context.complete(hint)])


def drive_run(context: Context, engine: Engine, run: str, *, stops: bool) -> None:
    """Drive a run to its end, or watch one that is under way or over.

    With `stops`, Ctrl-C stops a run that goes on elsewhere, too.

    Raises:
        InterruptedByUser: Ctrl-C.
        WorkflowError: it did not succeed.
    """
    tell = engine.run if _is_ours(engine, run) else engine.watch
    try:
        workflow = tell(run, context.emit)
    except InterruptedByUser as left:
        if not (stops and engine.is_remote):
            raise
        engine.stop(run)
        hint = f"continue it with: mlops pipeline submit --resume {run} --wait"
        raise InterruptedByUser(f"run {run} was stopped", hint=hint) from left
    require_success(workflow)


def require_success(workflow: WorkflowObject) -> None:
    """See that a run that is over succeeded.

    Raises:
        WorkflowError: it did not; the message has the step to blame and that step's own words.
    """
    from shlex import quote

    from platform_cli.render.cause import find_cause, name_step

    run, status = workflow["metadata"]["name"], workflow["status"]
    if status["phase"] == "Succeeded":
        return
    node = find_cause(workflow)
    if node is None:
        raise WorkflowError(f"run {run} ended {status['phase']}: {status.get('message', '')}".rstrip(": "))
    step = name_step(node, status["nodes"])
    raise WorkflowError(
        f"run {run} failed at {step}: {node.get('message') or node['phase']}",
        hint=f"mlops pipeline logs {run} {quote(step)}, mend it, then mlops pipeline submit --resume {run} --wait",
    )


def _is_ours(engine: Engine, run: str) -> bool:
    """Whether nobody has begun a run that this machine has to drive; a cluster's controller drives by itself."""
    return not engine.is_remote and engine.get(run)["status"]["phase"] == "Pending"
