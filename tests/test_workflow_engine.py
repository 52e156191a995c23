# ruff: noqa: E501 - manifests read best with one thing per line
"""The local engine: data flow. It does what Argo's controller does: one behaviour per test, real processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_fixtures import open_bench

from platform_cli.events import RunFinished, RunStarted
from platform_cli.workflow.interface import Submission


@pytest.fixture
def bench(tmp_path):
    with open_bench(tmp_path) as bench:
        yield bench


FIXTURES = Path(__file__).parent / "fixtures" / "engine"


# ── data flow ───────────────────────────────────────────────────────────────


def test_parameters_and_artifacts_flow_through_a_dag(bench):
    name = bench.engine.submit(Submission(manifest=FIXTURES / "diamond.yaml", parameters={"greeting": "hei"}))
    outcome = bench.go(name)
    assert outcome.phase == "Succeeded"
    assert outcome.result("last") == "HEI WORLD:9"
    assert [type(event) for event in bench.events if isinstance(event, RunStarted | RunFinished)] == [
        RunStarted,
        RunFinished,
    ]


def test_children_and_boundaries_have_argos_shape(bench):
    outcome = bench.go(bench.engine.submit(Submission(manifest=FIXTURES / "diamond.yaml", parameters={})))
    nodes = outcome.nodes
    root = nodes[""]
    assert (root["type"], root["id"], root["name"]) == ("DAG", outcome.name, outcome.name)
    assert root["children"] == [nodes["first"]["id"]]
    assert set(nodes["first"]["children"]) == {nodes["left"]["id"], nodes["right"]["id"]}
    assert root["outboundNodes"] == [nodes["last"]["id"]]
    assert {nodes[name]["boundaryID"] for name in ("first", "left", "right", "last")} == {outcome.name}


def test_folders_and_optional_raw_and_archived_artifacts(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          steps:
          - - {name: make, template: make}
          - - name: take
              template: take
              arguments:
                artifacts:
                - {name: folder, from: "{{steps.make.outputs.artifacts.folder}}"}
                - {name: plain, from: "{{steps.make.outputs.artifacts.plain}}"}
                - {name: text, raw: {data: "raw text"}}
        - name: make
          container:
            image: alpine
            command: [sh, -c]
            args: ["mkdir -p /out/deep/er; echo one > /out/deep/1; ln -s 1 /out/deep/link; echo x > /out/deep/er/2; echo p > /tmp/plain"]
          outputs:
            artifacts:
            - {name: folder, path: /out/deep}
            - {name: plain, path: /tmp/plain, archive: {none: {}}}
            - {name: never, path: /tmp/never, optional: true}
        - name: take
          inputs:
            artifacts:
            - {name: folder, path: /in/folder}
            - {name: plain, path: /in/plain, mode: 448}
            - {name: text, path: /tmp/text}
            - {name: missing, path: /in/missing, optional: true}
          container:
            image: alpine
            command: [sh, -c, "cat /in/folder/1 /in/folder/link /in/folder/er/2 /in/plain /tmp/text; stat -c %a /in/plain; ls /in"]
    """)
    assert outcome.message == ""
    assert outcome.result("[1].take").split() == ["one", "one", "x", "p", "raw", "text700", "folder", "plain"]


def test_a_step_may_change_its_inputs_without_touching_the_store(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag:
            tasks:
            - {name: make, template: make}
            - {name: spoil, template: use, depends: make, arguments: &a {artifacts: [{name: x, from: "{{tasks.make.outputs.artifacts.x}}"}]}}
            - {name: look, template: use, depends: spoil, arguments: *a}
        - name: make
          container: {image: alpine, command: [sh, -c, "echo good > /tmp/x"]}
          outputs: {artifacts: [{name: x, path: /tmp/x}]}
        - name: use
          inputs: {artifacts: [{name: x, path: /tmp/x}]}
          container: {image: alpine, command: [sh, -c, "cat /tmp/x; echo bad > /tmp/x"]}
    """)
    assert [outcome.result(name) for name in ("spoil", "look")] == ["good", "good"]


def test_a_missing_output_is_an_error_unless_it_has_a_default(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag:
            failFast: false
            tasks: [{name: defaulted, template: defaulted}, {name: file, template: file}, {name: value, template: value}]
        - name: defaulted
          container: {image: alpine, command: ["true"]}
          outputs: {parameters: [{name: x, valueFrom: {path: /tmp/x, default: fallback}}]}
        - name: file
          container: {image: alpine, command: ["true"]}
          outputs: {artifacts: [{name: x, path: /tmp/x}]}
        - name: value
          container: {image: alpine, command: ["true"]}
          outputs: {parameters: [{name: x, valueFrom: {path: /tmp/x}}]}
    """)
    assert outcome.output("defaulted", "x") == "fallback"
    assert outcome.phases["file"] == outcome.phases["value"] == "Error"
    assert outcome.nodes["file"]["message"] == "the step did not write outputs.artifacts.x to /tmp/x"


def test_global_outputs_reach_later_steps_and_the_exit_handler(bench):
    outcome = bench.run(
        """
        entrypoint: main
        onExit: bye
        templates:
        - name: main
          steps:
          - - {name: give, template: give}
          - - {name: take, template: say, arguments: {parameters: [{name: text, value: "{{workflow.outputs.parameters.shared}}"}]}}
        - name: give
          container: {image: alpine, command: [sh, -c, "echo gift > /tmp/x"]}
          outputs: {parameters: [{name: x, globalName: shared, valueFrom: {path: /tmp/x}}]}
        - name: bye
          container: {image: alpine, command: [echo, "{{workflow.status}} {{workflow.outputs.parameters.shared}}"]}
    """
    )
    assert outcome.result("[1].take") == "gift"
    assert outcome.result("onExit") == "Succeeded gift"
