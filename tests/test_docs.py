"""The pages against the product: generated ones are fresh, links lead somewhere, commands exist."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_lines import Line, check_line, known, known_options, split_lines
from typer.exceptions import TyperException

from docs.generate import PAGES, errors
from platform_cli.config import Config, list_leaves
from platform_cli.config_load import FILE_VARIABLE, load_settings

ROOT = Path(__file__).resolve().parent.parent
TRACKED = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
DOCS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in TRACKED.split())})


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


def test_every_guide_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text("utf-8")
    guides = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    listed = set(re.findall(r"\]\(([^)#\s]+\.md)", index))
    assert {name for name in guides - listed if not name.startswith("adr/")} == {"index.md"}


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


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def command_lines(page: Path) -> Iterator[Line]:
    for language, block in blocks(page):
        lines = block.replace("\\\n", " ").splitlines()
        if language in {"console", "sh"}:
            typed = lines if language == "sh" else [line[2:] for line in lines if line.startswith("$ ")]
            yield from split_lines(page, typed)


LINES = [line for page in DOCS for line in command_lines(page)]
MLOPS = [line for line in LINES if Path(line.words[0]).name == "mlops"]
MAKE = [line for line in LINES if line.words[0] == "make"]


@pytest.mark.parametrize("line", MLOPS, ids=str)
def test_command_in_a_page_exists(line: Line) -> None:
    check_line(line.arguments)


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
    text = "\n".join(page.read_text("utf-8") for page in DOCS)
    assert set(re.findall(r"`make ([a-z][a-z0-9-]*)`", text)) <= makefile_targets()


def test_no_command_hides_in_a_block_that_is_not_read() -> None:
    for page in DOCS:
        for language, block in blocks(page):
            typed = re.findall(r"^(?:\$ )?(?:\S*/)?mlops .*", block, flags=re.MULTILINE)
            assert language in {"console", "sh"} or typed == [], f"{name_of(page)}: mark the block as sh or console"


# --- commands, options and keys in sentences ---

WRITTEN = [page for page in DOCS if name_of(page) not in PAGES]
OUTSIDE = [page for page in WRITTEN if page.relative_to(ROOT).parts[0] != "infrastructure"]  # Terraform has keys, too


def spans(page: Path) -> list[str]:
    """What stands between single backticks."""
    return [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", without_code_blocks(page.read_text("utf-8")))]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_commands_in_sentences_exist(page: Path) -> None:
    for span in spans(page):
        if span.startswith("mlops "):
            for line in split_lines(page, [re.sub("[…]", "", span)]):
                check_line(line.arguments, is_whole=False)


# Options of other programs that pages tell of, with whose they are.
FOREIGN = {
    "--all-files": "pre-commit",
    "--backend-store-uri": "MLflow",
    "--from": "argo",
    "--max-body-bytes": "the model server",
    "--max-merged-rows": "the model server",
    "--max-waiting": "the model server",
    "--model": "the model server",
    "--host": "the model server",
    "--version": "the model server",
    "--take-ownership": "Helm",
}


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_options_in_sentences_exist(page: Path) -> None:
    ours = {span.split()[0].partition("=")[0] for span in spans(page) if span.startswith("--")}
    assert ours <= known_options() | set(FOREIGN)


SECTIONS = {leaf.path[0] for leaf in list_leaves() if len(leaf.path) > 1}
KEYS = {".".join(leaf.path[:depth]) for leaf in list_leaves() for depth in range(1, len(leaf.path) + 1)}


@pytest.mark.parametrize("page", OUTSIDE, ids=name_of)
def test_keys_in_sentences_exist(page: Path) -> None:
    named = {span.partition(":")[0] for span in spans(page) if re.fullmatch(r"[a-z]+(\.[a-z_]+)+(: .*)?", span)}
    ours = {key for key in named if key.partition(".")[0] in SECTIONS}
    assert {key for key in ours if key not in KEYS and key.rpartition(".")[0] != "components.values"} == set()


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_variables_in_pages_exist(page: Path) -> None:
    named = set(re.findall(r"\bMLOPS_(?!TEST_)[A-Z_]+[A-Z]\b", page.read_text("utf-8")))
    assert named <= {leaf.variable for leaf in list_leaves()} | {FILE_VARIABLE}


def configurations(page: Path) -> Iterator[str]:
    """The blocks that belong into platform.yaml: they say so, or have no other keys than it has."""
    for language, block in blocks(page):
        if language == "yaml" and "\n---" not in block:
            keys = set(re.findall(r"^([\w-]+):", block, flags=re.MULTILINE))
            if block.startswith("# platform.yaml") or keys <= set(Config.model_fields):
                yield block


CONFIGURATIONS = [(page, block) for page in DOCS for block in configurations(page)]


@pytest.mark.parametrize(
    ("page", "block"),
    [pytest.param(*each, id=f"{name_of(each[0])}-{at}") for at, each in enumerate(CONFIGURATIONS)],
)
def test_configuration_in_a_page_is_valid(page: Path, block: str, tmp_path: Path) -> None:
    file = tmp_path / "platform.yaml"
    file.write_text(block if "version:" in block else f"version: 1\n{block}")
    load_settings(file=file, environ={}, flags={})


def test_pages_show_configuration_at_all() -> None:
    assert len(CONFIGURATIONS) > 5


def test_no_page_names_what_only_we_have() -> None:
    for page in DOCS:
        assert not re.search(r"\.library|\.\./shared", page.read_text("utf-8")), page


# --- the pages of the clouds ---

CLOUDS = ["aws", "azure", "gcp", "kind"]


def section(text: str, title: str) -> str:
    """From a heading that has this word to the next of its level; empty when there is none."""
    found = re.search(rf"^## [^\n]*{title}[^\n]*\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_cloud_s_page_tells_permissions_cost_and_teardown(cloud: str) -> None:
    text = (ROOT / "docs" / "how-to" / f"{cloud}.md").read_text("utf-8")
    assert section(text, "[Pp]ermissions")
    assert section(text, "[Cc]ost")
    teardown = section(text, "Take it down")
    for word in ("Karpenter", "inalizer", "lock", "interfaces", "state.md"):
        assert word in teardown, f"{cloud}.md: {word}"


def test_costs_in_pages_are_what_an_offline_plan_says(tmp_path: Path) -> None:
    mlops = str(Path(sys.executable).parent / "mlops")
    argv = [mlops, "plan", "--offline", "--all", "--output", "json"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    costs = {
        plan["target"]: round(stage["monthly_cost"]["after_usd"])
        for plan in json.loads(done.stdout)["plans"]
        for stage in plan["stages"]
        if "monthly_cost" in stage
    }
    told = {}
    for cloud in CLOUDS:
        table = section((ROOT / "docs" / "how-to" / f"{cloud}.md").read_text("utf-8"), "Cost")
        told |= {
            f"{cloud}/{env}": int(usd) for env, usd in re.findall(r"^\| (\w+) \| \w+ \| (\d+) \|$", table, re.MULTILINE)
        }
    assert told
    assert told == costs


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
