# ruff: noqa: E501 - manifests read best with one thing per line
"""The local engine: what runs when, as Argo's controller decides it; real processes."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from engine_fixtures import open_bench


@pytest.fixture
def bench(tmp_path):
    with open_bench(tmp_path) as bench:
        yield bench


def test_depends_sees_every_result(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag:
            tasks:
            - {name: bad, template: fail}
            - {name: good, template: ok}
            - {name: skipped, template: ok, when: "1 == 2"}
            - {name: after-bad, template: ok, depends: bad}
            - {name: mends, template: ok, depends: "bad.Failed && good"}
            - {name: after-skipped, template: ok, depends: skipped}
            - {name: after-omitted, template: ok, depends: after-bad.Omitted}
            - {name: either, template: ok, depends: "!bad.Succeeded || good.Failed"}
    """)
    assert outcome.phases == {
        "bad": "Failed",
        "good": "Succeeded",
        "skipped": "Skipped",
        "after-bad": "Omitted",
        "mends": "Succeeded",
        "after-skipped": "Succeeded",
        "after-omitted": "Succeeded",
        "either": "Succeeded",
    }
    assert outcome.phase == "Succeeded"
    assert outcome.nodes["bad"]["message"] == "exit code 3: broken"


def test_an_omitted_target_inherits_the_failure_of_its_branch(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag:
            tasks: [{name: bad, template: fail}, {name: next, template: ok, depends: bad}]
    """)
    assert (outcome.phase, outcome.message) == ("Failed", "bad: exit code 3: broken")
    assert outcome.phases["next"] == "Omitted"


FAIL_FAST = """
    entrypoint: main
    templates:
    - name: main
      dag:
        failFast: {fail_fast}
        tasks:
        - {{name: bad, template: fail}}
        - {{name: slow, template: slow}}
        - {{name: late, template: ok, depends: slow}}
    - name: slow
      container: {{image: alpine, command: [sleep, "0.5"]}}
"""


@pytest.mark.parametrize(("fail_fast", "late"), [("true", None), ("false", "Succeeded")])
def test_fail_fast_starts_nothing_after_a_branch_is_lost(bench, fail_fast, late):
    outcome = bench.run(FAIL_FAST.format(fail_fast=fail_fast))
    assert outcome.phase == "Failed"
    assert outcome.phases["slow"] == "Succeeded"
    assert outcome.phases.get("late") == late


def test_continue_on_and_targets(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag:
            target: "wanted"
            tasks:
            - {name: bad, template: fail, continueOn: {failed: true}}
            - {name: wanted, template: ok, dependencies: [bad]}
            - {name: unwanted, template: ok}
    """)
    assert outcome.phase == "Succeeded"
    assert outcome.phases == {"bad": "Failed", "wanted": "Succeeded"}


def test_steps_run_group_by_group_and_stop_at_the_first_bad_one(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          steps:
          - - {name: a, template: say, arguments: {parameters: [{name: text, value: one}]}}
            - {name: b, template: fail, continueOn: {failed: true}}
          - - {name: c, template: say, when: "{{steps.a.outputs.result}} == one"}
            - {name: d, template: fail}
          - - {name: never, template: ok}
    """)
    assert outcome.phase == "Failed"
    assert outcome.message == "d: exit code 3: broken"
    assert outcome.phases == {
        "[0]": "Succeeded",
        "[0].a": "Succeeded",
        "[0].b": "Failed",
        "[1]": "Failed",
        "[1].c": "Succeeded",
        "[1].d": "Failed",
    }
    assert outcome.nodes["[0]"]["type"] == "StepGroup"


def test_loops_name_their_children_and_collect_outputs_in_order(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag:
            tasks:
            - name: words
              template: say
              withItems: [b, a]
              arguments: &text {parameters: [{name: text, value: '"{{item}}"'}]}
            - name: maps
              template: say
              withItems: [{k: 1, a: x}]
              arguments: {parameters: [{name: text, value: "{{item.a}}{{item.k}} {{item}}"}]}
            - name: count
              template: say
              withSequence: {start: 3, end: 1, format: "n%02d"}
              when: "{{item}} != n02"
              arguments: *text
            - {name: more, template: say, depends: words, withParam: "{{tasks.words.outputs.result}}", arguments: *text}
            - {name: none, template: say, withParam: "[]", arguments: *text}
            - name: all
              depends: "more && none && count.AnySucceeded"
              template: say
              arguments: {parameters: [{name: text, value: "{{tasks.more.outputs.result}}"}]}
    """)
    assert outcome.message == ""
    assert outcome.result("all") == '["b","a"]'
    assert outcome.nodes["words"]["type"] == "TaskGroup"
    assert [name for name in outcome.phases if name.startswith("words(")] == ["words(0:b)", "words(1:a)"]
    assert outcome.result("maps(0:a:x,k:1)") == 'x1 {"a":"x","k":1}'
    assert outcome.phases["count(1:n02)"] == "Skipped"
    assert outcome.phases["none"] == "Skipped"


