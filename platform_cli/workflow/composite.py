"""What DAG and steps templates have in common: a node with others inside, and outputs made from theirs."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping

import msgspec

from platform_cli.workflow.call import Gate, Invocation
from platform_cli.workflow.model_value import Artifact, Outputs, Parameter
from platform_cli.workflow.node import Node, NodeOutputs
from platform_cli.workflow.scheduler import BROKEN, Scheduler
from platform_cli.workflow.scope import (
    BindingError,
    Values,
    collect_artifacts,
    loop_values,
    mentioned,
    node_values,
    resolve_artifact,
)
from platform_cli.workflow.site import Site
from platform_cli.workflow.substitution import sole_tag, substitute_text


class Composite:
    """A dag or steps node; subclasses know the order of what is inside."""

    root: str

    def __init__(self, scheduler: Scheduler, invocation: Invocation, kind: str) -> None:
        self.scheduler = scheduler
        self.invocation = invocation
        self.template = invocation.template
        self.scope = invocation.scope
        self.is_handler = invocation.call.is_handler
        self.kind = kind
        self.node: Node

    def open(self) -> None:
        """Make the node, and the gate for what is inside."""
        call = self.invocation.call
        self.node = self.scheduler.open(call, self.kind, "Running", self.invocation.inputs)
        if self.template.parallelism or self.template.fail_fast:
            self.scheduler.gate(self.node.id, Gate(self.template.parallelism))

    def child_failed(self) -> None:
        """With the template's own `failFast`, nothing more starts."""
        if self.template.fail_fast:
            self.scheduler.close_gate(self.node.id)

    def close(self, phase: str, message: str = "") -> None:
        """The node is fulfilled."""
        self.node.outbound_nodes = [id_ for site in self.last_sites() for id_ in self.outbound(site)]
        self.scheduler.close(self.invocation.call, self.node, phase, message)

    def succeed(self) -> None:
        """Make the outputs, and with them the end."""
        try:
            self.node.outputs = self._outputs(self.template.outputs)
        except BROKEN as error:
            self.close("Error", str(error))
            return
        self.close("Succeeded")

    def blame(self, sites: Iterable[Site]) -> str:
        """The first failed part and its reason."""
        failed = next((site.node for site in sites if site.node is not None and site.node.failed), None)
        return "" if failed is None else f"{failed.display_name}: {failed.message}"

    def adopt_child(self, node: Node, parents: Iterable[str]) -> None:
        """`node` follows `parents`, or comes first in this node."""
        for parent in dict.fromkeys(parents) or (self.node.id,):
            known = self.scheduler.nodes[parent]
            if node.id not in known.children:
                known.children.append(node.id)
                self.scheduler.touch(known)

    def outbound(self, site: Site) -> list[str]:
        """Ids of the nodes that what follows the site hangs on."""
        tops = [site.node] if site.node is not None else site.children
        return [id_ for top in tops for id_ in (top.outbound_nodes or [top.id])]

    def names(self, text: str) -> Values:
        """The values of the siblings that `text` mentions."""
        values: Values = {}
        for name in mentioned(text, self.root):
            site = self.site_of(name)
            if site is not None:
                values |= self._site_values(site)
        return values

    def known_artifacts(self, text: str) -> dict[str, Artifact]:
        """The artifacts of the siblings that `text` mentions, this template's own inputs, and global ones."""
        known = collect_artifacts("inputs.artifacts", self.invocation.inputs.artifacts) | self.scheduler.artifacts
        for name in mentioned(text, self.root):
            site = self.site_of(name)
            node = site.node if site is not None else None
            if node is not None and node.outputs is not None:
                known |= collect_artifacts(f"{self.root}.{name}.outputs.artifacts", node.outputs.artifacts)
        return known

    def link(self, site: Site, node: Node) -> None:
        """Put `node`, which belongs to `site`, behind what came before."""
        raise NotImplementedError

    def site_of(self, name: str) -> Site | None:
        """The sibling called `name`, if it is over."""
        raise NotImplementedError

    def last_sites(self) -> list[Site]:
        """The parts after which the node is over."""
        raise NotImplementedError

    def _site_values(self, site: Site) -> Values:
        prefix = f"{self.root}.{site.step.name}"
        if site.is_loop and site.children:
            group = site.node or _stand_in(site)
            return loop_values(prefix, group, site.children)
        template, _ = self.scheduler.library.resolve(site.step, self.scope)
        return node_values(prefix, site.node, template.outputs) if site.node is not None else {}

    def _outputs(self, declared: Outputs) -> NodeOutputs | None:
        if not declared.parameters and not declared.artifacts:
            return None
        text = msgspec.json.encode(declared).decode()
        names = ChainMap(self.names(text), self.scheduler.values)
        known = self.known_artifacts(text)
        artifacts = (resolve_artifact(wanted, known, dict(names)) for wanted in declared.artifacts)
        return NodeOutputs(
            parameters=tuple(_output(parameter, names) for parameter in declared.parameters),
            artifacts=tuple(artifact for artifact in artifacts if artifact is not None),
        )


def _stand_in(site: Site) -> Node:
    """A node that stands for all of a loop's where there is no group node."""
    failed = [child for child in site.children if child.failed]
    return msgspec.structs.replace(site.children[0], phase=failed[-1].phase if failed else "Succeeded")


def _output(declared: Parameter, names: Mapping[str, object]) -> Parameter:
    value = _output_value(declared, names)
    if value is None:
        raise BindingError(f"outputs.parameters.{declared.name}: its source has no value, and there is no default")
    return Parameter(name=declared.name, value=value, global_name=declared.global_name)


def _output_value(declared: Parameter, names: Mapping[str, object]) -> str | None:
    from platform_cli.workflow.expression import evaluate, expand
    from platform_cli.workflow.loop import item_text

    source = declared.value_from
    if source is None:
        return declared.value
    if source.expression:
        found = evaluate(source.expression, expand(names))
        return source.default if found is None else item_text(found)
    tag = sole_tag(source.parameter)
    if tag is not None and names.get(tag) is None:
        return source.default
    return substitute_text(source.parameter, names)
