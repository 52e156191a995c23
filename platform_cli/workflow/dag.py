"""DAG templates: which task may run when, and how the whole ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from platform_cli.workflow.call import Invocation
from platform_cli.workflow.composite import Composite
from platform_cli.workflow.depends import Depends, task_depends
from platform_cli.workflow.model_template import Dag, Task
from platform_cli.workflow.node import Node
from platform_cli.workflow.scheduler import BROKEN, Scheduler
from platform_cli.workflow.site import Site

_RESULTS = {
    "Succeeded": "Succeeded",
    "Failed": "Failed",
    "Error": "Errored",
    "Skipped": "Skipped",
    "Omitted": "Omitted",
}


@dataclass(slots=True, eq=False)
class _TaskState:
    task: Task
    depends: Depends
    waiting: int
    site: Site
    dependants: list[_TaskState] = field(default_factory=list)
    branch: str = ""
    over: bool = False


class DagFrame(Composite):
    """One DAG node."""

    root = "tasks"
    groups_items = True

    def __init__(self, scheduler: Scheduler, invocation: Invocation) -> None:
        super().__init__(scheduler, invocation, "DAG")
        self.dag = invocation.template.dag or Dag(tasks=())
        self.states: dict[str, _TaskState] = {}
        self.targets: list[_TaskState] = []
        self.running = 0
        self.left = 0
        self.stopped = False

    def begin(self) -> None:
        """Start the tasks that wait for nothing."""
        self.open()
        try:
            self._prepare()
        except BROKEN as error:
            self.close("Error", str(error))
            return
        ready = [state for state in self.states.values() if not state.waiting]
        for state in ready:
            self._start(state)
        if not self.states:
            self.finish()

    def link(self, site: Site, node: Node) -> None:
        """Tasks hang on the last nodes of their dependencies."""
        state = self.states[site.step.name]
        parents = [parent for name in state.depends.tasks for parent in self.outbound(self.states[name].site)]
        self.adopt_child(node, parents)

    def site_of(self, name: str) -> Site | None:
        """The task, if it is over."""
        state = self.states.get(name)
        return state.site if state and state.over else None

    def last_sites(self) -> list[Site]:
        """The targets."""
        return [state.site for state in self.targets]

    def _prepare(self) -> None:
        continue_on = {task.name: task.continue_on for task in self.dag.tasks}
        depends = {task.name: task_depends(task, continue_on) for task in self.dag.tasks}
        wanted = self._wanted(depends)
        for task in self.dag.tasks:
            if task.name in wanted:
                name = f"{self.node.name}.{task.name}"
                site = Site(self, task, name, self.node.id, self._task_done)
                own = depends[task.name]
                self.states[task.name] = _TaskState(task, own, len(own.tasks), site)
        for state in self.states.values():
            for name in state.depends.tasks:
                self.states[name].dependants.append(state)
        named = self.dag.target.split()
        self.targets = [s for s in self.states.values() if s.task.name in named or (not named and not s.dependants)]
        self.left = len(self.states)

    def _wanted(self, depends: dict[str, Depends]) -> set[str]:
        """The tasks that the targets need; all of them when no target is named."""
        if not self.dag.target:
            return set(depends)
        wanted: set[str] = set()
        stack = self.dag.target.split()
        while stack:
            name = stack.pop()
            if name not in wanted:
                wanted.add(name)
                stack += depends[name].tasks
        return wanted

    def _start(self, state: _TaskState) -> None:
        """Every dependency is over: run the task, or leave it out."""
        if self.stopped:
            return
        self.running += 1
        try:
            wanted = state.depends.evaluate(self._has_result)
        except BROKEN as error:
            state.site.skip(str(error), "Error")
            return
        if wanted:
            self.scheduler.later(state.site.begin)
        else:
            state.site.skip("omitted: depends condition not met", "Omitted")

    def _has_result(self, name: str, result: str) -> bool:
        site = self.states[name].site
        if result == "AnySucceeded":
            return any(child.phase == "Succeeded" for child in site.children)
        if result == "AllFailed":
            return bool(site.children) and all(child.failed for child in site.children)
        return site.node is not None and _RESULTS[site.node.phase] == result

    def _task_done(self, site: Site) -> None:
        state = self.states[site.step.name]
        state.over = site.node is not None
        self.running -= 1
        self.left -= 1
        if site.node is None or site.dropped:
            self.stopped = True
        state.branch = self._branch(state)
        if self._is_lost(state) and self.dag.fail_fast is not False:
            self.stopped = True
        if site.node is not None and site.node.failed:
            self.child_failed()
        for dependant in state.dependants:
            dependant.waiting -= 1
            if not dependant.waiting:
                self._start(dependant)
        if self.running == 0 and (self.stopped or self.left == 0):
            self.finish()

    def _branch(self, state: _TaskState) -> str:
        """The phase that the branch ending here has: a task that did not run inherits it, failure first."""
        node = state.site.node
        if node is not None and node.phase in ("Succeeded", "Failed", "Error"):
            return node.phase
        parents = [self.states[name].branch for name in state.depends.tasks]
        return next((phase for phase in parents if phase in ("Failed", "Error")), "Succeeded")

    def _is_lost(self, state: _TaskState) -> bool:
        if state not in self.targets or state.branch not in ("Failed", "Error"):
            return False
        continues = state.task.continue_on
        tolerated = continues and (continues.failed if state.branch == "Failed" else continues.error)
        return not tolerated

    def finish(self) -> None:
        """Nothing runs and nothing more will."""
        lost = [state for state in self.targets if self._is_lost(state)]
        if not lost:
            self.succeed()
            return
        chosen = lost[0] if self.dag.fail_fast is not False else lost[-1]
        self.close(chosen.branch, self.blame([state.site for state in self.states.values()]))