def test_templates_nest_and_give_outputs_up(bench):
    outcome = bench.run("""
        entrypoint: outer
        templates:
        - name: outer
          dag:
            tasks:
            - {name: inner, template: inner, arguments: {parameters: [{name: word, value: deep}]}}
            - name: end
              depends: inner
              template: say
              arguments: {parameters: [{name: text, value: "{{tasks.inner.outputs.parameters.word}}"}]}
        - name: inner
          inputs: {parameters: [{name: word}]}
          steps:
          - - {name: say, template: say, arguments: {parameters: [{name: text, value: "{{inputs.parameters.word}}"}]}}
          outputs:
            parameters: [{name: word, valueFrom: {parameter: "{{steps.say.outputs.result}}"}}]
    """)
    assert outcome.result("end") == "deep"
    assert outcome.nodes["inner"]["type"] == "Steps"
    assert outcome.nodes["inner[0].say"]["boundaryID"] == outcome.nodes["inner"]["id"]


def test_absent_outputs_use_the_consumers_default_or_the_expressions(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag:
            tasks:
            - {name: skipped, template: give, when: "false"}
            - name: lenient
              depends: skipped
              template: say
              arguments: {parameters: [{name: text, value: "{{tasks.skipped.outputs.parameters.x}}"}]}
            - name: expression
              depends: skipped
              template: say
              arguments: {parameters: [{name: text, value: "{{=tasks.skipped.outputs.parameters.x ?? 'else'}}"}]}
        - name: give
          container: {image: alpine, command: [sh, -c, "echo x > /tmp/x"]}
          outputs: {parameters: [{name: x, valueFrom: {path: /tmp/x}}]}
    """)
    assert outcome.message == ""
    assert [outcome.result(name) for name in ("lenient", "expression")] == ["hello", "else"]


RETRY = """
    entrypoint: main
    volumes: [{{name: shared, persistentVolumeClaim: {{claimName: tries}}}}]
    templates:
    - name: main
      retryStrategy: {strategy}
      container:
        image: alpine
        command: [sh, -c]
        args: ['echo "try {{{{retries}}}} after {{{{lastRetry.exitCode}}}}"; echo x >> /shared/tries; test $(wc -l < /shared/tries) -gt 2 || exit 7']
        volumeMounts: [{{name: shared, mountPath: /shared}}]
"""


@pytest.mark.parametrize(
    ("strategy", "phase", "tries"),
    [
        ("{limit: 5, backoff: {duration: 10ms, factor: 2}}", "Succeeded", 3),
        ("{limit: 1}", "Failed", 2),
        ("{limit: 5, retryPolicy: OnError}", "Failed", 1),
        ("{limit: 5, expression: 'asInt(lastRetry.exitCode) == 7'}", "Succeeded", 3),
        ("{limit: 5, expression: 'lastRetry.exitCode == \"8\"'}", "Failed", 1),
        ("{limit: 5, backoff: {duration: '10', maxDuration: '5'}}", "Failed", 1),
    ],
)
def test_retry_strategy(bench, strategy, phase, tries):
    outcome = bench.run(RETRY.format(strategy=strategy))
    assert outcome.phase == phase
    assert outcome.nodes[""]["type"] == "Retry"
    assert len(outcome.nodes[""]["children"]) == tries
    assert outcome.result("(0)") == "try 0 after 0"
    if tries > 1:
        assert outcome.result("(1)") == "try 1 after 7"


def test_deadlines_of_templates_and_of_the_workflow(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          activeDeadlineSeconds: 1
          container: {image: alpine, command: [sh, -c, "trap '' TERM; sleep 30 & wait; sleep 30"]}
    """)
    assert (outcome.phase, outcome.message) == ("Failed", "deadline of 1s exceeded")
    outcome = bench.run("""
        entrypoint: main
        activeDeadlineSeconds: 1
        onExit: say
        templates:
        - name: main
          steps: [[{name: a, template: slow}], [{name: b, template: slow}]]
        - name: slow
          container: {image: alpine, command: [sleep, "30"]}
    """)
    assert (outcome.phase, outcome.message) == ("Failed", "the workflow's deadline of 1s exceeded")
    assert "[1].b" not in outcome.phases
    assert outcome.phases["onExit"] == "Succeeded"


