"""Steps templates: groups one after another, the steps of a group side by side."""

from __future__ import annotations

from platform_cli.workflow.call import Invocation
from platform_cli.workflow.composite import Composite
from platform_cli.workflow.node import Node, node_id
from platform_cli.workflow.scheduler import Scheduler
from platform_cli.workflow.site import Site


class StepsFrame(Composite):
    """One steps node."""

    root = "steps"
    groups_items = False

    def __init__(self, scheduler: Scheduler, invocation: Invocation) -> None:
        super().__init__(scheduler, invocation, "Steps")
        self.sites: dict[str, Site] = {}
        self.group: Node
        self.current: list[Site] = []
        self.index = -1
        self.running = 0
        self.is_over = False

    def begin(self) -> None:
        """Start the first group."""
        self.open()
        self._next()

    def link(self, site: Site, node: Node) -> None:  # noqa: ARG002 - every step of a group hangs on the group
        """Steps hang on their group."""
        self.adopt_child(node, [self.group.id])

    def site_of(self, name: str) -> Site | None:
        """The step, if its whole group is over."""
        site = self.sites.get(name)
        return None if site is None or (site in self.current and not self.is_over) else site

    def last_sites(self) -> list[Site]:
        """The last group's steps."""
        return self.current

    def _next(self) -> None:
        groups = self.template.steps or ()
        self.index += 1
        before = [id_ for site in self.current for id_ in self.outbound(site)]
        if self.index == len(groups):
            self.is_over = True
            self.succeed()
            return
        name = f"{self.node.name}[{self.index}]"
        self._open_group(name, before)
        self.current = [
            Site(self, step, f"{name}.{step.name}", self.node.id, self._done) for step in groups[self.index]
        ]
        self.sites |= {site.step.name: site for site in self.current}
        self.running = len(self.current)
        for site in self.current:
            self.scheduler.later(site.begin)
        if not self.current:
            self._end_group()

    def _open_group(self, name: str, before: list[str]) -> None:
        self.group = Node(
            id=node_id(self.scheduler.run, name),
            name=name,
            display_name=f"[{self.index}]",
            type="StepGroup",
            phase="Running",
            template_scope=self.scope,
            boundary_id=self.node.id,
            started_at=self.scheduler.world.clock(),
        )
        self.scheduler.nodes[self.group.id] = self.group
        self.scheduler.touch(self.group)
        self.adopt_child(self.group, before)

    def _done(self, site: Site) -> None:
        if any(node.failed for node in _nodes(site)):
            self.child_failed()
        self.running -= 1
        if not self.running:
            self._end_group()

    def _end_group(self) -> None:
        lost = [node for site in self.current for node in _nodes(site) if node.failed and not _continues(site, node)]
        dropped = any(site.dropped for site in self.current)
        if not lost and not dropped:
            self.scheduler.settle(self.group, "Succeeded")
            self._next()
            return
        phase = lost[0].phase if lost else "Failed"
        message = f"{lost[0].display_name}: {lost[0].message}" if lost else "not all steps were started"
        self.scheduler.settle(self.group, phase, message)
        self.close(phase, message)


def _nodes(site: Site) -> list[Node]:
    return site.children or ([site.node] if site.node is not None else [])


def _continues(site: Site, node: Node) -> bool:
    continues = site.step.continue_on
    return continues is not None and (continues.failed if node.phase == "Failed" else continues.error)
