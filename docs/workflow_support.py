"""What the local engine does with each field of a workflow file: from the model, the engine's tables and its source."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import msgspec

from platform_cli import workflow
from platform_cli.workflow import model_container, model_template, model_value
from platform_cli.workflow.ignored import _IGNORED
from platform_cli.workflow.model import Spec
from platform_cli.workflow.model_container import Part
from platform_cli.workflow.model_refused import REFUSED

INTRODUCTION = """\
The files are Argo's (`argoproj.io/v1alpha1`, Argo 4). Every field of them is one of these:

* it *has an effect*: the local engine does what the controller does;
* it is *accepted*: it means something on a cluster and nothing here; locks (`synchronization`) are among these;
* it is *refused*, with file, line and what to write instead. So is a field that Argo does not know, with the nearest
  one it does.

Images are not pulled: a step's program must be on this machine. An `http` template and a `resourceFieldRef` pass lint
and end in an error when a run comes to them."""
PARTS: tuple[type[Part], ...] = (
    Spec,
    model_template.Template,
    model_template.Dag,
    model_template.Task,
    model_template.Step,
    model_template.Sequence,
    model_template.ContinueOn,
    model_template.Hook,
    model_template.Suspend,
    model_template.RetryStrategy,
    model_template.Backoff,
    model_template.Memoize,
    model_container.Container,
    model_container.Script,
    model_container.EnvVar,
    model_container.EnvSource,
    model_container.EnvFrom,
    model_container.VolumeMount,
    model_container.Volume,
    model_value.Parameter,
    model_value.ValueFrom,
    model_value.Artifact,
    model_value.Archive,
)
_ENDS_IN_ERROR = frozenset({"http", "resourceFieldRef"})
# What a volume or an artifact is when it is nothing else: the engine needs no word for it.
_WITHOUT_WORD = frozenset({"emptyDir", "none"})


def accepted() -> Iterator[tuple[str, str, str]]:
    """(part, fields with an effect, fields without) of each part of a file."""
    for part in PARTS:
        fields = [field for field in msgspec.structs.fields(part) if field.name not in _inherited(part)]
        without = {field.encode_name for field in fields if not _has_effect(part, field)}
        names = [field.encode_name for field in fields if field.encode_name not in _ENDS_IN_ERROR]
        done = ", ".join(f"`{name}`" for name in names if name not in without)
        yield part.__name__, done, ", ".join(f"`{name}`" for name in names if name in without)


def refused() -> Iterator[tuple[str, str, str, str]]:
    """(part, field, why, what to write instead) of each field that is known and refused."""
    for (part, field), (why, instead) in REFUSED.items():
        yield part, f"`{field}`", why, instead


def _inherited(part: type[Part]) -> set[str]:
    return {name for parent in part.__bases__ for name in getattr(parent, "__struct_fields__", ())}


def _has_effect(part: type[Part], field: msgspec.structs.FieldInfo) -> bool:
    ignored = {name for kind, names in _IGNORED.items() if issubclass(part, kind) for name in names}
    words = _words_of_the_engine() | _WITHOUT_WORD
    return field.name not in ignored and not words.isdisjoint((field.name, field.encode_name))


@functools.cache
def _words_of_the_engine() -> frozenset[str]:
    """Every attribute that the engine's source reads: a field that is not among them cannot have an effect."""
    words: set[str] = set()
    for path in Path(next(iter(workflow.__path__))).glob("*.py"):
        if not path.name.startswith(("model", "lint", "ignored")):
            words.update(_words(ast.parse(path.read_text("utf-8"))))
    return frozenset(words)


def _words(tree: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
