"""`retryStrategy`: attempts at one template, and whether another is due."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import replace

from platform_cli.workflow.call import Invocation
from platform_cli.workflow.duration import parse_duration
from platform_cli.workflow.expression import evaluate_bool, expand
from platform_cli.workflow.model_template import Backoff, RetryStrategy
from platform_cli.workflow.node import Node
from platform_cli.workflow.scheduler import BROKEN, Scheduler
from platform_cli.workflow.scope import BindingError, Values, input_values
from platform_cli.workflow.substitution import substitute

_POLICIES = {
    "Always": ("Failed", "Error"),
    "OnFailure": ("Failed",),
    "OnError": ("Error",),
    "OnTransientError": ("Error",),
}
NO_MORE = "No more retries left"


class RetryFrame:
    """One Retry node and its attempts."""

    def __init__(self, scheduler: Scheduler, invocation: Invocation, strategy: RetryStrategy) -> None:
        self.scheduler = scheduler
        self.invocation = invocation
        self.strategy = strategy
        self.attempts = 0
        self.last: Node | None = None
        self.node: Node

    def begin(self) -> None:
        """Start the first attempt."""
        self.node = self.scheduler.open(self.invocation.call, "Retry", "Running", self.invocation.inputs)
        self._attempt()

    def _attempt(self) -> None:
        call, index = self.invocation.call, self.attempts
        self.attempts += 1
        names = self._names(index)
        attempt = replace(
            call, name=f"{call.name}({index})", display=f"{call.display}({index})", opened=self._opened, done=self._done
        )
        try:
            template = substitute(self.invocation.template, names, allow_unresolved=True)
        except BROKEN as error:
            self.scheduler.fail(attempt, str(error))
            return
        # The template itself may be a dag with retries inside, whose module needs this one.
        from platform_cli.workflow.invoke import invoke

        invoke(self.scheduler, replace(self.invocation, call=attempt, template=template))

    def _opened(self, node: Node) -> None:
        self.node.children.append(node.id)
        self.scheduler.touch(self.node)

    def _done(self, node: Node | None) -> None:
        if node is None:
            self.scheduler.close(self.invocation.call, self.node, "Failed", "not started")
            return
        self.last = node
        try:
            wait_s, reason = self._next_wait(node)
        except (*BROKEN, ValueError) as error:
            self._close(node, "Error", f"retryStrategy: {error}")
            return
        if reason or wait_s is None:
            self._close(node, node.phase, _joined(reason, node.message) if node.failed else "")
            return
        self.node.message = f"retry {self.attempts} in {wait_s:g}s: {node.message}" if wait_s else ""
        self.scheduler.touch(self.node)
        if wait_s:
            self.scheduler.wait(f"{self.node.id}/{self.attempts}", wait_s, self._attempt)
        else:
            self.scheduler.later(self._attempt)

    def _close(self, last: Node, phase: str, message: str) -> None:
        self.node.outputs = last.outputs
        self.node.outbound_nodes = last.outbound_nodes or [last.id]
        self.scheduler.close(self.invocation.call, self.node, phase, message)

    def _next_wait(self, node: Node) -> tuple[float | None, str]:
        """Seconds until the next attempt, or None and why there is none."""
        strategy = self.strategy
        default = "Always" if strategy.expression else "OnFailure"
        over = self.scheduler.expired and not self.invocation.call.is_handler
        if over or node.phase not in _POLICIES[strategy.retry_policy or default]:
            return None, ""
        if strategy.limit is not None and self.attempts > int(strategy.limit):
            return None, NO_MORE
        if strategy.expression and not evaluate_bool(strategy.expression, expand(self._names(self.attempts))):
            return None, "retryStrategy.expression evaluated to false"
        wait_s = _backoff_s(strategy.backoff, self.attempts) if strategy.backoff else 0.0
        return (None, "Max duration limit exceeded") if self._passes_end(wait_s) else (wait_s, "")

    def _passes_end(self, wait_s: float) -> bool:
        backoff = self.strategy.backoff
        if backoff is None or not backoff.max_duration or self.node.started_at is None:
            return False
        passed_s = (self.scheduler.world.clock() - self.node.started_at).total_seconds()
        return passed_s + wait_s > parse_duration(backoff.max_duration)

    def _names(self, index: int) -> ChainMap[str, object]:
        last = self.last
        code = last.outputs.exit_code if last is not None and last.outputs is not None else None
        local: Values = {
            "retries": str(index),
            "lastRetry.exitCode": "0" if last is None else code or "-1",
            "lastRetry.status": "" if last is None else last.phase,
            "lastRetry.duration": "0" if last is None else str(int(last.seconds)),
            "lastRetry.message": "" if last is None else last.message,
        }
        own: Values = {"node.name": f"{self.invocation.call.name}({index})"}
        return ChainMap(local, own, input_values(self.invocation.inputs), self.scheduler.values)


def _backoff_s(backoff: Backoff, attempt: int) -> float:
    duration = parse_duration(backoff.duration) if backoff.duration else 0.0
    try:
        wait_s = duration * float(backoff.factor or 1) ** (attempt - 1)
    except OverflowError as error:
        raise BindingError("the backoff grows beyond all bounds; set a cap") from error
    return min(wait_s, parse_duration(backoff.cap)) if backoff.cap else wait_s


def _joined(reason: str, message: str) -> str:
    return f"{reason}: {message}" if reason and message else reason or message
