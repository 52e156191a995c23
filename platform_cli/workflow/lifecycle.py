"""A whole run: its entrypoint, its hooks, its exit handler, and the phase it ends with."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping

import msgspec

from platform_cli.workflow.call import Call
from platform_cli.workflow.expression import evaluate_bool, expand
from platform_cli.workflow.json_text import json_text
from platform_cli.workflow.library import OWN, Library
from platform_cli.workflow.model import Spec
from platform_cli.workflow.model_template import Hook, Template
from platform_cli.workflow.model_value import Arguments, Parameter
from platform_cli.workflow.node import Node
from platform_cli.workflow.scheduler import BROKEN, Scheduler, Surroundings
from platform_cli.workflow.scope import Values, parameter_value, workflow_values
from platform_cli.workflow.site import EXIT_HOOK
from platform_cli.workflow.substitution import substitute


class Lifecycle:
    """Drives a scheduler from the start of a run to its end.

    Attributes:
        phase: Running until everything is over, then Succeeded, Failed or Error.
        message: why it did not succeed.
    """

    def __init__(
        self,
        metadata: Mapping[str, str],
        spec: Spec,
        library: Mapping[tuple[str, bool], Spec],
        world: Surroundings,
        earlier: Iterable[Node] = (),
    ) -> None:
        self.spec = spec
        self.phase = "Running"
        self.message = ""
        self.arguments = self._resolved(spec.arguments, world)
        values = {p.name: p.value or "" for p in self.arguments.parameters}
        self.scheduler = Scheduler(
            run=metadata["name"],
            library=Library(spec, library),
            values=workflow_values(metadata, values, spec.entrypoint),
            world=world,
            parallelism=spec.parallelism,
            retry_strategy=spec.retry_strategy,
            earlier=earlier,
        )
        self._open = 0
        self._ran: set[str] = set()
        self._main_is_over = False
        self._end_phase = "Running"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase != "Running"

    def begin(self) -> None:
        """Call the entrypoint, and the hooks that want to know that it runs."""
        self._run_hooks("Running")
        entrypoint = Hook(template=self.spec.entrypoint)
        self._call(self.scheduler.run, self.scheduler.run, entrypoint, self.arguments, is_main=True)

    def templates(self) -> list[Template]:
        """The run's own templates with what is known of their tags before anything ran."""
        return [substitute(t, self.scheduler.values, allow_unresolved=True) for t in self.spec.templates]

    def _resolved(self, arguments: Arguments, world: Surroundings) -> Arguments:
        parameters = [
            Parameter(name=p.name, value=parameter_value(p, world.config_value)) for p in arguments.parameters
        ]
        return msgspec.structs.replace(arguments, parameters=tuple(parameters))

    def _call(self, name: str, display: str, hook: Hook, arguments: Arguments, *, is_main: bool) -> None:
        self._open += 1
        call = Call(
            name=name,
            display=display,
            boundary="",
            callee=hook,
            arguments=arguments,
            scope=OWN,
            extra=self._final_values() if self._main_is_over else {},
            is_handler=not is_main,
            opened=lambda _node: None,
            done=self._main_done if is_main else self._handler_done,
        )
        self.scheduler.begin(call)

    def _main_done(self, node: Node | None) -> None:
        self._main_is_over = True
        self._end_phase = node.phase if node is not None else "Error"
        if self._end_phase not in ("Failed", "Error"):
            self._end_phase = "Succeeded"
        self.message = self.scheduler.expired or (node.message if node is not None and node.failed else "")
        self._run_hooks(self._end_phase)
        self._leave()

    def _handler_done(self, node: Node | None) -> None:
        if node is not None and node.failed and self._main_is_over and self._end_phase == "Succeeded":
            self._end_phase = node.phase
            self.message = f"{node.display_name}: {node.message}"
        self._leave()

    def _leave(self) -> None:
        self._open -= 1
        if not self._open and self._main_is_over:
            self.phase = self._end_phase

    def _run_hooks(self, phase: str) -> None:
        for name, hook in self._hooks().items():
            if name not in self._ran and self._is_due(name, hook, phase):
                self._ran.add(name)
                suffix = "onExit" if name == EXIT_HOOK else f"hooks.{name}"
                display = f"{self.scheduler.run}.{suffix}"
                self._begin_hook(display, hook)

    def _hooks(self) -> dict[str, Hook]:
        own = {EXIT_HOOK: Hook(template=self.spec.on_exit)} if self.spec.on_exit else {}
        return {**own, **self.spec.hooks}

    def _is_due(self, name: str, hook: Hook, phase: str) -> bool:
        if name == EXIT_HOOK:
            return phase != "Running"
        status: Values = {"workflow.status": phase}
        names = ChainMap(status, self.scheduler.values)
        try:
            return evaluate_bool(hook.expression, expand(names))
        except BROKEN as error:
            self.message = self.message or f"hook {name}: {error}"
            return False

    def _begin_hook(self, name: str, hook: Hook) -> None:
        names = ChainMap(self._final_values() if self._main_is_over else {}, self.scheduler.values)
        try:
            given = substitute(hook.arguments, names, allow_unresolved=True)
        except BROKEN as error:
            self.message = self.message or f"{name}: {error}"
            return
        merged = {p.name: p for p in (*self.arguments.parameters, *given.parameters)}
        arguments = msgspec.structs.replace(given, parameters=tuple(merged.values()))
        self._call(name, name, hook, arguments, is_main=False)

    def _final_values(self) -> dict[str, object]:
        failures = [
            {
                "displayName": node.display_name,
                "message": node.message,
                "templateName": node.template_name,
                "phase": node.phase,
                "podName": node.id,
                "finishedAt": node.finished_at.strftime("%Y-%m-%dT%H:%M:%SZ") if node.finished_at else "",
            }
            for node in self.scheduler.nodes.values()
            if node.failed and node.type in ("Pod", "Skipped")
        ]
        return {"workflow.status": self._end_phase, "workflow.failures": json_text(failures)}
