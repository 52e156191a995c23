"""Lays flags over `MLOPS_*` variables over `platform.yaml` over defaults, and remembers where each value came from."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from platform_cli.config import Config, Leaf, list_keys, list_leaves
from platform_cli.config_source import Key, Problem, Source, dotted, read_source
from platform_cli.errors import ConfigError

FILE_NAME = "platform.yaml"
FILE_VARIABLE = "MLOPS_CONFIG"
_SIMILAR = 0.85
_SECRETIVE = ("password", "secret", "token", "credential", "api_key", "access_key")


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration that holds now.

    Attributes:
        origins: for every key (`embedded.mlflow_port`): `--cloud`, `MLOPS_CLOUD`, `platform.yaml:3` or `default`.
        file: the file that was read, if any.
    """

    config: Config
    origins: Mapping[str, str]
    file: Path | None

    def list_values(self) -> tuple[tuple[str, Any, str], ...]:
        """Every key, its value as JSON would hold it, and its origin."""
        values = self.config.model_dump(mode="json")
        return tuple((leaf.key, _dig(values, leaf.path), self.origins[leaf.key]) for leaf in list_leaves())


def find_file(start: Path) -> Path | None:
    """The nearest `platform.yaml` in `start` or above it, not beyond the root of a Git repository."""
    for folder in (start, *start.parents):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
        if (folder / ".git").exists():
            return None
    return None


def load_settings(*, file: Path | None, environ: Mapping[str, str], flags: Mapping[str, str]) -> Settings:
    """Read every source and check the whole.

    Args:
        file: the configuration file, or None for none.
        environ: the environment; only known `MLOPS_*` names are read.
        flags: values from the command line by key, such as `{"cloud": "embedded"}`.

    Raises:
        ConfigError: something is wrong; `details` has every problem, one a line.
    """
    source = read_source(file) if file else Source("default", {"version": 1})
    problems = [*source.problems, *_misspelt_variables(environ)]
    data = _drop_empty_sections(source.data)
    origins = {leaf.key: source.locate(leaf.path) for leaf in list_leaves() if leaf.path in source.lines}
    for leaf in list_leaves():
        origin, value = _override(leaf, environ, flags)
        if origin:
            _bury(data, leaf.path, value)
            origins[leaf.key] = origin
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems += [_explain(detail, source, origins) for detail in error.errors(include_url=False)]
    if problems:
        raise _refuse(file, problems)
    return Settings(config, {leaf.key: origins.get(leaf.key, "default") for leaf in list_leaves()}, file)


def _refuse(file: Path | None, problems: list[Problem]) -> ConfigError:
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = tuple(str(problem) for problem in problems)
    return ConfigError(
        f"the configuration has {count}{f' ({file})' if file else ''}", hint="mlops config schema", details=lines
    )


def _override(leaf: Leaf, environ: Mapping[str, str], flags: Mapping[str, str]) -> tuple[str, Any]:
    if leaf.key in flags:
        return f"--{leaf.path[-1].replace('_', '-')}", flags[leaf.key]
    if environ.get(leaf.variable):
        return leaf.variable, _convert(environ[leaf.variable], is_text=leaf.is_text)
    return "", None


def _convert(text: str, *, is_text: bool) -> Any:
    """A variable's text as the value that YAML would hold."""
    if is_text:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _misspelt_variables(environ: Mapping[str, str]) -> list[Problem]:
    """Variables that are almost ours: a typing mistake that would else be ignored in silence."""
    known = [leaf.variable for leaf in list_leaves() if leaf.variable] + [FILE_VARIABLE]
    strange = [name for name in sorted(environ) if name.startswith("MLOPS_") and name not in known]
    near = {name: difflib.get_close_matches(name, known, n=1, cutoff=_SIMILAR) for name in strange}
    return [Problem(name, "", f"unknown variable, did you mean {match[0]}?") for name, match in near.items() if match]


def _drop_empty_sections(data: dict[str, Any]) -> dict[str, Any]:
    """A section whose keys are all commented out reads as null: it means the defaults."""
    return {key: value for key, value in data.items() if value is not None or not list_keys((key,))}


def _bury(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        inner = data.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        data = inner
    data[path[-1]] = value


def _dig(data: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


def _explain(detail: ErrorDetails, source: Source, origins: Mapping[str, str]) -> Problem:
    path: Key = detail["loc"]
    key = dotted(path)
    return Problem(origins.get(key) or source.locate(path), key, _say(detail, path))


def _say(detail: ErrorDetails, path: Key) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key{_suggest_key(str(path[-1]), list_keys(path[:-1]))}"
        case "missing":
            return "is required"
        case "enum" | "literal_error":
            expected = str(detail["ctx"]["expected"])
            return f"{_found(detail['input'])} is not {expected}{_did_you_mean(detail['input'], _quoted(expected))}"
        case "model_type":
            return f"expected a section of keys, found {_found(detail['input'])}"
        case _:
            return f"{_lower(detail['msg'])}, found {_found(detail['input'])}"


def _suggest_key(word: str, known: tuple[str, ...]) -> str:
    if any(hint in word.lower() for hint in _SECRETIVE):
        return ": secrets never stand in this file"
    return _did_you_mean(word, known) or f", known are {', '.join(known)}"


def _did_you_mean(word: Any, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(word), known, n=1)
    return f", did you mean {near[0]}?" if near else ""


def _quoted(text: str) -> tuple[str, ...]:
    return tuple(text.split("'")[1::2])


def _found(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"  # noqa: PLR2004 - one line of a terminal


def _lower(text: str) -> str:
    text = text.replace("Input should be", "must be")
    return text[:1].lower() + text[1:]
