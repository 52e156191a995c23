"""Lint of every text of a document: tags, expressions, and parameters that nothing refers to."""

from __future__ import annotations

from platform_cli.workflow.expression_value import ExpressionError
from platform_cli.workflow.finding import Pointer
from platform_cli.workflow.lint_absent import Absence, check_absence
from platform_cli.workflow.lint_document import Catalog, Document, Place
from platform_cli.workflow.lint_graph import Graph
from platform_cli.workflow.lint_name import Setting, check_name
from platform_cli.workflow.lint_spec import handlers, reachable, spec_handlers
from platform_cli.workflow.lint_text import Reference, Text, has_unclosed_tag, references, texts
from platform_cli.workflow.lint_when import lint_when
from platform_cli.workflow.substitution import tags


class ReferenceLint:
    """Walks the texts of one document once; remembers the names they refer to."""

    def __init__(self, catalog: Catalog, document: Document, graphs: dict[int, Graph]) -> None:
        self.catalog = catalog
        self.document = document
        self.graphs = graphs
        self.absences = {key: Absence(graph) for key, graph in graphs.items() if not graph.has_cycle}
        self.used: set[str] = set()
        self.is_open = False
        self.handler_ids = _handler_ids(catalog, document)

    def run(self) -> None:
        """Findings about every text of the document."""
        for place in self.document.places:
            self._lint_place(place)
        self._lint_rest()
        self._lint_unused_parameters()

    def _lint_place(self, place: Place) -> None:
        graph = self.graphs.get(id(place.template))
        is_handler = id(place.template) in self.handler_ids
        setting = Setting(self.catalog, self.document, place, graph, is_handler=is_handler)
        names: set[str] = set()
        raw = self.document.raw(place.pointer)
        own = {key: value for key, value in raw.items() if key not in ("dag", "steps")}
        for text in texts(own, place.pointer):
            names |= self._lint_text(text, setting)
        if place.template.dag is not None and place.template.dag.target:
            names |= self._lint_text(Text((*place.pointer, "dag", "target"), place.template.dag.target), setting)
        for call in place.calls():
            names |= self._lint_call(Setting(self.catalog, self.document, place, graph, call, is_handler=is_handler))
        self._lint_unused_inputs(place, names)

    def _lint_call(self, setting: Setting) -> set[str]:
        call = setting.call
        if call is None:
            return set()
        names: set[str] = set()
        raw = self.document.raw(call.pointer)
        lint_when(self.document, call.step.when, (*call.pointer, "when"))
        for key, value in raw.items():
            if key in ("inline", "depends", "dependencies", "name"):
                continue
            in_hook = key == "hooks"
            inner = Setting(
                setting.catalog, setting.document, setting.place, setting.graph, call,
                is_handler=setting.is_handler or in_hook, in_hook=in_hook,
            )  # fmt: skip
            for text in texts(value, (*call.pointer, key)):
                names |= self._lint_text(text, inner)
        if call.step.inline is not None:
            names |= self._inline_names((*call.pointer, "inline"))
        return names

    def _inline_names(self, pointer: Pointer) -> set[str]:
        """What an inline template refers to: it may use the inputs of the template around it, too."""
        return {reference.name for text in texts(self.document.raw(pointer), pointer) for reference in _safe(text)}

    def _lint_rest(self) -> None:
        """Texts outside of templates: volumes, arguments, hooks, metadata."""
        pointer = self.document.pointer
        raw = self.document.raw(pointer)
        for key, value in raw.items():
            if key in ("templates", "templateDefaults", "metrics"):
                continue
            setting = Setting(self.catalog, self.document, is_handler=key == "hooks", is_pod_wide=key == "volumes")
            for text in texts(value, (*pointer, key)):
                self._lint_text(text, setting)

    def _lint_text(self, text: Text, setting: Setting) -> set[str]:
        """Findings about one text; the names it refers to."""
        if has_unclosed_tag(text):
            hint = "close it, or split the two braces"
            self.document.warning(
                text.pointer, "`{{` without `}}`: a cluster looks for the end in the text behind", hint
            )
            return set()
        self._lint_spaces(text)
        names: set[str] = set()
        try:
            for reference in references(text):
                names.add(reference.name)
                self.is_open |= reference.is_dynamic
                self._lint_reference(reference, setting)
        except ExpressionError as error:
            self.document.error(text.pointer, f"the expression does not work: {error}")
        self.used |= names
        return names

    def _lint_spaces(self, text: Text) -> None:
        for tag in tags(text.value):
            if not tag.startswith("=") and tag != tag.strip() and "{{" not in tag and tag.strip().startswith(_ROOTED):
                message = f"{{{{{tag}}}}} has spaces in it, which some versions do not replace"
                self.document.warning(text.pointer, message, f"write {{{{{tag.strip()}}}}}")

    def _lint_reference(self, reference: Reference, setting: Setting) -> None:
        problem = check_name(reference, setting)
        if problem is None and setting.graph is not None:
            absence = self.absences.get(id(setting.graph.place.template))
            problem = None if absence is None else check_absence(reference, setting, absence)
        if problem is not None:
            report = self.document.error if problem.level == "error" else self.document.warning
            report(reference.text.pointer, problem.message, problem.hint)

    def _lint_unused_inputs(self, place: Place, names: set[str]) -> None:
        if (
            "inputs.parameters" in names
            or any(name.startswith("inputs.parameters.{{") for name in names)
            or self.is_open
        ):
            return
        for index, parameter in enumerate(place.template.inputs.parameters):
            if f"inputs.parameters.{parameter.name}" not in names:
                here = (*place.pointer, "inputs", "parameters", index, "name")
                self.document.warning(here, f"the input {parameter.name!r} is not used", "remove it")

    def _lint_unused_parameters(self) -> None:
        document = self.document
        if not document.spec.templates or self.is_open or _calls_elsewhere(document):
            return
        if self.used & {"workflow.parameters", "workflow.parameters.json"}:
            return
        entry = document.templates.get(document.spec.entrypoint)
        taken = set() if entry is None else {parameter.name for parameter in entry.template.inputs.parameters}
        for index, parameter in enumerate(document.spec.arguments.parameters):
            if parameter.name not in taken and f"workflow.parameters.{parameter.name}" not in self.used:
                here = (*document.pointer, "arguments", "parameters", index, "name")
                document.warning(here, f"the parameter {parameter.name!r} is not used", "remove it")


_ROOTED = ("workflow.", "inputs.", "outputs.", "tasks.", "steps.", "item", "retries", "lastRetry.", "pod.", "node.")


def _calls_elsewhere(document: Document) -> bool:
    """Whether templates of other files are called, which may use this workflow's parameters."""
    return any(call.step.template_ref is not None for place in document.places for call in place.calls())


def _safe(text: Text) -> list[Reference]:
    try:
        return [] if has_unclosed_tag(text) else list(references(text))
    except ExpressionError:
        return []


def _handler_ids(catalog: Catalog, document: Document) -> set[int]:
    """Templates that can run as a handler, or of which nobody here knows how they run."""
    starts = spec_handlers(catalog, document)
    for place in document.places:
        starts.extend(handlers(catalog, place))
    entry = document.templates.get(document.spec.entrypoint)
    main = reachable(catalog, [entry]) if entry is not None else set()
    unknown = {id(place.template) for place in document.places} - main
    return reachable(catalog, starts) | unknown
