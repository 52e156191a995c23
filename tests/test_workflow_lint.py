"""Lint of workflow files: every mistake has a file named after it that says which findings it must give."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from platform_cli.errors import LintError
from platform_cli.workflow.depends import DependsError, accepted_results, parse_depends, task_depends
from platform_cli.workflow.finding import Finding, refusal
from platform_cli.workflow.ignored import ignored_fields
from platform_cli.workflow.lint import lint
from platform_cli.workflow.model import parse
from platform_cli.workflow.model_template import ContinueOn, Task
from platform_cli.workflow.source import load_manifests, parse_manifests

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "fixtures" / "workflows"
TRAINING = ROOT / "pipelines" / "training" / "ml-training-workflow.yaml"


def named(folder: str) -> list[object]:
    return [pytest.param(path, id=path.stem) for path in sorted((FOLDER / folder).glob("*.yaml"))]


def findings_of(path: Path, level: str) -> list[Finding]:
    return [finding for finding in lint(load_manifests(path)) if finding.level == level]


def expected(path: Path, level: str) -> list[tuple[str, str]]:
    lines = re.findall(rf"^# {level}: (\S+): (.+)$", path.read_text("utf-8"), re.MULTILINE)
    assert lines, f"{path.name} does not say what it expects"
    return lines


def is_met(wish: tuple[str, str], finding: Finding) -> bool:
    return finding.field.startswith(wish[0]) and wish[1] in f"{finding.message} ({finding.hint})"


@pytest.mark.parametrize("path", named("invalid"))
def test_a_mistake_is_found_where_it_is(path: Path) -> None:
    found = findings_of(path, "error")
    for wish in expected(path, "error"):
        assert any(is_met(wish, finding) for finding in found), [str(finding) for finding in found]
    assert len(found) == len(expected(path, "error")), [str(finding) for finding in found]


@pytest.mark.parametrize("path", named("warned"))
def test_a_risk_is_a_warning_and_no_error(path: Path) -> None:
    assert findings_of(path, "error") == []
    found = findings_of(path, "warning")
    assert len(found) == len(expected(path, "warning")), [str(finding) for finding in found]
    assert all(any(is_met(wish, finding) for finding in found) for wish in expected(path, "warning"))


@pytest.mark.parametrize("path", named("valid"))
def test_a_sound_workflow_has_no_findings(path: Path) -> None:
    assert [str(finding) for finding in lint(load_manifests(path))] == []


def test_the_training_pipeline_has_no_findings() -> None:
    assert [str(finding) for finding in lint(load_manifests(TRAINING))] == []


def test_a_finding_points_at_its_line() -> None:
    (finding,) = findings_of(FOLDER / "invalid" / "unknown-template.yaml", "error")
    line = (FOLDER / "invalid" / "unknown-template.yaml").read_text("utf-8").splitlines()[finding.line - 1]
    assert line[finding.column - 1 :].startswith("template: wrok")
    place = f"{finding.file}:{finding.line}:{finding.column}"
    assert str(finding) == (
        f"{place}: spec.templates[0].dag.tasks[0].template: there is no template 'wrok' (did you mean `work`?)"
    )


def test_the_path_of_a_cycle_is_named() -> None:
    (finding,) = findings_of(FOLDER / "invalid" / "cycle.yaml", "error")
    names = finding.message.rpartition(": ")[2].split(" -> ")
    needs = {"a": "c", "b": "a", "c": "b"}
    assert len(names) == 4
    assert all(needs[first] == second for first, second in itertools.pairwise(names))


def test_two_cycles_are_two_findings() -> None:
    tasks = [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]
    lines = "".join(f"      - {{name: {name}, template: w, dependencies: [{need}]}}\n" for name, need in tasks)
    found = lint(parse_manifests(SMALL.format(tasks=lines), "two.yaml"))
    assert sum("in a circle" in finding.message for finding in found) == 2


SMALL = """apiVersion: argoproj.io/v1alpha1
kind: WorkflowTemplate
metadata: {{name: small}}
spec:
  entrypoint: main
  templates:
  - name: main
    dag:
      tasks:
{tasks}
  - name: w
    outputs: {{parameters: [{{name: o, valueFrom: {{path: /tmp/o}}}}]}}
    container: {{image: i, command: [echo]}}
