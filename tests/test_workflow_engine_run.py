# ruff: noqa: E501 - manifests read best with one thing per line
"""The local engine: volumes, environment, submission, listing, logs, reuse; real processes."""

from __future__ import annotations

import pytest
from engine_fixtures import open_bench

from platform_cli.errors import LintError, NotFoundError, StateError, UsageError
from platform_cli.events import NodeFinished


@pytest.fixture
def bench(tmp_path):
    with open_bench(tmp_path) as bench:
        yield bench


ECHO = "entrypoint: main\ntemplates:\n- {name: main, container: {image: alpine, command: [echo, hello]}}\n"


@pytest.mark.parametrize("use_namespaces", [None, False])
def test_config_maps_and_secrets_as_volumes_and_variables(bench, use_namespaces):
    bench.options["use_namespaces"] = use_namespaces
    bench.engine.apply_config_map("settings", {"color": b"blue", "shape.txt": b"round\n"})
    bench.engine.apply_secret("login", {"password": b"hunter2"})
    outcome = bench.run("""
        entrypoint: main
        volumes:
        - {name: settings, configMap: {name: settings}}
        - {name: chosen, configMap: {name: settings, items: [{key: color, path: sub/c}]}}
        - {name: login, secret: {secretName: login}}
        - {name: maybe, configMap: {name: not-there, optional: true}}
        - {name: empty, emptyDir: {}}
        templates:
        - name: main
          container:
            image: alpine
            command: [sh, -c]
            args: ['cat /etc/settings/shape.txt /chosen/sub/c /login/password; ls /maybe /empty; echo "$COLOR $ALL_color $PASSWORD $NAME $NONE. $(COLOR)"']
            env:
            - {name: COLOR, valueFrom: {configMapKeyRef: {name: settings, key: color}}}
            - {name: PASSWORD, valueFrom: {secretKeyRef: {name: login, key: password}}}
            - {name: NONE, valueFrom: {configMapKeyRef: {name: settings, key: none, optional: true}}}
            - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            envFrom: [{prefix: ALL_, configMapRef: {name: settings}}]
            volumeMounts:
            - {name: settings, mountPath: /etc/settings}
            - {name: chosen, mountPath: /chosen}
            - {name: login, mountPath: /login}
            - {name: maybe, mountPath: /maybe}
            - {name: empty, mountPath: /empty}
    """)
    assert outcome.message == ""
    lines = outcome.result("").splitlines()
    assert lines[0] == "round"
    assert lines[1].startswith("bluehunter2")
    assert lines[-1] == f"blue blue hunter2 {outcome.name} . blue"
    stored = b"".join(path.read_bytes() for path in bench.home.engine.glob("runs.db*"))
    assert b"login" in stored


def test_a_missing_config_map_is_named(bench):
    outcome = bench.run("""
        entrypoint: main
        volumes: [{name: code, configMap: {name: training-steps}}]
        templates:
        - name: main
          container: {image: alpine, command: ["true"], volumeMounts: [{name: code, mountPath: /code}]}
    """)
    assert outcome.phase == "Error"
    assert "ConfigMap training-steps does not exist" in outcome.message


