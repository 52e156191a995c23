"""Carrying out a call whose inputs are bound: memory first, then retries, then the template itself."""

from __future__ import annotations

from dataclasses import replace

from platform_cli.workflow.call import Invocation, Memorize
from platform_cli.workflow.dag import DagFrame
from platform_cli.workflow.duration import parse_duration
from platform_cli.workflow.model_value import Parameter
from platform_cli.workflow.node import Node, NodeOutputs, Reuse
from platform_cli.workflow.retry import RetryFrame
from platform_cli.workflow.scheduler import BROKEN, Scheduler
from platform_cli.workflow.steps import StepsFrame


def perform(scheduler: Scheduler, invocation: Invocation) -> None:
    """Answer from memory, or run with as many attempts as the template allows."""
    try:
        if _remembered(scheduler, invocation):
            return
    except BROKEN as error:
        scheduler.fail(invocation.call, str(error))
        return
    if invocation.template.synchronization is not None:
        scheduler.fail(invocation.call, "the local engine has no locks: synchronization works on a cluster")
        return
    invocation = _remembering(scheduler, invocation)
    is_leaf = invocation.template.kind in ("container", "script")
    strategy = invocation.template.retry_strategy or (scheduler.retry_strategy if is_leaf else None)
    if strategy is None:
        invoke(scheduler, invocation)
    else:
        RetryFrame(scheduler, invocation, strategy).begin()


def invoke(scheduler: Scheduler, invocation: Invocation) -> None:
    """Run the template once."""
    match invocation.template.kind:
        case "container" | "script":
            scheduler.run_leaf(invocation)
        case "suspend":
            _suspend(scheduler, invocation)
        case "dag":
            DagFrame(scheduler, invocation).begin()
        case "steps":
            StepsFrame(scheduler, invocation).begin()
        case kind:
            scheduler.fail(invocation.call, f"the local engine does not run {kind or 'empty'} templates")


def _remembered(scheduler: Scheduler, invocation: Invocation) -> bool:
    memoize = invocation.template.memoize
    if memoize is None or memoize.cache is None:
        return False
    outputs = scheduler.world.recall(memoize)
    if outputs is None:
        return False
    node = scheduler.open(invocation.call, "Pod", "Running", invocation.inputs)
    cache = memoize.cache.config_map.name
    node.outputs, node.reuse = outputs, Reuse(True, f"memoized in {cache} as {memoize.key}", memoize.key)
    scheduler.close(invocation.call, node, "Succeeded")
    return True


def _remembering(scheduler: Scheduler, invocation: Invocation) -> Invocation:
    """`invocation`, its outputs to be kept when it succeeds."""
    memoize, call = invocation.template.memoize, invocation.call
    if memoize is None or memoize.cache is None:
        return invocation

    def done(node: Node | None) -> None:
        if node is not None and node.phase == "Succeeded":
            scheduler.ask(Memorize(memoize, node.outputs or NodeOutputs()))
        call.done(node)

    return replace(invocation, call=replace(call, done=done))


def _suspend(scheduler: Scheduler, invocation: Invocation) -> None:
    call, suspend = invocation.call, invocation.template.suspend
    try:
        seconds = parse_duration(suspend.duration) if suspend and suspend.duration else None
    except ValueError as error:
        scheduler.fail(call, str(error))
        return
    node = scheduler.open(call, "Suspend", "Running", invocation.inputs)

    def go_on() -> None:
        given = tuple(_supplied(parameter) for parameter in invocation.template.outputs.parameters)
        node.outputs = NodeOutputs(parameters=given) if given else None
        is_too_late = bool(scheduler.expired) and not call.is_handler
        scheduler.close(call, node, "Failed" if is_too_late else "Succeeded", scheduler.expired if is_too_late else "")

    if seconds is None:
        scheduler.wait_for_person(node, go_on)
    else:
        scheduler.wait(node.id, seconds, go_on)


def _supplied(parameter: Parameter) -> Parameter:
    source = parameter.value_from
    value = parameter.value if parameter.value is not None else (source.default if source else None)
    return Parameter(name=parameter.name, value=value or "", global_name=parameter.global_name)