def test_suspend_goes_on_after_its_duration(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - {name: wait, suspend: {duration: 50ms}}
        - name: main
          steps: [[{name: wait, template: wait}], [{name: go, template: ok}]]
    """)
    assert outcome.phase == "Succeeded"
    assert outcome.nodes["[0].wait"]["type"] == "Suspend"


def test_the_exit_handler_knows_how_it_ended(bench):
    outcome = bench.run("""
        entrypoint: broken
        onExit: tell
        templates:
        - name: tell
          container: {image: alpine, command: [echo, "{{workflow.status}} {{workflow.failures}}"]}
        - name: broken
          container: {image: alpine, command: [sh, -c, "exit 4"]}
    """)
    status, _, failures = outcome.result("onExit").partition(" ")
    assert status == "Failed"
    assert (
        json.loads(json.loads(f'"{failures}"') if failures.startswith("\\") else failures)[0]["message"]
        == "exit code 4"
    )


def test_a_failing_exit_handler_fails_a_run_that_had_succeeded(bench):
    outcome = bench.run("""
        entrypoint: main
        onExit: fail
        templates:
        - {name: main, container: {image: alpine, command: ["true"]}}
    """)
    assert (outcome.phase, outcome.message) == ("Failed", f"{outcome.name}.onExit: exit code 3: broken")


def test_hooks_run_when_their_expression_holds(bench):
    outcome = bench.run("""
        entrypoint: main
        hooks:
          running: {template: say, expression: workflow.status == "Running"}
          failed: {template: say, expression: workflow.status == "Failed"}
        templates:
        - name: main
          dag:
            tasks:
            - name: a
              template: ok
              hooks:
                exit: {template: say, arguments: {parameters: [{name: text, value: "{{tasks.a.status}}"}]}}
                good: {template: say, expression: tasks.a.status == "Succeeded"}
                bad: {template: say, expression: tasks.a.status == "Failed"}
            - {name: b, template: ok, depends: a}
    """)
    assert outcome.phase == "Succeeded"
    assert outcome.result("a.onExit") == "Succeeded"
    assert {"hooks.running", "a.hooks.good"} <= set(outcome.phases)
    assert not {"hooks.failed", "a.hooks.bad"} & set(outcome.phases)
    assert outcome.nodes["a.onExit"]["finishedAt"] <= outcome.nodes["b"]["startedAt"]


@pytest.mark.parametrize("where", ["workflow", "template"])
def test_parallelism_limits_what_runs_at_once(bench, where):
    outer, inner = {"workflow": ("parallelism: 1", ""), "template": ("", "parallelism: 1")}[where]
    bench.options["workers"] = 4
    outcome = bench.run(f"""
        entrypoint: main
        {outer}
        templates:
        - name: main
          {inner}
          dag:
            tasks: [{{name: a, template: nap, withItems: [1, 2, 3]}}]
        - name: nap
          container: {{image: alpine, command: [sleep, "0.05"]}}
    """)
    naps = sorted((n["startedAt"], n["finishedAt"]) for n in outcome.nodes.values() if n["type"] == "Pod")
    assert len(naps) == 3
    assert all(before[1] <= after[0] for before, after in pairwise(naps))


def test_memoize_remembers_and_forgets(bench):
    spec = """
        entrypoint: main
        templates:
        - name: main
          memoize: {{key: "{key}", maxAge: "{age}", cache: {{configMap: {{name: memory}}}}}}
          container: {{image: alpine, command: [cat, /proc/sys/kernel/random/uuid]}}
    """
    first = bench.run(spec.format(key="k1", age="1h"))
    again = bench.run(spec.format(key="k1", age="1h"))
    other = bench.run(spec.format(key="k2", age="1h"))
    old = bench.run(spec.format(key="k1", age="1ms"))
    assert first.result("") == again.result("")
    assert len({run.result("") for run in (first, other, old)}) == 3
    assert again.nodes[""]["reuse"]["reason"] == "memoized in memory as k1"


def test_templates_of_other_files_are_found(bench):
    other = """
        apiVersion: argoproj.io/v1alpha1
        kind: WorkflowTemplate
        metadata: {name: tools}
        spec:
          templates:
          - name: twice
            inputs: {parameters: [{name: text}]}
            dag:
              tasks:
              - {name: own, template: echo, arguments: {parameters: [{name: text, value: "{{inputs.parameters.text}}!"}]}}
          - name: echo
            inputs: {parameters: [{name: text}]}
            container: {image: alpine, command: [echo, "{{inputs.parameters.text}}"]}
    """
    bench.manifest(other, "tools.yaml")
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          steps:
          - - {name: a, templateRef: {name: tools, template: twice}, arguments: {parameters: [{name: text, value: hi}]}}
            - name: b
              inline: {container: {image: alpine, command: [echo, inline]}}
    """)
    assert outcome.result("[0].a.own") == "hi!"
    assert outcome.result("[0].b") == "inline"
