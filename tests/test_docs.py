"""The pages against the product: generated ones are fresh, links lead somewhere, commands exist."""

from __future__ import annotations

import enum
import functools
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.exceptions import TyperException

from docs.generate import PAGES, commands, errors

ROOT = Path(__file__).resolve().parent.parent
TRACKED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
DOCS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in TRACKED.split())})
OURS = [page for page in DOCS if page.parts[len(ROOT.parts)] not in {"infrastructure", "pipelines"}]


@functools.cache
def known() -> dict[str, tuple[Any, Any]]:
    """Every command with its context, by its path such as `mlops pipeline submit`."""
    return {context.command_path: (command, context) for command, context in commands()}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


# --- generated pages ---


@pytest.mark.parametrize("page", PAGES)
def test_reference_page_is_fresh(page: str) -> None:
    assert (ROOT / page).read_text("utf-8") == PAGES[page](), "stale: run `make docs`"


def test_each_exit_code_is_unique_and_documented() -> None:
    codes = [error.exit_code for error in errors()]
    assert len(codes) == len(set(codes))
    assert 0 not in codes
    assert 1 not in codes, "1 is what Python itself exits with after a defect of ours"
    for error in errors():
        assert "summary" in vars(error), error
        assert "exit_code" in vars(error), error


def test_every_command_and_option_says_what_it_does() -> None:
    silent = [path for path, (command, _) in known().items() if not command.help]
    silent += [
        f"{path} {param.opts[0]}"
        for path, (command, context) in known().items()
        for param in command.params
        if (record := param.get_help_record(context)) is not None and not record[1].strip()
    ]
    assert silent == []


# --- links ---


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The names GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", without_code_blocks(page.read_text("utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def without_code_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{name_of(page)} links to {target}"
        assert not anchor or anchor in anchors(linked), f"{name_of(page)} links to {target}"


def test_every_page_is_reachable_from_the_readme() -> None:
    seen: set[Path] = set()
    queue = [ROOT / "README.md"]
    while queue:
        page = queue.pop()
        if page in seen or not page.is_file():
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)[^)]*\)", without_code(page.read_text("utf-8")))
        queue += [(page.parent / link).resolve() for link in links if ":" not in link]
    pages = set((ROOT / "docs").rglob("*.md"))
    assert {name_of(page) for page in pages - seen} == set()


# --- sizes that were promised ---


def test_pages_are_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 150
    for page in (ROOT / "docs" / "adr").glob("[0-9]*.md"):
        assert len(page.read_text("utf-8").splitlines()) <= 60, page.name


def test_decisions_are_numbered_and_listed() -> None:
    numbers = sorted(int(page.name[:4]) for page in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))
    index = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    for page in (ROOT / "docs" / "adr").glob("[0-9]*.md"):
        assert f"({page.name})" in index
        assert page.read_text("utf-8").startswith(f"# {page.name[:4]} ")


# --- commands in fenced blocks ---


@dataclass(frozen=True, slots=True)
class Line:
    """One command line as a reader would type it."""

    page: Path
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{name_of(self.page)}: {' '.join(self.words)}"


