"""The CI files against the rest of the repository: they are parsed, never trusted to be right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_lines import Line, check_line, split_lines

from platform_cli.config import list_leaves

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = ROOT / ".github" / "workflows"
ENTRY = "ci-cd.yaml"
BIN = Path(sys.executable).parent

# Actions whose tag could not be looked up would stand here with the major tag in use; today every one could.
UNVERIFIED: frozenset[str] = frozenset()
# The only permissions a job may hold, and the only jobs that may write one.
MAY_READ = {"contents"}
MAY_WRITE = {
    ("ci-cd.yaml", "terraform-plan"): {"id-token"},
    ("ci-cd.yaml", "deploy"): {"id-token"},
    ("terraform-plan.yaml", "plan"): {"id-token"},
    ("deploy.yaml", "target"): {"id-token"},
}


class _Loader(yaml.SafeLoader):
    """YAML 1.2's booleans: `on` is a word."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def load(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text("utf-8"), Loader=_Loader)


FILES = {path.name: load(path) for path in sorted(WORKFLOWS.glob("*.yaml"))}
ACTIONS = {path.parent.name: load(path) for path in sorted((ROOT / ".github" / "actions").glob("*/action.yaml"))}


@dataclass(frozen=True, slots=True)
class Step:
    file: str
    job: str
    body: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.file}:{self.job}:{self.body.get('name', self.body.get('uses', self.body.get('run')))}"


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for file, workflow in FILES.items():
        for name, job in workflow["jobs"].items():
            yield file, name, job


def steps() -> Iterator[Step]:
    for file, name, job in jobs():
        yield from (Step(file, name, step) for step in job.get("steps", []))
    for name, action in ACTIONS.items():
        yield from (Step(f"actions/{name}", "composite", step) for step in action["runs"]["steps"])


JOBS = {f"{file}:{name}": (file, name, job) for file, name, job in jobs()}
RUNS = {str(step): step for step in steps() if "run" in step.body}
CALLS = {job_id: job for job_id, (*_, job) in JOBS.items() if "uses" in job}
USES = sorted({step.body["uses"] for step in steps() if "uses" in step.body} | {job["uses"] for job in CALLS.values()})


def test_every_part_named_by_the_issue_is_there() -> None:
    parts = {"lint", "validate", "security", "test", "test-cluster", "terraform-plan", "deploy"}
    assert parts <= set(FILES[ENTRY]["jobs"])
    assert {f"{part}.yaml" for part in parts} == set(FILES) - {ENTRY}


def test_reusable_workflows_are_only_called() -> None:
    for file, workflow in FILES.items():
        if file != ENTRY:
            assert set(workflow["on"]) == {"workflow_call"}, file


def test_untrusted_triggers_are_not_used() -> None:
    assert set(FILES[ENTRY]["on"]) == {"push", "pull_request", "schedule", "workflow_dispatch"}