def test_the_commands_own_environment_stays_outside(bench):
    bench.options["environment"] = {"PATH": "/usr/bin:/bin", "AWS_SECRET_ACCESS_KEY": "leak", "HOME": "/root"}
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag: {tasks: [{name: sh, template: sh}, {name: py, template: py}]}
        - name: sh
          container: {image: alpine, command: [env]}
        - name: py
          container: {image: python, command: [python, -c, "import os; print(dict(os.environ))"]}
    """)
    for name in ("sh", "py"):
        assert "HOME" in outcome.result(name)
        assert "leak" not in outcome.result(name)


def test_bad_submissions_are_refused_with_all_problems(bench):
    spec = """
        entrypoint: main
        arguments: {parameters: [{name: wanted}, {name: mode, value: fast, enum: [fast, slow]}]}
        templates:
        - name: main
          container: {image: alpine, command: [echo, "{{workflow.parameters.wanted}}{{workflow.parameters.mode}}"]}
    """
    with pytest.raises(UsageError) as caught:
        bench.submit(spec, {"wantd": "x", "mode": "idle"})
    text = "\n".join(caught.value.details)
    assert "unknown parameter wantd: did you mean wanted?" in text
    assert "parameter wanted has no value" in text
    assert "fast, slow" in text
    with pytest.raises(UsageError, match="no template man"):
        bench.submit(spec, {"wanted": "x"}, entrypoint="man")
    with pytest.raises(UsageError, match="name of a run"):
        bench.submit(spec, {"wanted": "x"}, name="Not A Name")
    with pytest.raises(LintError):
        bench.submit("entrypoint: nowhere\ntemplates: []")


@pytest.mark.parametrize(
    "addition",
    ["suspend: true", "shutdown: Stop", "synchronization: {mutexes: [{name: m}]}"],
)
def test_what_only_a_cluster_does_is_refused_and_not_left_out(bench, addition):
    with pytest.raises(LintError) as caught:
        bench.submit(f"{addition}\n{ECHO}")
    assert f"spec.{addition.partition(':')[0]}: is not supported by the local engine" in caught.value.details[0]


def test_runs_are_listed_got_and_deleted(bench):
    first, second = (bench.run(ECHO).name for _ in range(2))
    assert [run["metadata"]["name"] for run in bench.engine.list()] == [second, first]
    assert bench.engine.get("@latest")["metadata"]["name"] == second
    assert "nodes" not in bench.engine.list()[0]["status"]
    with pytest.raises(NotFoundError) as caught:
        bench.engine.get(first + "x")
    assert first in caught.value.hint
    bench.engine.delete(first)
    assert [run["metadata"]["name"] for run in bench.engine.list()] == [second]
    assert not bench.engine.folder(first).exists()
    with pytest.raises(StateError, match="has ended"):
        bench.engine.run(second, bench.events.append)
    with pytest.raises(StateError, match=f"named {second} exists"):
        bench.submit(ECHO, name=second)


def test_deleting_a_run_keeps_what_others_need(bench):
    spec = """
        entrypoint: main
        templates:
        - name: main
          container: {{image: alpine, command: [sh, -c, "echo {text} > /tmp/x"]}}
          outputs: {{artifacts: [{{name: x, path: /tmp/x}}]}}
    """

    def count_blobs() -> int:
        return sum(path.is_file() for path in bench.engine.artifacts.root.rglob("*"))

    same = [bench.run(spec.format(text="same")) for _ in range(2)]
    other = bench.run(spec.format(text="other"))
    assert count_blobs() == 2
    bench.engine.delete(same[0].name)
    assert count_blobs() == 2
    bench.engine.delete(other.name)
    assert count_blobs() == 1


def test_logs_by_step(bench):
    outcome = bench.run("""
        entrypoint: main
        templates:
        - name: main
          dag:
            tasks: [{name: one, template: both}, {name: two, template: say, depends: one}]
        - name: both
          container: {image: alpine, command: [sh, -c, "echo out; echo err >&2; printf tail"]}
    """)
    lines = [(line.source, line.stream, line.text) for line in bench.engine.logs(outcome.name)]
    assert sorted(lines) == [
        ("one", "stderr", "err"),
        ("one", "stdout", "out"),
        ("one", "stdout", "tail"),
        ("two", "stdout", "hello"),
    ]
    assert [line.text for line in bench.engine.logs(outcome.name, step="two")] == ["hello"]
    with pytest.raises(NotFoundError) as caught:
        list(bench.engine.logs(outcome.name, step="twoo"))
    assert caught.value.hint == "did you mean two?"


def test_a_steps_summary_is_part_of_its_event(bench):
    bench.run("""
        entrypoint: main
        templates:
        - name: main
          container: {image: alpine, command: [sh, -c, "echo 150 rows > /tmp/summary"]}
          outputs: {parameters: [{name: summary, valueFrom: {path: /tmp/summary, default: ""}}]}
    """)
    assert [event.summary for event in bench.events if isinstance(event, NodeFinished)] == ["150 rows"]


REUSE = """
    entrypoint: main
    arguments: {{parameters: [{{name: seed, value: "1"}}]}}
    volumes: [{{name: code, configMap: {{name: code}}}}]
    templates:
    - name: main
      dag:
        tasks:
        - name: make
          template: make
          arguments: {{parameters: [{{name: seed, value: "{{{{workflow.parameters.seed}}}}"}}]}}
        - name: use
          template: use
          depends: make
          arguments: {{artifacts: [{{name: x, from: "{{{{tasks.make.outputs.artifacts.x}}}}"}}]}}
    - name: make
      inputs: {{parameters: [{{name: seed}}]}}
      container:
        image: alpine
        command: [sh, /code/make.sh, "{{{{inputs.parameters.seed}}}}"]
        volumeMounts: [{{name: code, mountPath: /code}}]
      outputs: {{artifacts: [{{name: x, path: /tmp/x}}]}}
    - name: use
      {metadata}
      inputs: {{artifacts: [{{name: x, path: /tmp/x}}]}}
      container: {{image: alpine, command: [cat, /tmp/x]}}
