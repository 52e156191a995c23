"""Lint that evaluates: everything that can be known about workflow files without running them, all at once."""

from __future__ import annotations

from collections.abc import Iterable

from platform_cli.workflow.finding import Finding, refusal
from platform_cli.workflow.lint_call import lint_call
from platform_cli.workflow.lint_document import Catalog, Document
from platform_cli.workflow.lint_graph import Graph, lint_graph
from platform_cli.workflow.lint_leaf import lint_template
from platform_cli.workflow.lint_local import lint_local
from platform_cli.workflow.lint_reference import ReferenceLint
from platform_cli.workflow.lint_spec import lint_spec
from platform_cli.workflow.model import inspect
from platform_cli.workflow.source import Manifest

__all__ = ["Finding", "lint", "refusal"]


def lint(
    manifests: Iterable[Manifest], *, available: Iterable[Manifest] = (), local: bool = True
) -> tuple[Finding, ...]:
    """Findings about `manifests`, by file and line.

    Args:
        manifests: documents to check; they may refer to each other.
        available: further documents that they may refer to, not checked themselves.
        local: whether what only a cluster can run is an error, too.
    """
    documents, findings = _inspect(manifests)
    known, _ = _inspect(available)
    catalog = Catalog.of([*documents, *known])
    for document in documents:
        _lint_duplicate(catalog, document)
        _lint_document(catalog, document, local=local)
    checked = set(map(id, documents))
    findings += [finding for document in documents if id(document) in checked for finding in document.found]
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: (finding.file, finding.line, finding.column)))


def _inspect(manifests: Iterable[Manifest]) -> tuple[list[Document], list[Finding]]:
    """The documents that parse, and what is wrong with the others."""
    documents: list[Document] = []
    findings: list[Finding] = []
    for manifest in manifests:
        parsed, found = inspect(manifest)
        findings += found
        if parsed is not None:
            documents.append(Document(manifest, parsed))
    return documents, findings


def _lint_duplicate(catalog: Catalog, document: Document) -> None:
    kind, name = document.key
    if name and catalog.documents[document.key] is not document:
        hint = f"the first is in {catalog.documents[document.key].manifest.file}"
        document.error(("metadata", "name"), f"there is another {kind} {name!r}", hint)


def _lint_document(catalog: Catalog, document: Document, *, local: bool) -> None:
    lint_spec(catalog, document, local=local)
    if local:
        document.found.extend(lint_local(document.manifest))
    graphs: dict[int, Graph] = {}
    for place in document.places:
        lint_template(place, local=local)
        if place.template.dag is not None or place.template.steps is not None:
            graphs[id(place.template)] = lint_graph(place)
        for call in place.calls():
            lint_call(catalog, call, local=local)
    ReferenceLint(catalog, document, graphs).run()