@pytest.mark.parametrize("file", FILES)
def test_workflow_fits_its_schema(file: str) -> None:
    check = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOWS / file]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_workflows_pass_a_security_audit() -> None:
    audit = [BIN / "zizmor", "--offline", "--quiet", "--min-severity", "medium", ROOT / ".github"]
    done = subprocess.run(audit, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_permitted_by_default(file: str) -> None:
    assert FILES[file]["permissions"] == {}


@pytest.mark.parametrize("job_id", JOBS)
def test_permissions_are_set_and_minimal(job_id: str) -> None:
    file, name, job = JOBS[job_id]
    held = job["permissions"]
    writes = {scope for scope, level in held.items() if level == "write"}
    reads = {scope for scope, level in held.items() if level == "read"}
    assert writes == MAY_WRITE.get((file, name), set())
    assert reads <= MAY_READ
    assert writes | reads == set(held)


@pytest.mark.parametrize("job_id", CALLS)
def test_caller_grants_what_the_called_jobs_hold(job_id: str) -> None:
    caller = CALLS[job_id]
    called = FILES[Path(caller["uses"]).name]["jobs"].values()
    needed = {(scope, level) for job in called for scope, level in job["permissions"].items()}
    assert needed == set(caller["permissions"].items())


def test_no_secret_is_used_anywhere() -> None:
    for path in WORKFLOWS.parent.rglob("*.y*ml"):
        text = path.read_text("utf-8")
        assert not re.search(r"\$\{\{[^}]*\bsecrets\b|secrets: inherit", text), path


@pytest.mark.parametrize("uses", USES)
def test_what_is_used_is_here_or_pinned(uses: str) -> None:
    if uses.startswith("./"):
        target = ROOT / uses
        assert target.is_file() or (target / "action.yaml").is_file()
        return
    name, _, ref = uses.partition("@")
    assert re.fullmatch(r"[0-9a-f]{40}", ref) or name in UNVERIFIED


def test_each_pin_says_its_tag_and_is_the_same_everywhere() -> None:
    pins: dict[str, set[tuple[str, str]]] = {}
    for path in (ROOT / ".github").rglob("*.yaml"):
        for line in path.read_text("utf-8").splitlines():
            if found := re.search(r"uses: ([^.\s]\S*)@([0-9a-f]{40})(.*)", line):
                name, commit, comment = found.groups()
                assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{path.name}: {line.strip()}"
                pins.setdefault(name, set()).add((commit, comment))
    assert pins, "no pin was found: the pattern is broken"
    assert {name: found for name, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize("job_id", CALLS)
def test_inputs_match_the_called_workflow(job_id: str) -> None:
    caller = CALLS[job_id]
    call = FILES[Path(caller["uses"]).name]["on"]["workflow_call"] or {}
    declared = call.get("inputs", {})
    given = set(caller.get("with", {}))
    assert given <= set(declared)
    assert {name for name, field in declared.items() if field.get("required")} <= given


@pytest.mark.parametrize("file", FILES)
def test_declared_inputs_are_used_and_used_inputs_are_declared(file: str) -> None:
    triggers = FILES[file]["on"]
    trigger = triggers.get("workflow_call") or triggers.get("workflow_dispatch") or {}
    body = json.dumps(FILES[file])
    assert set(re.findall(r"\binputs\.([a-z-]+)", body)) == set(trigger.get("inputs", {}))


@pytest.mark.parametrize("job_id", JOBS)
def test_needs_and_outputs_exist(job_id: str) -> None:
    file, _, job = JOBS[job_id]
    siblings = FILES[file]["jobs"]
    needs = job.get("needs", [])
    needs = [needs] if isinstance(needs, str) else needs
    assert set(needs) <= set(siblings)
    for other, output in re.findall(r"needs\.([a-z-]+)\.outputs\.([a-z-]+)", json.dumps(job)):
        assert other in needs
        assert output in siblings[other]["outputs"]
    ids = {step.get("id") for step in job.get("steps", [])}
    assert set(re.findall(r"steps\.([a-z-]+)\.outputs", json.dumps(job))) <= ids


def test_green_waits_for_every_job_of_a_change() -> None:
    entry = FILES[ENTRY]["jobs"]
    assert set(entry["green"]["needs"]) == set(entry) - {"green", "deploy"}


@pytest.mark.parametrize("job_id", [job_id for job_id, (*_, job) in JOBS.items() if "steps" in job])
def test_jobs_end_by_themselves(job_id: str) -> None:
    assert 0 < JOBS[job_id][2]["timeout-minutes"] <= 120


@pytest.mark.parametrize("step_id", RUNS)
def test_scripts_take_values_from_the_environment_only(step_id: str) -> None:
    assert "${{" not in RUNS[step_id].body["run"]


def test_checkouts_leave_no_token_behind() -> None:
    checkouts = [step for step in steps() if step.body.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step.body["with"] == {"persist-credentials": False} for step in checkouts)


def test_one_run_at_a_time_for_a_target_and_no_apply_is_cut_off() -> None:
    target = FILES["deploy.yaml"]["jobs"]["target"]
    assert target["concurrency"]["cancel-in-progress"] is False
    assert {"inputs.cloud", "inputs.env"} <= set(re.findall(r"inputs\.\w+", target["concurrency"]["group"]))
    assert target["environment"] == "${{ inputs.cloud }}-${{ inputs.env }}"
    assert FILES[ENTRY]["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"


def test_deploy_offers_what_the_command_knows() -> None:
    from platform_cli.target import CloudName, Env

    inputs = FILES[ENTRY]["on"]["workflow_dispatch"]["inputs"]
    clouds = set(inputs["cloud"]["options"])
    assert clouds == set(CloudName) - {CloudName.EMBEDDED, CloudName.LOCAL, CloudName.EXISTING}
    assert inputs["env"]["options"] == list(Env)
    assert inputs["action"]["options"] == ["plan", "deploy", "destroy"]
    assert set(FILES[ENTRY]["jobs"]["terraform-plan"]["strategy"]["matrix"]["cloud"]) == clouds


def test_destroy_needs_the_name_of_its_target() -> None:
    step = RUNS["deploy.yaml:target:Destroying is confirmed by name"].body
    names = {"CLOUD": "aws", "TARGET_ENV": "dev"}
    for typed, code in (("aws-dev", 0), ("", 1), ("aws-prod", 1), ("aws-dev ", 1)):
        done = subprocess.run(["sh", "-eu", "-c", step["run"]], env={**names, "CONFIRM": typed}, check=False)
        assert done.returncode == code, typed


def test_what_changes_a_target_needs_a_state_that_outlives_the_run() -> None:
    step = RUNS["deploy.yaml:target:The state outlives this run"].body
    assert step["if"] == "inputs.action != 'plan'"
    names = {"CLOUD": "aws", "TARGET_ENV": "dev"}
    for state, code in (("mlops-tfstate-1", 0), ("", 1)):
        script = ["sh", "-eu", "-c", step["run"]]
        done = subprocess.run(script, env={**names, "STATE": state}, capture_output=True, text=True, check=False)
        assert (done.returncode, "::error::" in done.stdout) == (code, code == 1), state


def mlops_lines(scripts: str) -> list[Line]:
    """The lines of `mlops` in scripts, for one target."""
    text = scripts.replace("\\\n", " ").replace("$CLOUD", "aws").replace("$TARGET_ENV", "dev")
    return [line for line in split_lines(WORKFLOWS, text.splitlines()) if Path(line.words[0]).name == "mlops"]


def test_commands_in_scripts_exist() -> None:
    found = [line for step in RUNS.values() for line in mlops_lines(step.body["run"])]
    assert len(found) > 10
    for line in found:
        check_line(line.arguments)


def test_variables_that_configure_mlops_exist() -> None:
    texts = [path.read_text("utf-8") for path in WORKFLOWS.glob("*.yaml")]
    named = {name for text in texts for name in re.findall(r"\bMLOPS_[A-Z_]+", text)}
    assert named
    assert named <= {leaf.variable for leaf in list_leaves()}


def test_kind_runs_what_the_tutorial_says_of_a_kubeconfig() -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    part = page[page.index("## 9. I have only a kubeconfig") :]
    said = [line[2:] for line in part.splitlines() if line.startswith("$ mlops ")]
    done = mlops_lines(RUNS["test-cluster.yaml:kind:As a user, with the public charts"].body["run"])
    wanted = [line.words[:3] for line in split_lines(WORKFLOWS, said) if line.words[1] != "port-forward"]
    assert [line.words[:3] for line in done] == wanted


@pytest.mark.parametrize(
    ("fork", "identity", "ready"), [("true", "role", "false"), ("false", "", "false"), ("false", "role", "true")]
)
def test_plan_is_skipped_with_a_notice_where_there_is_no_identity(
    tmp_path: Path, fork: str, identity: str, ready: str
) -> None:
    script = RUNS["terraform-plan.yaml:access:Is there an identity to plan with?"].body["run"]
    output = tmp_path / "output"
    env = {"CLOUD": "aws", "FROM_FORK": fork, "IDENTITY": identity, "GITHUB_OUTPUT": str(output)}
    done = subprocess.run(["sh", "-eu", "-c", script], env=env, capture_output=True, text=True, check=True)
    assert output.read_text() == f"ready={ready}\n"
    assert ("::notice" in done.stdout) == (ready == "false")


def test_green_fails_when_a_part_did_not_succeed() -> None:
    script = RUNS["ci-cd.yaml:green:Every part succeeded"].body["run"]
    for results, code in (("success success", 0), ("success failure", 1), ("skipped success", 1)):
        done = subprocess.run(["sh", "-eu", "-c", script], env={"RESULTS": results}, capture_output=True, check=False)
        assert done.returncode == code, results


def make_targets() -> set[str]:
    """Every target name the Makefile can build, as make itself lists them."""
    listing = subprocess.run(
        ["make", "--question", "--print-data-base", "--no-builtin-rules", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return set(re.findall(r"^([a-z][a-z0-9-]*):", listing, flags=re.MULTILINE))


def test_make_targets_in_scripts_exist() -> None:
    named = {
        word
        for step in RUNS.values()
        for line in re.findall(r"\bmake ([^\n&|;]+)", step.body["run"])
        for word in re.sub(r'"[^"]*"', "", line).split()
        if "=" not in word and not word.startswith("-")
    }
    assert {"lint", "types", "validate", "test", "test-cluster", "images", "env", "docs", "demo"} <= named
    assert named <= make_targets()


def test_files_named_in_scripts_exist() -> None:
    scripts = "\n".join(step.body["run"] for step in RUNS.values())
    for name in (".secrets.baseline", "requirements/dev.lock"):
        assert name in scripts
        assert (ROOT / name).is_file()
    for cloud in FILES[ENTRY]["jobs"]["terraform-plan"]["strategy"]["matrix"]["cloud"]:
        folder = ROOT / "infrastructure" / "terraform" / "environments" / cloud
        assert (folder / FILES[ENTRY]["jobs"]["terraform-plan"]["with"]["env"]).is_dir()


def test_documentation_of_ci_names_every_variable() -> None:
    used: set[str] = set()
    for path in WORKFLOWS.glob("*.yaml"):
        used |= set(re.findall(r"\bvars\.([A-Z_]+)", path.read_text("utf-8")))
    page = (ROOT / "docs" / "how-to" / "run-on-ci.md").read_text("utf-8")
    assert used == set(re.findall(r"`((?:AWS|AZURE|DEPLOY|GCP|IMAGES)_[A-Z_]+)`", page))


def test_python_versions_are_those_the_package_supports() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    supported = set(re.findall(r"Python :: (3\.\d+)\"", pyproject))
    matrix = FILES["test.yaml"]["jobs"]["test"]["strategy"]["matrix"]
    assert set(matrix["python"]) == supported
    assert f">={min(supported, key=lambda version: int(version[2:]))}" in pyproject


# --- pre-commit ---

HOOKS = {hook["id"]: hook for repo in load(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]}


def test_pre_commit_configuration_is_valid() -> None:
    check = [BIN / "pre-commit", "validate-config", ROOT / ".pre-commit-config.yaml"]
    assert subprocess.run(check, check=False).returncode == 0


def test_pre_commit_has_the_hooks_the_issue_names() -> None:
    assert {"ruff", "ruff-format", "mypy", "terraform-fmt", "secrets", "notebooks", "yaml"} <= set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks_run_programs_of_the_locked_environment(hook: str) -> None:
    program = HOOKS[hook]["entry"].split()[0]
    assert HOOKS[hook]["language"] == "system"
    if hook == "terraform-fmt":  # a binary that no Python package brings
        assert program == "sh"
        return
    assert program.startswith(".venv/bin/")
    assert (BIN / Path(program).name).is_file()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("PASSWORD = 'correct-horse-battery'", 1),  # pragma: allowlist secret
        ("AWS_KEY = 'AKIAIOSFODNN7EXAMPLE'", 1),  # pragma: allowlist secret
        ("PASSWORD = os.environ['PASSWORD']", 0),
    ],
)
def test_secret_scan_finds_secrets(tmp_path: Path, line: str, code: int) -> None:
    suspect = tmp_path / "settings.py"
    suspect.write_text(f"{line}\n")
    scan = [BIN / "detect-secrets-hook", "--baseline", ROOT / ".secrets.baseline", suspect]
    assert subprocess.run(scan, capture_output=True, check=False).returncode == code


def test_secret_scan_has_no_excused_findings_and_asks_no_network() -> None:
    baseline = json.loads((ROOT / ".secrets.baseline").read_text("utf-8"))
    assert baseline["results"] == {}, "mark a false positive in its own line, with `pragma: allowlist secret`"
    filters = {entry["path"] for entry in baseline["filters_used"]}
    assert "detect_secrets.filters.common.is_ignored_due_to_verification_policies" not in filters


def test_notebook_hook_removes_output(tmp_path: Path) -> None:
    cell = {"cell_type": "code", "execution_count": 3, "id": "a", "metadata": {}, "source": ["1 + 1"]}
    cell["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": ["2"]}, "metadata": {}}]
    cell["outputs"][0]["execution_count"] = 3
    notebook = tmp_path / "n.ipynb"
    notebook.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    subprocess.run([BIN / Path(HOOKS["notebooks"]["entry"]).name, notebook], check=True)
    assert json.loads(notebook.read_text())["cells"][0]["outputs"] == []