def command_lines(page: Path) -> Iterator[Line]:
    text = page.read_text("utf-8")
    for language, block in re.findall(r"^```(console|sh)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        lines = block.replace("\\\n", " ").splitlines()
        typed = lines if language == "sh" else [line[2:] for line in lines if line.startswith("$ ")]
        for words in lex(typed):
            yield from split_commands(page, words)


def lex(lines: list[str]) -> Iterator[list[str]]:
    """The words of each command; a quotation may go on over several lines."""
    open_lines: list[str] = []
    for line in lines:
        open_lines.append(line)
        lexer = shlex.shlex("\n".join(open_lines), posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:
            continue
        open_lines.clear()
        yield words
    assert not open_lines, f"a quotation is not closed: {open_lines[0]}"


def split_commands(page: Path, words: list[str]) -> Iterator[Line]:
    """The parts of a line between `&&`, `|` and `;`, without assignments before a command or redirections after it."""
    part: list[str] = []
    for word in [*words, ";"]:
        if word and set(word) <= set("&|;"):
            while part and re.fullmatch(r"[A-Z_]+=.*", part[0]):
                part.pop(0)
            if part:
                yield Line(page, tuple(part))
            part = []
        else:
            part.append(word)


LINES = [line for page in OURS for line in command_lines(page)]
MLOPS = [line for line in LINES if Path(line.words[0]).name == "mlops"]
MAKE = [line for line in LINES if line.words[0] == "make"]


def check_line(words: list[str]) -> None:
    """Parse a line of `mlops` as the command would, without running it.

    Raises:
        TyperException: an option does not exist or lacks its value.
        AssertionError: a command does not exist, or a value is not one of the known ones.
    """
    command, context = known()["mlops"]
    while hasattr(command, "list_commands"):
        if not words or words[0].startswith("-"):
            break
        path = f"{context.command_path} {words[0]}"
        assert path in known(), f"there is no command `{path}`"
        command, context = known()[path]
        words = words[1:]
    if "--help" in words:
        return
    values, rest, _ = command.make_parser(context).parse_args(list(words))
    assert rest == [], f"too many words: {rest}"
    for param in command.params:
        given = values.get(param.name)
        assert not (param.required and given in (None, ())), f"`{param.name}` is missing"
        kind = param.type_descriptor.annotation
        if isinstance(kind, type) and issubclass(kind, enum.Enum) and isinstance(given, str):
            assert given in [member.value for member in kind], f"`{given}` is not one of {list(kind)}"


def without_redirection(words: tuple[str, ...]) -> list[str]:
    cut = next((place for place, word in enumerate(words) if set(word) & set("<>") and len(word) <= 2), len(words))
    return list(words[1:cut])


@pytest.mark.parametrize("line", MLOPS, ids=str)
def test_command_in_a_page_exists(line: Line) -> None:
    check_line(without_redirection(line.words))


@pytest.mark.parametrize(
    "words",
    [
        ["deplyo"],
        ["pipeline", "submitt"],
        ["pipeline", "submit", "--wate"],
        ["plan", "--cloud", "asw"],
        ["pipeline", "stop"],
        ["version", "now"],
    ],
    ids=" ".join,
)
def test_wrong_command_would_be_seen(words: list[str]) -> None:
    with pytest.raises((TyperException, AssertionError)):
        check_line(words)


def test_pages_show_commands_at_all() -> None:
    assert len(MLOPS) > 20
    assert len(MAKE) > 5


def makefile_targets() -> set[str]:
    done = subprocess.run(
        ["make", "--question", "--print-data-base", "--no-builtin-rules", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(re.findall(r"^([a-z][a-z0-9-]*):", done.stdout, flags=re.MULTILINE))


def test_make_targets_in_pages_exist() -> None:
    named = {word for line in MAKE for word in line.words[1:] if "=" not in word and not word.startswith("-")}
    assert named <= makefile_targets()


def test_targets_named_in_prose_exist() -> None:
    text = "\n".join(page.read_text("utf-8") for page in OURS)
    assert set(re.findall(r"`make ([a-z][a-z0-9-]*)`", text)) <= makefile_targets()


def test_commands_named_in_prose_exist() -> None:
    for page in OURS:
        for named in re.findall(r"`mlops((?: [a-z][a-z-]*)+)", without_code_blocks(page.read_text("utf-8"))):
            words = named.split()
            path = "mlops"
            while words and hasattr(known()[path][0], "list_commands"):
                path = f"{path} {words.pop(0)}"
                assert path in known(), f"{name_of(page)}: `{path}`"


def test_no_page_names_what_only_we_have() -> None:
    for page in OURS:
        assert not re.search(r"\.library|\.\./shared", page.read_text("utf-8")), page


# --- pages whose commands are run ---


def script_of(page: Path) -> str:
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL))


def run_shell(script: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**{name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}, "PATH": path}
    done = subprocess.run(
        ["sh", "-eux", "-c", script], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    subprocess.run([Path(sys.executable).parent / "mlops", "destroy", "--yes"], cwd=tmp_path, check=False)


def test_tutorial_does_what_it_says(project: Path) -> None:
    said = run_shell(script_of(ROOT / "docs" / "tutorial.md"), project)
    assert "setosa" in said
    assert re.search(r"^prediction,probability\nlight,[\d.]+\nheavy,[\d.]+$", said, flags=re.MULTILINE)
    assert not (project / ".mlops" / "embedded-dev").exists()


def test_workflow_of_the_guide_runs(project: Path) -> None:
    page = ROOT / "docs" / "how-to" / "write-a-workflow.md"
    (manifest,) = re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    (project / "count.yaml").write_text(manifest)
    said = run_shell(f"mlops deploy --yes\n{script_of(page)}", project)
    assert "'s': 4" in said
    assert "warning" not in said
