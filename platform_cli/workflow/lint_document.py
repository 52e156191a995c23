"""Documents under lint: what they define, what they call, and where findings go."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from platform_cli.workflow.finding import Finding, Pointer
from platform_cli.workflow.model import CronWorkflow, Spec, Workflow
from platform_cli.workflow.model_template import Hook, Step, Task, Template, TemplateRef
from platform_cli.workflow.source import Manifest


class Document:
    """One workflow object with its manifest; collects findings about itself."""

    def __init__(self, manifest: Manifest, parsed: Workflow | CronWorkflow) -> None:
        self.manifest = manifest
        self.parsed = parsed
        self.found: list[Finding] = []
        is_cron = isinstance(parsed, CronWorkflow)
        self.pointer: Pointer = ("spec", "workflowSpec") if is_cron else ("spec",)
        self.spec: Spec = parsed.spec.workflow_spec if isinstance(parsed, CronWorkflow) else parsed.spec

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name."""
        return self.parsed.kind, self.parsed.metadata.name

    @property
    def is_library(self) -> bool:
        """Whether others may call the templates although nothing here does."""
        return self.parsed.kind.endswith("WorkflowTemplate")

    @cached_property
    def templates(self) -> dict[str, Place]:
        """Name to template; the first of equal names."""
        places = (
            Place(self, template, (*self.pointer, "templates", index))
            for index, template in enumerate(self.spec.templates)
        )
        return {place.template.name: place for place in reversed(list(places))}

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """Every template in the order of the file, inline ones behind the template that holds them."""
        return tuple(_with_inline(self, (*self.pointer, "templates"), enumerate(self.spec.templates)))

    def error(self, pointer: Pointer, message: str, hint: str = "") -> None:
        """Adds an error."""
        self.found.append(self.manifest.finding(pointer, message, hint))

    def warning(self, pointer: Pointer, message: str, hint: str = "") -> None:
        """Adds a warning."""
        self.found.append(self.manifest.finding(pointer, message, hint, "warning"))

    def raw(self, pointer: Pointer) -> Any:
        """The plain data at `pointer`, None where there is none."""
        value: Any = self.manifest.data
        for part in pointer:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A template and where it stands."""

    document: Document
    template: Template
    pointer: Pointer

    @property
    def root(self) -> str:
        """How calls refer to each other here: `tasks` or `steps`."""
        return "tasks" if self.template.dag is not None else "steps"

    def calls(self) -> Iterator[Call]:
        """The tasks of a dag, or the steps with the number of their group."""
        if self.template.dag is not None:
            for index, task in enumerate(self.template.dag.tasks):
                yield Call(self, task, (*self.pointer, "dag", "tasks", index), index)
        for number, group in enumerate(self.template.steps or ()):
            for index, step in enumerate(group):
                yield Call(self, step, (*self.pointer, "steps", number, index), number)


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A task or step: one use of a template. `order` is the task's place, or the number of the step's group."""

    owner: Place
    step: Step | Task
    pointer: Pointer
    order: int

    @property
    def is_loop(self) -> bool:
        """Whether it runs once for each of several items."""
        return bool(self.step.with_items) or bool(self.step.with_param) or self.step.with_sequence is not None


@dataclass(frozen=True, slots=True)
class Catalog:
    """All documents that references can lead to."""

    documents: dict[tuple[str, str], Document] = field(default_factory=dict)

    @classmethod
    def of(cls, documents: Iterable[Document]) -> Catalog:
        """Catalog of `documents`; the first of equal kind and name."""
        catalog = cls()
        for document in documents:
            catalog.documents.setdefault(document.key, document)
        return catalog

    def find(self, name: str, *, cluster_scope: bool) -> Document | None:
        """A WorkflowTemplate or ClusterWorkflowTemplate."""
        return self.documents.get(("ClusterWorkflowTemplate" if cluster_scope else "WorkflowTemplate", name))

    def base(self, document: Document) -> Document | None:
        """The document whose templates run: the one `workflowTemplateRef` names, or itself."""
        reference = document.spec.workflow_template_ref
        if reference is None:
            return document
        return self.find(reference.name, cluster_scope=reference.cluster_scope)

    def resolve(self, document: Document, use: Step | Hook) -> Place | None:
        """The template that a task, step or hook of `document` calls; None when it is not known here."""
        if isinstance(use, Step) and use.inline is not None:
            return Place(document, use.inline, ())
        if use.template_ref is not None:
            return self.resolve_ref(use.template_ref)
        base = self.base(document)
        return None if base is None else base.templates.get(use.template)

    def resolve_ref(self, reference: TemplateRef) -> Place | None:
        """The template that a templateRef names."""
        document = self.find(reference.name, cluster_scope=reference.cluster_scope)
        return None if document is None else document.templates.get(reference.template)


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint that offers the nearest of `known`, or lists them."""
    names = [item for item in known if item]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    if otherwise or not names:
        return otherwise
    listed = ", ".join(sorted(names)[:8])
    return f"known: {listed}{', …' if len(names) > 8 else ''}"  # noqa: PLR2004 - as many as fit a line


def _with_inline(
    document: Document, pointer: Pointer, templates: Iterable[tuple[str | int, Template]]
) -> Iterator[Place]:
    for part, template in templates:
        place = Place(document, template, (*pointer, part))
        yield place
        for call in place.calls():
            if call.step.inline is not None:
                yield from _with_inline(document, call.pointer, [("inline", call.step.inline)])
