"""Write what is derived from the code: `python -m docs.generate`, or with `--check` say what is stale."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from docs import workflow_support
from platform_cli.cli.entry import app
from platform_cli.cli.start import HELP_WIDTH
from platform_cli.config import Config, Section, find_section, list_leaves
from platform_cli.errors import MlopsError

ROOT = Path(__file__).resolve().parents[1]
NOTICE = "<!-- Written by `make docs`; change the code instead. -->"
WIDE = 1000  # columns: no line of a usage text is broken


def main(argv: list[str]) -> int:
    """Write every page that is not fresh; with `--check`, write none and fail when there is one."""
    stale = [name for name, render in PAGES.items() if not _is_fresh(name, render())]
    for name in stale:
        if "--check" not in argv:
            (ROOT / name).write_text(PAGES[name](), "utf-8")
        sys.stdout.write(f"{'stale' if '--check' in argv else 'written'}: {name}\n")
    return 1 if stale and "--check" in argv else 0


def _is_fresh(name: str, text: str) -> bool:
    page = ROOT / name
    return page.is_file() and page.read_text("utf-8") == text


def _page(title: str, *blocks: str) -> str:
    return "\n\n".join((f"# {title}", NOTICE, *blocks)) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


# --- the command line ---


def commands() -> Iterator[tuple[Any, Any]]:
    """Every command with its context, parents before children, in the order of `--help`."""
    root = typer.main.get_command(app)
    yield from _walk(root, root.context_class(root, info_name="mlops", terminal_width=WIDE))


def _walk(command: Any, context: Any) -> Iterator[tuple[Any, Any]]:
    yield command, context
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        child = command.get_command(context, name)
        if child is not None and not child.hidden:
            made = child.context_class(child, info_name=name, parent=context, terminal_width=WIDE)
            yield from _walk(child, made)


def render_cli() -> str:
    """The page of every command and option."""
    return _page(
        "Commands",
        "What `--help` says, on one page. Options come after the command: `mlops plan --cloud aws`.",
        *(_command(command, context) for command, context in commands()),
    )


def _command(command: Any, context: Any) -> str:
    parts = [f"## {context.command_path}", _paragraphs(command.help or ""), f"    {command.get_usage(context)}"]
    records = [param.get_help_record(context) for param in command.params if not getattr(param, "hidden", False)]
    rows = [(f"`{term}`", " ".join(help_text.split())) for term, help_text in filter(None, records)]
    if rows:
        parts.append(_table(("option or argument", "meaning"), rows))
    return "\n\n".join(part for part in parts if part)


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n")).strip()


# --- configuration ---


def render_config() -> str:
    """The page of every key of `platform.yaml`."""
    variables = {leaf.key: leaf.variable for leaf in list_leaves()}
    schema = Config.model_json_schema()
    rows = (
        (f"`{key}`", *_field(field, schema), f"`{variables[key]}`" if variables[key] else "")
        for key, field in _fields(schema)
    )
    return _page(
        "Configuration",
        "`platform.yaml` in your project's folder. A flag wins over an environment variable, that over the file, "
        "that over the default; `mlops config show` tells which of them set each value. "
        "`mlops config schema` prints the JSON Schema this page is made from.",
        _table(("key", "type", "default", "meaning", "variable"), rows),
    )


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each key that holds a value, with its part of the schema."""
    for leaf in list_leaves():
        section, model = schema, Config
        for part in leaf.path[:-1]:
            model = _section(model, part)
            section = schema["$defs"][model.__name__]
        yield leaf.key, section["properties"][leaf.path[-1]]


def _section(model: type[Section], part: str) -> type[Section]:
    found = find_section(model.model_fields[part].annotation)
    if found is None:
        raise LookupError(part)
    return found


def _field(field: dict[str, Any], schema: dict[str, Any]) -> tuple[str, str, str]:
    default = (
        "required" if "default" not in field else f"`{field['default'] if field['default'] is not None else 'null'}`"
    )
    return _type(field, schema), default, field.get("description", "")


def _type(field: dict[str, Any], schema: dict[str, Any]) -> str:
    if "$ref" in field:
        return _type(schema["$defs"][field["$ref"].rpartition("/")[2]], schema)
    if "anyOf" in field:
        return " or ".join(_type(choice, schema) for choice in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    limits = [f"{word} {field[name]}" for name, word in (("minimum", "from"), ("maximum", "to")) if name in field]
    pattern = [f"matching `{field['pattern']}`"] if "pattern" in field else []
    return " ".join((field.get("type", "any"), *limits, *pattern))


# --- exit codes ---


def errors() -> list[type[MlopsError]]:
    """Every class of error that ends a command, by exit code."""
    return sorted(_descendants(MlopsError), key=lambda error: error.exit_code)


def _descendants(error: type[MlopsError]) -> Iterator[type[MlopsError]]:
    for child in error.__subclasses__():
        yield child
        yield from _descendants(child)


def render_exit_codes() -> str:
    """The page of exit codes."""
    rows = ((str(error.exit_code), f"`{error.__name__}`", error.summary) for error in errors())
    return _page(
        "Exit codes",
        "0 is success, and only success. With `--output json` the error is one JSON line on standard error, "
        "with `type` and `exit_code` from this table.",
        _table(("code", "type", "meaning"), rows),
    )


# --- workflow files ---


def render_workflow_support() -> str:
    """The page of what the local engine does with each field."""
    return _page(
        "What the local engine supports",
        workflow_support.INTRODUCTION,
        "## Accepted fields",
        _table(("part", "has an effect", "accepted, no effect here"), workflow_support.accepted()),
        "## Refused fields",
        _table(("part", "field", "why", "write instead"), workflow_support.refused()),
    )


def render_help() -> str:
    """What `mlops --help` prints in a terminal of the usual width."""
    root = typer.main.get_command(app)
    context = root.context_class(root, info_name="mlops", terminal_width=HELP_WIDTH, **root.context_settings)
    return f"{root.get_help(context)}\n"


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/cli.md": render_cli,
    "docs/reference/config.md": render_config,
    "docs/reference/exit-codes.md": render_exit_codes,
    "docs/reference/workflow-support.md": render_workflow_support,
    "platform_cli/cli/help.txt": render_help,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
