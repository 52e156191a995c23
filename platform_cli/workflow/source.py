"""Workflow files as plain data that still knows its lines.

YAML is read the way the cluster's own reader does (YAML 1.1: `on` and `yes` are booleans, dates are text, `null`
members count as absent), and what it would silently lose, such as the first of two equal keys, is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from platform_cli.errors import LintError
from platform_cli.workflow.finding import Finding, Pointer, field_text, refusal

MAX_BYTES = 5 * 1024 * 1024
MAX_VALUES = 500_000
MAX_DEPTH = 100

_FIX_HINT = "correct the file, then check with `mlops pipeline lint FILE`"
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TRUE = ("y", "yes", "on", "true")


class _Loader(_Parser):  # type: ignore[misc]
    """YAML 1.1 as Go's reader resolves plain scalars: no dates, no base-60 numbers, exponents without a dot."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own contract


_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool",
    re.compile(r"^(y|Y|n|N|[yY]es|YES|[nN]o|NO|[tT]rue|TRUE|[fF]alse|FALSE|[oO]n|ON|[oO]ff|OFF)$"),
    list("yYnNtTfFoO"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"^[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|0|[1-9][0-9_]*)$"),
    list("-+0123456789"),
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"),
    list("-+0123456789."),
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document of a file. `data` holds dict, list, str, int, float, bool; members that are null are left out."""

    file: str
    data: dict[str, Any]
    root: Any = field(repr=False)

    def locate(self, pointer: Pointer) -> tuple[int, int]:
        """Line and column, both from 1, of the member `pointer` names, or of its nearest parent that exists."""
        mark, node = self.root.start_mark, self.root
        for part in pointer:
            entry = _entry(node, part)
            if entry is None:
                break
            mark, node = entry
        return mark.line + 1, mark.column + 1

    def finding(self, pointer: Pointer, message: str, hint: str = "", level: str = "error") -> Finding:
        """A finding at `pointer`."""
        line, column = self.locate(pointer)
        return Finding(
            file=self.file,
            line=line,
            column=column,
            field=field_text(pointer),
            message=message,
            hint=hint,
            level=level,
        )


def load_manifests(path: Path) -> tuple[Manifest, ...]:
    """Every document of a YAML or JSON file.

    Raises:
        LintError: the file cannot be read, is empty, larger than 5 MiB, not UTF-8, not YAML, or holds something that a
            manifest cannot hold; every duplicate key is listed with its line.
    """
    return parse_manifests(_read_text(path), str(path))


def parse_manifests(text: str, file: str) -> tuple[Manifest, ...]:
    """As `load_manifests`, from text; `file` is the name in findings."""
    found: list[Finding] = []
    manifests = [
        Manifest(file, document.data, root)
        for root in _compose(text, file)
        if (document := _Document.build(root, file, found)).data
    ]
    if found:
        raise refusal(found)
    if not manifests:
        raise LintError(f"{file}: the file is empty", hint="write at least one Workflow or WorkflowTemplate into it")
    return tuple(manifests)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise LintError(f"{path}: cannot be read: {reason}", hint="give the path of a workflow file") from error
    if len(content) > MAX_BYTES:
        raise LintError(
            f"{path}: larger than {MAX_BYTES // 1024 // 1024} MiB",
            hint="a cluster refuses it too (etcd holds about 1.5 MB); move code and data into ConfigMaps or artifacts",
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LintError(f"{path}:{line}: not UTF-8 text ({error.reason})", hint="save the file as UTF-8") from error


def _compose(text: str, file: str) -> Iterator[Any]:
    try:
        yield from (node for node in yaml.compose_all(text, Loader=_Loader) if node is not None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise LintError(f"{file}{place}: not YAML: {error.problem or error.context}", hint=_FIX_HINT) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise LintError(f"{file}: not YAML: {' '.join(str(error).split())}", hint=_FIX_HINT) from error


def _entry(node: Any, part: str | int) -> tuple[Any, Any] | None:
    """Mark and value node of a member of `node`."""
    if isinstance(part, int) and isinstance(node, yaml.SequenceNode):
        return (node.value[part].start_mark, node.value[part]) if part < len(node.value) else None
    if isinstance(part, str) and isinstance(node, yaml.MappingNode):
        return next(((key.start_mark, value) for key, value in node.value if key.value == part), None)
    return None


def _to_bool(text: str) -> bool:
    return text.lower() in _TRUE


def _to_int(text: str) -> int:
    digits = text.replace("_", "")
    if re.fullmatch(r"[-+]?0[0-7]+", digits):
        return int(digits, 8)
    return int(digits, 0)


def _to_float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


_SCALARS: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:int": _to_int,
    "tag:yaml.org,2002:float": _to_float,
    "tag:yaml.org,2002:bool": _to_bool,
    "tag:yaml.org,2002:null": lambda _text: None,
    "tag:yaml.org,2002:merge": str,
}


class _Document:
    """One pass over a node tree: builds the data, collects what is wrong."""

    def __init__(self, file: str, found: list[Finding]) -> None:
        self.file = file
        self.found = found
        self.count = 0
        self.data: dict[str, Any] = {}

    @classmethod
    def build(cls, root: Any, file: str, found: list[Finding]) -> _Document:
        """Data of the document at `root`; problems are added to `found`."""
        document = cls(file, found)
        if isinstance(root, yaml.MappingNode):
            document.data = document.value(root, ())
        elif root.tag != "tag:yaml.org,2002:null":
            document.problem(root, (), "is not a mapping", "a manifest starts with `apiVersion:` and `kind:`")
        return document

    def problem(self, node: Any, pointer: Pointer, message: str, hint: str = "") -> None:
        mark = node.start_mark
        self.found.append(
            Finding(
                file=self.file,
                line=mark.line + 1,
                column=mark.column + 1,
                field=field_text(pointer),
                message=message,
                hint=hint,
            )
        )

    def value(self, node: Any, pointer: Pointer) -> Any:
        self.count += 1
        if len(pointer) > MAX_DEPTH or self.count > MAX_VALUES:
            raise LintError(
                f"{self.file}:{node.start_mark.line + 1}: too deep or too many values",
                hint="an alias that contains itself, or aliases of aliases: write them out",
            )
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, pointer)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, pointer)
        return [self.value(item, (*pointer, index)) for index, item in enumerate(node.value)]

    def scalar(self, node: Any, pointer: Pointer) -> Any:
        try:
            return _SCALARS[node.tag](node.value)
        except KeyError:
            self.problem(node, pointer, f"the YAML tag {node.tag} has no place in a manifest", "write plain text")
        except ValueError:
            self.problem(node, pointer, f"{node.value!r} is not what its YAML tag says", "remove the tag")
        return None

    def mapping(self, node: Any, pointer: Pointer) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.problem(key, pointer, "a key must be plain text")
                continue
            if key.tag == "tag:yaml.org,2002:merge":
                merged |= self.merged(child, pointer)
                continue
            name = key.value
            if name in lines:
                hint = f"the first is on line {lines[name]}; a cluster would keep only one of them"
                self.problem(key, (*pointer, name), "this key is here twice", hint)
            lines.setdefault(name, key.start_mark.line + 1)
            value = self.value(child, (*pointer, name))
            if value is not None:
                data[name] = value
        return merged | data if merged else data

    def merged(self, node: Any, pointer: Pointer) -> dict[str, Any]:
        parts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        values = [self.value(part, pointer) for part in parts if isinstance(part, yaml.MappingNode)]
        if len(values) != len(parts):
            self.problem(node, pointer, "`<<` merges mappings only")
        return {name: value for part in reversed(values) for name, value in part.items()}
