"""The rules of CONTRIBUTING.md that no linter knows."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "platform_cli"
SOURCES = sorted(
    path
    for folder in ("platform_cli", "pipelines", "benchmarks", "docs", "scripts")
    for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "handler", "misc"}
# Who may start processes or is one: the home of child processes, what runs steps, what keeps model servers alive.
STARTS_PROCESSES = re.compile(
    r"platform_cli/(process|workflow/step_\w+|workflow/(?:sandbox|mount|detached)\w*|serving/(?:\w*process\w*|supervisor))\.py"
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function with its number of lines of code, docstring and comments not counted."""
    lines = path.read_text("utf-8").splitlines()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            code = lines[body[0].lineno - 1 : node.end_lineno]
            yield node.name, sum(bool(line.strip()) and not line.strip().startswith("#") for line in code)


def test_files_are_short() -> None:
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {name: lines for name, lines in lengths.items() if lines > 300} == {}


def test_modules_are_named_for_what_they_hold() -> None:
    assert [name_of(path) for path in SOURCES if path.stem in VAGUE] == []


def test_no_function_is_long() -> None:
    lengths = {f"{name_of(path)}:{name}": lines for path in SOURCES for name, lines in functions(path)}
    assert {name: lines for name, lines in lengths.items() if lines > 40} == {}


def test_the_usual_function_is_small() -> None:
    assert statistics.median(lines for path in SOURCES for _, lines in functions(path)) <= 8


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(rf"\b({'|'.join(('TO' + 'DO', 'FIX' + 'ME'))})\b")
    assert [name_of(path) for path in [*SOURCES, *TESTS] if marks.search(path.read_text("utf-8"))] == []


def test_tests_replace_no_internals() -> None:
    replacing = {"mock", "MagicMock", "patch"}
    assert [name_of(path) for path in TESTS if {name.split(".")[-1] for name in imported(path)} & replacing] == []


def imported(path: Path) -> set[str]:
    """Dotted names of everything a file imports."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def used(path: Path) -> set[str]:
    """What a file imports, and its names and attributes such as `sys.exit`."""
    found = imported(path)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.add(f"{node.value.id}.{node.attr}")
        elif isinstance(node, ast.Name):
            found.add(node.id)
    return found


def test_only_programs_exit() -> None:
    exits = {"sys.exit", "SystemExit", "typer.Exit", "os._exit"}
    allowed = re.compile(rf"platform_cli/cli/.*|{STARTS_PROCESSES.pattern}")
    programs = {path for path in PACKAGE.rglob("*.py") if 'if __name__ == "__main__":' in path.read_text("utf-8")}
    offenders = {name_of(path): used(path) & exits for path in {*PACKAGE.rglob("*.py")} - programs}
    assert {name: found for name, found in offenders.items() if found and not allowed.fullmatch(name)} == {}


def test_only_a_few_modules_start_processes() -> None:
    starts = {"subprocess.Popen", "subprocess.run", "subprocess.check_output", "os.fork", "os.system", "os.posix_spawn"}
    offenders = {name_of(path): used(path) & starts for path in PACKAGE.rglob("*.py")}
    assert {name: found for name, found in offenders.items() if found and not STARTS_PROCESSES.fullmatch(name)} == {}


def test_no_branch_on_the_cloud_outside_its_module() -> None:
    branches = {
        f"{name_of(path)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if PACKAGE / "clouds" not in path.parents
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Compare | ast.MatchValue) and "CloudName." in ast.unparse(node)
    }
    assert branches == set()


def test_the_rules_see_what_they_forbid(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        'import sys\nfrom unittest import mock\ndef f():\n    """D."""\n    # why\n    x = 1\n    sys.exit(x)\n'
    )
    assert list(functions(bad)) == [("f", 2)]
    assert "sys.exit" in used(bad)
    assert "unittest.mock" in imported(bad)