"""


def _reasons(outcome) -> list[tuple[bool, str]]:
    return [(outcome.nodes[name]["reuse"]["hit"], outcome.nodes[name]["reuse"]["reason"]) for name in ("make", "use")]


def test_unchanged_steps_are_reused_and_every_reason_is_told(bench):
    bench.engine.apply_config_map("code", {"make.sh": b"echo $1 > /tmp/x"})
    spec = REUSE.format(metadata="")
    first = bench.run(spec, reuse=True)
    assert _reasons(first) == [(False, "first run"), (False, "first run")]

    again = bench.run(spec, reuse=True)
    assert _reasons(again) == [(True, f"nothing changed since run {first.name}")] * 2
    assert again.result("use") == "1"
    reused = [event.reused for event in bench.events if isinstance(event, NodeFinished) and event.run == again.name]
    assert reused.count(f"nothing changed since run {first.name}") == 2
    assert [line.text for line in bench.engine.logs(again.name, step="use")] == ["1"], "the log of who wrote it"

    assert _reasons(bench.run(spec, reuse=False)) == [(False, "reuse refused by --no-cache")] * 2

    seeded = bench.run(spec, {"seed": "2"}, reuse=True)
    assert _reasons(seeded) == [(False, "parameter seed 1 → 2"), (False, "input artifact x changed")]
    assert seeded.result("use") == "2"

    bench.engine.apply_config_map("code", {"make.sh": b"echo new $1 > /tmp/x"})
    assert _reasons(bench.run(spec, {"seed": "2"}, reuse=True))[0] == (False, "code changed: make.sh")


def test_a_reused_artifact_must_still_be_what_it_was(bench):
    bench.engine.apply_config_map("code", {"make.sh": b"echo $1 > /tmp/x"})
    first = bench.run(REUSE.format(metadata=""), reuse=True)
    (blob,) = (path for path in bench.engine.artifacts.root.rglob("*") if path.is_file())
    blob.chmod(0o644)
    blob.write_text("tampered")
    again = bench.run(REUSE.format(metadata=""), reuse=True)
    assert _reasons(again)[0] == (False, f"outputs are gone: x of run {first.name}")
    assert again.result("use") == "1"


def test_a_template_can_refuse_to_be_reused(bench):
    bench.engine.apply_config_map("code", {"make.sh": b"echo $1 > /tmp/x"})
    spec = REUSE.format(metadata='metadata: {annotations: {mlops.dev/reuse: "false"}}')
    bench.run(spec, reuse=True)
    assert [hit for hit, _ in _reasons(bench.run(spec, reuse=True))] == [True, False]