"""


def test_a_long_chain_is_no_deeper_than_a_short_one() -> None:
    tasks = ['      - {name: t0, template: w, when: "1 == 2"}']
    tasks += [f"      - {{name: t{i}, template: w, dependencies: [t{i - 1}]}}" for i in range(1, 2000)]
    tasks.append(
        '      - {name: z, template: w, dependencies: [t1999], withParam: "{{tasks.t0.outputs.parameters.o}}"}'
    )
    found = lint(parse_manifests(SMALL.format(tasks="\n".join(tasks)), "chain.yaml"))
    assert [finding.field for finding in found] == ["spec.templates[0].dag.tasks[2000].withParam"]


def test_what_only_a_cluster_runs_is_fine_for_a_cluster() -> None:
    manifests = load_manifests(FOLDER / "invalid" / "no-command.yaml")
    assert lint(manifests, local=False) == ()


def test_a_template_of_another_file_is_checked_when_it_is_given() -> None:
    (library,) = parse_manifests(
        SMALL.format(tasks="      - {name: a, template: w}").replace("small", "elsewhere"), "l"
    )
    manifests = load_manifests(FOLDER / "warned" / "unknown-template-file.yaml")
    (finding,) = lint(manifests, available=[library])
    assert finding.message == "'elsewhere' has no template 't'"


def test_equal_names_of_two_documents_are_an_error() -> None:
    text = SMALL.format(tasks="      - {name: a, template: w}")
    (finding,) = lint(parse_manifests(f"{text}---\n{text}", "twice.yaml"))
    assert "another WorkflowTemplate 'small'" in finding.message


def test_a_file_that_does_not_parse_does_not_hide_another() -> None:
    bad = load_manifests(FOLDER / "invalid" / "unknown-field.yaml")
    other = load_manifests(FOLDER / "invalid" / "no-command.yaml")
    assert {Path(finding.file).stem for finding in lint([*bad, *other])} == {"unknown-field", "no-command"}


def test_a_refusal_lists_every_finding_in_order() -> None:
    findings = lint(load_manifests(FOLDER / "invalid" / "two-mistakes.yaml"))
    error = refusal(reversed(findings))
    assert isinstance(error, LintError)
    assert error.message.endswith("two-mistakes.yaml: 2 problems in the workflow")
    assert [line.split(": ")[1] for line in error.details] == [
        "spec.entrypont",
        "spec.templates[0].container.comand",
    ]


def test_ignored_fields_are_named_once() -> None:
    (manifest,) = load_manifests(TRAINING)
    fields = ignored_fields(parse(manifest).spec)
    assert {"podGC", "resources", "securityContext", "ttlStrategy"} <= set(fields)
    assert list(fields) == sorted(set(fields))


OUTCOMES = {"a": {"Succeeded"}, "b-c": {"Failed"}, "loop": {"Failed", "AnySucceeded"}, "gone": {"Omitted"}}


def has_result(task: str, result: str) -> bool:
    return result in OUTCOMES[task]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a", True),
        ("a.Succeeded && b-c.Failed", True),
        ("a && b-c", False),
        ("!b-c.Succeeded", True),
        ("(a || b-c) && !gone", True),
        ("gone || loop.AnySucceeded", True),
        ("a&&!b-c&&gone.Omitted", True),
        ("a || b-c && gone", True),
        ("(a || b-c) && gone", False),
    ],
)
def test_depends_holds(text: str, holds: bool) -> None:
    assert parse_depends(text).evaluate(has_result) is holds


@pytest.mark.parametrize(
    "text", ["", "a &&", "a b", "(a", "a)", "a.Done", "a == b", "a != b", "!", "()", "a..b", "&& a"]
)
def test_depends_refuses(text: str) -> None:
    with pytest.raises(DependsError):
        parse_depends(text)


@pytest.mark.parametrize("text", ["!" * 5000 + "a", "(" * 300 + "a" + ")" * 300])
def test_depends_refuses_what_nests_too_deeply(text: str) -> None:
    with pytest.raises(DependsError):
        parse_depends(text)


def test_dependencies_accept_what_continue_on_allows() -> None:
    task = Task(name="t", dependencies=("a", "b-c"))
    assert not task_depends(task, {}).evaluate(has_result)
    assert task_depends(task, {"b-c": ContinueOn(failed=True)}).evaluate(has_result)
    assert accepted_results(ContinueOn(error=True))[-1] == "Errored"
    assert task_depends(task, {}).tasks == ("a", "b-c")


def test_without_dependencies_a_task_starts() -> None:
    assert task_depends(Task(name="t"), {}).evaluate(has_result)
    assert task_depends(Task(name="t"), {}).tasks == ()
