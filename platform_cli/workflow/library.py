"""Templates by name: the run's own, and those of other manifests that `templateRef` names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import msgspec

from platform_cli.workflow.model import Spec
from platform_cli.workflow.model_template import Hook, Step, Template
from platform_cli.workflow.scope import BindingError

OWN = ""
_WORK = ("container", "script", "dag", "steps", "suspend", "http")


class Library:
    """Finds the template that a task, step or hook calls.

    Args:
        own: the run's spec; its scope is `OWN`.
        others: specs of referenced manifests by (name, whether it is a ClusterWorkflowTemplate).
    """

    def __init__(self, own: Spec, others: Mapping[tuple[str, bool], Spec]) -> None:
        self._specs: dict[str, Spec] = {OWN: own} | {_scope(*key): spec for key, spec in others.items()}
        self._templates = {
            scope: {template.name: template for template in spec.templates} for scope, spec in self._specs.items()
        }
        self._defaults = own.template_defaults

    def resolve(self, callee: Step | Hook, scope: str) -> tuple[Template, str]:
        """The template, and the scope in which it looks up its own.

        Raises:
            BindingError: there is no such manifest or template; near names are suggested.
        """
        if isinstance(callee, Step) and callee.inline is not None:
            return self._with_defaults(callee.inline), scope
        if callee.template_ref is None:
            return self._find(scope, callee.template), scope
        reference = callee.template_ref
        wanted = _scope(reference.name, reference.cluster_scope)
        if wanted not in self._templates:
            raise BindingError(f"templateRef: there is no WorkflowTemplate {reference.name}")
        return self._find(wanted, reference.template), wanted

    def _find(self, scope: str, name: str) -> Template:
        templates = self._templates[scope]
        if name not in templates:
            near = difflib.get_close_matches(name, templates, n=1)
            raise BindingError(f"there is no template {name}" + (f"; did you mean {near[0]}?" if near else ""))
        return self._with_defaults(templates[name])

    def _with_defaults(self, template: Template) -> Template:
        if self._defaults is None:
            return template
        defaults = msgspec.to_builtins(self._defaults)
        data = msgspec.to_builtins(template)
        usable = {key: value for key, value in defaults.items() if key not in _WORK or key in data}
        return msgspec.convert(_merge(usable, data), Template)


def _scope(name: str, cluster_scope: bool) -> str:
    return f"{'cluster' if cluster_scope else 'namespaced'}/{name}"


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
