"""Reads one YAML file into plain data, and remembers on which line each value stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from platform_cli.errors import ConfigError

Key = tuple[str | int, ...]

_MAX_BYTES = 1_000_000
_MAX_DEPTH = 20
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `where` is `platform.yaml:3`, a variable or a flag; `key` is a path with dots."""

    where: str
    key: str
    what: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.what) if part)


@dataclass(frozen=True, slots=True)
class Source:
    """A file's content.

    Attributes:
        name: how messages name the file.
        data: the top-level mapping.
        lines: the line (from 1) of every key and item.
        problems: mistakes that did not stop the reading, such as duplicate keys.
    """

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[Key, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def locate(self, key: Key) -> str:
        """Where a key stands, as `platform.yaml:3`; the nearest known parent when it is absent."""
        while key and key not in self.lines:
            key = key[:-1]
        return f"{self.name}:{self.lines[key]}" if key else self.name


def read_source(path: Path) -> Source:
    """Read and check one YAML file.

    Raises:
        ConfigError: the file cannot be read at all: absent, not a file, too big, not UTF-8, not YAML, empty.
    """
    text = _decode(path, _read_bytes(path))
    try:
        _check_shape(path, text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{_at(path, _line_of(error))}: this is not YAML: {_reason(error)}") from error
    if node is None:
        raise ConfigError(
            f"{path.name}: the file is empty",
            hint="write at least `version: 1`, or remove the file and run `mlops init`",
        )
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{_at(path, 1)}: the file must be a mapping of keys to values", hint="mlops config schema")
    return _read_root(path, node)


def _read_root(path: Path, node: yaml.MappingNode) -> Source:
    source = Source(path.name)
    source.data.update(_read_mapping(source, node, ()))
    return source


def _read_bytes(path: Path) -> bytes:
    if path.is_dir() or (path.exists() and not path.is_file()):
        raise ConfigError(f"{path}: this is not a file", hint="give the path of a platform.yaml")
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ConfigError(f"{path}: the file is larger than {_MAX_BYTES:,} bytes", hint="is it the right file?")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file", hint="mlops init writes one") from error
    except OSError as error:
        raise ConfigError(f"{path}: the file cannot be read: {error.strerror}") from error


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{_at(path, line)}: the file is not UTF-8", hint="save it as UTF-8") from error


def _check_shape(path: Path, text: str) -> None:
    """Refuse what would make the reader work without bound, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(
                f"{_at(path, line)}: aliases are not accepted", hint="write the value out where it is used"
            )
        tag = getattr(event, "tag", None)
        if tag:
            raise ConfigError(f"{_at(path, line)}: tags such as {tag} are not accepted", hint="remove the tag")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ConfigError(
                f"{_at(path, line)}: more than {_MAX_DEPTH} levels of nesting", hint="mlops config schema"
            )


def _read_node(source: Source, node: yaml.Node, key: Key) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _read_mapping(source, node, key)
    if isinstance(node, yaml.SequenceNode):
        return [_read_item(source, item, (*key, index)) for index, item in enumerate(node.value)]
    return _read_scalar(source, node, key)


def _read_item(source: Source, node: yaml.Node, key: Key) -> Any:
    source.lines[key] = node.start_mark.line + 1
    return _read_node(source, node, key)


def _read_mapping(source: Source, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            source.problems.append(Problem(f"{source.name}:{line}", dotted(key), "a key must be a single word"))
            continue
        path = (*key, key_node.value)
        if key_node.value in mapping:
            what = f"the key is there twice, first on line {source.lines[path]}"
            source.problems.append(Problem(f"{source.name}:{line}", dotted(path), what))
            continue
        source.lines[path] = line
        mapping[key_node.value] = _read_node(source, value_node, path)
    return mapping


def _read_scalar(source: Source, node: yaml.Node, key: Key) -> Any:
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except ValueError as error:
        source.problems.append(Problem(f"{source.name}:{node.start_mark.line + 1}", dotted(key), str(error)))
        return None


def dotted(key: Key) -> str:
    """A path as people write it."""
    return ".".join(str(part) for part in key)


def _at(path: Path, line: int | None) -> str:
    return f"{path.name}:{line}" if line else path.name


def _line_of(error: yaml.YAMLError) -> int | None:
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else None


def _reason(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
